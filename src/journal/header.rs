//! The header of a chunk, and how a record is cut into chunks and found whole again. Pure.
//!
//! Holds: chunks with equal headers, the index aside, are of one record; the checksum in it is of
//! the whole body, so that a body is never put together from two records.

use super::{
    FORMAT_VERSION,
    bytes::{ByteReader, ByteWriter, Flaw, flaw},
    key::Stream,
};
use crate::{
    ids::{Epoch, InstanceId},
    limits::JOURNAL_CHUNKS_MAX,
};

/// What a record holds of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// What one epoch changed.
    Epoch,
    /// Everything.
    Snapshot,
}

/// The second byte of a value.
const KIND_EPOCH: u8 = 1;
const KIND_SNAPSHOT: u8 = 2;
pub(super) const KIND_IDENTITY: u8 = 3;
pub(super) const KIND_INSTANCE: u8 = 4;
pub(super) const KIND_ROW: u8 = 5;

/// Which record a chunk is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordId {
    pub(super) kind: RecordKind,
    pub(super) stream: Stream,
    pub(super) seq: u64,
    pub(super) epoch: Epoch,
    pub(super) writer: InstanceId,
    /// CRC-32C of the body.
    pub(super) checksum: u32,
    /// Number of its chunks.
    pub(super) chunks: u32,
}

/// A chunk, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    pub(super) id: RecordId,
    pub(super) index: u32,
    /// Its part of the body.
    pub(super) part: &'a [u8],
}

impl Chunk<'_> {
    /// The value of a chunk.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = ByteWriter::default();
        writer.byte(FORMAT_VERSION);
        writer.byte(match self.id.kind {
            RecordKind::Epoch => KIND_EPOCH,
            RecordKind::Snapshot => KIND_SNAPSHOT,
        });
        writer.unsigned(self.id.stream.number());
        writer.unsigned(self.id.seq);
        writer.unsigned(self.id.epoch.0);
        writer.text(self.id.writer.as_str());
        writer.raw(&self.id.checksum.to_le_bytes());
        writer.unsigned(self.index.into());
        writer.unsigned(self.id.chunks.into());
        writer.raw(self.part);
        writer.finish()
    }
}

impl<'a> Chunk<'a> {
    /// The chunk of a value whose version byte has been read.
    pub(super) fn decode(mut reader: ByteReader<'a>) -> Result<Self, Flaw> {
        let kind = match reader.byte()? {
            KIND_EPOCH => RecordKind::Epoch,
            KIND_SNAPSHOT => RecordKind::Snapshot,
            other => return flaw(format!("is of the unknown kind {other}")),
        };
        let Some(stream) = Stream::of_number(reader.unsigned()?) else {
            return flaw("is of a partition that is too large");
        };
        let seq = reader.unsigned()?;
        let epoch = Epoch(reader.unsigned()?);
        let Some(writer) = InstanceId::parse(reader.text()?) else {
            return flaw("names a writer that is no instance id");
        };
        let checksum = u32::from_le_bytes(reader.raw()?);
        let (index, chunks) = (reader.number()?, reader.number()?);
        if !(1..=JOURNAL_CHUNKS_MAX).contains(&chunks) || index >= chunks {
            return flaw(format!("is chunk {index} of {chunks}, counted from 0"));
        }
        // Numbers beyond these are nobody's, and there must be some after them.
        if !(1..=i64::MAX as u64).contains(&seq) || epoch.0 > i64::MAX as u64 {
            return flaw(format!("has sequence number {seq} and epoch {epoch}"));
        }
        let id = RecordId { kind, stream, seq, epoch, writer, checksum, chunks };
        Ok(Self { id, index, part: reader.rest() })
    }
}

/// The stream and the sequence number that a chunk's value names; nothing else of it is read.
/// `None` of a value that is no chunk.
pub fn chunk_seq(value: &[u8]) -> Option<(Stream, u64)> {
    let mut reader = ByteReader::new(value);
    let is_ours = reader.byte().ok()? == FORMAT_VERSION;
    let is_chunk = matches!(reader.byte().ok()?, KIND_EPOCH | KIND_SNAPSHOT);
    if !is_ours || !is_chunk {
        return None;
    }
    Some((Stream::of_number(reader.unsigned().ok()?)?, reader.unsigned().ok()?))
}

impl RecordId {
    /// Whether the body that was put together is the one that was written.
    pub(super) fn check(&self, body: &[u8]) -> Result<(), Flaw> {
        if crc32c::crc32c(body) == self.checksum {
            return Ok(());
        }
        flaw("fails its checksum")
    }
}
