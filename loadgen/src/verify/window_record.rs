//! Reads a record of aggregated-usage, and checks that its fields are consistent.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Largest relative error of a quotient.
const ROUNDING: f64 = 1e-6;

/// The fields of a window; others are ignored.
#[derive(serde::Deserialize, Debug)]
pub(super) struct WindowRecord {
    current_time: f64,
    time_window: f64,
    batch_size: f64,
    location_stats: Stats,
    device_stats: Stats,
    version_stats: Stats,
    pub(super) total_events: u64,
    pub(super) unique_users: u64,
    window_start: String,
    window_end: String,
    pub(super) revision: u64,
    pub(super) complete: bool,
    pub(super) late_events: u64,
}

/// The counts of the values of a dimension, in the order in which they were written.
#[derive(Debug, Default)]
pub(super) struct Stats(pub(super) Vec<(String, u64)>);

impl<'de> Deserialize<'de> for Stats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Stats;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object of counts")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Stats, M::Error> {
                let mut counts = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    counts.push(entry);
                }
                Ok(Stats(counts))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl WindowRecord {
    /// The three maps with their names, in the order of `Entry::counted`.
    pub(super) fn maps(&self) -> [(&'static str, &Stats); 3] {
        [
            ("location_stats", &self.location_stats),
            ("device_stats", &self.device_stats),
            ("version_stats", &self.version_stats),
        ]
    }

    /// Descriptions of fields that contradict the key (start of the window in epoch seconds), the
    /// window's length, or another field.
    pub(super) fn contradictions(&self, start_s: i64, window_s: i64) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expect = |is_right: bool, what: String| {
            if !is_right {
                wrong.push(what);
            }
        };
        let close =
            |found: f64, exact: f64| (found - exact).abs() <= ROUNDING * exact.abs().max(1e-9);
        let (current, length) = (self.current_time, self.time_window);
        expect(close(current, start_s as f64), format!("current_time {current}"));
        expect(close(length, window_s as f64), format!("time_window {length}"));
        let per_s = self.total_events as f64 / window_s as f64;
        expect(
            close(self.batch_size, per_s),
            format!("batch_size {}, expected {per_s}", self.batch_size),
        );
        for (name, text, at_s) in [
            ("window_start", &self.window_start, start_s),
            ("window_end", &self.window_end, start_s + window_s),
        ] {
            let expected = Timestamp::from_second(at_s).map(|time| time.to_string());
            let is_right = expected.as_ref().is_ok_and(|expected| expected == text);
            expect(is_right, format!("{name} {text}"));
        }
        let late = self.late_events;
        expect(late <= self.total_events, format!("late_events {late} of {}", self.total_events));
        expect(self.revision >= 1, "revision 0".to_owned());
        for (name, Stats(counts)) in self.maps() {
            let sum: u64 = counts.iter().map(|entry| entry.1).sum();
            let total = self.total_events;
            expect(sum == total, format!("{name} adds up to {sum} of {total}"));
            let is_sorted = counts.is_sorted_by(|one, next| one.0 < next.0);
            expect(is_sorted, format!("{name} is not sorted, or has a key twice"));
            expect(counts.iter().all(|entry| entry.1 > 0), format!("{name} has a zero"));
        }
        wrong
    }
}
