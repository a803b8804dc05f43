//! Builds the snapshot for people, and the gauges that are read off it. Sink thread.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::Report;
use crate::{
    clock,
    latency::Percentiles,
    limits,
    metrics::{Metric, add_labeled, set, set_labeled},
    status::{DeadLetters, HistoryPoint, Latencies, Snapshot, SoftProblemCount, WindowView},
    window::Windows,
};

/// The rate is that of so many last seconds: several epochs.
const RATE_OVER: Duration = Duration::from_secs(3);

impl Report {
    /// Publishes everything as it is now.
    pub(super) fn publish(&mut self, now: Instant, windows: &Windows) {
        let at_ms = clock::now_ms();
        let watermark_ms = windows.watermark().map(|time| time.0);
        let latency = self.latencies(now);
        let events_per_second = self.rate(now);
        let lag_records = self.lag();
        let end_to_end = latency.end_to_end;
        let is_due = |last: &HistoryPoint| at_ms - last.at_ms >= 1000;
        if self.history.back().is_none_or(is_due) {
            let (p50_ms, p99_ms) = (end_to_end.p50_ms, end_to_end.p99_ms);
            let point = HistoryPoint { at_ms, events_per_second, lag_records, p50_ms, p99_ms };
            self.history.push_back(point);
            let surplus = self.history.len().saturating_sub(limits::HISTORY_POINTS);
            self.history.drain(..surplus);
        }
        self.set_gauges(at_ms, watermark_ms, &latency);
        self.tell_pools();
        let watermarks = windows.partition_watermarks();
        for (partition, watermark) in watermarks {
            if let Some(status) = self.partitions.get_mut(&partition.0) {
                status.watermark_ms = Some(watermark.0);
            }
        }
        let open = windows.newest_open(limits::SHOWN_OPEN_WINDOWS);
        let dead_letters = self.dead_letters();
        self.board.publish(Snapshot {
            at_ms,
            started_at_ms: self.started_at_ms,
            totals: self.totals,
            events_per_second,
            lag_records,
            watermark_ms,
            watermark_delay_ms: watermark_ms.map(|watermark| at_ms - watermark),
            open_window_count: windows.open_windows(),
            latency,
            usage: self.usage.top(),
            dead_letters,
            soft_problems: self.soft_problems(),
            partitions: self.partitions.values().copied().collect(),
            last_epoch: self.last_epoch,
            open_windows: open.iter().map(WindowView::of).collect(),
            recent_windows: Arc::new(self.recent_windows.iter().cloned().collect()),
            history: Arc::new(self.history.iter().copied().collect()),
        });
    }

    fn latencies(&mut self, now: Instant) -> Latencies {
        let stages = &mut self.stages;
        Latencies {
            end_to_end: stages.end_to_end.percentiles(now),
            kafka_queue: stages.kafka_queue.percentiles(now),
            worker_batch: stages.worker_batch.percentiles(now),
            sink_epoch: stages.sink_epoch.percentiles(now),
            commit: stages.commit.percentiles(now),
        }
    }

    /// Input records per second over the last seconds.
    fn rate(&mut self, now: Instant) -> f64 {
        let (is_old, events) = (|at: Instant| now - at > RATE_OVER, self.totals.events_in);
        // One mark older than the span stays, as its beginning.
        while self.marks.get(1).is_some_and(|(at, _)| is_old(*at)) {
            self.marks.pop_front();
        }
        self.marks.push_back((now, events));
        let (since, before) = self.marks.front().copied().expect("one was just added");
        let seconds = (now - since).as_secs_f64();
        if seconds > 0.0 { (events - before) as f64 / seconds } else { 0.0 }
    }

    fn set_gauges(&self, at_ms: i64, watermark_ms: Option<i64>, latency: &Latencies) {
        if let Some(watermark) = watermark_ms {
            set(Metric::WatermarkDelay, (at_ms - watermark) as f64 / 1000.0);
        }
        for (stage, of) in [
            ("end_to_end", latency.end_to_end),
            ("kafka_queue", latency.kafka_queue),
            ("worker_batch", latency.worker_batch),
            ("sink_epoch", latency.sink_epoch),
            ("commit", latency.commit),
        ] {
            let Percentiles { p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = of;
            for (quantile, ms) in [
                ("0.5", p50_ms),
                ("0.9", p90_ms),
                ("0.99", p99_ms),
                ("0.999", p999_ms),
                ("1", max_ms),
            ] {
                set_labeled(Metric::LatencyQuantile, &[stage, quantile], ms / 1000.0);
            }
        }
        let activity = self.control.activity();
        let queue = activity.sink_queue.load(Relaxed) as f64;
        set_labeled(Metric::QueueMessages, &["sink"], queue);
        for (number, worker) in activity.workers.iter().enumerate() {
            let queue = worker.queue.load(Relaxed) as f64;
            set_labeled(Metric::QueueMessages, &[&format!("worker-{number}")], queue);
        }
    }

    fn tell_pools(&mut self) {
        let activity = self.control.activity();
        let pools = [("source", &activity.input_pool), ("workers", &activity.output_pool)];
        for ((thread, pool), told) in pools.into_iter().zip(&mut self.told_allocations) {
            set_labeled(Metric::BatchPoolIdle, &[thread], pool.idle.load(Relaxed) as f64);
            let allocated = pool.allocated.load(Relaxed);
            let more = allocated - std::mem::replace(told, allocated);
            add_labeled(Metric::BatchPoolAllocations, &[thread], more);
        }
    }

    /// By reason, the most frequent first.
    fn dead_letters(&mut self) -> Vec<DeadLetters> {
        let samples = &mut self.samples;
        let shown = self.reasons.iter().map(|(reason, count)| DeadLetters {
            reason: reason.as_str(),
            count: *count,
            sample: samples.show(*reason),
        });
        let mut shown: Vec<_> = shown.collect();
        shown.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        shown
    }

    fn soft_problems(&self) -> Vec<SoftProblemCount> {
        let shown = self.soft.iter().map(|((field, problem), count)| SoftProblemCount {
            field: field.name(),
            problem: problem.as_str(),
            count: *count,
        });
        shown.collect()
    }
}
