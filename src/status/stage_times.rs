//! How long the stages of the pipeline take. Owned by the reporter.
//!
//! In:  reports of committed epochs. Out: percentiles of the last minute; histograms, gauges.

use std::time::Instant;

use super::{EpochReport, Latencies};
use crate::{
    latency::{Durations, Percentiles, Rolling},
    metrics::{Metric, observe, set_labeled},
};

/// The stages' times in the last minute.
#[derive(Debug)]
pub(super) struct StageTimes {
    end_to_end: Rolling,
    kafka_queue: Rolling,
    worker_batch: Rolling,
    sink_epoch: Rolling,
    commit: Rolling,
    /// From the append to the commit, since the last statistics line.
    since_line: Durations,
}

impl StageTimes {
    pub(super) fn new(now: Instant) -> Self {
        let rolling = || Rolling::new(now);
        Self {
            end_to_end: rolling(),
            kafka_queue: rolling(),
            worker_batch: rolling(),
            sink_epoch: rolling(),
            commit: rolling(),
            since_line: Durations::default(),
        }
    }

    /// Counts an epoch, if it was committed.
    pub(super) fn count(&mut self, report: &EpochReport) {
        let Some(commit) = report.commit else { return };
        let commit_us = commit.took.as_micros() as u64;
        let whole_us = (commit.at_ms - report.cut_at_ms).max(0).unsigned_abs() * 1000;
        let drain_us = whole_us.saturating_sub(commit_us);
        observe(Metric::CommitSeconds, commit_us, 1);
        self.commit.record(commit_us, 1);
        observe(Metric::SinkEpochSeconds, drain_us, 1);
        self.sink_epoch.record(drain_us, 1);
        for latency in &report.latency {
            for (ms, n) in latency.ages_at(commit.at_ms) {
                observe(Metric::EndToEndSeconds, ms * 1000, n);
                self.end_to_end.record(ms * 1000, n);
                self.since_line.record(ms * 1000, n);
            }
            for (ms, n) in &latency.queued_ms {
                observe(Metric::KafkaQueueSeconds, ms * 1000, *n);
                self.kafka_queue.record(ms * 1000, *n);
            }
            for (us, n) in &latency.batches_us {
                observe(Metric::WorkerBatchSeconds, *us, *n);
                self.worker_batch.record(*us, *n);
            }
        }
    }

    /// Percentiles of the last minute, also as gauges.
    pub(super) fn percentiles(&mut self, now: Instant) -> Latencies {
        let latencies = Latencies {
            end_to_end: self.end_to_end.percentiles(now),
            kafka_queue: self.kafka_queue.percentiles(now),
            worker_batch: self.worker_batch.percentiles(now),
            sink_epoch: self.sink_epoch.percentiles(now),
            commit: self.commit.percentiles(now),
        };
        for (stage, of) in [
            ("end_to_end", latencies.end_to_end),
            ("kafka_queue", latencies.kafka_queue),
            ("worker_batch", latencies.worker_batch),
            ("sink_epoch", latencies.sink_epoch),
            ("commit", latencies.commit),
        ] {
            let Percentiles { p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = of;
            let quantiles = [
                ("0.5", p50_ms),
                ("0.9", p90_ms),
                ("0.99", p99_ms),
                ("0.999", p999_ms),
                ("1", max_ms),
            ];
            for (quantile, ms) in quantiles {
                set_labeled(Metric::LatencyQuantile, &[stage, quantile], ms / 1000.0);
            }
        }
        latencies
    }

    /// From the append to the commit since this was last asked.
    pub(super) fn take_since_line(&mut self) -> Percentiles {
        let latency = self.since_line.percentiles();
        self.since_line.clear();
        latency
    }
}
