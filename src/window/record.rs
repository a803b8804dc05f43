//! A window's record for aggregated-usage: key and JSON value.
//!
//! Built by the merger, encoded by the sink thread. Statistics are sorted by key, so that equal
//! contents give equal bytes.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Partial, PerDimension, ValueCounts};
use crate::{
    ids::{EventTimeMs, WindowStart},
    limits,
};

/// One published revision of one window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowRecord {
    /// First millisecond of the window.
    pub start: WindowStart,
    /// First millisecond after it.
    pub end: EventTimeMs,
    /// 1 when the window closes, one more per epoch that added late events.
    pub revision: u32,
    /// Events counted after the window had closed.
    pub late_events: u64,
    /// False when input of this window may never have been seen.
    pub complete: bool,
    /// What was counted.
    pub sum: Arc<Partial>,
}

/// The JSON value; field names and order are the topic's format.
#[derive(Serialize)]
struct Value<'a> {
    current_time: f64,
    time_window: f64,
    batch_size: f64,
    #[serde(flatten)]
    stats: Stats<'a>,
    total_events: u64,
    unique_users: u64,
    #[serde(serialize_with = "rfc3339")]
    window_start: EventTimeMs,
    #[serde(serialize_with = "rfc3339")]
    window_end: EventTimeMs,
    revision: u32,
    complete: bool,
    late_events: u64,
}

impl WindowRecord {
    /// The record's key: the window's start in seconds since the Unix epoch.
    pub fn key(&self) -> String {
        key_of(self.start)
    }

    /// Appends the record's value, a JSON object of at most `most_bytes`. Where all values do not
    /// fit, the rarest count as `other`.
    pub fn encode(&self, out: &mut Vec<u8>, most_bytes: usize) {
        let start = out.len();
        let mut values = limits::MAX_VALUES_PER_DIMENSION + 1;
        loop {
            self.write(out, values);
            if out.len() - start <= most_bytes || values <= 1 {
                return;
            }
            out.truncate(start);
            values /= 2;
        }
    }

    /// Writes the object with at most `values` entries per dimension.
    fn write(&self, out: &mut Vec<u8>, values: usize) {
        let seconds = (self.end.0 - self.start.0) as f64 / 1000.0;
        let value = Value {
            current_time: self.start.0 as f64 / 1000.0,
            time_window: seconds,
            batch_size: self.sum.total as f64 / seconds,
            stats: Stats(PerDimension::from_fn(|dimension| DimensionStats {
                counts: &self.sum.counts[dimension],
                values,
            })),
            total_events: self.sum.total,
            unique_users: self.sum.users.estimate(),
            window_start: EventTimeMs(self.start.0),
            window_end: self.end,
            revision: self.revision,
            complete: self.complete,
            late_events: self.late_events,
        };
        serde_json::to_writer(out, &value).expect("text keys and numbers are always JSON");
    }
}

/// The counts of all dimensions.
struct Stats<'a>(PerDimension<DimensionStats<'a>>);

impl Serialize for Stats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_map(self.0.iter().map(|(dimension, stats)| (dimension.spec().stats, stats)))
    }
}

/// A dimension's counts, written with at most `values` entries.
struct DimensionStats<'a> {
    counts: &'a ValueCounts,
    values: usize,
}

impl Serialize for DimensionStats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.counts.most_frequent(self.values))
    }
}

fn key_of(start: WindowStart) -> String {
    let (seconds, millis) = (start.0.div_euclid(1000), start.0.rem_euclid(1000));
    if millis == 0 { seconds.to_string() } else { (start.0 as f64 / 1000.0).to_string() }
}

/// Beyond the year 9999 the nearest time that can be written; `current_time` stays exact.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn rfc3339<S: Serializer>(time: &EventTimeMs, serializer: S) -> Result<S::Ok, S::Error> {
    let nearest = if time.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    serializer.collect_str(&Timestamp::from_millisecond(time.0).unwrap_or(nearest))
}

#[cfg(test)]
mod tests {
    use super::{super::Dimension, *};

    fn record(start: i64, end: i64) -> WindowRecord {
        let mut sum = Partial::new();
        for number in 0..19 {
            let (locale, device) = if number < 12 { ("NY", "iOS") } else { ("C\"A\n", "é") };
            sum.count([locale, device, "2.3.0"].into(), &format!("user {}", number % 17));
        }
        WindowRecord {
            start: WindowStart(start),
            end: EventTimeMs(end),
            revision: 2,
            late_events: 3,
            complete: true,
            sum: Arc::new(sum),
        }
    }

    fn text(record: &WindowRecord) -> String {
        let mut out = b"before".to_vec();
        record.encode(&mut out, usize::MAX);
        String::from_utf8(out).expect("UTF-8").strip_prefix("before").expect("appends").to_owned()
    }

    #[test]
    fn the_value_is_the_documented_object() {
        let record = record(1_730_653_310_000, 1_730_653_320_000);
        assert_eq!(record.key(), "1730653310");
        assert_eq!(
            text(&record),
            concat!(
                r#"{"current_time":1730653310.0,"time_window":10.0,"batch_size":1.9,"#,
                r#""location_stats":{"C\"A\n":7,"NY":12},"device_stats":{"iOS":12,"é":7},"#,
                r#""version_stats":{"2.3.0":19},"total_events":19,"unique_users":17,"#,
                r#""window_start":"2024-11-03T17:01:50Z","window_end":"2024-11-03T17:02:00Z","#,
                r#""revision":2,"complete":true,"late_events":3}"#
            )
        );
    }

    #[test]
    fn a_window_that_does_not_fit_counts_its_rarest_values_as_other() {
        let mut record = record(0, 10_000);
        let mut sum = Partial::new();
        for number in 0..1000_i64 {
            let control = format!("{number:04}{}", "\u{1}".repeat(60));
            for _ in 0..=number % 3 {
                sum.count([&*control; 3].into(), "user");
            }
        }
        record.sum = Arc::new(sum);
        let all = text(&record);
        assert!(all.len() > 1_000_000, "{}", all.len());
        let mut out = Vec::new();
        record.encode(&mut out, 600_000);
        assert!(out.len() <= 600_000, "{}", out.len());
        let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        for name in Dimension::ALL.map(|dimension| dimension.spec().stats) {
            let stats = value[name].as_object().expect("counts");
            let sum: u64 = stats.values().filter_map(serde_json::Value::as_u64).sum();
            assert_eq!(Some(sum), value["total_events"].as_u64(), "{name}");
            assert!(stats["other"].as_u64() > Some(0), "{name}");
            let rarest = stats.iter().filter(|(name, _)| *name != "other").map(|(_, n)| n.as_u64());
            assert!(rarest.min().flatten() >= Some(2), "{name}");
        }
    }

    #[test]
    fn windows_below_a_second_have_keys_of_their_own() {
        let record = record(1_730_653_310_500, 1_730_653_311_000);
        assert_eq!(record.key(), "1730653310.5");
        let text = text(&record);
        assert!(text.contains(r#""window_start":"2024-11-03T17:01:50.5Z""#), "{text}");
        assert!(text.contains(r#""batch_size":38.0,"#), "{text}");
    }

    #[test]
    fn a_time_that_has_no_calendar_date_is_no_panic() {
        let text = text(&record(i64::MAX / 2, i64::MAX / 2 + 10_000));
        assert!(text.contains(r#""window_end":"9999-12-30T"#), "{text}");
    }
}
