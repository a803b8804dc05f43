//! Turns finished epochs into metrics, snapshots and the statistics line. Owned by the sink thread.
//!
//! In:  aligned epochs, commits, rollbacks.
//! Out: metrics, health, a snapshot twice a second, one log line per statistics interval.
//! Holds: counts grow when an epoch is committed, so that a rollback counts nothing twice; nothing
//! here is done per event. Nothing that the sink does depends on what is here, so the clock here is
//! the machine's, also where the sink has another.

mod epoch;
mod line;
mod publish;
mod usage;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

pub(super) use self::epoch::EpochCounts;
use self::usage::UsageSums;
use crate::{
    batch::{RejectBatch, RejectKind},
    clock,
    control::Control,
    epoch::{Recovered, Times},
    event::{Field, RejectReason, SoftProblem},
    ids::Epoch,
    latency::{Durations, Rolling},
    limits,
    metrics::{Metric, PipelinePhase, Waiting, add, add_labeled, observe, set, set_labeled},
    status::{
        Board, HistoryPoint, LastEpoch, PartitionStatus, Sample, Samples, Totals, WindowView,
    },
    window::Windows,
};

/// The stages' times in the last minute.
#[derive(Debug)]
struct Stages {
    end_to_end: Rolling,
    kafka_queue: Rolling,
    worker_batch: Rolling,
    sink_epoch: Rolling,
    commit: Rolling,
}

/// Times of the last commit, until its epoch is counted.
#[derive(Debug, Clone, Copy)]
struct Commit {
    at_ms: i64,
    took: Duration,
}

/// The sink's reporter.
#[derive(Debug)]
pub(super) struct Report {
    control: Arc<Control>,
    board: Arc<Board>,
    started_at_ms: i64,
    interval: Option<Duration>,
    line_at: Instant,
    totals: Totals,
    /// What the last line has told.
    told: Totals,
    told_reasons: BTreeMap<RejectReason, u64>,
    /// Allocations of the input and the output pool that the metrics have.
    told_allocations: [u64; 2],
    since_line: Durations,
    stages: Stages,
    reasons: BTreeMap<RejectReason, u64>,
    samples: Samples,
    soft: BTreeMap<(Field, SoftProblem), u64>,
    usage: UsageSums,
    partitions: BTreeMap<i32, PartitionStatus>,
    /// Whether an epoch was finished since nothing was read.
    knows_partitions: bool,
    recent_windows: VecDeque<Arc<WindowView>>,
    history: VecDeque<HistoryPoint>,
    /// Moments and input counts of the last seconds, for the rate.
    marks: VecDeque<(Instant, u64)>,
    published_at: Option<Instant>,
    commit: Option<Commit>,
    last_epoch: Option<LastEpoch>,
}

impl Report {
    pub(super) fn new(
        interval: Option<Duration>,
        control: Arc<Control>,
        board: Arc<Board>,
    ) -> Self {
        let now = Instant::now();
        let rolling = || Rolling::new(now);
        let stages = Stages {
            end_to_end: rolling(),
            kafka_queue: rolling(),
            worker_batch: rolling(),
            sink_epoch: rolling(),
            commit: rolling(),
        };
        Self {
            control,
            board,
            started_at_ms: clock::now_ms(),
            interval,
            line_at: now,
            totals: Totals::default(),
            told: Totals::default(),
            told_reasons: BTreeMap::new(),
            told_allocations: [0; 2],
            since_line: Durations::default(),
            stages,
            reasons: BTreeMap::new(),
            samples: Samples::default(),
            soft: BTreeMap::new(),
            usage: UsageSums::default(),
            partitions: BTreeMap::new(),
            knows_partitions: false,
            recent_windows: VecDeque::new(),
            history: VecDeque::new(),
            marks: VecDeque::new(),
            published_at: None,
            commit: None,
            last_epoch: None,
        }
    }

    /// Keeps a sample of each reason.
    pub(super) fn rejected(&mut self, batch: &RejectBatch) {
        for record in &batch.records {
            if let RejectKind::DeadLetter(reject) = record.kind {
                let position = record.position;
                self.samples.offer(reject.reason, || {
                    let value = record.span.value(&batch.arena);
                    let detail = reject.to_string();
                    Sample::new(position.partition.0, position.offset, detail, value)
                });
            }
        }
    }

    /// An epoch is finished: committed, or without anything to commit.
    pub(super) fn epoch(&mut self, counts: EpochCounts) {
        self.count_times(&counts);
        let had_output = self.totals.processed > 0;
        self.count_partitions(&counts);
        if !had_output && self.totals.processed > 0 {
            tracing::debug!(epoch = counts.epoch.0, "the first output is committed");
        }
        add(Metric::BytesIn, counts.bytes);
        add(Metric::Unowned, counts.dropped);
        add(Metric::Late, counts.late);
        add(Metric::DeadLettersTruncated, counts.truncated);
        add(Metric::EarlyCuts, u64::from(counts.early));
        add(Metric::CappedValues, counts.capped_values);
        for (reason, n) in counts.reasons {
            add_labeled(Metric::DeadLettered, &[reason.as_str()], n);
            *self.reasons.entry(reason).or_default() += n;
        }
        for ((field, problem), n) in counts.soft {
            add_labeled(Metric::SoftProblems, &[field.name(), problem.as_str()], n);
            *self.soft.entry((field, problem)).or_default() += n;
        }
        self.totals.bytes_in += counts.bytes;
        self.totals.late += counts.late;
        self.usage.add(&counts.usage);
        self.count_windows(counts.windows);
        set(Metric::AuditDifference, self.totals.difference() as f64);
    }

    fn count_times(&mut self, counts: &EpochCounts) {
        let Some(commit) = self.commit.take() else { return };
        let commit_us = commit.took.as_micros() as u64;
        let whole_us = (commit.at_ms - counts.cut_at_ms).max(0).unsigned_abs() * 1000;
        let drain_us = whole_us.saturating_sub(commit_us);
        let stages = &mut self.stages;
        observe(Metric::CommitSeconds, commit_us, 1);
        stages.commit.record(commit_us, 1);
        observe(Metric::SinkEpochSeconds, drain_us, 1);
        stages.sink_epoch.record(drain_us, 1);
        for latency in &counts.latency {
            for (ms, n) in latency.ages_at(commit.at_ms) {
                observe(Metric::EndToEndSeconds, ms * 1000, n);
                stages.end_to_end.record(ms * 1000, n);
                self.since_line.record(ms * 1000, n);
            }
            for (ms, n) in &latency.queued_ms {
                observe(Metric::KafkaQueueSeconds, ms * 1000, *n);
                stages.kafka_queue.record(ms * 1000, *n);
            }
            for (us, n) in &latency.batches_us {
                observe(Metric::WorkerBatchSeconds, *us, *n);
                stages.worker_batch.record(*us, *n);
            }
        }
        self.last_epoch = Some(LastEpoch {
            epoch: counts.epoch.0,
            committed_at_ms: commit.at_ms,
            commit_ms: commit.took.as_secs_f64() * 1000.0,
        });
    }

    fn count_partitions(&mut self, counts: &EpochCounts) {
        let mut owned = BTreeMap::new();
        for epoch in &counts.partitions {
            let before = self.partitions.get(&epoch.partition).copied().unwrap_or_default();
            let sum = PartitionStatus {
                events_in: before.events_in + epoch.events_in,
                processed: before.processed + epoch.processed,
                dead_lettered: before.dead_lettered + epoch.dead_lettered,
                tombstones: before.tombstones + epoch.tombstones,
                ..*epoch
            };
            owned.insert(epoch.partition, sum);
            add(Metric::EventsIn, epoch.events_in);
            add(Metric::Processed, epoch.processed);
            add(Metric::Tombstones, epoch.tombstones);
            let lag = epoch.lag_records.map_or(f64::NAN, |records| records as f64);
            set_labeled(Metric::Lag, &[&epoch.partition.to_string()], lag);
            self.totals.events_in += epoch.events_in;
            self.totals.processed += epoch.processed;
            self.totals.dead_lettered += epoch.dead_lettered;
            self.totals.tombstones += epoch.tombstones;
        }
        for given_away in self.partitions.keys().filter(|p| !owned.contains_key(p)) {
            set_labeled(Metric::Lag, &[&given_away.to_string()], f64::NAN);
        }
        self.partitions = owned;
        self.knows_partitions = true;
    }

    fn count_windows(&mut self, windows: Vec<WindowView>) {
        add(Metric::WindowRecords, windows.len() as u64);
        self.totals.window_records += windows.len() as u64;
        for window in windows {
            let is_revision = window.revision > 1;
            add(Metric::WindowRevisions, u64::from(is_revision));
            self.totals.revisions += u64::from(is_revision);
            set(Metric::WindowEvents, window.total_events as f64);
            set(Metric::WindowUniqueUsers, window.unique_users as f64);
            self.recent_windows.retain(|known| known.start_ms != window.start_ms);
            let place = self.recent_windows.partition_point(|w| w.start_ms > window.start_ms);
            self.recent_windows.insert(place, Arc::new(window));
        }
        self.recent_windows.truncate(limits::RECENT_WINDOWS);
    }

    pub(super) fn rolled_back(&mut self) {
        add(Metric::EpochRollbacks, 1);
        self.totals.rollbacks += 1;
        self.control.health().set_phase(PipelinePhase::RollingBack);
    }

    /// An epoch's offsets are committed.
    pub(super) fn committed(&mut self, epoch: Epoch, took: Duration) {
        add(Metric::EpochsCommitted, 1);
        set(Metric::CommittedEpoch, epoch.0 as f64);
        self.control.health().set_committed(epoch);
        self.commit = Some(Commit { at_ms: clock::now_ms(), took });
        self.totals.epochs += 1;
    }

    /// Records that wait in the owned partitions whose ends are known; `None` if no end is, while
    /// nothing is read, and until the first epoch after that.
    fn lag(&mut self) -> Option<u64> {
        let is_waiting = self.control.health().waiting() != Waiting::Nothing;
        if is_waiting && std::mem::take(&mut self.knows_partitions) {
            for partition in self.partitions.keys() {
                set_labeled(Metric::Lag, &[&partition.to_string()], f64::NAN);
            }
        }
        let known = self.partitions.values().filter_map(|partition| partition.lag_records);
        known.reduce(|a, b| a + b).filter(|_| self.knows_partitions)
    }

    /// Publishes a snapshot and writes the statistics line when they are due, also while nothing
    /// moves.
    pub(super) fn tick(&mut self, windows: &Windows) {
        let now = Instant::now();
        let due = |at: Instant| now - at >= limits::STATUS_INTERVAL;
        if self.published_at.is_none_or(due) {
            self.published_at = Some(now);
            self.publish(now, windows);
        }
        let elapsed = now - self.line_at;
        if self.interval.is_some_and(|interval| elapsed >= interval) {
            self.line_at = now;
            self.line(elapsed, windows);
        }
    }
}

/// Records were gone before they could be read.
pub(super) fn gap(records: u64) {
    add(Metric::GapRecords, records);
}

/// An incarnation is left: nothing is owned until the next recovery.
pub(super) fn left() {
    set(Metric::AssignedPartitions, 0.0);
}

/// Reading begins.
pub(super) fn recovered(recovered: &Recovered) {
    set(Metric::AssignedPartitions, recovered.starts.len() as f64);
    tracing::info!(
        partitions = recovered.starts.len(),
        first_epoch = recovered.epoch.0,
        open_windows = recovered.times.open_windows,
        "reading"
    );
}

/// An epoch is finished, committed or empty.
pub(super) fn published(times: &Times, windows: &Windows, budget_used: usize) {
    set(Metric::OpenWindows, times.open_windows as f64);
    set(Metric::BudgetUsed, budget_used as f64);
    if let Some(watermark) = windows.watermark() {
        set(Metric::Watermark, watermark.0 as f64 / 1000.0);
    }
}
