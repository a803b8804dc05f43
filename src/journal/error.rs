//! Why a journal cannot be used. The variant names the reaction.
//!
//! Plain data. None of these goes away by reading again.

use super::{FORMAT_VERSION, IdentityPart};
use crate::ids::{Offset, PartitionId};

/// What is wrong with a journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// A later version of the program wrote the record.
    #[error(
        "the record at offset {offset} of journal partition {partition} has format {found}, this \
         program reads format {FORMAT_VERSION}: run the version of logintide that wrote it, or a \
         later one, in every instance of the group"
    )]
    NewerFormat {
        /// The journal partition.
        partition: PartitionId,
        /// The record.
        offset: Offset,
        /// Its format.
        found: u8,
    },
    /// The record is not one that this program writes.
    #[error(
        "the record at offset {offset} of journal partition {partition}, with key '{key}', {what}: \
         find out what else writes to the journal topic, and let this group have a journal of its \
         own"
    )]
    Invalid {
        /// The journal partition.
        partition: PartitionId,
        /// The record.
        offset: Offset,
        /// Its key, escaped, at most so many bytes as an ordinary key has.
        key: String,
        /// What is wrong, as the rest of a sentence.
        what: String,
    },
    /// The journal belongs to something else.
    #[error(
        "the journal (--journal-topic) belongs to another {part}: it has '{journal}', this run has \
         '{ours}'; name another --group-id or another --journal-topic, or clear this one with \
         `logintide state reset --journal`"
    )]
    OtherIdentity {
        /// What differs.
        part: IdentityPart,
        /// Value in the journal.
        journal: String,
        /// Value of this run.
        ours: String,
    },
}
