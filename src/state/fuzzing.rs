//! The way into the decoding of stored rows for the fuzz targets. Pure; no part of the interface.
//!
//! In:  rows as bytes, of which nothing is known; or their bodies, which are sealed here, because
//!      no fuzzer guesses a checksum.
//! Out: what a start would load from them, or what it would say is wrong.
//! Holds: nothing here decodes by itself: it is the reader that a start uses.

use super::{
    Loaded,
    codec::{self, Flaw},
    keys::{Key, Slot},
    reader::Reader,
    rows::{BaseHead, RedoHead, Row, StoredRows},
};
use crate::{
    ids::Epoch,
    window::{EpochChange, StateImage},
};

/// A key and its value, as they stand in the database.
pub type RawRow = (Vec<u8>, Vec<u8>);

/// What a start loads from these rows; the text says why it cannot.
pub fn load<'r>(rows: impl Iterator<Item = (&'r [u8], &'r [u8])>) -> Result<Loaded, String> {
    let text = |flaw| match flaw {
        Flaw::Broken(what) => what,
        Flaw::Newer(version) => format!("format {version}"),
    };
    let mut reader = Reader::default();
    for (key, value) in rows {
        reader.take(key, value).map_err(text)?;
    }
    Ok(reader.finish().map_err(text)?.loaded)
}

/// The value with this body, sound under this key.
pub fn seal(key: &[u8], body: &[u8]) -> Vec<u8> {
    codec::seal(key, body)
}

/// The rows of a redo record with this packed body, which may be anything.
pub fn redo(second_slot: bool, epoch: u64, base: u64, body: &[u8]) -> Vec<RawRow> {
    let slot = if second_slot { Slot::B } else { Slot::A };
    let (bytes, crc) = (body.len() as u64, crc32c::crc32c(body));
    let head = RedoHead { epoch: Epoch(epoch), base: Epoch(base), chunks: 1, bytes, crc };
    let chunk = Key::RedoChunk(slot, 0).encode();
    let value = codec::seal(&chunk, body);
    let key = Key::RedoHead(slot).encode();
    let head = codec::encode(&key, &head);
    vec![(chunk, value), (key, head)]
}

/// The head row that makes these rows a base of this epoch. Sound rows only are counted.
pub fn progress<'r>(epoch: u64, rows: impl Iterator<Item = (&'r [u8], &'r [u8])>) -> RawRow {
    let sound = |(key, value): (&[u8], &[u8])| {
        codec::unseal(key, value).ok()?;
        Some((Key::parse(key)?, Some(value.to_vec())))
    };
    let rows: Vec<Row> = rows.filter_map(sound).collect();
    let (count, digest) = StoredRows::default().sum_with(&rows);
    let progress = BaseHead { epoch: Epoch(epoch), rows: count, digest, ..BaseHead::default() };
    let key = Key::BaseHead.encode();
    let value = codec::encode(&key, &progress);
    (key, value)
}

/// The rows that a store writes for this image, if it were one epoch's doing.
pub fn rows_of_base(image: &StateImage) -> Vec<RawRow> {
    let change = EpochChange {
        epoch: image.epoch,
        partials: image.partials.iter().map(|(key, sum)| (*key, Some(sum.clone()))).collect(),
        partitions: image.partitions.clone(),
        windows: image.windows.iter().map(|(start, meta)| (*start, Some(*meta))).collect(),
        watermark: image.watermark,
        horizon: image.horizon,
    };
    encoded(StoredRows::default().fold(&change))
}

/// The rows that an empty store writes for this redo record.
pub fn rows_of_redo(change: &EpochChange) -> Vec<RawRow> {
    encoded(StoredRows::default().write_redo(change))
}

fn encoded(rows: Vec<Row>) -> Vec<RawRow> {
    rows.into_iter().filter_map(|(key, value)| Some((key.encode(), value?))).collect()
}
