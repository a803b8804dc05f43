//! The segments of the log: which there are, how much of each is alive, and the one that is
//! written. Owned by the replica, through `RowFiles`.
//!
//! Files: `segment-<n>`, and `hint-<n>` of those that are closed.
//! Holds: what was appended can be read once it was flushed, and is on disk once it was synced; a
//! closed segment is on disk.

use std::{collections::BTreeMap, mem, sync::Arc};

use super::{
    RowDisk,
    commits::Failed,
    hint::{self, Entry},
    record::{Logged, Owner},
    shard::Place,
};
use crate::limits::ROW_BUFFER_BYTES;

const SEGMENT: &str = "segment-";
const HINT: &str = "hint-";

pub(super) fn segment_name(number: u32) -> String {
    format!("{SEGMENT}{number}")
}

pub(super) fn hint_name(number: u32) -> String {
    format!("{HINT}{number}")
}

/// Number of the segment that a file is or belongs to.
pub(super) fn number_of(name: &str) -> Option<u32> {
    name.strip_prefix(SEGMENT).or_else(|| name.strip_prefix(HINT))?.parse().ok()
}

#[derive(Debug, Clone, Copy, Default)]
struct Segment {
    bytes: u64,
    /// Of records that count.
    live: u64,
}

#[derive(Debug)]
pub(super) struct Segments {
    disk: Arc<dyn RowDisk>,
    /// At which a segment is closed.
    full_bytes: u64,
    /// All but the one that is written.
    closed: BTreeMap<u32, Segment>,
    /// The one that is written.
    number: u32,
    open: Segment,
    entries: Vec<Entry>,
    /// What is to be written behind its end.
    buffer: Vec<u8>,
}

impl Segments {
    /// Segments of which these are there already, with their bytes; no record counts yet.
    pub(super) fn new(
        disk: Arc<dyn RowDisk>,
        full_bytes: u64,
        there: &BTreeMap<u32, u64>,
        number: u32,
    ) -> Self {
        let segment = |(number, bytes): (&u32, &u64)| (*number, Segment { bytes: *bytes, live: 0 });
        Self {
            disk,
            full_bytes,
            closed: there.iter().map(segment).collect(),
            number,
            open: Segment::default(),
            entries: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// A record at this place counts.
    pub(super) fn lives(&mut self, place: Place) {
        let number = place.segment();
        let open = (number == self.number).then_some(&mut self.open);
        if let Some(segment) = open.or_else(|| self.closed.get_mut(&number)) {
            segment.live += place.bytes() as u64;
        }
    }

    /// The record at this place counts no more.
    pub(super) fn dies(&mut self, place: Place) {
        let number = place.segment();
        let open = (number == self.number).then_some(&mut self.open);
        if let Some(segment) = open.or_else(|| self.closed.get_mut(&number)) {
            segment.live -= place.bytes() as u64;
        }
    }

    /// A record has taken the place of this one, if there was one.
    pub(super) fn replaced(&mut self, former: Option<Place>) {
        if let Some(place) = former {
            self.dies(place);
        }
    }

    /// Appends a record, which counts from here on. It can be read after `flush`.
    pub(super) fn append(
        &mut self,
        of: Owner,
        logged: Logged<'_>,
        mark: Option<i64>,
    ) -> Result<Place, Failed> {
        if self.open.bytes >= self.full_bytes {
            self.close()?;
        }
        let begin = self.buffer.len();
        logged.write(of, &mut self.buffer);
        let (at, taken) = (self.open.bytes as usize, self.buffer.len() - begin);
        let place = Place::new(self.number, at, taken);
        let is_removed = matches!(logged, Logged::Removed(_));
        let place = if is_removed { place.removed() } else { place };
        self.entries.push(Entry::new(of, &logged, mark, (at, taken)));
        self.open.bytes += taken as u64;
        self.open.live += place.bytes() as u64;
        if self.buffer.len() >= ROW_BUFFER_BYTES { self.flush().map(|()| place) } else { Ok(place) }
    }

    /// What was appended can be read.
    pub(super) fn flush(&mut self) -> Result<(), Failed> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let name = segment_name(self.number);
        self.disk.append(&name, &self.buffer).map_err(|error| Failed(name, error))?;
        self.buffer.clear();
        Ok(())
    }

    /// What was appended is on disk.
    pub(super) fn sync(&mut self) -> Result<(), Failed> {
        self.flush()?;
        if self.open.bytes == 0 {
            return Ok(());
        }
        let name = segment_name(self.number);
        self.disk.sync(&name).map_err(|error| Failed(name, error))
    }

    fn close(&mut self) -> Result<(), Failed> {
        self.sync()?;
        let entries = mem::take(&mut self.entries);
        self.write_hint(self.number, self.open.bytes, entries)?;
        self.closed.insert(self.number, mem::take(&mut self.open));
        self.number += 1;
        Ok(())
    }

    /// Writes what a start reads instead of a segment.
    pub(super) fn write_hint(
        &self,
        number: u32,
        bytes: u64,
        entries: Vec<Entry>,
    ) -> Result<(), Failed> {
        let name = hint_name(number);
        let file = hint::encode(bytes, entries);
        let written = self.disk.append(&name, &file).and_then(|()| self.disk.sync(&name));
        written.map_err(|error| Failed(name, error))
    }

    /// The closed segment less than half of which counts, if there is one.
    pub(super) fn to_be_cleared(&self) -> Option<(u32, u64)> {
        let is_dead = |segment: &Segment| segment.live * 2 < segment.bytes;
        let dead = self.closed.iter().filter(|(_, segment)| is_dead(segment));
        let most = dead.min_by_key(|(_, segment)| segment.live * 1_000 / segment.bytes.max(1));
        most.map(|(number, segment)| (*number, segment.bytes))
    }

    /// Whether nothing of a closed segment counts.
    pub(super) fn is_dead(&self, number: u32) -> bool {
        self.closed.get(&number).is_none_or(|segment| segment.live == 0)
    }

    /// Whether no segment is older.
    pub(super) fn is_oldest(&self, number: u32) -> bool {
        self.closed.first_key_value().is_none_or(|(first, _)| *first >= number)
    }

    /// All of a closed segment that was committed.
    pub(super) fn read(&self, number: u32, bytes: u64) -> Result<Vec<u8>, Failed> {
        let (name, mut read) = (segment_name(number), vec![0; bytes as usize]);
        self.disk.read_at(&name, 0, &mut read).map_err(|error| Failed(name, error))?;
        Ok(read)
    }

    /// A segment is of no more use. Its files are removed after the next commit.
    pub(super) fn retire(&mut self, number: u32) {
        let retired = self.closed.remove(&number);
        debug_assert!(retired.is_some_and(|it| it.live == 0), "what counts was moved");
    }

    /// Every segment that has something, with its bytes.
    pub(super) fn sizes(&self) -> BTreeMap<u32, u64> {
        let open = (self.open.bytes > 0).then_some((self.number, self.open.bytes));
        self.closed.iter().map(|(number, it)| (*number, it.bytes)).chain(open).collect()
    }

    /// Removes the files of a segment.
    pub(super) fn remove_files(&self, number: u32) -> Result<(), Failed> {
        // NOTE: the hint first: one without its segment is removed at the next start, one of
        // another segment of the same number must never be there.
        for name in [hint_name(number), segment_name(number)] {
            match self.disk.remove(&name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Failed(name, error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
