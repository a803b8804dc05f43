//! Chunks of records that are not whole yet. Pure; part of a stream's reader.
//!
//! In:  the chunks of one stream in offset order. Out: the body, once the last chunk is there.
//! Holds: a body is of one record and has all its chunks in order. The first chunk begins a record
//! anew; one that does not follow its record's last is of no use, and neither is a record that
//! misses one: it was cut off, or the cleaner has removed a part because there is a newer record.

use std::borrow::Cow;

use super::{
    header::{Chunk, RecordId},
    key::Spot,
};
use crate::{ids::Offset, limits::JOURNAL_OPEN_RECORDS};

/// Records of one stream of which the first chunks are there, the oldest first.
#[derive(Debug, Default)]
pub(super) struct OpenRecords(Vec<OpenRecord>);

#[derive(Debug)]
struct OpenRecord {
    id: RecordId,
    spot: Spot,
    first: Offset,
    next_index: u32,
    body: Vec<u8>,
}

/// What a chunk has led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Collected<'a> {
    /// It was the last one; this is the body.
    Whole(Cow<'a, [u8]>),
    /// Its record waits for more.
    Waiting,
    /// It was there already, or those before it are missing.
    Useless,
}

impl OpenRecords {
    /// Adds a chunk that was read at this offset.
    pub(super) fn add<'a>(&mut self, chunk: &Chunk<'a>, spot: Spot, at: Offset) -> Collected<'a> {
        let Chunk { id, index, part } = chunk;
        let found = self.0.iter().position(|open| open.id == *id && open.spot == spot);
        if *index == 0 {
            if let Some(found) = found {
                self.0.remove(found);
            }
            return self.begin(id, spot, at, part);
        }
        let Some(found) = found else { return Collected::Useless };
        let open = &mut self.0[found];
        if *index < open.next_index {
            return Collected::Useless;
        }
        if *index > open.next_index {
            self.0.remove(found);
            return Collected::Useless;
        }
        open.body.extend_from_slice(part);
        open.next_index += 1;
        if open.next_index < id.chunks {
            return Collected::Waiting;
        }
        Collected::Whole(self.0.remove(found).body.into())
    }

    fn begin<'a>(
        &mut self,
        id: &RecordId,
        spot: Spot,
        at: Offset,
        part: &'a [u8],
    ) -> Collected<'a> {
        if id.chunks == 1 {
            return Collected::Whole(part.into());
        }
        if self.0.len() == JOURNAL_OPEN_RECORDS {
            self.0.remove(0);
        }
        let body = part.to_vec();
        self.0.push(OpenRecord { id: id.clone(), spot, first: at, next_index: 1, body });
        Collected::Waiting
    }

    /// Drops the records that nobody waits for once this one is applied.
    pub(super) fn drop_up_to(&mut self, seq: u64) {
        self.0.retain(|open| open.id.seq > seq);
    }

    /// Offset of the first chunk that would have to be read again.
    pub(super) fn first_offset(&self) -> Option<Offset> {
        self.0.iter().map(|open| open.first).min()
    }
}
