//! The state folder: an instance's local copy of the journal. Opened by the main thread, owned by
//! the thread `replica`.
//!
//! In:  what the replica has followed. Out: the same, at the next start.
//! Holds: nothing here decides anything: a folder that is lost, stale or damaged costs reading. One
//! process has the folder at a time; what cannot be read is moved aside, never deleted.

mod codec;
mod copy;
mod error;
mod folder;
mod offline;
mod peek;
mod sled_file;
#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "test-support"))]
pub use self::copy::{MemoryDisk, MemoryTable};
pub use self::{
    copy::{
        Copied, CopiedJournal, CopiedPartition, CopiedRecord, CopyChange, CopyFault, JournalCopy,
        RecordCopy, SledTable,
    },
    error::StateError,
    folder::{ROWS, StateFolder},
    offline::{ResetReport, StoredCopy, reset, stored_copy},
    peek::{Peek, peek},
};

/// Version of everything stored: keys, values and what they mean. It is the first byte of every
/// value; a copy with another one is set aside, and the journal is read.
const FORMAT_VERSION: u8 = 3;
