//! Metric names as an enum, and the functions that change them.
//!
//! Any thread writes, at most once per batch and usually once per epoch; the http thread reads. A
//! metric's name occurs as a string only here. Names end in their unit; every series without a
//! label exists from the start, so that a rate over it is never missing. Without `install`, as in
//! tests, writing does nothing.

mod health;
mod histogram;
mod waiting;

use std::sync::OnceLock;

use metrics::{Counter, Gauge, Label};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

pub use health::{Health, HealthReport, PipelinePhase, ThreadAlive};
pub use histogram::observe;
pub use waiting::Waiting;

use crate::{plain, window::Dimension};

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows; `add` and `add_labeled`.
    Counter,
    /// Goes up and down; `set` and `set_labeled`.
    Gauge,
    /// Durations in buckets; `observe`.
    Histogram,
}

/// The constant facts about a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricSpec {
    /// Name in the exposition, with unit.
    pub name: &'static str,
    pub kind: MetricKind,
    /// Label names, in the order in which `add_labeled` takes their values.
    pub labels: &'static [&'static str],
    /// Text of its `# HELP` line.
    pub help: &'static str,
}

/// Declares the enum, the list of all variants and their specs from one table.
macro_rules! metrics_table {
    ($($variant:ident: $kind:ident $name:literal $labels:tt $help:literal;)*) => {
        /// Every metric; the text of a variant is its help in the exposition.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Metric {
            $(#[doc = $help] $variant,)*
        }

        impl Metric {
            /// All metrics, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The metric's constant facts.
            pub const fn spec(self) -> MetricSpec {
                match self {
                    $(Self::$variant => MetricSpec {
                        name: concat!("logintide_", $name),
                        kind: MetricKind::$kind,
                        labels: &$labels,
                        help: $help,
                    },)*
                }
            }
        }
    };
}

metrics_table! {
    EventsIn: Counter "events_in_total" []
        "Records read from the input, tombstones included.";
    BytesIn: Counter "bytes_in_total" []
        "Payload bytes read from the input.";
    Processed: Counter "events_processed_total" []
        "Events enriched and written, late ones included.";
    DeadLettered: Counter "events_dead_lettered_total" ["reason"]
        "Events written to the dead-letter topic.";
    Late: Counter "events_late_total" []
        "Events processed too late to be counted in a window; they are also in the late topic.";
    Tombstones: Counter "tombstones_total" []
        "Records without a value, skipped.";
    SoftProblems: Counter "soft_problems_total" ["field", "problem"]
        "Field values that were replaced by a default or are doubtful; the event was accepted.";
    CappedValues: Counter "capped_values_total" []
        "Events counted as `other` because their window already had the maximum of distinct values.";
    Unowned: Counter "records_unowned_total" []
        "Fetched records dropped because their partition was revoked or they were read before.";
    DeadLettersTruncated: Counter "dead_letters_truncated_total" []
        "Dead letters truncated to the largest record that their topic accepts.";
    JournalSkipped: Counter "journal_records_skipped_total" ["reason"]
        "Records of the journal that were skipped: invalid, or a second one of a number.";
    GapRecords: Counter "gap_records_total" []
        "Records that were deleted from the input before they were read.";
    WindowRecords: Counter "window_records_total" []
        "Window records written, revisions included.";
    WindowRevisions: Counter "window_revisions_total" []
        "Window records written that replace an earlier one of the same window.";
    LoginAlerts: Counter "login_alerts_total" ["rule", "severity"]
        "Alerts written by `logintide users`.";
    UserSessions: Counter "user_sessions_total" []
        "Sessions written by `logintide users`.";
    LoginsByLocation: Counter "logins_by_location_total" ["location"]
        "Events counted in windows by location; beyond the first 50 values `other`.";
    LoginsByDeviceType: Counter "logins_by_device_type_total" ["device_type"]
        "Events counted in windows by device type; beyond the first 50 values `other`.";
    LoginsByAppVersion: Counter "logins_by_app_version_total" ["app_version"]
        "Events counted in windows by app version; beyond the first 50 values `other`.";
    EpochsCommitted: Counter "epochs_committed_total" []
        "Epochs committed.";
    EpochRollbacks: Counter "epoch_rollbacks_total" []
        "Epochs rolled back; their records are read again.";
    JournalLosses: Counter "journal_losses_total" []
        "Times that the journal had lost what was committed.";
    CommitRetries: Counter "commit_retries_total" []
        "Retries of a commit or of a transaction's call.";
    Stalls: Counter "stalls_total" []
        "Times that the pipeline made no progress for `--stall-timeout` although there was work.";
    Rebalances: Counter "rebalances_total" ["kind"]
        "Events of the consumer group: partitions assigned, revoked or lost.";
    EarlyCuts: Counter "epochs_cut_early_total" []
        "Epochs that ended before the commit interval because the memory budget was nearly full.";
    Lag: Gauge "lag_records" ["partition"]
        "Records between the next offset and the end of the partition, open transactions included.";
    HeldByTransaction: Gauge "held_by_transaction_seconds" ["partition"]
        "Seconds for which an open transaction has hidden the records at the next offset; else 0.";
    AssignedPartitions: Gauge "assigned_partitions" []
        "Input partitions that this instance owns.";
    Watermark: Gauge "watermark_seconds" []
        "Global watermark, seconds since the Unix epoch.";
    WatermarkDelay: Gauge "watermark_delay_seconds" []
        "Seconds by which the global watermark is behind the wall clock.";
    OpenWindows: Gauge "open_windows" []
        "Windows with events that are not closed yet.";
    WindowEvents: Gauge "window_events" []
        "Events in the window that was published last.";
    WindowUniqueUsers: Gauge "window_unique_users" []
        "Estimated distinct users in the window that was published last.";
    AuditDifference: Gauge "audit_difference_events" []
        "Records read minus those processed, dead-lettered or tombstones; always 0.";
    LatencyQuantile: Gauge "latency_quantile_seconds" ["stage", "quantile"]
        "Percentiles of a stage's time in the last minute; quantile 1 is the maximum.";
    EndToEndSeconds: Histogram "end_to_end_seconds" []
        "Time from a record's append in Kafka to the commit that covers it.";
    KafkaQueueSeconds: Histogram "kafka_queue_seconds" []
        "Time from a record's append in Kafka to the worker.";
    WorkerBatchSeconds: Histogram "worker_batch_seconds" []
        "A worker's time for one batch.";
    SinkEpochSeconds: Histogram "sink_epoch_seconds" []
        "Time from an epoch's cut until all its output is delivered.";
    CommitSeconds: Histogram "commit_seconds" []
        "Time from an epoch's delivery to its commit.";
    StateFlushSeconds: Histogram "state_flush_seconds" []
        "Time to write what was followed of the journal to the local copy.";
    StateSize: Gauge "state_size_bytes" []
        "Bytes of the state folder's database.";
    QueueMessages: Gauge "queue_messages" ["thread"]
        "Messages in the queue of a thread.";
    BatchPoolIdle: Gauge "batch_pool_idle" ["thread"]
        "Empty batches that the source or the workers can reuse.";
    BatchPoolAllocations: Counter "batch_pool_allocations_total" ["thread"]
        "Batches that the source or the workers allocated because none could be reused.";
    CommittedEpoch: Gauge "committed_epoch" []
        "Number of the last committed epoch.";
    BudgetUsed: Gauge "budget_used_bytes" []
        "Bytes of the memory pool that batches, deltas and the ledger hold.";
    BudgetPool: Gauge "budget_pool_bytes" []
        "Size of the memory pool.";
    GroupInstances: Gauge "group_instances" []
        "Instances of the group that write.";
    GroupPartitionsUnowned: Gauge "group_partitions_unowned" []
        "Input partitions that no instance that writes owns.";
    GroupOldestHead: Gauge "group_oldest_head_seconds" []
        "Seconds since the journal has had a record of the input partition that waits longest.";
    GroupMerges: Gauge "group_merges" []
        "1 while this instance merges for the group, else 0.";
    GroupVersionsDiffer: Gauge "group_versions_differ" []
        "1 while instances of the group have different versions, else 0.";
    GroupSettingsDiffer: Gauge "group_settings_differ" []
        "Settings that differ between instances of the group and must not.";
    Healthy: Gauge "healthy" []
        "1 while /healthz answers 200, else 0.";
    Ready: Gauge "ready" []
        "1 while /readyz answers 200, else 0.";
    Stalled: Gauge "stalled" []
        "1 while the pipeline makes no progress although there is work, else 0.";
    BuildInfo: Gauge "build_info" ["version", "commit", "librdkafka"]
        "Always 1; the labels name the versions.";
}

impl Metric {
    /// The counter of logins by the values of a dimension.
    pub const fn logins_by(dimension: Dimension) -> Self {
        match dimension {
            Dimension::Location => Self::LoginsByLocation,
            Dimension::Device => Self::LoginsByDeviceType,
            Dimension::Version => Self::LoginsByAppVersion,
        }
    }
}

/// Renders the metrics of this process.
#[derive(Debug, Clone)]
pub struct MetricsHandle {
    prometheus: PrometheusHandle,
}

impl MetricsHandle {
    /// The Prometheus text exposition, version 0.0.4.
    pub fn render(&self) -> String {
        let mut text = self.prometheus.render();
        histogram::render(&mut text);
        text
    }

    /// Does the recorder's pending work, which would grow while nobody scrapes.
    pub fn run_upkeep(&self) {
        self.prometheus.run_upkeep();
    }
}

/// Starts recording for the whole process. A second call returns the same handle.
pub fn install() -> MetricsHandle {
    static INSTALLED: OnceLock<MetricsHandle> = OnceLock::new();
    let handle = INSTALLED.get_or_init(|| {
        let prometheus = PrometheusBuilder::new()
            .install_recorder()
            .expect("this module is the only one that installs a recorder");
        describe_all();
        MetricsHandle { prometheus }
    });
    handle.clone()
}

fn describe_all() {
    for metric in Metric::ALL {
        let MetricSpec { name, kind, labels, help } = metric.spec();
        match kind {
            MetricKind::Counter => metrics::describe_counter!(name, help),
            MetricKind::Gauge => metrics::describe_gauge!(name, help),
            MetricKind::Histogram => {}
        }
        if labels.is_empty() {
            match kind {
                MetricKind::Counter => counter(*metric, &[]).increment(0),
                MetricKind::Gauge => gauge(*metric, Vec::new()).set(0.0),
                MetricKind::Histogram => {}
            }
        }
    }
}

/// Adds `n` to a counter without labels.
pub fn add(metric: Metric, n: u64) {
    counter(metric, &[]).increment(n);
}

/// Adds `n` to the series of a counter with the given label values, in the order of its spec.
pub fn add_labeled(metric: Metric, values: &[&'static str], n: u64) {
    counter(metric, values).increment(n);
}

/// Brings the series of a counter with the given label values to `n`, which never goes back.
pub fn reach_labeled(metric: Metric, values: &[&'static str], n: u64) {
    counter(metric, values).absolute(n);
}

/// Sets a gauge without labels.
pub fn set(metric: Metric, value: f64) {
    gauge(metric, Vec::new()).set(value);
}

/// Adds `n` to the series of a counter whose only label has this value. Invisible characters in it
/// are escaped: the text format allows them, but most tools that read it do not expect them.
pub fn add_value(metric: Metric, value: &str, n: u64) {
    let spec = metric.spec();
    debug_assert!(spec.kind == MetricKind::Counter && spec.labels.len() == 1, "{metric:?}");
    let label = Label::new(spec.labels[0], plain::one_line(value).to_string());
    metrics::counter!(spec.name, vec![label]).increment(n);
}

/// Sets the series of a gauge with the given label values, in the order of its spec. `f64::NAN`
/// means that it no longer has a value.
pub fn set_labeled(metric: Metric, values: &[&str], value: f64) {
    let labels = metric.spec().labels.iter().zip(values);
    gauge(metric, labels.map(|(k, v)| Label::new(*k, (*v).to_owned())).collect()).set(value);
}

fn counter(metric: Metric, values: &[&'static str]) -> Counter {
    let spec = metric.spec();
    debug_assert_eq!(spec.kind, MetricKind::Counter, "{metric:?} only goes up");
    debug_assert_eq!(spec.labels.len(), values.len(), "{metric:?} has the labels of its spec");
    let labels = spec.labels.iter().zip(values);
    let labels: Vec<Label> = labels.map(|(k, v)| Label::from_static_parts(k, v)).collect();
    metrics::counter!(spec.name, labels)
}

fn gauge(metric: Metric, labels: Vec<Label>) -> Gauge {
    let spec = metric.spec();
    debug_assert_eq!(spec.kind, MetricKind::Gauge, "{metric:?} goes up and down");
    debug_assert!(
        labels.iter().map(Label::key).eq(spec.labels.iter().copied()),
        "{metric:?} has the labels of its spec"
    );
    metrics::gauge!(spec.name, labels)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_end_as_prometheus_wants() {
        let mut names = HashSet::new();
        for metric in Metric::ALL {
            let spec = metric.spec();
            assert!(names.insert(spec.name), "{} twice", spec.name);
            assert!(spec.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", spec.name);
            let total = spec.name.ends_with("_total");
            assert_eq!(total, spec.kind == MetricKind::Counter, "{}", spec.name);
            assert!(spec.help.ends_with('.') && !spec.help.contains('\n'), "{}", spec.name);
        }
    }

    // One test, because a process has one recorder.
    #[test]
    fn what_is_recorded_is_rendered() {
        let handle = install();
        let fresh = install().render();
        assert!(fresh.contains("\nlogintide_window_records_total 0\n"), "{fresh}");
        add(Metric::EventsIn, 5);
        add(Metric::EventsIn, 2);
        add_labeled(Metric::DeadLettered, &["not_json"], 1);
        add_labeled(Metric::SoftProblems, &["ip", "not_an_address"], 3);
        set_labeled(Metric::BuildInfo, &["1", "c", "2"], 1.0);
        set(Metric::Watermark, 1_730_653_310.5);
        set_labeled(Metric::Lag, &["7"], 42.0);
        add_value(Metric::LoginsByLocation, "a\"b", 2);
        add_value(Metric::LoginsByLocation, "a\0b", 1);
        handle.run_upkeep();
        let text = handle.render();
        for line in [
            "# TYPE logintide_events_in_total counter",
            "# HELP logintide_lag_records Records between the next offset and the end of the \
             partition, open transactions included.",
            "logintide_events_in_total 7",
            "logintide_events_dead_lettered_total{reason=\"not_json\"} 1",
            "logintide_soft_problems_total{field=\"ip\",problem=\"not_an_address\"} 3",
            "logintide_watermark_seconds 1730653310.5",
            "logintide_lag_records{partition=\"7\"} 42",
            "logintide_logins_by_location_total{location=\"a\\\"b\"} 2",
            "logintide_logins_by_location_total{location=\"a\\\\u{0}b\"} 1",
            "logintide_commit_seconds_count 0",
            "logintide_build_info{version=\"1\",commit=\"c\",librdkafka=\"2\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }
}
