//! Completes an epoch: windows, redo record, commit. Owned by the sink thread.
//!
//! In:  an aligned epoch whose output librdkafka has accepted.
//! Out: window records, one flushed redo record, one offset commit for all owned partitions.
//! Holds: the order window records → redo record → deliveries → commit; a change becomes the
//! state only when its commit is known.

use std::time::Instant;

use super::{Completed, Sink, Stage, Trouble, report};
use crate::{
    epoch::{AlignedEpoch, CommittedEpoch, CutReason, Times, ToSource},
    error::RunError,
    ids::{Offset, PartitionId},
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
        let prepared = self.prepare(aligned);
        if prepared.is_empty && !self.sent {
            return self.finish_epoch();
        }
        self.outputs.windows(&prepared.records);
        self.report.window_records(prepared.records.len(), prepared.capped_values);
        self.outputs.pump()?;
        self.write_redo(&prepared)?;
        let Stage::Open(alignment) = std::mem::replace(&mut self.stage, Stage::Failed) else {
            unreachable!("the epoch was open");
        };
        let completed = Completed { offsets: self.commit_entries(&prepared), prepared };
        self.stage = Stage::Draining(alignment, Box::new(completed));
        Ok(())
    }

    fn prepare(&mut self, aligned: AlignedEpoch) -> Prepared {
        self.report.epoch(&aligned, self.outputs.take_truncated());
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
                };
                (*partition, state.next_offset, metadata.encode())
            })
            .collect()
    }

    /// Commits the drained epoch.
    pub(super) fn commit(&mut self) -> Result<(), Trouble> {
        let Stage::Draining(_, completed) = &self.stage else { return Ok(()) };
        let began = Instant::now();
        let mut attempt = 1;
        loop {
            match self.settings.committer.commit(&completed.offsets, limits::COMMIT_TIMEOUT) {
                Ok(()) => break,
                // Committing the same offsets again is harmless.
                Err(error) if error.is_retriable() && attempt < limits::COMMIT_ATTEMPTS => {
                    tracing::warn!(%error, attempt, "offset commit failed; trying again");
                    attempt += 1;
                    std::thread::sleep(limits::BROKER_RETRY_PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
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
        self.finish_epoch()
    }

    /// Publishes the open epoch as finished and opens the next one.
    fn finish_epoch(&mut self) -> Result<(), Trouble> {
        let Stage::Open(alignment) = &mut self.stage else { return Ok(()) };
        let epoch = alignment.open_epoch();
        alignment.finish();
        self.sent = false;
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
            horizon: self.windows.next_horizon(),
            watermarks: self.windows.partition_watermarks(),
            lowest_open: self.windows.lowest_open_window(),
            open_windows: self.windows.open_windows(),
        }
    }
}
