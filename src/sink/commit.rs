//! Completes an epoch: windows, redo record, commit. Owned by the sink thread.
//!
//! In:  an aligned epoch whose output librdkafka has accepted.
//! Out: one redo record to the store, window records, one commit for all owned partitions.
//! Holds: a commit only after the redo record is flushed and everything delivered, window records
//! included in a transaction; without one, they come after the commit, so that nobody sees totals
//! of an epoch that was lost. A change becomes the state only when its commit is known.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use super::{
    EpochFailure, Sink, Stage,
    outputs::{Awaited, Mark},
    recover::stop,
    report::{self, EpochCounts},
};
use crate::{
    client::{Client, Clock, RecordProducer},
    config::Delivery,
    epoch::{AlignedEpoch, CommittedEpoch, CutReason, Times, ToSource},
    failpoint::{self, Point},
    ids::{Offset, PartitionId, TopicId},
    kafka::CommitEntry,
    limits,
    state::CommitMetadata,
    topics::Topic,
    window::{EpochInput, Prepared, WindowRecord},
};

/// A complete epoch that waits for its deliveries.
pub(super) struct Completed<C: Client> {
    pub(super) prepared: Prepared,
    pub(super) offsets: Vec<CommitEntry>,
    /// Whether it has sent anything besides windows.
    pub(super) sent: bool,
    /// What has to be delivered before the next step; `None` until librdkafka has taken all of it.
    pub(super) awaited: Option<Mark<C>>,
    /// Whether its redo record is on disk.
    pub(super) is_stored: bool,
    /// Since when its commit is tried.
    pub(super) committing: Option<Instant>,
}

impl<C: Client> Sink<C> {
    /// Completes the open epoch if the cut and all answers are in.
    pub(super) fn complete(&mut self) -> Result<(), EpochFailure> {
        let Stage::Open(alignment) = &mut self.stage else { return Ok(()) };
        let Some(mut aligned) = alignment.take_complete() else { return Ok(()) };
        aligned.assert_conserved();
        failpoint::reached(Point::Aligned);
        let mut counts =
            EpochCounts::of(&mut aligned, self.outputs.take_truncated(), self.clock.now());
        let prepared = self.prepare(aligned);
        counts.add_windows(&prepared.merge.records, prepared.merge.capped);
        self.counts = Some(counts);
        if prepared.is_empty && !self.sent && !self.must_commit {
            return self.finish_epoch();
        }
        failpoint::reached(Point::BeforeRedo);
        self.settings.store.begin(self.committed_change.take(), Arc::clone(&prepared.change));
        self.last_written = prepared.change.epoch;
        self.control.activity().storing.store(true, Relaxed);
        if self.settings.delivery == Delivery::ExactlyOnce {
            self.outputs.windows(&prepared.merge.records);
            self.outputs.pump()?;
        }
        failpoint::reached(Point::LastOutput);
        let Stage::Open(alignment) = std::mem::replace(&mut self.stage, Stage::Failed) else {
            unreachable!("the epoch was open");
        };
        let offsets = self.commit_entries(&prepared);
        let sent = std::mem::take(&mut self.sent);
        // Before anything of the next epoch is sent.
        let awaited = match self.settings.delivery {
            Delivery::AtLeastOnce => Some(self.outputs.mark(Awaited::Everything)),
            Delivery::ExactlyOnce => None,
        };
        let completed =
            Completed { prepared, offsets, sent, awaited, is_stored: false, committing: None };
        self.stage = Stage::Draining(alignment, Box::new(completed));
        self.take_held();
        Ok(())
    }

    fn prepare(&mut self, aligned: AlignedEpoch) -> Prepared {
        let AlignedEpoch { cut, workers } = aligned;
        let delta_bytes = workers.iter().map(|worker| worker.delta_bytes).sum();
        let input = EpochInput {
            epoch: cut.epoch,
            deltas: workers.into_iter().flat_map(|worker| worker.deltas).collect(),
            progress: cut.partitions.iter().map(|partition| partition.progress).collect(),
            horizon: cut.horizon,
            now_ms: cut.cut_at_ms,
            close_all: cut.reason == CutReason::EndOfInput,
        };
        let prepared = self.windows.prepare(input);
        self.settings.budget.delta_freed(delta_bytes);
        prepared
    }

    /// Whether the complete epoch's redo record is on disk.
    pub(super) fn have_stored(&mut self) -> Result<bool, EpochFailure> {
        let Stage::Draining(_, completed) = &mut self.stage else { return Ok(false) };
        if !completed.is_stored
            && let Some(written) = self.settings.store.finished()
        {
            let stored = written.map_err(stop)?;
            completed.is_stored = true;
            self.control.activity().storing.store(false, Relaxed);
            self.report.stored(stored);
            failpoint::reached(Point::AfterRedo);
        }
        Ok(completed.is_stored)
    }

    fn commit_entries(&self, prepared: &Prepared) -> Vec<(PartitionId, Offset, String)> {
        let change = &prepared.change;
        change
            .partitions
            .iter()
            .map(|(partition, state)| {
                let metadata = CommitMetadata {
                    instance: self.settings.instance.clone(),
                    epoch: change.epoch,
                    replay_from: prepared.replay_from[partition],
                    watermark: state.watermark,
                    completeness: state.completeness,
                    global_watermark: change.watermark,
                    horizon: change.horizon,
                    topic: state.topic.map(TopicId::mark),
                };
                (*partition, state.next_offset, metadata.encode())
            })
            .collect()
    }

    /// Commits the drained epoch: one attempt, the next turn makes the next one.
    pub(super) fn commit(&mut self) -> Result<(), EpochFailure> {
        let Stage::Draining(_, completed) = &mut self.stage else { return Ok(()) };
        let began = *completed.committing.get_or_insert_with(|| self.clock.now());
        let closes_by_silence = completed.prepared.merge.closes_by_silence;
        failpoint::reached(Point::Delivered);
        if closes_by_silence {
            failpoint::reached(Point::IdleClose);
        }
        let (committer, topic) =
            (&self.settings.committer, &self.settings.outputs.topics[Topic::Input]);
        // Committing the same again is harmless, and resumes a commit without an answer.
        if !self.outputs.connection().commit(committer, topic, &completed.offsets)? {
            if self.clock.since(began) >= limits::COMMIT_DEADLINE {
                return Err(EpochFailure::RollBack(format!(
                    "no commit within {} s",
                    limits::COMMIT_DEADLINE.as_secs()
                )));
            }
            return Ok(());
        }
        failpoint::reached(Point::Committed);
        if closes_by_silence {
            failpoint::reached(Point::IdleClosed);
        }
        self.report.committed(completed.prepared.change.epoch, self.clock.since(began));
        if self.settings.delivery == Delivery::ExactlyOnce {
            return self.conclude();
        }
        self.outputs.windows(&completed.prepared.merge.records);
        let stage = std::mem::replace(&mut self.stage, Stage::Failed);
        let Stage::Draining(alignment, mut completed) = stage else {
            unreachable!("the epoch was draining");
        };
        completed.awaited = None;
        self.stage = Stage::Publishing(alignment, completed);
        Ok(())
    }

    /// Puts the committed epoch in force.
    pub(super) fn conclude(&mut self) -> Result<(), EpochFailure> {
        let stage = std::mem::replace(&mut self.stage, Stage::Failed);
        let (Stage::Draining(alignment, completed) | Stage::Publishing(alignment, completed)) =
            stage
        else {
            unreachable!("the epoch was committed");
        };
        self.stage = Stage::Open(alignment);
        self.windows.commit(&completed.prepared);
        self.settings.budget.set_ledger(self.windows.memory_bytes());
        self.committed_change = Some(completed.prepared.change);
        self.must_commit = false;
        self.finish_epoch()
    }

    /// Publishes windows and waits for their delivery; nothing else is under way.
    pub(super) fn publish_now(&mut self, records: &[WindowRecord]) -> Result<(), EpochFailure> {
        self.outputs.windows(records);
        // Ends by itself: what is not delivered in time is reported as failed.
        while !self.outputs.pump()? || self.outputs.producer().in_flight() > 0 {
            self.outputs.producer().poll(limits::SINK_DRAIN_POLL);
        }
        self.check_deliveries()
    }

    /// Publishes the open epoch as finished and opens the next one.
    fn finish_epoch(&mut self) -> Result<(), EpochFailure> {
        let Stage::Open(alignment) = &mut self.stage else { return Ok(()) };
        let epoch = alignment.open_epoch();
        alignment.finish();
        self.control.activity().finished.fetch_add(1, Relaxed);
        if let Some(counts) = self.counts.take() {
            self.report.epoch(counts);
        }
        let times = self.times();
        report::published(&times, &self.windows, self.settings.budget.used_bytes());
        let done = CommittedEpoch { incarnation: self.incarnation, epoch, times };
        // A source that is gone needs no answer.
        drop(self.to_source.send(ToSource::Committed(done)));
        failpoint::reached(Point::Finished);
        self.take_held();
        self.outputs.pump()?;
        Ok(())
    }

    /// Event-time facts as of the last committed epoch.
    pub(super) fn times(&self) -> Times {
        Times {
            horizon: self.windows.next_horizon(),
            watermarks: self.windows.partition_watermarks(),
            lowest_open: self.windows.lowest_open_window(),
            open_windows: self.windows.open_windows(),
        }
    }
}
