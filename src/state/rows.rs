//! Between epoch changes and stored rows. Pure.
//!
//! In:  an `EpochChange`. Out: the rows to write, and the same rows as a redo record.
//! Holds: a fold writes the rows that the change names and the base's one head row, which
//! carries count and checksum of all others. A redo record is the very rows of its fold, kept in
//! the slot that the fold before it does not read: sled's batches are not atomic when the disk is
//! full, but a fold that was cut off can always be written again (see `reader`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    codec::{self, OVERHEAD_BYTES},
    keys::{Key, Slot},
};
use crate::{
    ids::{Epoch, EventTimeMs, PartitionId},
    limits::REDO_CHUNK_BYTES,
    window::EpochChange,
};

/// A key and its new sealed value; `None` removes the key.
pub(super) type Row = (Key, Option<Vec<u8>>);

/// The base's global part.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct BaseHead {
    pub(super) epoch: Epoch,
    pub(super) watermark: Option<EventTimeMs>,
    pub(super) horizon: Option<EventTimeMs>,
    /// Highest epoch number whose redo record was discarded.
    pub(super) discarded: Epoch,
    /// Count and sum of the checksums of the base's other rows.
    pub(super) rows: u64,
    pub(super) digest: u64,
}

/// What ties the chunks of a redo record together, and to the base they stand on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct RedoHead {
    pub(super) epoch: Epoch,
    pub(super) base: Epoch,
    pub(super) chunks: u32,
    pub(super) bytes: u64,
    pub(super) crc: u32,
}

/// The redo record that may have been committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RedoMark {
    pub(super) epoch: Epoch,
    pub(super) slot: Slot,
    pub(super) bytes: u64,
}

/// What is known of the rows in a database; moves on with every write.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct StoredRows {
    pub(super) head: BaseHead,
    pub(super) redo: Option<RedoMark>,
    /// Chunks that each slot has, stale ones included.
    pub(super) chunks: BTreeMap<Slot, u32>,
    /// Highest epoch number seen in any redo record.
    pub(super) highest: Epoch,
    /// Checksum of each row that `head` counts.
    crcs: BTreeMap<Key, u32>,
}

impl StoredRows {
    /// Highest epoch number written so far.
    pub(super) fn highest_epoch(&self) -> Epoch {
        self.head.epoch.max(self.head.discarded).max(self.highest)
    }

    /// Writes this epoch into the base.
    pub(super) fn fold(&mut self, change: &EpochChange) -> Vec<Row> {
        let rows = self.rows_of(change);
        self.take(&rows);
        rows
    }

    /// Removes all that belongs to these partitions from the base.
    pub(super) fn forget(&mut self, partitions: &[PartitionId]) -> Vec<Row> {
        let lost = |key: &Key| match key {
            Key::Window(partition, _) | Key::Partition(partition) => partitions.contains(partition),
            _ => false,
        };
        let rows = self.crcs.keys().filter(|key| lost(key)).map(|key| (*key, None)).collect();
        let rows = self.with_head(rows, self.head);
        self.take(&rows);
        rows
    }

    /// Replaces the redo record by this epoch's. The base's rows of the same write come first.
    pub(super) fn write_redo(&mut self, change: &EpochChange) -> Vec<Row> {
        let slot = self.redo.map_or(Slot::A, |redo| redo.slot.other());
        let body = pack(&self.rows_of(change));
        let mut rows = Vec::new();
        for (index, chunk) in (0..).zip(body.chunks(REDO_CHUNK_BYTES - OVERHEAD_BYTES)) {
            let key = Key::RedoChunk(slot, index);
            rows.push((key, Some(codec::seal(&key.encode(), chunk))));
        }
        let chunks = u32::try_from(rows.len()).expect("a redo record has less than 2^48 bytes");
        let bytes = body.len() as u64;
        let (epoch, base, crc) = (change.epoch, self.head.epoch, crc32c::crc32c(&body));
        rows.push(row(Key::RedoHead(slot), Some(&RedoHead { epoch, base, chunks, bytes, crc })));
        let stale = chunks..self.chunks.insert(slot, chunks).unwrap_or(0);
        rows.extend(stale.map(|index| (Key::RedoChunk(slot, index), None)));
        self.redo = Some(RedoMark { epoch, slot, bytes });
        self.highest = self.highest_epoch().max(epoch);
        rows
    }

    /// Marks the redo record as not committed. Its chunks stay until the slot is used again.
    pub(super) fn discard_redo(&mut self) -> Vec<Row> {
        let Some(mark) = self.redo.take() else { return Vec::new() };
        let head = BaseHead { discarded: mark.epoch, ..self.head };
        let rows = self.with_head(Vec::new(), head);
        self.take(&rows);
        rows
    }

    /// The rows of this epoch's fold, its head row last.
    fn rows_of(&self, change: &EpochChange) -> Vec<Row> {
        let mut rows = Vec::with_capacity(
            change.partials.len() + change.partitions.len() + change.windows.len() + 1,
        );
        for ((partition, start), partial) in &change.partials {
            rows.push(row(Key::Window(*partition, *start), partial.as_deref()));
        }
        for (partition, state) in &change.partitions {
            rows.push(row(Key::Partition(*partition), Some(state)));
        }
        for (start, meta) in &change.windows {
            rows.push(row(Key::MergerWindow(*start), meta.as_ref()));
        }
        let head = BaseHead {
            epoch: change.epoch,
            watermark: change.watermark,
            horizon: change.horizon,
            ..self.head
        };
        self.with_head(rows, head)
    }

    fn with_head(&self, mut rows: Vec<Row>, head: BaseHead) -> Vec<Row> {
        let (count, digest) = self.sum_with(&rows);
        let head = BaseHead { rows: count, digest, ..head };
        rows.push(row(Key::BaseHead, Some(&head)));
        rows
    }

    /// Count and digest of the base once these rows are written.
    pub(super) fn sum_with(&self, rows: &[Row]) -> (u64, u64) {
        let BaseHead { rows: mut count, mut digest, .. } = self.head;
        for (key, value) in rows.iter().filter(|(key, _)| key.is_counted()) {
            if let Some(crc) = self.crcs.get(key) {
                count -= 1;
                digest = digest.wrapping_sub(u64::from(*crc));
            }
            if let Some(value) = value {
                count += 1;
                digest = digest.wrapping_add(u64::from(codec::checksum_of(value)));
            }
        }
        (count, digest)
    }

    /// These rows are in the base now. Each key stands in them once.
    pub(super) fn take(&mut self, rows: &[Row]) {
        (self.head.rows, self.head.digest) = self.sum_with(rows);
        for (key, value) in rows {
            match (key, value) {
                (Key::BaseHead, Some(value)) => {
                    let head: Result<BaseHead, _> = codec::decode(&key.encode(), value);
                    let BaseHead { epoch, watermark, horizon, discarded, .. } =
                        head.expect("rows to take are sound");
                    self.head = BaseHead { epoch, watermark, horizon, discarded, ..self.head };
                }
                (key, Some(value)) if key.is_counted() => {
                    self.crcs.insert(*key, codec::checksum_of(value));
                }
                (key, _) => {
                    self.crcs.remove(key);
                }
            }
        }
    }
}

/// The row that says an epoch is committed. It goes before the fold, in a write of its own: what
/// sled kept of a fold that was cut off proves nothing about the commit.
pub(super) fn committed(epoch: Epoch) -> Row {
    row(Key::Committed, Some(&epoch))
}

/// Bytes of all keys and values.
pub(super) fn size_bytes(rows: &[Row]) -> u64 {
    let bytes = |(key, value): &Row| key.encode().len() + value.as_ref().map_or(0, Vec::len);
    rows.iter().map(bytes).sum::<usize>() as u64
}

fn row<T: Serialize>(key: Key, content: Option<&T>) -> Row {
    (key, content.map(|content| codec::encode(&key.encode(), content)))
}

/// Rows as one string of bytes: key length, key, value length + 1 or 0 for none, value.
fn pack(rows: &[Row]) -> Vec<u8> {
    let mut body = Vec::with_capacity(size_bytes(rows) as usize + 8 * rows.len());
    let length = |bytes: usize| u32::try_from(bytes).expect("a row has less than 4 GiB");
    for (key, value) in rows {
        let key = key.encode();
        body.extend_from_slice(&length(key.len()).to_le_bytes());
        body.extend_from_slice(&key);
        let marker = value.as_ref().map_or(0, |value| length(value.len() + 1));
        body.extend_from_slice(&marker.to_le_bytes());
        body.extend_from_slice(value.as_deref().unwrap_or_default());
    }
    body
}

/// The rows of a packed string; `None` when it is not one, or names a key twice.
pub(super) fn unpack(mut body: &[u8]) -> Option<Vec<Row>> {
    let (mut rows, mut keys) = (Vec::new(), BTreeSet::new());
    while !body.is_empty() {
        let key = Key::parse(split(&mut body, 0)?)?;
        if !keys.insert(key) {
            return None;
        }
        let marker = u32::from_le_bytes(*body.first_chunk()?);
        let value = split(&mut body, 1)?;
        rows.push((key, (marker > 0).then(|| value.to_vec())));
    }
    Some(rows)
}

/// Takes a length (of `bias` more than there are bytes, or 0) and its bytes off the front.
fn split<'b>(body: &mut &'b [u8], bias: usize) -> Option<&'b [u8]> {
    let (length, rest) = body.split_first_chunk::<4>()?;
    let length = (u32::from_le_bytes(*length) as usize).saturating_sub(bias);
    let (bytes, rest) = rest.split_at_checked(length)?;
    *body = rest;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_names_a_key_twice_is_none() {
        let head = |epoch| (Key::BaseHead, Some(vec![epoch]));
        assert_eq!(unpack(&pack(&[head(1)])), Some(vec![head(1)]));
        assert_eq!(unpack(&pack(&[head(1), head(2)])), None);
    }
}
