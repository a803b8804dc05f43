//! The profiles of a range of keys in one value of sled, written in rotation, and a log of what has
//! changed since: a start reads the log into memory.

use std::{collections::VecDeque, iter, ops::Range, path::Path};

use super::{
    blob,
    layout::{Layout, STRIPES},
    sled_rows::{open, read_position, write_position},
    workload::{ROW_BYTES, Row, Value},
};

/// In which everything that has changed is written once.
const TURN_S: usize = 60;

/// As long as a value of sled should be at most.
const LOG_VALUE_BYTES: usize = 64 << 10;

pub(super) struct SledRanges {
    db: sled::Db,
    log: sled::Tree,
    ranges: usize,
    /// Numbers of the values in the log, by second.
    seconds: VecDeque<Range<u64>>,
    next: u64,
}

impl SledRanges {
    /// Ranges of about so many bytes for so many users.
    pub(super) fn open(folder: &Path, users: u64, bytes: usize) -> anyhow::Result<Self> {
        let db = open(folder)?;
        let log = db.open_tree("log")?;
        let number = |key: &[u8]| key.try_into().map(u64::from_be_bytes).expect("eight bytes");
        let first = log.first()?.map_or(0, |(key, _)| number(&key));
        let next = log.last()?.map_or(0, |(key, _)| number(&key) + 1);
        // Whatever is left of an earlier process goes when the first turn of this one is done.
        let seconds = iter::once(first..next).collect();
        Ok(Self { db, log, ranges: blob::ranges(users, bytes), seconds, next })
    }

    fn key(range: usize) -> [u8; 4] {
        (range as u32).to_be_bytes()
    }
}

impl Layout for SledRanges {
    fn load(&mut self, rows: &mut dyn Iterator<Item = Row>) -> anyhow::Result<()> {
        let (mut at, mut value) = (0, Vec::new());
        for row in rows {
            let range = blob::range_of(row.0, self.ranges);
            if range != at {
                self.db.insert(Self::key(at), value.as_slice())?;
                (at, value) = (range, Vec::new());
            }
            blob::push(&mut value, &row);
        }
        self.db.insert(Self::key(at), value.as_slice())?;
        write_position(&self.db, 0)
    }

    fn read(&self, key: u64) -> anyhow::Result<Option<Value>> {
        let value = self.db.get(Self::key(blob::range_of(key, self.ranges)))?;
        Ok(value.and_then(|value| blob::find(&value, key)))
    }

    fn turn_s(&self) -> usize {
        TURN_S
    }

    fn log(&mut self, changed: &[Row]) -> anyhow::Result<()> {
        let first = self.next;
        for rows in changed.chunks(LOG_VALUE_BYTES / ROW_BYTES) {
            let mut value = Vec::with_capacity(LOG_VALUE_BYTES);
            for row in rows {
                blob::push(&mut value, row);
            }
            self.log.insert(self.next.to_be_bytes(), value)?;
            self.next += 1;
        }
        self.seconds.push_back(first..self.next);
        Ok(())
    }

    fn write(&mut self, _of: Range<usize>, rows: &[Row], position: u64) -> anyhow::Result<()> {
        for (range, rows) in blob::by_range(rows, self.ranges) {
            let old = self.db.get(Self::key(range))?.unwrap_or_default();
            let mut value = Vec::with_capacity(old.len() + rows.len() * ROW_BYTES);
            blob::merge(&old, rows, &mut value);
            self.db.insert(Self::key(range), value)?;
        }
        write_position(&self.db, position)?;
        // A second more than a turn: the ranges of its last one were written just now.
        while self.seconds.len() > TURN_S + 1 {
            for number in self.seconds.pop_front().into_iter().flatten() {
                self.log.remove(number.to_be_bytes())?;
            }
        }
        Ok(())
    }

    fn position(&self) -> anyhow::Result<u64> {
        read_position(&self.db)
    }

    fn logged(&self) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for value in self.log.iter().values() {
            rows.extend(blob::rows_of(&value?));
        }
        Ok(rows)
    }
}

const _: () = assert!(TURN_S <= STRIPES);
