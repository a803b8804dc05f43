//! The way into the decoding of journal records for the fuzz targets. Pure; no part of the
//! interface.
//!
//! In:  bodies, of which nothing is known; they are sealed here, because no fuzzer guesses a
//!      checksum. Out: the chunks of their records.
//! Holds: nothing here decodes by itself: it is the reader's decoding.

use super::{
    Content, RecordKind, Stream,
    header::{Chunk, RecordId},
    key::{Key, Place, Spot},
};
use crate::ids::{Epoch, InstanceId};

/// A key and a value.
pub type RawRecord = (Vec<u8>, Vec<u8>);

/// What a sealed record says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Claims {
    /// Its kind.
    pub kind: RecordKind,
    /// Its stream.
    pub stream: Stream,
    /// Its number, from 1.
    pub seq: u64,
    /// Its epoch.
    pub epoch: u64,
    /// Its writer.
    pub writer: char,
    /// Where it lies, if it is a snapshot.
    pub second_place: bool,
}

/// The record with this body, in so many chunks of the same size.
pub fn record(claims: Claims, chunks: u32, body: &[u8]) -> Vec<RawRecord> {
    let Claims { kind, stream, seq, epoch, writer, second_place } = claims;
    let writer = InstanceId::parse(&writer.to_string()).expect("a letter");
    let checksum = crc32c::crc32c(body);
    let id = RecordId { kind, stream, seq, epoch: Epoch(epoch), writer, checksum, chunks };
    let spot = match kind {
        RecordKind::Epoch => Spot::of_epoch_record(seq),
        RecordKind::Snapshot => Spot::Snapshot(if second_place { Place::B } else { Place::A }),
    };
    let size = body.len().div_ceil(chunks as usize);
    let chunk = |index: u32| {
        let start = body.len().min(index as usize * size);
        let part = &body[start..body.len().min(start + size)];
        let key = Key::Chunk { stream, spot, index }.encode();
        (key, Chunk { id: id.clone(), index, part }.encode())
    };
    (0..chunks).map(chunk).collect()
}

/// The body of a record with this content.
pub fn body(content: &Content) -> Vec<u8> {
    content.encode()
}
