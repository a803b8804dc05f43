//! The statistics line in the log. Sink thread.

use std::{fmt::Write as _, time::Duration};

use tracing::Value;

use super::Report;
use crate::{
    clock,
    event::RejectReason,
    metrics::Waiting,
    plain,
    window::{Dimension, OTHER, Windows},
};

/// Values of a dimension in the line.
const TOP_VALUES: usize = 3;

impl Report {
    /// Tells what happened since the last line.
    pub(super) fn line(&mut self, elapsed: Duration, windows: &Windows) {
        let (now, before) = (self.totals, std::mem::replace(&mut self.told, self.totals));
        let events = now.events_in - before.events_in;
        let latency = self.since_line.percentiles();
        self.since_line.clear();
        let usage = self.usage.top();
        let watermark = windows.watermark();
        let last = self.last_epoch;
        let lag = self.lag();
        let lag: &dyn Value = lag.as_ref().map_or(&"unknown", |records| records);
        let waiting = self.control.health().waiting();
        tracing::info!(
            events_per_second = (events as f64 / elapsed.as_secs_f64()) as u64,
            events,
            processed = now.processed - before.processed,
            dead_lettered = now.dead_lettered - before.dead_lettered,
            late = now.late - before.late,
            epochs = now.epochs - before.epochs,
            window_records = now.window_records - before.window_records,
            open_windows = windows.open_windows(),
            lag,
            state = (waiting != Waiting::Nothing).then(|| waiting.to_string()),
            watermark_delay_s = watermark.map(|time| (clock::now_ms() - time.0) as f64 / 1000.0),
            latency_p50_ms = (latency.count > 0).then_some(latency.p50_ms),
            latency_p99_ms = (latency.count > 0).then_some(latency.p99_ms),
            commit_ms = last.map(|epoch| epoch.commit_ms.round()),
            top_devices = top(&usage.top[Dimension::Device]),
            top_locations = top(&usage.top[Dimension::Location]),
            top_versions = top(&usage.top[Dimension::Version]),
            dead_letters = self.reasons_text(),
            "statistics"
        );
    }

    /// Dead letters since the last line, the most frequent reason first; `None` without any.
    fn reasons_text(&mut self) -> Option<String> {
        let told = std::mem::replace(&mut self.told_reasons, self.reasons.clone());
        let since = |(reason, count): (&RejectReason, &u64)| {
            (*reason, count - told.get(reason).copied().unwrap_or(0))
        };
        let mut reasons: Vec<_> = self.reasons.iter().map(since).filter(|(_, n)| *n > 0).collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let list: Vec<_> = reasons.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
        (!list.is_empty()).then(|| list.join(", "))
    }
}

/// The most frequent values and their shares since the start; `None` without any.
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
}
