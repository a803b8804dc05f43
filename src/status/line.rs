//! The statistics line in the log. Owned by the reporter.
//!
//! In:  snapshots. Out: one line per interval, about what has changed between two of them.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use jiff::Timestamp;
use tracing::Value;

use super::{DeadLetters, Snapshot};
use crate::{
    latency::Percentiles,
    metrics::Waiting,
    plain,
    window::{Dimension, OTHER},
};

/// Values of a dimension in the line.
const TOP_VALUES: usize = 3;

/// Writes the line.
#[derive(Debug)]
pub(super) struct StatisticsLine {
    interval: Option<Duration>,
    /// What the last line was about.
    last: Arc<Snapshot>,
}

impl StatisticsLine {
    /// The first line is due an interval after `now_ms`; `None` for no line at all.
    pub(super) fn new(interval: Option<Duration>, now_ms: i64) -> Self {
        Self { interval, last: Arc::new(Snapshot { at_ms: now_ms, ..Snapshot::default() }) }
    }

    /// Whether a line about this snapshot is due.
    pub(super) fn is_due(&self, newest: &Snapshot) -> bool {
        let elapsed_ms = (newest.at_ms - self.last.at_ms).max(0).unsigned_abs();
        self.interval.is_some_and(|interval| Duration::from_millis(elapsed_ms) >= interval)
    }

    /// Writes what has happened since the last line.
    pub(super) fn write(&mut self, newest: &Arc<Snapshot>, latency: Percentiles, waiting: Waiting) {
        let last = std::mem::replace(&mut self.last, Arc::clone(newest));
        let (now, before) = (newest.process, last.process);
        let events = now.records.events_in - before.records.events_in;
        let seconds = (newest.at_ms - last.at_ms) as f64 / 1000.0;
        let lag = newest.lag_records;
        let lag: &dyn Value = lag.as_ref().map_or(&"unknown", |records| records);
        let top = |dimension| top(&newest.usage.top[dimension]);
        tracing::info!(
            events_per_second = (events as f64 / seconds) as u64,
            events,
            processed = now.records.processed - before.records.processed,
            dead_lettered = now.records.dead_lettered - before.records.dead_lettered,
            late = now.records.late - before.records.late,
            epochs = now.epochs - before.epochs,
            window_records = now.window_records - before.window_records,
            open_windows = newest.open_window_count,
            lag,
            state = (waiting != Waiting::Nothing).then(|| waiting.to_string()),
            watermark_delay_s = newest.watermark_delay_ms.map(|delay_ms| delay_ms as f64 / 1000.0),
            latency_p50_ms = (latency.count > 0).then_some(latency.p50_ms),
            latency_p99_ms = (latency.count > 0).then_some(latency.p99_ms),
            commit_ms = newest.last_epoch.map(|epoch| epoch.commit_ms.round()),
            dead_letters = new_dead_letters(&newest.dead_letters, &last.dead_letters),
            group_events = newest.totals.events_in,
            group_since = newest.since_ms.and_then(time),
            top_devices = top(Dimension::Device),
            top_locations = top(Dimension::Location),
            top_versions = top(Dimension::Version),
            "statistics"
        );
    }
}

/// Dead letters since the last line, the most frequent reason first; `None` without any.
fn new_dead_letters(now: &[DeadLetters], before: &[DeadLetters]) -> Option<String> {
    let had = |reason| before.iter().find(|of| of.reason == reason).map_or(0, |of| of.count);
    let new = now.iter().map(|of| (of.reason, of.count - had(of.reason)));
    let mut new: Vec<_> = new.filter(|(_, count)| *count > 0).collect();
    new.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let list: Vec<_> = new.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
    (!list.is_empty()).then(|| list.join(", "))
}

/// To the second, UTC.
fn time(ms: i64) -> Option<String> {
    Timestamp::from_millisecond(ms).map(|time| format!("{time:.0}")).ok()
}

/// The most frequent values and their shares since the group began; `None` without any.
fn top(values: &[(String, u64)]) -> Option<String> {
    let all: u64 = values.iter().map(|(_, count)| count).sum();
    let mut text = String::new();
    for (value, count) in values.iter().filter(|(value, _)| value != OTHER).take(TOP_VALUES) {
        let separator = if text.is_empty() { "" } else { ", " };
        let share = *count as f64 * 100.0 / all as f64;
        let _ = write!(text, "{separator}{} {share:.0} %", plain::one_line(value));
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_values_are_told_with_their_shares() {
        let values = [("iOS", 40), (OTHER, 25), ("android", 20), ("a\nb", 10), ("b", 5)];
        let values: Vec<_> = values.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        assert_eq!(top(&values).as_deref(), Some("iOS 40 %, android 20 %, a\\nb 10 %"));
        assert_eq!(top(&[]), None);
    }

    #[test]
    fn only_new_dead_letters_are_told() {
        let letters = |counts: &[(&'static str, u64)]| -> Vec<_> {
            let made = |&(reason, count): &_| DeadLetters { reason, count, sample: None };
            counts.iter().map(made).collect()
        };
        let before = letters(&[("not_json", 7), ("too_deep", 2)]);
        let now = letters(&[("not_json", 8), ("missing_field", 3), ("too_deep", 2)]);
        let text = new_dead_letters(&now, &before);
        assert_eq!(text.as_deref(), Some("missing_field 3, not_json 1"));
        assert_eq!(new_dead_letters(&now, &now), None);
    }
}
