//! The epochs of one incarnation, as the source cuts them. Owned by the phases that read.
//!
//! In:  a reason to cut; the sink's `Committed`.
//! Out: a barrier to every worker and a cut to the sink, at the same point of the stream.
//! Holds: one epoch at a time is cut and not committed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{Halt, context::Context, fatal};
use crate::{
    client::{Client, RecordConsumer},
    epoch::{CommittedEpoch, CutReason, EpochCut, Recovered, Times, ToSink},
    failpoint::{self, Point},
    ids::{Epoch, Offset, PartitionId},
    limits,
};

/// Which epoch is open, which waits for its commit, and where they began.
#[derive(Debug)]
pub(super) struct Epochs {
    /// The open epoch.
    open: Epoch,
    began: Instant,
    /// The epoch that was cut and is not committed yet.
    cut: Option<Epoch>,
    /// Positions at the last cut.
    cut_positions: BTreeMap<PartitionId, Offset>,
    /// Whether an epoch is to be cut at once, so that what was taken over is committed as ours.
    commit_starts: bool,
    /// Event-time facts as of the last committed epoch.
    times: Times,
    /// How many commit intervals an epoch lasts.
    intervals: u32,
}

/// How many commit intervals the next epoch lasts, by what the last one wrote into the journal. A
/// window that changes is written whole, once in an epoch: longer epochs write less per second.
fn intervals_after(journal_bytes: usize) -> u32 {
    let needed = journal_bytes.div_ceil(limits::JOURNAL_EPOCH_BYTES);
    needed.clamp(1, limits::EPOCH_INTERVALS_MOST as usize) as u32
}

impl Epochs {
    /// The first epoch is open. The partitions are those that `cx` owns now.
    pub(super) fn begin<C: Client>(
        cx: &mut Context<C>,
        recovered: Recovered,
        now: Instant,
    ) -> Self {
        cx.unused_epoch = recovered.epoch;
        Self {
            open: recovered.epoch,
            began: now,
            cut: None,
            cut_positions: cx.intake.partitions.positions(),
            commit_starts: true,
            times: recovered.times,
            intervals: 1,
        }
    }

    /// Event-time facts as of the last committed epoch.
    pub(super) fn times(&self) -> &Times {
        &self.times
    }

    /// Whether an epoch is cut and not committed.
    pub(super) fn waits_for_commit(&self) -> bool {
        self.cut.is_some()
    }

    /// Whether all up to an offset of a partition is committed and nothing is on its way.
    pub(super) fn is_committed(&self, partition: PartitionId, offset: Offset) -> bool {
        self.cut.is_none()
            && !self.commit_starts
            && self.cut_positions.get(&partition) == Some(&offset)
    }

    /// The partitions of the last cut.
    pub(super) fn partitions(&self) -> Vec<PartitionId> {
        self.cut_positions.keys().copied().collect()
    }

    /// Whether the open epoch is to be cut now, because the commit interval has passed and there is
    /// something to commit, or because it is the first one.
    pub(super) fn is_due<C: Client>(&self, cx: &Context<C>, interval: Duration) -> bool {
        let most = cx.settings.timing.transaction() / limits::TRANSACTION_INTERVALS;
        let length = interval.max(most.min(interval * self.intervals));
        let due = cx.intake.now() - self.began >= length;
        // Open windows may close by silence alone, so epochs go on as long as there are any.
        let partitions = &cx.intake.partitions;
        let worth = self.times.open_windows > 0
            || self.times.has_news
            || partitions.progressed(&self.cut_positions)
            || partitions.has_news();
        self.commit_starts || partitions.waits_for(self.times.announced) || (due && worth)
    }

    /// Cuts the open epoch and opens the next one.
    pub(super) fn cut<C: Client>(
        &mut self,
        cx: &mut Context<C>,
        reason: CutReason,
    ) -> Result<(), Halt> {
        let (epoch, horizon, now) = (self.open, self.times.horizon, cx.intake.now());
        let consumer = &cx.consumer;
        let idle_timeout = cx.settings.idle_timeout;
        let partitions =
            cx.intake.partitions.cut(now, idle_timeout, |p| consumer.cached_log_end(p));
        let cut = EpochCut {
            incarnation: cx.incarnation,
            epoch,
            partitions,
            input_partitions: cx.topics.input_partitions(),
            horizon,
            cut_at_ms: cx.intake.now_ms(),
            reason,
            bytes: std::mem::take(&mut cx.intake.bytes),
            dropped: std::mem::take(&mut cx.intake.dropped),
        };
        let changed = cx.topics.adopt(&cx.settings.topics, epoch, &mut cx.intake.lanes)?;
        cx.intake.lanes.barrier(epoch, horizon)?;
        if changed {
            cx.intake.lanes.output_partitions(cx.topics.outputs())?;
        }
        cx.intake.lanes.tell_sink(ToSink::Cut(Box::new(cut)))?;
        failpoint::reached(Point::Cut);
        // Their first records are judged by a horizon that the announcement knew.
        let announced = cx.intake.partitions.announce(self.times.announced);
        if !announced.is_empty() {
            cx.consumer.resume(&announced).map_err(|error| fatal(&error))?;
        }
        self.cut_positions = cx.intake.partitions.positions();
        self.cut = Some(epoch);
        self.commit_starts = false;
        self.open = epoch.next();
        self.began = now;
        cx.unused_epoch = self.open;
        Ok(())
    }

    /// Takes the sink's word that the epoch that was cut is committed.
    pub(super) fn committed<C: Client>(&mut self, cx: &mut Context<C>, done: &CommittedEpoch) {
        assert_eq!(self.cut, Some(done.epoch), "the sink commits the epoch that was cut");
        self.cut = None;
        self.times.clone_from(&done.times);
        self.stretch(intervals_after(done.journal_bytes));
        cx.rollbacks = 0;
    }

    /// Takes what others have committed.
    pub(super) fn news(&mut self, times: Times) {
        self.times = times;
    }

    fn stretch(&mut self, intervals: u32) {
        if intervals != self.intervals {
            tracing::debug!(
                intervals,
                "an epoch lasts so many commit intervals now: it may write 4 MiB into the journal in \
                 each"
            );
            self.intervals = intervals;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_stretched_by_what_the_last_one_wrote_and_at_most_fourfold() {
        const MIB: usize = 1024 * 1024;
        let cases = [(0, 1), (4 * MIB, 1), (4 * MIB + 1, 2), (9 * MIB, 3), (500 * MIB, 4)];
        for (bytes, intervals) in cases {
            assert_eq!(intervals_after(bytes), intervals, "{bytes}");
        }
    }
}
