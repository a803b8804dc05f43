//! Decides where reading goes on, from what Kafka committed and the store holds. Sink thread.
//!
//! In:  a `RecoverRequest`, after every worker has dropped the previous generation.
//! Out: the window state as of the committed epoch, and the start offsets to the source.
//! Holds: committed offsets decide, never the store alone; what cannot be known is said, and its
//! windows are marked incomplete.

use super::{Sink, Stage, Trouble, report};
use crate::{
    config::OnStateMismatch,
    epoch::{Alignment, RecoverPartition, RecoverRequest, Recovered, ToSource},
    error::RunError,
    ids::{Epoch, EventTimeMs, Offset, PartitionId},
    state::{PartitionRecovery, Start, StateError, decide},
    window::{Completeness, PartitionState, StateImage, Windows},
};

impl Sink {
    pub(super) fn recover(&mut self, request: &RecoverRequest) -> Result<(), Trouble> {
        let loaded = self.settings.store.load().map_err(stop)?;
        let committed: Vec<_> = request.partitions.iter().map(|p| p.committed.clone()).collect();
        let recovery = decide(&self.settings.instance, &loaded, &committed);
        let mut image = recovery.image;
        let mut starts = Vec::with_capacity(request.partitions.len());
        for PartitionRecovery { partition, start } in &recovery.partitions {
            let facts = request
                .partitions
                .iter()
                .find(|facts| facts.committed.partition == *partition)
                .expect("a decision is made for partitions that were asked for");
            let offset = self.begin_partition(*partition, start, facts, &mut image)?;
            starts.push((*partition, offset));
        }
        self.settings.store.settle(recovery.apply_redo).map_err(stop)?;
        self.settings.store.forget(&recovery.forget).map_err(stop)?;
        self.committed_change = None;
        let owned: Vec<_> = starts.iter().map(|(partition, _)| *partition).collect();
        self.windows = Windows::new(self.settings.rules, image, &owned, request.owns_all);
        if !request.owns_all {
            tracing::warn!(
                owned = owned.len(),
                "this instance does not own every partition: its windows say \"complete\": false"
            );
        }
        self.settings.budget.set_ledger(self.windows.memory_bytes());
        self.stage = Stage::Open(Alignment::new(self.settings.workers, recovery.next_epoch));
        let recovered = Recovered {
            generation: self.generation,
            starts,
            epoch: recovery.next_epoch,
            times: self.times(),
        };
        report::recovered(&recovered);
        // A source that is gone needs no answer.
        drop(self.to_source.send(ToSource::Recovered(recovered)));
        Ok(())
    }

    /// One partition's start offset; writes its state into the image.
    fn begin_partition(
        &self,
        partition: PartitionId,
        start: &Start,
        facts: &RecoverPartition,
        image: &mut StateImage,
    ) -> Result<Offset, Trouble> {
        let known = image.partitions.get(&partition).copied();
        let (offset, mut state) = match start {
            Start::Resumed { offset } => (*offset, known),
            Start::StateOnly { offset } => {
                tracing::warn!(
                    %partition, %offset,
                    "the group has no committed offset but the state folder knows one: going on \
                     there (to begin anew: logintide state reset)"
                );
                (*offset, known)
            }
            Start::Fresh => (facts.fresh_start, None),
            Start::CommittedOnly { offset, why, watermark } => {
                self.mismatch(partition, *offset, why)?;
                (*offset, Some(self.mid_log_state(*offset, *watermark)))
            }
        };
        if offset > facts.log_end {
            return Err(Trouble::Stop(RunError::Failed(format!(
                "partition {partition}: the next offset is {offset} but the log ends at {}: was \
                 the topic deleted and created again? Then clear the old position: logintide \
                 state reset, and delete or reset the consumer group",
                facts.log_end
            ))));
        }
        let begin = offset.max(facts.log_start);
        if begin > offset {
            tracing::warn!(
                %partition, from = offset.0, to = begin.0, missing = begin.0 - offset.0,
                "records between the committed offset and the log's start are gone (retention): \
                 reading goes on at the log's start, windows up to there are marked incomplete"
            );
            report::gap((begin.0 - offset.0) as u64);
            state = Some(self.mid_log_state(begin, state.and_then(|state| state.watermark)));
        }
        let fresh = if begin.0 == 0 {
            PartitionState {
                completeness: Completeness::FromStart,
                ..self.mid_log_state(begin, None)
            }
        } else {
            self.mid_log_state(begin, None)
        };
        image.partitions.insert(partition, state.unwrap_or(fresh));
        Ok(begin)
    }

    fn mismatch(&self, partition: PartitionId, offset: Offset, why: &str) -> Result<(), Trouble> {
        match self.settings.on_state_mismatch {
            OnStateMismatch::Fail => Err(Trouble::Stop(RunError::Refused(format!(
                "partition {partition}: the window state does not fit the committed offset \
                 {offset}: {why}; --on-state-mismatch fail was set"
            )))),
            OnStateMismatch::MarkIncomplete => {
                tracing::warn!(
                    %partition, %offset, why,
                    "the window state does not fit the committed offset: counting begins there, \
                     windows up to there are marked incomplete"
                );
                Ok(())
            }
        }
    }

    /// State of a partition that is read from the middle of its log.
    fn mid_log_state(&self, next_offset: Offset, watermark: Option<EventTimeMs>) -> PartitionState {
        let at_least = watermark.map(|time| self.settings.rules.window_of(time));
        PartitionState {
            epoch: Epoch::default(),
            next_offset,
            watermark,
            completeness: Completeness::UntilFirstEvent { at_least },
        }
    }
}

fn stop(error: StateError) -> Trouble {
    Trouble::Stop(RunError::with_exit_code(error.exit_code(), error))
}
