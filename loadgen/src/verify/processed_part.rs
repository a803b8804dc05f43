//! The part of the input that was processed, when processing began in the middle of it.
//!
//! In:  the offsets at which it began, the input. Out: for each window whether it may, must or must
//! not say that it is incomplete.
//! Holds: without offsets everything was processed, and no window is checked here.

use std::collections::HashSet;

use super::{
    record::Record,
    report::{Mistake, Report},
    window_record::WindowRecord,
};

/// The processed part of every partition.
pub(super) struct ProcessedPart {
    from: Vec<i64>,
    /// Windows with events that were not processed.
    missed: HashSet<i64>,
    /// For each partition, the window of its first event that was processed.
    first: Vec<Option<i64>>,
}

impl ProcessedPart {
    /// Takes the offset of each partition at which processing began; empty for the start of all.
    pub(super) fn from(from: Vec<i64>) -> Self {
        let first = vec![None; from.len()];
        Self { from, missed: HashSet::new(), first }
    }

    /// Whether an input record was processed.
    pub(super) fn has(&self, record: &Record<'_>) -> bool {
        let from = usize::try_from(record.partition).ok().and_then(|index| self.from.get(index));
        from.is_none_or(|from| record.offset >= *from)
    }

    /// Takes a valid event, in the order of its partition.
    pub(super) fn event(&mut self, record: &Record<'_>, window_s: i64) {
        if !self.has(record) {
            self.missed.insert(window_s);
        } else if let Some(first) = self.first.get_mut(record.partition as usize) {
            first.get_or_insert(window_s);
        }
    }

    /// Checks a window's `complete`. It must be false when the window misses input, and true when
    /// the window is after the first event of every partition that was read from the middle.
    pub(super) fn check(&self, start_s: i64, window: &WindowRecord, report: &mut Report) {
        let from_the_middle = self.from.iter().zip(&self.first).filter(|(from, _)| **from > 0);
        // A partition without a processed event may miss events of any window.
        let may_miss = from_the_middle.map(|(_, first)| first.unwrap_or(i64::MAX)).max();
        let may_miss = may_miss.is_some_and(|last| start_s <= last);
        if !self.from.is_empty() && !window.complete && !may_miss {
            report.add(Mistake::WindowIncomplete, || format!("window {start_s} misses nothing"));
        }
        if window.complete && self.missed.contains(&start_s) {
            report.add(Mistake::WindowNotMarked, || format!("window {start_s}"));
        }
    }
}
