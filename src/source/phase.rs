//! Where the source stands, and what it does about what it hears. Owned by the source thread.
//!
//! In:  messages of the sink, rebalance events, faults, a stop.
//! Out: the next phase. Every phase is a type that is consumed by what ends it.
//! Holds: what may follow what is drawn at [`Phase`].

use std::sync::atomic::Ordering::Relaxed;

use super::{
    Halt,
    asking::Asking,
    context::Context,
    ending::{Ending, Reason},
    fatal,
    intake::ReadFault,
    leaving::{After, Leaving},
    recovering::Recovering,
    rejoining::Rejoining,
    running::Running,
    standing_by::StandingBy,
};
use crate::{
    client::Client,
    epoch::ToSource,
    ids::PartitionId,
    kafka::RebalanceEvent,
    metrics::{self, Metric, Waiting},
};

/// ```text
/// Unassigned ──assigned──► Leaving ──sink has undone──► Asking ──broker answers──► Recovering
///     ▲                     │ ▲  ▲                          │ ▲  sink asks again ◄──── │ │
///     ├─────────────────────┘ │  │                          └─┼────────────────────────┘ │
///     │ given back, lost      │  │                            └─ (journal and commits     │ sink
///     │                       │  │                                do not fit)            │ has
///     │                       │  └─ rollback, revoke, lost: from anywhere                ▼ decided
///     │                       └──── revoked, committed ── Ending ◄──revoke, stop, end── Running
///     └────────────────────────────────────────────────────┴─► Closed
/// ```
/// `StandingBy` is an `Unassigned` to which the group has given an empty assignment. `Rejoining` comes
/// before `Unassigned` where the group knows a namesake.
#[derive(Debug)]
pub(super) enum Phase {
    Unassigned,
    StandingBy(StandingBy),
    /// The group knows a namesake.
    Rejoining(Rejoining),
    /// The incarnation is over; the sink has to undo it.
    Leaving(Leaving),
    /// The broker is asked where to go on.
    Asking(Asking),
    /// The sink decides where to go on.
    Recovering(Recovering),
    /// Records are read, epochs are cut.
    Running(Running),
    /// The last epoch of the incarnation.
    Ending(Ending),
    Closed,
}

impl Phase {
    /// Does what is due by itself.
    pub(super) fn advance<C: Client>(self, cx: &mut Context<C>) -> Result<Self, Halt> {
        match self {
            Self::Asking(phase) => phase.step(cx),
            Self::Running(phase) => phase.step(cx),
            Self::Ending(phase) => phase.step(cx),
            Self::Rejoining(phase) => phase.step(cx),
            Self::StandingBy(phase) => Ok(Self::StandingBy(phase.step(cx))),
            phase => Ok(phase),
        }
    }

    /// Takes a message of the sink. One of an incarnation that was left meanwhile is dropped.
    pub(super) fn heard<C: Client>(
        self,
        cx: &mut Context<C>,
        message: ToSource,
    ) -> Result<Self, Halt> {
        if !cx.concerns(&message) {
            return Ok(self);
        }
        match (self, message) {
            (Self::Leaving(phase), ToSource::Undone(_)) => phase.undone(cx),
            (Self::Recovering(phase), ToSource::AskAgain { writers, .. }) => {
                Ok(phase.ask_again(cx, &writers))
            }
            (Self::Recovering(phase), ToSource::Recovered(recovered)) => {
                phase.recovered(cx, recovered)
            }
            (Self::Running(phase), ToSource::Committed(done)) => phase.committed(cx, &done),
            (Self::Ending(phase), ToSource::Committed(done)) => phase.committed(cx, &done),
            (Self::Running(phase), ToSource::News { times, .. }) => phase.news(cx, times),
            (Self::Ending(phase), ToSource::News { times, .. }) => Ok(phase.news(times)),
            (Self::StandingBy(phase), ToSource::News { times, .. }) => Ok(phase.news(cx, &times)),
            // Nothing is read.
            (
                phase @ (Self::Unassigned | Self::Asking(_) | Self::Recovering(_) | Self::Closed),
                ToSource::News { .. },
            ) => Ok(phase),
            (phase, ToSource::RollBack { reason, .. }) => phase.roll_back(cx, &reason),
            (phase, message) => panic!("the sink says {message:?} to a source in {phase:?}"),
        }
    }

    /// Takes a rebalance event.
    pub(super) fn rebalanced<C: Client>(
        self,
        cx: &mut Context<C>,
        event: RebalanceEvent,
    ) -> Result<Self, Halt> {
        match event {
            RebalanceEvent::Assigned(partitions) => {
                metrics::add_labeled(Metric::Rebalances, &["assigned"], 1);
                tracing::info!(partitions = partitions.len(), "partitions assigned");
                cx.lost = false;
                let after = if partitions.is_empty() {
                    tracing::warn!("the group gave this instance no partition: it stands by");
                    After::StandBy
                } else {
                    After::Ask(Asking::new(partitions, cx.intake.now()))
                };
                cx.leave(after)
            }
            RebalanceEvent::Revoked(partitions) => {
                metrics::add_labeled(Metric::Rebalances, &["revoked"], 1);
                tracing::info!(partitions = partitions.len(), "partitions revoked");
                match self {
                    Self::Running(running) => {
                        Ok(running.end(cx, Reason::Revoke, cx.settings.timing.last_commit()))
                    }
                    Self::Ending(ending) => Ok(Self::Ending(ending)),
                    _ => cx.leave(After::Unassign { close: false }),
                }
            }
            RebalanceEvent::Lost(partitions) => {
                metrics::add_labeled(Metric::Rebalances, &["lost"], 1);
                tracing::warn!(
                    partitions = partitions.len(),
                    "partitions lost: the open epoch is rolled back, and the group is joined again"
                );
                cx.lost = true;
                cx.leave(After::Unassign { close: false })
            }
            RebalanceEvent::Failed(text) => {
                tracing::warn!(error = text, "rebalance failed");
                cx.leave(After::Unassign { close: self.is_stopping() })
            }
        }
    }

    /// Leaves the incarnation and recovers the same partitions. Where no incarnation is open there
    /// is nothing to roll back.
    pub(super) fn roll_back<C: Client>(
        self,
        cx: &mut Context<C>,
        reason: &str,
    ) -> Result<Self, Halt> {
        match self {
            Self::Ending(phase) => phase.roll_back(cx, reason),
            // The sink has to register anew, and what was asked before that does not count.
            Self::Asking(phase) => phase.roll_back(cx, reason),
            phase => match phase.open_partitions(cx) {
                Some(partitions) => cx.roll_back(partitions, reason),
                None => Ok(phase),
            },
        }
    }

    /// Ends what is open when a stop was asked for.
    pub(super) fn check_stop<C: Client>(self, cx: &Context<C>) -> Self {
        if !cx.control.stopping() {
            return self;
        }
        match self {
            Self::Running(phase) => phase.end(cx, Reason::Stop, cx.settings.timing.last_commit()),
            Self::Ending(phase) => Self::Ending(phase.because_of(Reason::Stop)),
            // Nothing is open that could be committed.
            _ => Self::Closed,
        }
    }

    /// Takes in what has become of the topics. Where nothing can be rolled back, that is done
    /// later.
    pub(super) fn check_topics<C: Client>(self, cx: &mut Context<C>) -> Result<Self, Halt> {
        if !self.is_open() {
            return Ok(self);
        }
        match cx.topics.look(cx.control.topics(), &cx.settings.topics) {
            // Recovery decides what that means, by what is committed and stored.
            Some(recreated) => self.roll_back(cx, &recreated),
            None => Ok(self),
        }
    }

    /// Takes one step in finding out what cannot be read, and in going past it.
    pub(super) fn advance_unreadable<C: Client>(self, cx: &mut Context<C>) -> Result<Self, Halt> {
        if !self.reads_open_epoch() || cx.unreadable.is_empty() {
            return Ok(self);
        }
        let positions = cx.intake.partitions.positions();
        if let Some((partition, gap)) = cx.unreadable.gap_at(&positions) {
            let partitions = match &self {
                Self::Running(phase) => phase.committed_up_to(partition, gap.from),
                _ => None,
            };
            let Some(partitions) = partitions else { return Ok(self) };
            let asking = Asking::new(partitions, cx.intake.now());
            return cx.leave(After::Ask(asking));
        }
        let (settings, now) = (&cx.settings, cx.intake.now());
        match cx.unreadable.step(&cx.client, settings, &cx.admin, &positions, now)? {
            None => Ok(self),
            Some(found) => match found.judge(cx)? {
                Some(reason) => self.roll_back(cx, &reason),
                None => Ok(self),
            },
        }
    }

    /// Reacts to what went wrong while reading. Nothing here loses a record: what cannot be read
    /// stands still and is asked for again.
    pub(super) fn handle_faults<C: Client>(self, cx: &mut Context<C>) -> Result<Self, Halt> {
        let mut phase = self;
        for fault in cx.intake.take_faults() {
            phase = match fault {
                ReadFault::Halt(halt) => return Err(halt),
                // After a failed checksum librdkafka may read an offset out of the damaged bytes.
                ReadFault::OutOfRange(partition) if cx.unreadable.suspects(partition) => phase,
                ReadFault::OutOfRange(partition) if matches!(phase, Self::Running(_)) => {
                    let reason =
                        format!("partition {partition}: the log no longer holds the next offset");
                    phase.roll_back(cx, &reason)?
                }
                ReadFault::OutOfRange(_) => phase,
                ReadFault::Reported(error) if error.is_replaced_member() => cx.replaced(&error)?,
                ReadFault::Reported(error) if error.is_fatal() => return Err(fatal(&error)),
                ReadFault::Reported(error) => {
                    cx.unreadable.note(&error, &cx.intake);
                    cx.warn_of(&error);
                    phase
                }
            };
        }
        Ok(phase)
    }

    /// The partitions of the open incarnation, if one is open.
    fn open_partitions<C: Client>(&self, cx: &Context<C>) -> Option<Vec<PartitionId>> {
        match self {
            Self::Running(_) | Self::Ending(_) => {
                Some(cx.intake.partitions.positions().into_keys().collect())
            }
            Self::Recovering(phase) => Some(phase.known().partitions.clone()),
            Self::Unassigned
            | Self::StandingBy(_)
            | Self::Rejoining(_)
            | Self::Leaving(_)
            | Self::Asking(_)
            | Self::Closed => None,
        }
    }

    /// Whether an incarnation is open.
    fn is_open(&self) -> bool {
        self.is_at_work() || matches!(self, Self::Recovering(_))
    }

    fn reads_open_epoch(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    fn is_stopping(&self) -> bool {
        matches!(self, Self::Ending(ending) if ending.reason() == Reason::Stop)
    }

    /// Whether records are taken.
    pub(super) fn takes_records(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Whether records are read or about to be committed.
    pub(super) fn is_at_work(&self) -> bool {
        matches!(self, Self::Running(_) | Self::Ending(_))
    }

    /// Whether an epoch is cut and not committed.
    pub(super) fn waits_for_commit(&self) -> bool {
        match self {
            Self::Running(phase) => phase.waits_for_commit(),
            Self::Ending(phase) => phase.waits_for_commit(),
            _ => false,
        }
    }

    /// What is waited for while nothing is read.
    pub(super) fn waits_for<C: Client>(&self, cx: &Context<C>) -> Waiting {
        match self {
            Self::Unassigned => Waiting::Assignment,
            Self::StandingBy(_) => Waiting::Standby,
            Self::Leaving(_) if cx.control.activity().registering.load(Relaxed) => {
                Waiting::Registration
            }
            Self::Leaving(_) => Waiting::Workers,
            Self::Asking(asking) if asking.is_pausing(cx.intake.now()) => Waiting::Nothing,
            Self::Asking(_) | Self::Rejoining(_) => Waiting::Offsets,
            Self::Recovering(_) => Waiting::State,
            Self::Running(_) | Self::Ending(_) | Self::Closed => Waiting::Nothing,
        }
    }
}
