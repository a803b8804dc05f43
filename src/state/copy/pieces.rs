//! Rows of the copy: a Kafka record in pieces of one row each. Pure.
//!
//! Keys: `of`, `position/<partition>`, and `record/<partition>/<Kafka key>/<piece>`, numbers in
//! big-endian form, so that everything of a partition stands together, and of a record too.
//! Holds: a record is there when all its pieces are there and of the same offset.

use serde::{Deserialize, Serialize};

use super::CopiedRecord;
use crate::{
    ids::{Offset, PartitionId, TopicId},
    limits::COPY_ROW_BYTES,
    state::codec::{self, Flaw},
};

/// The row that says whose copy it is.
pub(super) const OF: &[u8] = b"of";
const POSITION: &[u8] = b"position/";
const RECORD: &[u8] = b"record/";
const NUMBER_BYTES: usize = 4;

/// Whose copy it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredOf {
    pub(super) cluster_id: String,
    pub(super) group_id: String,
    pub(super) topic: String,
    pub(super) topic_id: Option<TopicId>,
    /// The value of the journal's identity record.
    pub(super) identity: Vec<u8>,
}

/// What a row is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RowKey<'a> {
    Of,
    Position(PartitionId),
    Piece { partition: PartitionId, key: &'a [u8], piece: u32 },
}

/// A part of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    of: PieceOf,
    part: &'a [u8],
}

/// What stands before a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct PieceOf {
    offset: i64,
    appended_ms: i64,
    /// Number of the record's pieces.
    pieces: u32,
}

impl<'a> Piece<'a> {
    /// The piece in a row.
    pub(super) fn read(key: &[u8], value: &'a [u8]) -> Result<Self, Flaw> {
        let body = codec::unseal(key, value)?;
        let read = postcard::take_from_bytes(body);
        let (of, part) = read.map_err(|_| codec::broken(key, "is no part of a record"))?;
        Ok(Self { of, part })
    }
}

/// Key of a partition's position.
pub(super) fn position_key(partition: PartitionId) -> Vec<u8> {
    [POSITION, &partition.0.to_be_bytes()].concat()
}

/// What the keys of all records of a partition begin with.
pub(super) fn records_of(partition: PartitionId) -> Vec<u8> {
    [RECORD, &partition.0.to_be_bytes(), b"/"].concat()
}

/// Key of a piece of a record.
pub(super) fn piece_key(partition: PartitionId, key: &[u8], piece: u32) -> Vec<u8> {
    [RECORD, &partition.0.to_be_bytes(), b"/", key, b"/", &piece.to_be_bytes()].concat()
}

impl<'a> RowKey<'a> {
    /// The key of these bytes; `None` when there is none.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes == OF {
            return Some(Self::Of);
        }
        if let Some(number) = bytes.strip_prefix(POSITION) {
            return Some(Self::Position(partition_of(number)?));
        }
        let (number, rest) = bytes.strip_prefix(RECORD)?.split_at_checked(NUMBER_BYTES)?;
        let (key, piece) = rest.strip_prefix(b"/")?.split_last_chunk::<NUMBER_BYTES>()?;
        let (partition, key) = (partition_of(number)?, key.strip_suffix(b"/")?);
        Some(Self::Piece { partition, key, piece: u32::from_be_bytes(*piece) })
    }
}

fn partition_of(bytes: &[u8]) -> Option<PartitionId> {
    let number = i32::from_be_bytes(bytes.try_into().ok()?);
    (number >= 0).then_some(PartitionId(number))
}

/// The rows of a record.
pub(super) fn cut(
    partition: PartitionId,
    key: &[u8],
    record: &CopiedRecord,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let parts: Vec<&[u8]> = match record.value.as_slice() {
        [] => vec![&[]],
        value => value.chunks(COPY_ROW_BYTES).collect(),
    };
    let pieces = parts.len() as u32;
    let Offset(offset) = record.offset;
    let of = codec::serialize(&PieceOf { offset, appended_ms: record.appended_ms, pieces });
    let row = |(piece, part): (u32, &&[u8])| {
        let key = piece_key(partition, key, piece);
        let value = codec::seal(&key, &[&of, *part].concat());
        (key, value)
    };
    (0..).zip(&parts).map(row).collect()
}

/// The pieces of one key, in their order.
#[derive(Debug, Default)]
pub(super) struct Collected {
    record: Option<CopiedRecord>,
    pieces: u32,
    found: u32,
}

impl Collected {
    /// Takes the next piece of the key.
    pub(super) fn take(&mut self, number: u32, Piece { of, part }: &Piece<'_>) {
        if number == 0 {
            let (offset, appended_ms) = (Offset(of.offset), of.appended_ms);
            self.record = Some(CopiedRecord { offset, appended_ms, value: part.to_vec() });
            (self.pieces, self.found) = (of.pieces, 1);
            return;
        }
        let Some(record) = &mut self.record else { return };
        if (record.offset.0, self.pieces, self.found) == (of.offset, of.pieces, number) {
            record.value.extend_from_slice(part);
            self.found += 1;
        }
    }

    /// The record. `None` of one that was being replaced or removed when the process ended: what
    /// has replaced it lies behind the position.
    pub(super) fn finish(self) -> Option<CopiedRecord> {
        self.record.filter(|_| self.found == self.pieces)
    }
}
