//! What a journal says as a whole. Pure.
//!
//! In:  the records of all journal partitions, each in offset order; from Kafka or from a copy.
//! Out: the newest head and all counts of every stream, and how whole each stream is.
//! Holds: it is what a replica would have after the same records.

use crate::{
    ids::{Offset, PartitionId},
    journal::{Chain, Condition, Identity, JournalError, Stream, Streams, Taken},
    replica::View,
    state::Copied,
    window::WindowRules,
};

/// The committed state of a group, and whose it is.
#[derive(Debug)]
pub(super) struct GroupState {
    identity: Identity,
    streams: Streams,
    view: View,
    unknown_records: u64,
}

impl GroupState {
    /// Of a journal of which nothing was read.
    pub(super) fn new(identity: Identity) -> Self {
        // Grace and lateness are the merger's; what is forgotten is decided by the size alone.
        let size_ms = identity.window_size_ms;
        let rules = WindowRules { size_ms, grace_ms: 0, allowed_lateness_ms: 0 };
        let streams = Streams::new(identity.journal_partitions);
        Self { identity, streams, view: View::new(rules), unknown_records: 0 }
    }

    /// Of everything that a local copy holds.
    ///
    /// # Errors
    /// `NewerFormat` when a later version of the program wrote a record.
    pub(super) fn of_copy(copied: &Copied) -> Result<Self, JournalError> {
        let mut state = Self::new(copied.journal.identity.clone());
        for (partition, copied) in &copied.partitions {
            for (key, record) in &copied.records {
                let value = Some(&*record.value);
                state.take(*partition, record.offset, record.appended_ms, Some(key), value)?;
            }
        }
        Ok(state)
    }

    /// Takes the next record of a journal partition. One that this program does not write is
    /// counted.
    ///
    /// # Errors
    /// `NewerFormat` when a later version of the program wrote it.
    pub(super) fn take(
        &mut self,
        partition: PartitionId,
        offset: Offset,
        appended_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), JournalError> {
        match self.streams.take(partition, offset, key, value) {
            Ok(Taken::Applied(applied)) => {
                self.view.apply(applied, appended_ms);
            }
            Ok(Taken::Instance(name, said)) => self.view.take_instance(name, said),
            Ok(Taken::Row(..) | Taken::Waiting | Taken::Skipped(_) | Taken::Identity(_)) => {}
            Err(error @ JournalError::NewerFormat { .. }) => return Err(error),
            Err(JournalError::Invalid { .. } | JournalError::OtherIdentity { .. }) => {
                self.unknown_records += 1;
            }
        }
        Ok(())
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// Records that this program does not write.
    pub(super) fn unknown_records(&self) -> u64 {
        self.unknown_records
    }

    pub(super) fn condition(&self, stream: Stream) -> Condition {
        self.streams.condition(stream)
    }

    pub(super) fn chain(&self, stream: Stream) -> Option<&Chain> {
        self.streams.chain(stream)
    }

    /// Whether no stream has a gap.
    pub(super) fn is_whole(&self) -> bool {
        self.streams.chains().all(|(_, chain)| chain.condition() != Condition::Gap)
    }
}
