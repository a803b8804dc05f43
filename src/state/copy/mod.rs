//! The local copy of the journal: what the replica has followed, for the next start.
//!
//! In:  the newest Kafka record of every key of each journal partition, and how far it was read.
//! Out: the same, at a start; reading goes on at the position.
//! Holds: a position is on disk only after all records before it. A record that is missing below
//! its partition's position has a newer one of its key, or a newer snapshot of its stream, at or
//! behind the position: it is as if the cleaner had been here. So a position that is too old costs
//! reading, and never truth. Nothing is repaired: what cannot be read is moved aside.

#[cfg(any(test, feature = "test-support"))]
mod memory_table;
mod owner;
mod pieces;
mod record_copy;
mod sled_table;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

#[cfg(any(test, feature = "test-support"))]
pub use self::memory_table::{MemoryDisk, MemoryTable};
pub(super) use self::owner::owner;
pub use self::{record_copy::RecordCopy, sled_table::SledTable};
use crate::{
    ids::{Offset, PartitionId, TopicId},
    journal::Identity,
};

/// A Kafka record of the journal without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedRecord {
    /// Its offset.
    pub offset: Offset,
    /// Its Kafka timestamp, milliseconds since the Unix epoch.
    pub appended_ms: i64,
    /// Its value.
    pub value: Vec<u8>,
}

/// What a copy has of a journal partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedPartition {
    /// Where reading goes on.
    pub position: Offset,
    /// Keys and records, by offset. They may lie behind the position.
    pub records: Vec<(Vec<u8>, CopiedRecord)>,
}

/// Which journal the records are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedJournal {
    /// Id of the journal topic; `None` where the brokers have no ids.
    pub topic_id: Option<TopicId>,
    /// What the journal says of itself.
    pub identity: Identity,
}

/// Everything that a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The journal.
    pub journal: CopiedJournal,
    /// Its partitions, as far as there is anything of them.
    pub partitions: BTreeMap<PartitionId, CopiedPartition>,
}

/// What is to be written.
#[derive(Debug, Clone)]
pub struct CopyChange {
    /// The journal.
    pub journal: CopiedJournal,
    /// Journal partitions of which everything is removed before the rest is written.
    pub dropped: BTreeSet<PartitionId>,
    /// Per journal partition and key, the record that replaces the former one, or nothing.
    pub records: BTreeMap<(PartitionId, Vec<u8>), Option<CopiedRecord>>,
    /// Where reading goes on, once the records are there.
    pub positions: BTreeMap<PartitionId, Offset>,
}

/// Why a copy is of no use, as a sentence's end. None of these stops a process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CopyFault(pub String);

/// A local copy of the journal. Owned by the replica.
pub trait JournalCopy: Debug + Send {
    /// Everything that the copy holds, checked; `None` of an empty one.
    ///
    /// # Errors
    /// When it is damaged or of something else: it is to be set aside.
    fn load(&mut self) -> Result<Option<Copied>, CopyFault>;

    /// Writes records, and when they are on disk the positions.
    ///
    /// # Errors
    /// When they may not be on disk. The copy is to be given up: nobody knows what it holds.
    fn write(&mut self, change: &CopyChange) -> Result<(), CopyFault>;

    /// Moves what is there out of the way, and begins an empty copy. Says what it does.
    ///
    /// # Errors
    /// When that fails: the copy is to be given up.
    fn set_aside(&mut self, reason: &str) -> Result<(), CopyFault>;

    /// Bytes on disk; 0 when they cannot be found out.
    fn size_bytes(&self) -> u64;
}
