//! The log of one partition: records, markers of transactions, its two ends.
//!
//! In:  records and markers. Out: what a reader may see from an offset on.
//! Holds: offsets are never used twice, unless the log loses its end; nothing above the last stable
//! offset is compacted; the records of a transaction are between its first offset in `open` and its
//! marker.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use super::random::Random;

/// A record as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    /// A block of headers.
    pub(crate) headers: Vec<u8>,
    pub(crate) timestamp_ms: i64,
}

impl Sent {
    pub(crate) fn bytes(&self) -> usize {
        let of = |field: &Option<Vec<u8>>| field.as_ref().map_or(0, Vec::len);
        of(&self.key) + of(&self.value) + self.headers.len()
    }
}

/// Number of a transaction, over all producers.
pub(crate) type TransactionNumber = u64;

#[derive(Debug)]
enum Content {
    Record(Rc<Sent>),
    /// A marker, and when it was written.
    Marker {
        written_ms: i64,
    },
}

#[derive(Debug)]
struct Entry {
    offset: i64,
    transaction: Option<TransactionNumber>,
    content: Content,
}

/// What a reader is given.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<(i64, Rc<Sent>)>,
    /// Where it reads on, behind markers and what it may not see.
    pub(crate) next: i64,
}

#[derive(Debug, Default)]
pub(crate) struct PartitionLog {
    entries: VecDeque<Entry>,
    start: i64,
    end: i64,
    /// First offset of each transaction whose marker is not here yet.
    open: BTreeMap<TransactionNumber, i64>,
    aborted: BTreeSet<TransactionNumber>,
}

/// The position is outside of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfRange;

impl PartitionLog {
    /// Appends a record and returns its offset.
    pub(crate) fn append(&mut self, record: Sent, transaction: Option<TransactionNumber>) -> i64 {
        if let Some(number) = transaction {
            self.open.entry(number).or_insert(self.end);
        }
        self.push(transaction, Content::Record(Rc::new(record)))
    }

    /// Writes the marker of a transaction.
    pub(crate) fn end_transaction(&mut self, number: TransactionNumber, commit: bool, now_ms: i64) {
        self.open.remove(&number);
        if !commit {
            self.aborted.insert(number);
        }
        self.push(Some(number), Content::Marker { written_ms: now_ms });
    }

    fn push(&mut self, transaction: Option<TransactionNumber>, content: Content) -> i64 {
        let offset = self.end;
        self.end += 1;
        self.entries.push_back(Entry { offset, transaction, content });
        offset
    }

    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    pub(crate) fn high_watermark(&self) -> i64 {
        self.end
    }

    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.open.values().copied().min().unwrap_or(self.end)
    }

    /// The end for a reader of all, or of committed records only.
    pub(crate) fn end(&self, uncommitted: bool) -> i64 {
        if uncommitted { self.end } else { self.last_stable_offset() }
    }

    /// At most `most` records from an offset on.
    pub(crate) fn read(
        &self,
        from: i64,
        uncommitted: bool,
        most: usize,
    ) -> Result<Batch, OutOfRange> {
        if from < self.start || from > self.end {
            return Err(OutOfRange);
        }
        let end = self.end(uncommitted);
        let mut batch = Batch { records: Vec::new(), next: end.max(from) };
        let first = self.entries.partition_point(|entry| entry.offset < from);
        for entry in self.entries.range(first..).take_while(|entry| entry.offset < end) {
            let Content::Record(record) = &entry.content else { continue };
            let is_aborted = entry.transaction.is_some_and(|it| self.aborted.contains(&it));
            if is_aborted && !uncommitted {
                continue;
            }
            if batch.records.len() == most {
                batch.next = entry.offset;
                break;
            }
            batch.records.push((entry.offset, Rc::clone(record)));
        }
        Ok(batch)
    }

    /// The first offset of this time or later; `None` where no record is.
    pub(crate) fn offset_for_time(&self, timestamp_ms: i64, uncommitted: bool) -> Option<i64> {
        let end = self.end(uncommitted);
        let is_later = |entry: &&Entry| match &entry.content {
            Content::Record(record) => record.timestamp_ms >= timestamp_ms,
            Content::Marker { .. } => false,
        };
        let found = self.entries.iter().find(is_later).map(|entry| entry.offset);
        found.filter(|offset| *offset < end)
    }

    /// Forgets everything below an offset, as retention does.
    pub(crate) fn move_start(&mut self, to: i64) {
        self.start = to.clamp(self.start, self.end);
        let start = self.start;
        self.entries.retain(|entry| entry.offset >= start);
        self.open.values_mut().for_each(|first| *first = (*first).max(start));
    }

    /// Loses its end, at most from an offset on, as when a replica that was behind leads. What is
    /// left has no part of a transaction whose other part is lost, which would hang for ever.
    pub(crate) fn lose_end(&mut self, from: i64) {
        let (mut open, mut end) = (BTreeSet::new(), self.start);
        for entry in self.entries.iter().take_while(|entry| entry.offset < from) {
            match (&entry.content, entry.transaction) {
                (Content::Record(_), Some(number)) => {
                    open.insert(number);
                }
                (Content::Marker { .. }, Some(number)) => {
                    open.remove(&number);
                }
                (_, None) => {}
            }
            if open.is_empty() {
                end = entry.offset + 1;
            }
        }
        self.end = end;
        self.entries.retain(|entry| entry.offset < end);
        self.open.retain(|_, first| *first < end);
    }

    /// Removes records that are not the newest of their key, up to an offset that chance picks, and
    /// markers that nothing needs any more. Returns how many entries went.
    pub(crate) fn compact(&mut self, random: &mut Random, markers_before_ms: i64) -> usize {
        let stable = self.last_stable_offset();
        // The cleaner knows the keys up to here, and has replaced the segments up to there.
        let known =
            if random.one_in(2) { stable } else { random.below(stable as usize + 1) as i64 };
        let cleaned =
            if random.one_in(3) { random.below(known as usize + 1) as i64 } else { known };
        let mut newest = BTreeMap::new();
        for entry in self.entries.iter().take_while(|entry| entry.offset < known) {
            if let Content::Record(record) = &entry.content
                && !entry.transaction.is_some_and(|it| self.aborted.contains(&it))
            {
                newest.insert(record.key.clone(), entry.offset);
            }
        }
        let before = self.entries.len();
        let aborted = &self.aborted;
        self.entries.retain(|entry| match &entry.content {
            _ if entry.offset >= cleaned => true,
            Content::Marker { .. } => true,
            Content::Record(record) => {
                !entry.transaction.is_some_and(|it| aborted.contains(&it))
                    && newest.get(&record.key) == Some(&entry.offset)
            }
        });
        let is_record = |entry: &&Entry| matches!(entry.content, Content::Record(_));
        let needed: BTreeSet<_> =
            self.entries.iter().filter(is_record).filter_map(|entry| entry.transaction).collect();
        self.entries.retain(|entry| match entry.content {
            Content::Marker { written_ms } if entry.offset < cleaned => {
                written_ms >= markers_before_ms
                    || entry.transaction.is_some_and(|it| needed.contains(&it))
            }
            _ => true,
        });
        before - self.entries.len()
    }
}
