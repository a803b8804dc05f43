//! Window state on disk. Owned by the sink, written by the thread `store`; nobody else opens the
//! state folder.
//!
//! In:  one `EpochChange` per epoch, and word of which earlier one has been committed.
//! Out: at a start, the base image and the redo record; with the offsets committed to Kafka,
//!      `recovery::decide` says which partitions go on from where.
//! Holds: the base contains committed epochs only; at most one redo record stands beside it; both
//! change in one atomic, flushed write. A database that cannot be read is moved aside, never
//! deleted. After a failed write the store refuses every further one.

mod background;
mod codec;
mod database;
mod error;
mod folder;
#[cfg(feature = "test-support")]
pub mod fuzzing;
mod inspect;
mod keys;
#[cfg(any(test, feature = "test-support"))]
mod memory;
mod peek;
mod reader;
pub mod recovery;
mod rows;
mod sled_store;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

#[cfg(any(test, feature = "test-support"))]
pub use self::memory::MemoryStore;
pub use self::{
    background::{BackgroundStore, StoreWriter, in_background},
    error::{IdentityField, StateError},
    inspect::{PartitionSummary, RedoSummary, ResetReport, StateSummary, describe, reset},
    peek::{Peek, fits, peek},
    recovery::{CommitMetadata, Committed, PartitionRecovery, Recovery, Start, decide},
    sled_store::SledStore,
};
use crate::{
    ids::{Epoch, PartitionId},
    window::{EpochChange, StateImage},
};

/// Version of everything stored: keys, values and what they mean. It is the first byte of every
/// value; a higher one than this is refused, never converted or moved aside.
pub const FORMAT_VERSION: u8 = 2;

/// What the state belongs to. State of anything else is refused by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Cluster id, as the brokers report it.
    pub cluster_id: String,
    /// Input topic.
    pub topic: String,
    /// Consumer group.
    pub group_id: String,
    /// Window size, milliseconds.
    pub window_size_ms: i64,
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// Every epoch known to be committed.
    pub base: StateImage,
    /// The last epoch written, of which the store does not know whether it was committed.
    pub redo: Option<EpochChange>,
    /// Highest epoch number ever written, discarded ones included; numbers are never used twice.
    pub highest_epoch: Epoch,
}

/// Size and cost of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteStats {
    /// Bytes of the keys and values handed to the database.
    pub bytes: u64,
    /// Keys written or removed.
    pub keys: usize,
    /// Time until the write was flushed.
    pub duration: Duration,
}

/// An epoch that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredEpoch {
    /// Its write.
    pub write: WriteStats,
    /// Bytes the state takes on disk.
    pub size_bytes: u64,
}

/// An opened state folder.
#[derive(Debug)]
pub struct Opened {
    /// The store; holds the folder's lock until dropped.
    pub store: SledStore,
    /// Where a database that could not be read has been moved to.
    pub quarantined: Option<PathBuf>,
}

/// Keeps the window state. `SledStore` on disk, `MemoryStore` in tests.
///
/// Fails with `WriteFailed` when a write did not reach the disk; the store is then poisoned.
pub trait Store: Send {
    /// Everything the store holds.
    fn load(&mut self) -> Result<Loaded, StateError>;

    /// One atomic, flushed write: folds the previous change, once its commit is known, into the
    /// base, and replaces the redo record by this epoch's. With `None` the previous redo record
    /// is discarded: its epoch was rolled back, or there was none.
    ///
    /// Panics when `committed` is not the epoch of the stored redo record, and when `redo` does
    /// not come after everything written before.
    fn write_epoch(
        &mut self,
        committed: Option<&EpochChange>,
        redo: &EpochChange,
    ) -> Result<WriteStats, StateError>;

    /// Folds (`true`) or discards (`false`) the redo record, flushed. Afterwards there is none.
    fn settle(&mut self, apply: bool) -> Result<(), StateError>;

    /// Removes all that belongs to these partitions from the base, flushed.
    ///
    /// Panics when a redo record is still there: folding it would bring the partitions back.
    fn forget(&mut self, partitions: &[PartitionId]) -> Result<(), StateError>;

    /// Bytes the state takes on disk (in memory: an estimate of 0).
    fn size_bytes(&self) -> u64;
}
