//! Completes an epoch: windows, redo record, commit. Owned by the sink thread.
//!
//! In:  an aligned epoch whose output librdkafka has accepted.
//! Out: one flushed redo record, window records, one commit for all owned partitions.
//! Holds: the order redo record → window records → deliveries → commit; a change becomes the
//! state only when its commit is known.

use std::time::Instant;

use super::{
    Completed, Sink, Stage, Trouble,
    report::{self, EpochCounts},
};
use crate::{
    epoch::{AlignedEpoch, CommittedEpoch, CutReason, Times, ToSource},
    error::RunError,
    ids::{EventTimeMs, Offset, PartitionId},
    limits,
    state::CommitMetadata,
    window::{EpochInput, Prepared},
};

impl Sink {
    /// Completes the open epoch if the cut and all answers are in.
    pub(super) fn complete(&mut self) -> Result<(), Trouble> {
        let Stage::Open(alignment) = &mut self.stage else { return Ok(()) };
        let Some(aligned) = alignment.take_complete() else { return Ok(()) };
        aligned.assert_conserved();
        let mut counts = EpochCounts::of(&aligned, self.outputs.take_truncated());
        let prepared = self.prepare(aligned);
        counts.add_windows(prepared.records.len(), prepared.capped_values);
        self.counts = Some(counts);
        if prepared.is_empty && !self.sent && !self.must_commit {
            return self.finish_epoch();
        }
        // NOTE: before any window record can be seen: without a transaction only this record tells
        // a later start how far the epoch had read (see `horizon_for_source`).
        self.write_redo(&prepared)?;
        self.outputs.windows(&prepared.records);
        self.outputs.pump()?;
        let Stage::Open(alignment) = std::mem::replace(&mut self.stage, Stage::Failed) else {
            unreachable!("the epoch was open");
        };
        let offsets = self.commit_entries(&prepared);
        let completed = Completed { offsets, prepared, committing: None };
        self.stage = Stage::Draining(alignment, Box::new(completed));
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

    fn write_redo(&mut self, prepared: &Prepared) -> Result<(), Trouble> {
        let committed = self.committed_change.as_ref();
        let stats =
            self.settings.store.write_epoch(committed, &prepared.change).map_err(|error| {
                Trouble::Stop(RunError::with_exit_code(error.exit_code(), error))
            })?;
        self.committed_change = None;
        self.last_written = prepared.change.epoch;
        self.report.stored(&stats);
        Ok(())
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
                };
                (*partition, state.next_offset, metadata.encode())
            })
            .collect()
    }

    /// Commits the drained epoch: one attempt, the next turn makes the next one.
    pub(super) fn commit(&mut self) -> Result<(), Trouble> {
        let Stage::Draining(_, completed) = &mut self.stage else { return Ok(()) };
        let began = *completed.committing.get_or_insert_with(Instant::now);
        let (committer, topic) = (&self.settings.committer, &self.settings.outputs.topics.input);
        // Committing the same again is harmless, and resumes a commit without an answer.
        if !self.outputs.connection().commit(committer, topic, &completed.offsets)? {
            if began.elapsed() >= limits::COMMIT_DEADLINE {
                return Err(Trouble::RollBack(format!(
                    "no commit within {} s",
                    limits::COMMIT_DEADLINE.as_secs()
                )));
            }
            return Ok(());
        }
        self.report.committed(completed.prepared.change.epoch, began.elapsed());
        let Stage::Draining(alignment, completed) =
            std::mem::replace(&mut self.stage, Stage::Failed)
        else {
            unreachable!("the epoch was draining");
        };
        self.stage = Stage::Open(alignment);
        self.windows.commit(&completed.prepared);
        self.settings.budget.set_ledger(self.windows.memory_bytes());
        self.committed_change = Some(completed.prepared.change);
        self.must_commit = false;
        let reached = self.windows.partitions();
        self.lost_reach.retain(|p, reach| reached.get(p).is_some_and(|s| s.next_offset < *reach));
        self.finish_epoch()
    }

    /// Publishes the open epoch as finished and opens the next one.
    fn finish_epoch(&mut self) -> Result<(), Trouble> {
        let Stage::Open(alignment) = &mut self.stage else { return Ok(()) };
        let epoch = alignment.open_epoch();
        alignment.finish();
        self.sent = false;
        if let Some(counts) = self.counts.take() {
            self.report.epoch(counts);
        }
        let times = self.times();
        report::published(&times, &self.windows, self.settings.budget.used_bytes());
        let done = CommittedEpoch { generation: self.generation, epoch, times };
        // A source that is gone needs no answer.
        drop(self.to_source.send(ToSource::Committed(done)));
        while let Some(output) = self.held.pop_front() {
            self.queue(output);
        }
        self.outputs.pump()?;
        Ok(())
    }

    /// Event-time facts as of the last committed epoch.
    pub(super) fn times(&self) -> Times {
        Times {
            horizon: self.horizon_for_source(),
            watermarks: self.windows.partition_watermarks(),
            lowest_open: self.windows.lowest_open_window(),
            open_windows: self.windows.open_windows(),
        }
    }

    /// The horizon for the next barrier. What a lost epoch published without a transaction was
    /// judged under the horizon in force: until all of that has been read again, it stays, so that
    /// no event is counted the first time and late the second.
    fn horizon_for_source(&self) -> Option<EventTimeMs> {
        if self.lost_reach.is_empty() {
            self.windows.next_horizon()
        } else {
            self.windows.horizon()
        }
    }
}
