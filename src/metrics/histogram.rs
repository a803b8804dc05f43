//! Latency histograms with fixed buckets, so that they add up over instances.
//!
//! Any thread writes, at most some dozens of values per epoch, each with the number of times it
//! occurred; the http thread renders. The `metrics` facade takes one value per call, which would be
//! one call per event, so the counters here are the program's own.

use std::{
    fmt::Write as _,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Metric, MetricKind, MetricSpec};

/// Upper bounds in microseconds, and in seconds as Prometheus writes them. They reach from a batch,
/// which takes about a millisecond, to a backlog of more than an hour.
const BOUNDS: &[(u64, &str)] = &[
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
    (30_000_000, "30"),
    (60_000_000, "60"),
    (300_000_000, "300"),
    (3_600_000_000, "3600"),
];

/// One metric's counts; the last bucket counts values above all bounds.
#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

fn all() -> &'static [Buckets] {
    static ALL: OnceLock<Vec<Buckets>> = OnceLock::new();
    ALL.get_or_init(|| Metric::ALL.iter().map(|_| Buckets::default()).collect())
}

/// Counts `n` durations of so many microseconds.
pub fn observe(metric: Metric, micros: u64, n: u64) {
    debug_assert_eq!(metric.spec().kind, MetricKind::Histogram, "{metric:?} has buckets");
    let buckets = &all()[metric as usize];
    let place = BOUNDS.partition_point(|(bound, _)| *bound < micros);
    buckets.counts[place].fetch_add(n, Relaxed);
    buckets.sum_us.fetch_add(micros.saturating_mul(n), Relaxed);
}

/// Appends every histogram in the Prometheus text format.
pub(super) fn render(out: &mut String) {
    let histograms = Metric::ALL.iter().filter(|m| m.spec().kind == MetricKind::Histogram);
    for metric in histograms {
        let MetricSpec { name, help, .. } = metric.spec();
        let buckets = &all()[*metric as usize];
        let mut count = 0;
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
        for (at, n) in buckets.counts.iter().enumerate() {
            count += n.load(Relaxed);
            let bound = BOUNDS.get(at).map_or("+Inf", |(_, text)| text);
            let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let sum = buckets.sum_us.load(Relaxed) as f64 / 1e6;
        let _ = writeln!(out, "{name}_sum {sum}\n{name}_count {count}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_end_with_all() {
        observe(Metric::StateFlushSeconds, 5_000, 2);
        observe(Metric::StateFlushSeconds, 5_001, 1);
        observe(Metric::StateFlushSeconds, 7_200_000_000, 1);
        let mut text = String::new();
        render(&mut text);
        let name = Metric::StateFlushSeconds.spec().name;
        for line in [
            format!("# TYPE {name} histogram"),
            format!("{name}_bucket{{le=\"0.0025\"}} 0"),
            format!("{name}_bucket{{le=\"0.005\"}} 2"),
            format!("{name}_bucket{{le=\"0.01\"}} 3"),
            format!("{name}_bucket{{le=\"3600\"}} 3"),
            format!("{name}_bucket{{le=\"+Inf\"}} 4"),
            format!("{name}_sum 7200.015001"),
            format!("{name}_count 4"),
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn bounds_are_in_order_and_written_as_they_are() {
        assert!(BOUNDS.is_sorted());
        for (micros, text) in BOUNDS {
            let seconds: f64 = text.parse().expect("a number");
            assert!((seconds * 1e6 - *micros as f64).abs() < 0.5, "{text}");
        }
    }
}
