//! Cutting epochs and hearing of their commits. Owned by the source thread.
//!
//! In:  the commit interval, the budget, an ending; the sink's `Recovered` and `Committed`.
//! Out: a barrier to every worker and a cut to the sink, at the same point of the stream.
//! Holds: one epoch at a time is cut and not committed; the last epoch of an incarnation is cut
//! after its last record.

use std::time::Instant;

use super::{Ending, Halt, Source, SourcePhase, fatal};
use crate::{
    epoch::{CommittedEpoch, CutReason, EpochCut, Mode, Recovered, ToSink},
    error::RunError,
    failpoint::{self, Point},
    limits, metrics,
    topics::Topic,
};

impl Source {
    pub(super) fn run_epochs(&mut self) -> Result<(), Halt> {
        if self.settings.exit_at_end && self.end_at_bound() {
            return Ok(());
        }
        self.probe_silent();
        self.watch_open_transactions();
        if self.cut.is_some() {
            return Ok(());
        }
        if self.settings.budget.wants_early_cut() {
            return self.cut_epoch(CutReason::Budget);
        }
        let due = self.intake.now() - self.epoch_began >= self.settings.commit_interval;
        // Open windows may close by silence alone, so epochs go on as long as there are any.
        let partitions = &self.intake.partitions;
        let worth = self.times.open_windows > 0
            || partitions.progressed(&self.cut_positions)
            || partitions.has_news();
        if self.commit_starts || (due && worth) {
            self.cut_epoch(CutReason::Interval)
        } else {
            Ok(())
        }
    }

    pub(super) fn advance_ending(
        &mut self,
        why: Ending,
        deadline: Instant,
        cut: bool,
    ) -> Result<(), Halt> {
        if self.cut.is_none() && !cut {
            self.phase = SourcePhase::Ending { why, deadline, cut: true };
            return self.cut_epoch(why.into());
        }
        if self.intake.now() < deadline {
            return Ok(());
        }
        match why {
            Ending::Revoke => {
                tracing::warn!("the open epoch did not commit before the partitions must go");
                self.give_away()
            }
            Ending::Stop => Err(Halt::Failed(RunError::Failed(format!(
                "the open epoch did not commit within {} s of the stop; nothing is lost: its \
                 events are read again at the next start",
                limits::STOP_DEADLINE.as_secs()
            )))),
            // Nobody waits for it: a broker that is away is waited for.
            Ending::EndOfInput | Ending::HangingTransaction => Ok(()),
        }
    }

    fn cut_epoch(&mut self, reason: CutReason) -> Result<(), Halt> {
        let horizon = self.times.horizon;
        let consumer = &self.consumer;
        let now = self.intake.now();
        let partitions = self
            .intake
            .partitions
            .cut(now, self.settings.idle_timeout, |p| consumer.cached_log_end(p));
        let cut = EpochCut {
            incarnation: self.incarnation,
            epoch: self.epoch,
            partitions,
            horizon,
            cut_at_ms: self.intake.now_ms(),
            reason,
            bytes: std::mem::take(&mut self.intake.bytes),
            dropped: std::mem::take(&mut self.intake.dropped),
        };
        let outputs_changed = self.adopt_outputs()?;
        self.intake.lanes.barrier(self.epoch, horizon)?;
        if outputs_changed {
            self.intake.lanes.output_partitions(self.outputs[Topic::Processed])?;
        }
        self.intake.lanes.tell_sink(ToSink::Cut(Box::new(cut)))?;
        failpoint::reached(Point::Cut);
        self.cut_positions = self.intake.partitions.positions();
        self.cut = Some(self.epoch);
        self.commit_starts = false;
        self.epoch = self.epoch.next();
        self.epoch_began = now;
        Ok(())
    }

    pub(super) fn committed(&mut self, done: CommittedEpoch) -> Result<(), Halt> {
        assert_eq!(self.cut, Some(done.epoch), "the sink commits the epoch that was cut");
        self.cut = None;
        self.times = done.times;
        self.rollbacks = 0;
        match self.phase {
            SourcePhase::Ending { cut: true, why: Ending::Revoke, .. } => self.give_away(),
            SourcePhase::Ending { cut: true, why: Ending::HangingTransaction, .. } => {
                Err(self.hanging_transaction())
            }
            SourcePhase::Ending { cut: true, .. } => {
                self.phase = SourcePhase::Closed;
                Ok(())
            }
            _ => self.align_partitions(),
        }
    }

    fn align_partitions(&mut self) -> Result<(), Halt> {
        let (pause, resume) = self.intake.partitions.align(
            &self.times,
            &self.settings.rules,
            self.open_transactions.longest(),
        );
        if !pause.is_empty() {
            tracing::debug!(?pause, "too far ahead in event time: paused");
            self.consumer.pause(&pause).map_err(|error| fatal(&error))?;
        }
        if !resume.is_empty() {
            tracing::debug!(?resume, "resumed");
            self.consumer.resume(&resume).map_err(|error| fatal(&error))?;
        }
        Ok(())
    }

    pub(super) fn recovered(&mut self, recovered: Recovered) -> Result<(), Halt> {
        let known = match std::mem::replace(&mut self.phase, SourcePhase::Running) {
            SourcePhase::Recovering(known) => known,
            SourcePhase::Rebuilding(rebuilding) => rebuilding.into_known(),
            phase => unreachable!("the sink answers a request that waits, not in {phase:?}"),
        };
        if self.settings.exit_at_end {
            for (partition, end) in known.ends {
                self.bounds.entry(partition).or_insert(end);
            }
        }
        let now = Instant::now();
        self.intake.partitions.own(&recovered.starts, &self.bounds, now);
        self.consumer.assign(&recovered.starts).map_err(|error| fatal(&error))?;
        // What a rollback has thrown away may have been such a message.
        self.intake.lanes.output_partitions(self.outputs[Topic::Processed])?;
        self.intake.lanes.begin(recovered.epoch, recovered.times.horizon, Mode::Process)?;
        self.control.health().set_phase(metrics::PipelinePhase::Running);
        self.epoch = recovered.epoch;
        self.cut = None;
        self.times = recovered.times;
        self.commit_starts = recovered.commit;
        self.cut_positions = self.intake.partitions.positions();
        self.epoch_began = now;
        self.intake.bytes = 0;
        self.control.health().set_assigned(recovered.starts.len());
        Ok(())
    }
}
