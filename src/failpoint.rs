//! Places where a test may kill the process or make a step fail: one at every step of the epoch
//! protocol, of a rollback and of recovery.
//!
//! Reached by the source, the workers and the sink. Without the feature `test-support` every call
//! is empty. With it, `FAILPOINTS="name=action;…"` decides, in the syntax of the `fail` crate:
//! `return` kills the process as `kill -9` does, `2*off->return` at the third time.
//! Also, with the feature, a test may plant a fault: a rule of the protocol that is not kept.
//! Holds: nothing here changes what the program does unless `FAILPOINTS` is set or a fault planted.

/// A place; [`Point::name`] is its name in `FAILPOINTS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The source has cut an epoch.
    Cut,
    /// A worker is about to answer a barrier.
    Answer,
    /// The first output of an epoch is about to be produced.
    FirstOutput,
    /// All answers are in; no window record is made yet.
    Aligned,
    /// The producer has accepted the last output.
    LastOutput,
    /// Everything is delivered, the commit has not begun.
    Delivered,
    /// The offsets are in the transaction, which is not committed.
    OffsetsSent,
    /// The commit is requested and not answered.
    Committing,
    /// The commit is answered, and nothing has noted it yet.
    Committed,
    /// The epoch is finished and published.
    Finished,
    /// As `Delivered`, in an epoch that closes windows because partitions are idle.
    IdleClose,
    /// As `Committed`, in an epoch that closes windows because partitions are idle.
    IdleClosed,
    /// Does not kill: the open epoch's deliveries count as failed.
    FailDelivery,
    /// A rollback: what was open is discarded, nothing is recovered yet.
    Undone,
    /// The committed offsets are known, the journal is not read up to its end yet.
    Recover,
    /// The journal is read, nothing is decided yet.
    Followed,
    /// The identity of a new journal is committed.
    Founded,
    /// It is decided where reading goes on; it has not begun yet.
    TakenOver,
    /// The local copy has rows that its positions do not know of yet.
    CopyRows,
}

#[cfg(any(test, feature = "test-support"))]
impl Point {
    /// Every place at which the process can be killed.
    pub const ALL: &[Self] = &[
        Self::Cut,
        Self::Answer,
        Self::FirstOutput,
        Self::Aligned,
        Self::LastOutput,
        Self::Delivered,
        Self::OffsetsSent,
        Self::Committing,
        Self::Committed,
        Self::Finished,
        Self::IdleClose,
        Self::IdleClosed,
        Self::Undone,
        Self::Recover,
        Self::Followed,
        Self::Founded,
        Self::TakenOver,
        Self::CopyRows,
    ];

    /// Its name in `FAILPOINTS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Answer => "answer",
            Self::FirstOutput => "first-output",
            Self::Aligned => "aligned",
            Self::LastOutput => "last-output",
            Self::Delivered => "delivered",
            Self::OffsetsSent => "offsets-sent",
            Self::Committing => "committing",
            Self::Committed => "committed",
            Self::Finished => "finished",
            Self::IdleClose => "idle-close",
            Self::IdleClosed => "idle-closed",
            Self::FailDelivery => "fail-delivery",
            Self::Undone => "undone",
            Self::Recover => "recover",
            Self::Followed => "followed",
            Self::Founded => "founded",
            Self::TakenOver => "taken-over",
            Self::CopyRows => "copy-rows",
        }
    }
}

/// Kills the process if `FAILPOINTS` says so for this place.
#[cfg(feature = "test-support")]
pub(crate) fn reached(point: Point) {
    if is_set(point) {
        kill(point);
    }
}

/// Kills the process.
#[cfg(feature = "test-support")]
pub(crate) fn kill(point: Point) {
    tracing::error!(point = point.name(), "failpoint: killed");
    // If this fails, there is nothing else to try.
    let _ = signal_hook::low_level::raise(signal_hook::consts::SIGKILL);
}

/// Whether `FAILPOINTS` says that this place is to fail.
#[cfg(feature = "test-support")]
pub(crate) fn is_set(point: Point) -> bool {
    fail::eval(point.name(), |_| ()).is_some()
}

/// Does nothing without the feature.
#[cfg(not(feature = "test-support"))]
#[inline]
pub(crate) fn reached(_point: Point) {}

/// Does nothing without the feature.
#[cfg(not(feature = "test-support"))]
#[inline]
pub(crate) fn kill(_point: Point) {}

/// False without the feature.
#[cfg(not(feature = "test-support"))]
#[inline]
pub(crate) fn is_set(_point: Point) -> bool {
    false
}

/// A rule of the protocol that a test lets the program break, to see that this is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An epoch is committed before its output is delivered.
    CommitBeforeDelivery,
    /// Offsets are committed by themselves, not in the transaction of their outputs.
    OffsetsApart,
    /// Output of the next epoch does not wait for the commit of the one before it.
    NextEpochAhead,
    /// The first epoch after a start judges events by no horizon.
    HorizonForgotten,
    /// A silent partition is idle although no broker has answered for it.
    IdleUnasked,
    /// An answer about a silent partition counts as of the cut, however old it is.
    IdleAsOfNow,
    /// A producer that could not deliver a record is kept.
    ProducerKept,
    /// After a commit that took long, the producer is kept.
    SlowCommitKept,
    /// A takeover reads the journal up to the last stable offset.
    UpToStable,
    /// The offset of a partition is missing in the transaction of its record.
    RecordWithoutOffset,
    /// A taker begins a stream's numbers anew.
    SeqRestarted,
    /// A taker does not carry on where a stream is restored from.
    RestoreFromForgotten,
    /// The local copy's positions are written before its rows.
    PositionsFirst,
    /// Windows are forgotten as soon as the merger's own horizon has passed them.
    ForgottenUnasked,
    /// A partition without a head holds neither the watermark nor windows.
    HeadlessIgnored,
    /// A sum below the published one is published.
    SmallerPublished,
    /// A process ends because of a bounded run that was done before it began.
    YesterdaysRun,
    /// Rows are restored from where the streams are.
    RowsFromSnapshot,
    /// A worker keeps what it knows of users when everything else is rolled back.
    RowsKept,
    /// Memory makes room by rows that the files do not have yet.
    RowsDropped,
    /// A commit of the files of rows names a position before the rows up to it are written.
    RowsUnwritten,
}

#[cfg(any(test, feature = "test-support"))]
impl Fault {
    /// Every fault.
    pub const ALL: &[Self] = &[
        Self::CommitBeforeDelivery,
        Self::OffsetsApart,
        Self::NextEpochAhead,
        Self::HorizonForgotten,
        Self::IdleUnasked,
        Self::IdleAsOfNow,
        Self::ProducerKept,
        Self::SlowCommitKept,
        Self::UpToStable,
        Self::RecordWithoutOffset,
        Self::SeqRestarted,
        Self::RestoreFromForgotten,
        Self::PositionsFirst,
        Self::ForgottenUnasked,
        Self::HeadlessIgnored,
        Self::SmallerPublished,
        Self::YesterdaysRun,
        Self::RowsFromSnapshot,
        Self::RowsKept,
        Self::RowsDropped,
        Self::RowsUnwritten,
    ];
}

#[cfg(feature = "test-support")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// Plants a fault in all that runs on this thread, or takes it back.
#[cfg(feature = "test-support")]
pub fn plant(fault: Option<Fault>) {
    PLANTED.set(fault);
}

/// Whether a test has planted this fault.
#[cfg(feature = "test-support")]
pub(crate) fn is_planted(fault: Fault) -> bool {
    PLANTED.get() == Some(fault)
}

/// False without the feature.
#[cfg(not(feature = "test-support"))]
#[inline]
pub(crate) fn is_planted(_fault: Fault) -> bool {
    false
}

/// Reads `FAILPOINTS`; the places are cleared when the result is dropped.
#[cfg(feature = "test-support")]
#[must_use]
pub fn setup() -> fail::FailScenario<'static> {
    fail::FailScenario::setup()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_places_share_a_name() {
        let names: BTreeSet<_> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }
}
