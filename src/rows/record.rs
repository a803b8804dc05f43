//! Records of a segment. Pure.
//!
//! A record is: checksum (CRC-32C, 4 bytes) of all that follows but the padding; length of the
//! value (4 bytes); input partition (4); its incarnation (4); kind (1); key (8); value; zeros up to
//! a multiple of 8 bytes. Numbers are little endian.
//! Holds: any bytes are a record or none.

use super::shard::MarkOf;
use crate::{
    ids::PartitionId,
    journal::{RowKey, RowValue},
    limits::ROW_SEGMENT_BYTES,
};

const HEAD_BYTES: usize = 25;
/// Records begin at multiples of this.
pub(super) const UNIT_BYTES: usize = 8;

const KIND_PARTITION: u8 = 0;
const KIND_ENTITY: u8 = 1;
const KIND_REMOVED: u8 = 2;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logged<'a> {
    /// The row that is about all others of the partition; without bytes there is none.
    Partition(&'a [u8]),
    /// The row of a thing.
    Entity(u64, &'a [u8]),
    /// A thing has no row any more.
    Removed(u64),
}

/// Whose a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) partition: PartitionId,
    /// How often the rows of the partition were dropped before; only those of the last one count.
    pub(super) incarnation: u32,
}

impl<'a> Logged<'a> {
    /// The row of this key, or that it has none.
    pub(super) fn of(key: RowKey, value: Option<&'a RowValue>) -> Self {
        match (key, value) {
            (RowKey::Entity(entity), Some(value)) => Self::Entity(entity, value),
            (RowKey::Entity(entity), None) => Self::Removed(entity),
            (RowKey::Partition, value) => Self::Partition(value.map_or(&[], |value| value)),
        }
    }

    /// The mark of its row.
    pub(super) fn mark(&self, mark_of: MarkOf) -> Option<i64> {
        match self {
            Self::Entity(_, row) => mark_of(row),
            Self::Partition(_) | Self::Removed(_) => None,
        }
    }

    /// Appends the record.
    pub(super) fn write(self, of: Owner, into: &mut Vec<u8>) {
        let (kind, key, value): (u8, u64, &[u8]) = match self {
            Self::Partition(value) => (KIND_PARTITION, 0, value),
            Self::Entity(entity, value) => (KIND_ENTITY, entity, value),
            Self::Removed(entity) => (KIND_REMOVED, entity, &[]),
        };
        let begin = into.len();
        into.extend_from_slice(&[0; 4]);
        into.extend_from_slice(&(value.len() as u32).to_le_bytes());
        into.extend_from_slice(&of.partition.0.to_le_bytes());
        into.extend_from_slice(&of.incarnation.to_le_bytes());
        into.push(kind);
        into.extend_from_slice(&key.to_le_bytes());
        into.extend_from_slice(value);
        let sum = crc32c::crc32c(&into[begin + 4..]);
        into[begin..begin + 4].copy_from_slice(&sum.to_le_bytes());
        into.resize(begin + (into.len() - begin).next_multiple_of(UNIT_BYTES), 0);
    }

    /// The record at the beginning of these bytes, and how many of them it takes. `None`: there is
    /// none.
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Owner, Self, usize)> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let word = |at: usize| head[at..].first_chunk().map(|word| u32::from_le_bytes(*word));
        let length = word(4)? as usize;
        let value = rest.get(..length)?;
        if crc32c::crc32c(&bytes[4..HEAD_BYTES + length]) != word(0)? {
            return None;
        }
        let partition = PartitionId(word(8)?.cast_signed());
        let of = Owner { partition, incarnation: word(12)? };
        let key = u64::from_le_bytes(*head[17..].first_chunk()?);
        let logged = match head[16] {
            KIND_PARTITION => Self::Partition(value),
            KIND_ENTITY => Self::Entity(key, value),
            KIND_REMOVED => Self::Removed(key),
            _ => return None,
        };
        let taken = (HEAD_BYTES + length).next_multiple_of(UNIT_BYTES);
        (taken <= bytes.len()).then_some((of, logged, taken))
    }
}

/// Bytes of the record that begins like this, at least those that are here.
pub(super) fn whole_bytes(begin: &[u8]) -> usize {
    let length = begin.get(4..).and_then(|rest| rest.first_chunk());
    let length = length.map_or(0, |length| u32::from_le_bytes(*length) as usize);
    let longest = ROW_SEGMENT_BYTES as usize;
    (HEAD_BYTES + length.min(longest)).next_multiple_of(UNIT_BYTES).max(begin.len())
}

/// Every record of a segment, with its offset and its length; `Err` where one is damaged.
pub(super) fn each<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(Owner, Logged<'a>, (usize, usize)),
) -> Result<(), usize> {
    let mut at = 0;
    while at < bytes.len() {
        let (of, logged, taken) = Logged::read(&bytes[at..]).ok_or(at)?;
        each(of, logged, (at, taken));
        at += taken;
    }
    Ok(())
}
