//! Turns finished epochs and the group's state into metrics, snapshots and the statistics line.
//! Owned by the sink thread.
//!
//! In:  reports of finished epochs, rollbacks; at a takeover, the windows that the journal holds.
//! Out: metrics, health, a snapshot twice a second, one log line per statistics interval.
//! Holds: counts grow when an epoch is committed, so that a rollback counts nothing twice; nothing
//! here is done per event. Nothing that the sink does depends on what is here, so the clock here is
//! the machine's, also where the sink has another.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Board, DeadLetters, EpochReport, Group, HistoryPoint, LastEpoch, PartitionReport,
    PartitionStatus, ProcessCounts, Sample, Samples, Snapshot, SoftProblemCount, WindowSums,
    WindowView, history::History, line::StatisticsLine, recent_windows::RecentWindows,
    stage_times::StageTimes, usage_sums::UsageSums,
};
use crate::{
    clock,
    event::{Field, RejectReason, SoftProblem},
    ids::{InstanceId, PartitionId},
    limits,
    metrics::{Health, Metric, PipelinePhase, Waiting, add, add_labeled, set, set_labeled},
    users::Said,
    window::Windows,
};

/// The sink's reporter.
#[derive(Debug)]
pub(crate) struct Reporter {
    instance: InstanceId,
    health: Arc<Health>,
    board: Arc<Board>,
    started_at_ms: i64,
    process: ProcessCounts,
    reasons: BTreeMap<RejectReason, u64>,
    soft: BTreeMap<(Field, SoftProblem), u64>,
    samples: Samples,
    usage: UsageSums,
    stages: StageTimes,
    history: History,
    recent_windows: RecentWindows,
    line: StatisticsLine,
    /// The owned partitions, as of the last epoch.
    owned: BTreeMap<PartitionId, PartitionReport>,
    /// Whether an epoch was finished since nothing was read.
    knows_owned: bool,
    published_at: Option<Instant>,
    last_epoch: Option<LastEpoch>,
}

impl Reporter {
    /// A reporter of a process that has just begun. `interval`: that of the statistics line.
    pub(crate) fn new(
        instance: &InstanceId,
        interval: Option<Duration>,
        health: Arc<Health>,
        board: Arc<Board>,
    ) -> Self {
        let started_at_ms = clock::now_ms();
        Self {
            instance: instance.clone(),
            health,
            board,
            started_at_ms,
            process: ProcessCounts::default(),
            reasons: BTreeMap::new(),
            soft: BTreeMap::new(),
            samples: Samples::default(),
            usage: UsageSums::default(),
            stages: StageTimes::new(Instant::now()),
            history: History::default(),
            recent_windows: RecentWindows::default(),
            line: StatisticsLine::new(interval, started_at_ms),
            owned: BTreeMap::new(),
            knows_owned: false,
            published_at: None,
            last_epoch: None,
        }
    }

    /// Offers a dead letter as the sample of its reason.
    pub(crate) fn sample(&mut self, reason: RejectReason, make: impl FnOnce() -> Sample) {
        self.samples.offer(reason, make);
    }

    /// Partitions were taken over: these windows are what the journal holds.
    pub(crate) fn taken_over(&mut self, windows: &Windows) {
        if let Some(usage) = windows.usage() {
            self.usage.go_on_from(usage);
        }
        for record in windows.newest_closed(limits::RECENT_WINDOWS) {
            self.recent_windows.add(WindowView::of(&record));
        }
    }

    /// An epoch is finished: committed, or without anything to commit.
    pub(crate) fn epoch(&mut self, report: EpochReport) {
        self.stages.count(&report);
        if let Some(commit) = report.commit {
            add(Metric::EpochsCommitted, 1);
            set(Metric::CommittedEpoch, report.epoch.0 as f64);
            self.health.set_committed(report.epoch);
            self.process.epochs += 1;
            self.last_epoch = Some(LastEpoch {
                epoch: report.epoch.0,
                committed_at_ms: commit.at_ms,
                commit_ms: commit.took.as_secs_f64() * 1000.0,
            });
        }
        let had_output = self.process.records.processed > 0;
        self.count_partitions(&report.partitions);
        if !had_output && self.process.records.processed > 0 {
            tracing::debug!(epoch = report.epoch.0, "the first output is committed");
        }
        add(Metric::BytesIn, report.bytes);
        add(Metric::Unowned, report.dropped);
        add(Metric::DeadLettersTruncated, report.truncated);
        add(Metric::EarlyCuts, u64::from(report.is_early));
        add(Metric::CappedValues, report.capped_values);
        for (reason, n) in report.reasons {
            add_labeled(Metric::DeadLettered, &[reason.as_str()], n);
            *self.reasons.entry(reason).or_default() += n;
        }
        for ((field, problem), n) in report.soft {
            add_labeled(Metric::SoftProblems, &[field.name(), problem.as_str()], n);
            *self.soft.entry((field, problem)).or_default() += n;
        }
        for (said, n) in report.said {
            match said {
                Said::Alert(rule, severity) => {
                    add_labeled(Metric::LoginAlerts, &[rule.name(), severity.name()], n);
                }
                Said::Session => add(Metric::UserSessions, n),
            }
        }
        self.process.bytes_in += report.bytes;
        self.usage.add(&report.usage);
        self.count_windows(report.windows);
        set(Metric::AuditDifference, self.process.records.difference() as f64);
    }

    fn count_partitions(&mut self, partitions: &[PartitionReport]) {
        let owned: BTreeMap<_, _> = partitions.iter().map(|of| (of.partition, *of)).collect();
        for report in partitions {
            let counts = &report.counts;
            add(Metric::EventsIn, counts.events_in);
            add(Metric::Processed, counts.processed);
            add(Metric::Tombstones, counts.tombstones);
            add(Metric::Late, counts.late);
            set_lag(report.partition, report.lag_records);
            self.process.records.add(counts);
        }
        for given_away in self.owned.keys().filter(|p| !owned.contains_key(p)) {
            set_lag(*given_away, None);
        }
        (self.owned, self.knows_owned) = (owned, true);
    }

    fn count_windows(&mut self, windows: Vec<WindowView>) {
        add(Metric::WindowRecords, windows.len() as u64);
        self.process.window_records += windows.len() as u64;
        for window in windows {
            let is_revision = window.revision > 1;
            add(Metric::WindowRevisions, u64::from(is_revision));
            self.process.revisions += u64::from(is_revision);
            set(Metric::WindowEvents, window.total_events as f64);
            set(Metric::WindowUniqueUsers, window.unique_users as f64);
            self.recent_windows.add(window);
        }
    }

    /// The open epoch is rolled back.
    pub(crate) fn rolled_back(&mut self) {
        add(Metric::EpochRollbacks, 1);
        self.process.rollbacks += 1;
        self.health.set_phase(PipelinePhase::RollingBack);
    }

    /// Publishes a snapshot and writes the statistics line when they are due, also while nothing
    /// moves.
    pub(crate) fn tick(&mut self, windows: &Windows) {
        let now = Instant::now();
        if self.published_at.is_some_and(|at| now - at < limits::STATUS_INTERVAL) {
            return;
        }
        self.published_at = Some(now);
        let snapshot = Arc::new(self.snapshot(now, windows));
        self.board.publish(Arc::clone(&snapshot));
        if self.line.is_due(&snapshot) {
            let latency = self.stages.take_since_line();
            self.line.write(&snapshot, latency, self.health.waiting());
        }
    }

    /// Everything as it is now, also as gauges.
    fn snapshot(&mut self, now: Instant, windows: &Windows) -> Snapshot {
        let at_ms = clock::now_ms();
        if let Some(watermark) = windows.watermark() {
            set(Metric::WatermarkDelay, (at_ms - watermark.0) as f64 / 1000.0);
        }
        let group = self.board.group();
        if let Some(cluster) = &group.cluster {
            cluster.set_metrics(self.instance.as_str(), at_ms);
        }
        let watermark_ms = windows.watermark().map(|time| time.0);
        let latency = self.stages.percentiles(now);
        let events_per_second = self.history.rate(now, self.process.records.events_in);
        let lag_records = self.lag();
        let (p50_ms, p99_ms) = (latency.end_to_end.p50_ms, latency.end_to_end.p99_ms);
        let point = HistoryPoint { at_ms, events_per_second, lag_records, p50_ms, p99_ms };
        let WindowSums { open_count, open, usage, .. } = self.window_sums(windows, &group);
        self.recent_windows.drop_outdated(&group.last_published);
        Snapshot {
            at_ms,
            started_at_ms: self.started_at_ms,
            since_ms: group.since_ms,
            totals: group.totals.into(),
            process: self.process,
            events_per_second,
            lag_records,
            watermark_ms,
            watermark_delay_ms: watermark_ms.map(|watermark| at_ms - watermark),
            open_window_count: open_count,
            latency,
            usage,
            dead_letters: self.dead_letters(),
            soft_problems: self.soft_problems(),
            partitions: self.partitions(&group),
            last_epoch: self.last_epoch,
            open_windows: open,
            recent_windows: self.recent_windows.shown(),
            history: self.history.with(point),
        }
    }

    /// The group's windows and usage. This instance has them at hand when it reads all partitions;
    /// otherwise they are the replica's to add up.
    fn window_sums(&mut self, windows: &Windows, group: &Group) -> WindowSums {
        let is_alone = windows.is_alone();
        self.board.ask_for_sums(!is_alone);
        if let Some(sums) = group.sums.as_ref().filter(|_| !is_alone) {
            sums.closed.iter().for_each(|window| self.recent_windows.add(window.clone()));
            return sums.clone();
        }
        let open = windows.newest_open(limits::SHOWN_OPEN_WINDOWS);
        WindowSums {
            open_count: windows.facts().open_windows,
            open: open.iter().map(WindowView::of).collect(),
            closed: Vec::new(),
            usage: self.usage.top(),
        }
    }

    /// Records that wait in the owned partitions whose ends are known; `None` if no end is, while
    /// nothing is read, and until the first epoch after that.
    fn lag(&mut self) -> Option<u64> {
        let is_waiting = self.health.waiting() != Waiting::Nothing;
        if is_waiting && std::mem::take(&mut self.knows_owned) {
            self.owned.keys().for_each(|partition| set_lag(*partition, None));
        }
        let known = self.owned.values().filter_map(|partition| partition.lag_records);
        known.reduce(|a, b| a + b).filter(|_| self.knows_owned)
    }

    fn partitions(&self, group: &Group) -> Vec<PartitionStatus> {
        let status = |(partition, head): (&PartitionId, &_)| {
            let owned = self.owned.get(partition).filter(|_| self.knows_owned);
            PartitionStatus::of(*partition, head, owned)
        };
        group.heads.iter().map(status).collect()
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

fn set_lag(partition: PartitionId, lag_records: Option<u64>) {
    let lag = lag_records.map_or(f64::NAN, |records| records as f64);
    set_labeled(Metric::Lag, &[&partition.to_string()], lag);
}

#[cfg(test)]
mod tests;
