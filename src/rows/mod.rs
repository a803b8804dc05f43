//! Rows of many things, such as users, in files: what the journal says of each, for those who read
//! them one by one.
//!
//! In:  committed rows in the order of the journal, from the replica; questions of workers.
//! Out: the newest row of a thing; after a start, from where the journal is to be read.
//! Holds: the files are a log. Rows are written one after the other into segments, and where the
//! newest row of each thing is stands in memory. What a commit names is on disk before the commit;
//! a start goes by the last commit alone, and nothing is repaired: files in which anything is
//! missing or damaged are removed, and the journal is read.

mod clearing;
mod commits;
mod disk;
mod files;
mod hint;
mod loading;
#[cfg(any(test, feature = "test-support"))]
mod memory_disk;
mod record;
mod segments;
mod shard;
#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "test-support"))]
pub use self::memory_disk::MemoryRowDisk;
pub use self::{
    disk::{FolderDisk, RowDisk},
    files::{RowFiles, RowFilesSettings},
    shard::{MarkOf, RowReader, ShardReader},
};

/// Why rows cannot be read or written, with the remedy. It ends the process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RowFault(String);

impl RowFault {
    fn of_disk(what: &str, name: &str, error: &std::io::Error) -> Self {
        Self(format!(
            "the file '{name}' of users' rows cannot be {what}: {error}; see to the disk of \
             --state-dir and start again, nothing is lost"
        ))
    }

    fn damaged(name: &str) -> Self {
        Self(format!(
            "the file '{name}' of users' rows is damaged; start again: the rows are read from the \
             journal then, nothing is lost"
        ))
    }

    fn dropped() -> Self {
        Self(
            "the journal has lost records while it was in use, users' rows among them; start \
             again: what the journal has is read then"
                .to_owned(),
        )
    }
}
