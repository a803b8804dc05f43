//! Latencies: counts of durations, with an error of less than 1 %. Pure.
//!
//! An event's latency ends with its commit, which a worker does not know. So workers count ages at
//! a reference time of their epoch, and the sink adds the time from there to the commit.
//! Holds: nothing is allocated per event, and events of one Kafka timestamp cost one comparison.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde::Serialize;

/// Decimal digits that a recorded value keeps.
const DIGITS: u8 = 2;

/// Longest age that is recorded exactly, milliseconds: 69 years. Longer ones count as this.
const LONGEST_AGE_MS: u64 = 1 << 41;

/// Longest duration that is recorded exactly, microseconds: 50 days. Longer ones count as this.
const LONGEST_DURATION_US: u64 = 1 << 42;

/// Parts of the time that `Rolling` covers.
const ROLLING_PARTS: usize = 6;

/// Length of each part; together they are the last minute.
const ROLLING_PART: Duration = Duration::from_secs(10);

/// The ages of one worker's records in one epoch.
#[derive(Debug)]
pub struct EpochAges {
    /// When the work on the epoch's first batch began, milliseconds.
    reference_ms: Option<i64>,
    /// When the work on the current batch began, milliseconds.
    batch_ms: i64,
    /// A Kafka timestamp, and how many of the latest records had it. Not yet counted below.
    run: (i64, u32),
    older: Histogram<u32>,
    younger: Histogram<u32>,
    queued: Histogram<u32>,
    batches_us: Histogram<u32>,
}

/// A worker's latencies of an epoch. Each list holds values and how often they occurred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EpochLatency {
    /// The time that `ages_ms` refer to, milliseconds since the Unix epoch.
    pub reference_ms: i64,
    /// Ages at that time; below 0 for records that were appended after it.
    pub ages_ms: Vec<(i64, u64)>,
    /// Time from the append in Kafka to the worker.
    pub queued_ms: Vec<(u64, u64)>,
    /// Time that the worker spent on a batch.
    pub batches_us: Vec<(u64, u64)>,
}

impl Default for EpochAges {
    fn default() -> Self {
        let histogram = |longest| {
            Histogram::new_with_bounds(1, longest, DIGITS).expect("the bounds are in order")
        };
        Self {
            reference_ms: None,
            batch_ms: 0,
            run: (0, 0),
            older: histogram(LONGEST_AGE_MS),
            younger: histogram(LONGEST_AGE_MS),
            queued: histogram(LONGEST_AGE_MS),
            batches_us: histogram(LONGEST_DURATION_US),
        }
    }
}

impl EpochAges {
    /// The work on a batch begins.
    pub fn begin_batch(&mut self, now_ms: i64) {
        self.end_run();
        self.reference_ms.get_or_insert(now_ms);
        self.batch_ms = now_ms;
    }

    /// Counts a record of the batch. With a look into the histograms for each, a worker takes 3 %
    /// more instructions per event (benches/instructions.rs).
    #[inline]
    pub fn record(&mut self, timestamp_ms: i64) {
        if self.run.0 != timestamp_ms {
            self.end_run();
            self.run.0 = timestamp_ms;
        }
        self.run.1 += 1;
    }

    /// The work on the batch has ended.
    pub fn end_batch(&mut self, took: Duration) {
        self.batches_us.saturating_record(took.as_micros() as u64);
    }

    fn end_run(&mut self) {
        let (timestamp_ms, n) = self.run;
        if n == 0 {
            return;
        }
        let reference_ms = self.reference_ms.unwrap_or(self.batch_ms);
        let age_ms = reference_ms.saturating_sub(timestamp_ms);
        let ages = if age_ms < 0 { &mut self.younger } else { &mut self.older };
        ages.saturating_record_n(age_ms.unsigned_abs(), n);
        // Another machine's clock may be ahead of this one.
        let queued_ms = self.batch_ms.saturating_sub(timestamp_ms).max(0);
        self.queued.saturating_record_n(queued_ms.unsigned_abs(), n);
        self.run.1 = 0;
    }

    /// Takes the epoch's counts and begins a new one.
    pub fn take(&mut self) -> EpochLatency {
        self.end_run();
        let younger = counts(&self.younger).map(|(ms, n)| (-(ms as i64), n));
        let older = counts(&self.older).map(|(ms, n)| (ms as i64, n));
        let taken = EpochLatency {
            reference_ms: self.reference_ms.unwrap_or(0),
            ages_ms: younger.chain(older).collect(),
            queued_ms: counts(&self.queued).collect(),
            batches_us: counts(&self.batches_us).collect(),
        };
        self.clear();
        taken
    }

    /// Drops all counts.
    pub fn clear(&mut self) {
        self.reference_ms = None;
        self.run = (0, 0);
        for histogram in
            [&mut self.older, &mut self.younger, &mut self.queued, &mut self.batches_us]
        {
            if !histogram.is_empty() {
                histogram.reset();
            }
        }
    }
}

impl EpochLatency {
    /// Times from the append in Kafka to `now_ms`, milliseconds, and how often each occurred. A
    /// record whose timestamp is ahead of this machine's clock counts as 0.
    pub fn ages_at(&self, now_ms: i64) -> impl Iterator<Item = (u64, u64)> {
        let passed = now_ms.saturating_sub(self.reference_ms);
        self.ages_ms.iter().map(move |(age, n)| (age.saturating_add(passed).max(0) as u64, *n))
    }
}

fn counts(histogram: &Histogram<u32>) -> impl Iterator<Item = (u64, u64)> {
    histogram.iter_recorded().map(|at| {
        let value = histogram.median_equivalent(at.value_iterated_to());
        (value, u64::from(at.count_at_value()))
    })
}

/// Counts of durations.
#[derive(Debug, Clone)]
pub struct Durations {
    micros: Histogram<u64>,
}

/// Percentiles of durations, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Number of durations; without any, the other fields are 0.
    pub count: u64,
    /// Half took at most this long.
    pub p50_ms: f64,
    /// 90 %.
    pub p90_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// 99.9 %.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Default for Durations {
    fn default() -> Self {
        let micros = Histogram::new_with_bounds(1, LONGEST_DURATION_US, DIGITS);
        Self { micros: micros.expect("the bounds are in order") }
    }
}

impl Durations {
    /// Adds a duration `n` times.
    pub fn record(&mut self, micros: u64, n: u64) {
        self.micros.saturating_record_n(micros, n);
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Self) {
        self.micros.add(&other.micros).expect("both have the same bounds");
    }

    /// Drops all counts.
    pub fn clear(&mut self) {
        self.micros.reset();
    }

    pub fn percentiles(&self) -> Percentiles {
        if self.micros.is_empty() {
            return Percentiles::default();
        }
        let at = |quantile| self.micros.value_at_quantile(quantile) as f64 / 1000.0;
        Percentiles {
            count: self.micros.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: at(1.0),
        }
    }
}

/// The durations of the last minute.
#[derive(Debug)]
pub struct Rolling {
    /// Oldest first; the last one is being filled.
    parts: VecDeque<Durations>,
    part_began: Instant,
}

impl Rolling {
    /// A minute without durations.
    pub fn new(now: Instant) -> Self {
        let parts = VecDeque::from([Durations::default()]);
        Self { parts, part_began: now }
    }

    /// Adds `n` durations.
    pub fn record(&mut self, micros: u64, n: u64) {
        let newest = self.parts.back_mut().expect("one is always being filled");
        newest.record(micros, n);
    }

    /// The percentiles of the last minute; forgets what is older.
    pub fn percentiles(&mut self, now: Instant) -> Percentiles {
        while now.saturating_duration_since(self.part_began) >= ROLLING_PART {
            self.part_began += ROLLING_PART;
            let mut next = Durations::default();
            if self.parts.len() == ROLLING_PARTS {
                next = self.parts.pop_front().expect("there are several");
                next.clear();
            }
            self.parts.push_back(next);
        }
        let mut all = Durations::default();
        self.parts.iter().for_each(|part| all.add(part));
        all.percentiles()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_refer_to_the_moment_that_ends_the_way() {
        let mut ages = EpochAges::default();
        ages.begin_batch(10_000);
        for timestamp_ms in [9_990, 9_990, 9_000] {
            ages.record(timestamp_ms);
        }
        ages.end_batch(Duration::from_micros(80));
        ages.begin_batch(10_200);
        ages.record(10_190);
        ages.record(10_300);
        let taken = ages.take();
        assert_eq!(taken.reference_ms, 10_000);
        let mut at: Vec<_> = taken.ages_at(10_500).collect();
        at.sort_unstable();
        let near = |(age, n): (u64, u64), expected: u64, times: u64| {
            assert!(n == times && age.abs_diff(expected) <= 1 + expected / 100, "{age} {n}");
        };
        assert_eq!(at.len(), 4);
        near(at[0], 200, 1);
        near(at[1], 310, 1);
        near(at[2], 510, 2);
        near(at[3], 1_500, 1);
        let queued: Vec<_> = taken.queued_ms.iter().map(|(ms, n)| (*ms / 100, *n)).collect();
        assert_eq!(queued, [(0, 1), (0, 3), (10, 1)], "the one ahead of our clock counts as 0");
        assert_eq!(taken.batches_us, [(80, 1)]);
        assert_eq!(ages.take(), EpochLatency::default(), "a new epoch begins empty");
    }

    #[test]
    fn percentiles_are_within_a_percent() {
        let mut durations = Durations::default();
        for ms in 1..=1000 {
            durations.record(ms * 1000, 1);
        }
        let found = durations.percentiles();
        for (value, expected) in [
            (found.p50_ms, 500.0),
            (found.p90_ms, 900.0),
            (found.p99_ms, 990.0),
            (found.p999_ms, 999.0),
            (found.max_ms, 1000.0),
        ] {
            assert!((value - expected).abs() <= expected / 100.0, "{value} for {expected}");
        }
        assert_eq!(found.count, 1000);
        assert_eq!(Durations::default().percentiles(), Percentiles::default());
    }

    #[test]
    fn a_minute_later_a_duration_is_forgotten() {
        let start = Instant::now();
        let mut rolling = Rolling::new(start);
        rolling.record(5_000, 3);
        assert_eq!(rolling.percentiles(start + Duration::from_secs(49)).count, 3);
        rolling.record(5_000, 1);
        assert_eq!(rolling.percentiles(start + Duration::from_secs(65)).count, 1);
        assert_eq!(rolling.percentiles(start + Duration::from_mins(5)).count, 0);
    }
}
