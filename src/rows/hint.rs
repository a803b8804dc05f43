//! What a closed segment holds, without the rows: a start reads this instead. Pure.
//!
//! A hint is: checksum (CRC-32C, 4 bytes, little endian) of the rest; bytes of the segment, and the
//! entries in the order of its records, as postcard.

use serde::{Deserialize, Serialize};

use super::record::{Logged, Owner};
use crate::ids::PartitionId;

/// A record, without its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    partition: i32,
    incarnation: u32,
    pub(super) kind: EntryKind,
    /// Where it is in the segment, and how long.
    pub(super) at: u32,
    pub(super) bytes: u32,
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum EntryKind {
    Partition,
    Entity {
        #[serde(with = "postcard::fixint::le")]
        entity: u64,
        mark: Option<i64>,
    },
    Removed {
        #[serde(with = "postcard::fixint::le")]
        entity: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct Hint {
    segment_bytes: u64,
    entries: Vec<Entry>,
}

impl Entry {
    pub(super) fn new(
        of: Owner,
        logged: &Logged<'_>,
        mark: Option<i64>,
        (at, bytes): (usize, usize),
    ) -> Self {
        let kind = match *logged {
            Logged::Partition(_) => EntryKind::Partition,
            Logged::Entity(entity, _) => EntryKind::Entity { entity, mark },
            Logged::Removed(entity) => EntryKind::Removed { entity },
        };
        let (at, bytes) = (at as u32, bytes as u32);
        Self { partition: of.partition.0, incarnation: of.incarnation, kind, at, bytes }
    }

    pub(super) fn owner(&self) -> Owner {
        Owner { partition: PartitionId(self.partition), incarnation: self.incarnation }
    }
}

/// The file of a segment of so many bytes.
pub(super) fn encode(segment_bytes: u64, entries: Vec<Entry>) -> Vec<u8> {
    let hint = Hint { segment_bytes, entries };
    let body = postcard::to_extend(&hint, vec![0; 4]);
    let mut file = body.expect("a hint serialises into memory without errors");
    let sum = crc32c::crc32c(&file[4..]);
    file[..4].copy_from_slice(&sum.to_le_bytes());
    file
}

/// The entries of a segment of so many bytes, if the file is whole and of that segment.
pub(super) fn decode(file: &[u8], segment_bytes: u64) -> Option<Vec<Entry>> {
    let (sum, body) = file.split_first_chunk()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*sum) {
        return None;
    }
    let hint: Hint = postcard::from_bytes(body).ok()?;
    (hint.segment_bytes == segment_bytes).then_some(hint.entries)
}
