//! The journal: the committed state of the group as records of a compacted Kafka topic. Pure.
//!
//! In:  what an epoch changed, from the sink; Kafka records in offset order, from the replica.
//! Out: keys and values for the epoch's transaction; the records that continue a stream.
//! It holds one stream per input partition and one for the merger. A stream is a chain of records
//! with consecutive numbers, and now and then one of them, a snapshot, holds everything. Partitions
//! may have rows as well, a record each. Beside these it says whose journal it is, and what each
//! instance is.
//! Holds: a record counts as a whole or not at all; a stream can be restored from its newest
//! snapshot on, and rows from the log's start, whatever the cleaner has removed.
//! docs/JOURNAL-FORMAT.md has every byte.

mod bytes;
mod chain;
mod chunks;
mod commit;
mod content;
mod copy_of;
mod error;
#[cfg(feature = "test-support")]
pub mod fuzzing;
mod header;
mod heads;
mod identity;
mod instance;
mod key;
mod row;
mod schedule;
mod streams;
mod writer;

#[cfg(test)]
mod tests;

pub use self::{
    chain::{Chain, Condition},
    commit::JournalCommit,
    content::{Content, MergerRecord, PartitionRecord},
    copy_of::CopyOf,
    error::JournalError,
    header::{RecordKind, chunk_seq},
    identity::{Identity, IdentityPart},
    instance::InstanceRecord,
    key::Stream,
    row::{RowChanges, RowKey, RowValue, Rows},
    streams::{Applied, Record, Skipped, Streams, Taken},
    writer::{EpochRecords, Moment, PartitionCommit, Writer, Written},
};

/// Version of everything in the journal: keys, values and what they mean. It is the first byte of
/// every value; a higher one than this is refused.
pub const FORMAT_VERSION: u8 = 1;
