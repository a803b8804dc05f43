//! How far the ranges of a scan are read. Pure.
//!
//! In:  offsets of records, ends of logs. Out: whether a record belongs to its range, and whether
//! the range ends.
//! Holds: a range ends once; what is behind its end, or was told before, never belongs to it.

use std::collections::BTreeMap;

use crate::ids::{Offset, PartitionId};

/// A part of one partition's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanRange {
    /// The partition.
    pub partition: PartitionId,
    /// The first offset.
    pub from: Offset,
    /// The offset behind the last one.
    pub until: Offset,
}

/// What it means for a range that the log ends before it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortLog {
    /// There is no more: the range ends.
    Ends,
    /// An open transaction hides the rest: the range waits for its end.
    Waits,
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Inside,
    /// Inside, and the range ends with it.
    Last,
    /// Behind the range, which ends: it has no further record.
    Behind,
    /// Of no open range.
    Outside,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    /// The next offset to read.
    position: Offset,
    until: Offset,
}

/// The ranges of one scan.
#[derive(Debug)]
pub(super) struct Ranges {
    of_partition: BTreeMap<PartitionId, Progress>,
    short_log: ShortLog,
}

impl Ranges {
    pub(super) fn new(ranges: &[ScanRange], short_log: ShortLog) -> Self {
        let progress = |range: &ScanRange| {
            (range.partition, Progress { position: range.from, until: range.until })
        };
        Self { of_partition: ranges.iter().map(progress).collect(), short_log }
    }

    /// Where to read on, of each range that has not ended.
    pub(super) fn open(&self) -> impl Iterator<Item = (PartitionId, Offset)> {
        let open = self.of_partition.iter().filter(|(_, progress)| progress.is_open());
        open.map(|(partition, progress)| (*partition, progress.position))
    }

    pub(super) fn position(&self, partition: PartitionId) -> Option<Offset> {
        self.of_partition.get(&partition).map(|progress| progress.position)
    }

    /// Offsets that are left, records or not.
    pub(super) fn left(&self) -> u64 {
        let left = |progress: &Progress| (progress.until.0 - progress.position.0).max(0) as u64;
        self.of_partition.values().map(left).sum()
    }

    /// A record was read.
    pub(super) fn record(&mut self, partition: PartitionId, offset: Offset) -> Place {
        let Some(progress) = self.of_partition.get_mut(&partition) else { return Place::Outside };
        if !progress.is_open() || offset < progress.position {
            return Place::Outside;
        }
        if offset >= progress.until {
            progress.position = progress.until;
            return Place::Behind;
        }
        progress.position = Offset(offset.0 + 1);
        if progress.is_open() { Place::Inside } else { Place::Last }
    }

    /// All records in front of `offset` were read. True: the range ends.
    pub(super) fn log_end(&mut self, partition: PartitionId, offset: Offset) -> bool {
        let Some(progress) = self.of_partition.get_mut(&partition) else { return false };
        let ends = offset >= progress.until || self.short_log == ShortLog::Ends;
        if !progress.is_open() || !ends {
            return false;
        }
        progress.position = progress.until;
        true
    }
}

impl Progress {
    fn is_open(&self) -> bool {
        self.position < self.until
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const P: PartitionId = PartitionId(0);

    fn ranges(from: i64, until: i64, short_log: ShortLog) -> Ranges {
        let range = ScanRange { partition: P, from: Offset(from), until: Offset(until) };
        Ranges::new(&[range], short_log)
    }

    #[test]
    fn a_tail_of_markers_ends_with_the_log_and_a_hidden_one_does_not() {
        let mut waiting = ranges(0, 5, ShortLog::Waits);
        assert_eq!(waiting.record(P, Offset(2)), Place::Inside);
        assert!(!waiting.log_end(P, Offset(3)), "a transaction hides offsets 3 and 4");
        assert_eq!((waiting.left(), waiting.position(P)), (2, Some(Offset(3))));
        assert!(waiting.log_end(P, Offset(5)), "3 and 4 are markers");
        assert!(!waiting.log_end(P, Offset(9)), "a range ends once");
        let mut short = ranges(0, 5, ShortLog::Ends);
        assert!(short.log_end(P, Offset(3)) && short.open().next().is_none());
    }

    #[test]
    fn what_is_outside_of_a_range_is_not_of_it() {
        let mut ranges = ranges(3, 6, ShortLog::Waits);
        assert_eq!(ranges.record(PartitionId(1), Offset(4)), Place::Outside);
        assert_eq!(ranges.record(P, Offset(2)), Place::Outside);
        assert_eq!(ranges.record(P, Offset(3)), Place::Inside);
        assert_eq!(ranges.record(P, Offset(3)), Place::Outside, "once");
        assert_eq!(ranges.record(P, Offset(8)), Place::Behind);
        assert_eq!(ranges.record(P, Offset(5)), Place::Outside, "it has ended");
        assert_eq!(ranges.position(P), Some(Offset(6)));
        assert_eq!(self::ranges(6, 6, ShortLog::Waits).open().count(), 0, "it is empty");
    }

    proptest! {
        #[test]
        fn every_record_of_the_range_is_told_once_and_the_range_ends(
            is_record in proptest::collection::vec(any::<bool>(), 0..40),
            from in 0..45_i64,
            length in 0..45_i64,
        ) {
            // A log of records and markers, read from the range's beginning to the log's end.
            let (until, log_end) = (from + length, is_record.len() as i64);
            let mut ranges = ranges(from, until, ShortLog::Waits);
            let (mut told, mut ends) = (Vec::new(), 0);
            for offset in (from..log_end).filter(|offset| is_record[*offset as usize]) {
                match ranges.record(P, Offset(offset)) {
                    Place::Inside => told.push(offset),
                    Place::Last => {
                        told.push(offset);
                        ends += 1;
                    }
                    Place::Behind => ends += 1,
                    Place::Outside => {}
                }
            }
            ends += usize::from(ranges.log_end(P, Offset(log_end)));
            let expected: Vec<_> = (from..until.min(log_end))
                .filter(|offset| is_record[*offset as usize])
                .collect();
            prop_assert_eq!(told, expected);
            prop_assert_eq!(ends, usize::from(length > 0 && until <= log_end));
            prop_assert_eq!(ranges.left() == 0, length == 0 || until <= log_end);
        }
    }
}
