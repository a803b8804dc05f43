//! The instances of a group and what each reads, for people. Plain data.
//!
//! In:  what the journal says, put together by the replica or a command. Out: JSON, metrics.
//! Holds: but for the lag it is the same wherever it is shown, because all of it is committed.

use serde::{Deserialize, Serialize};

use crate::metrics::{Metric, set};

/// The group at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cluster {
    /// When the journal was looked at.
    pub at_ms: i64,
    pub group_id: String,
    /// Number of input partitions that the merger has announced; 0 before it has.
    pub announced_partitions: u32,
    /// Who merges; `None` when nobody does, or when who did has fallen silent.
    pub merger: Option<String>,
    /// The newest run with an end.
    pub run: Option<ClusterRun>,
    /// Input partitions that nobody who writes owns.
    pub unowned_partitions: Vec<i32>,
    /// Settings that differ between instances and must not, `version` among them.
    pub differences: Vec<String>,
    /// By name.
    pub instances: Vec<ClusterInstance>,
}

/// A run with an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClusterRun {
    pub number: u64,
    pub done: bool,
}

/// An instance that has written the newest record of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClusterInstance {
    pub instance_id: String,
    /// The highest epoch of its records.
    pub epoch: u64,
    /// When the newest of them was written.
    pub written_at_ms: i64,
    /// Whether it merges.
    pub merges: bool,
    /// Whether it has stopped writing although it should: all its partitions are unowned.
    pub silent: bool,
    /// What it says of itself; `None` when that was not read.
    pub about: Option<AboutInstance>,
    /// By number.
    pub partitions: Vec<ClusterPartition>,
}

/// What an instance says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AboutInstance {
    pub version: String,
    pub started_at_ms: i64,
    /// Address of dashboard and API, as `--http` has it.
    pub http: Option<String>,
    pub delivery: String,
    pub window_ms: i64,
    pub grace_ms: i64,
    pub allowed_lateness_ms: i64,
    pub commit_interval_ms: u64,
    pub idle_timeout_ms: u64,
    pub session_timeout_ms: u64,
}

/// An input partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClusterPartition {
    pub partition: i32,
    pub next_offset: i64,
    pub watermark_ms: Option<i64>,
    /// Records behind what is committed; only the instance that reads the partition knows it.
    pub lag_records: Option<u64>,
    /// When its newest record was written.
    pub written_at_ms: i64,
}

impl AboutInstance {
    /// What must be the same in a group, by the name that is shown when it is not.
    pub(crate) fn common(&self) -> [(&'static str, String); 5] {
        [
            ("version", self.version.clone()),
            ("delivery", self.delivery.clone()),
            ("window", self.window_ms.to_string()),
            ("grace", self.grace_ms.to_string()),
            ("allowed-lateness", self.allowed_lateness_ms.to_string()),
        ]
    }
}

impl Cluster {
    /// All partitions that have a record.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &ClusterPartition> {
        self.instances.iter().flat_map(|instance| &instance.partitions)
    }

    /// Shows it as metrics of the instance of this name.
    pub(super) fn set_metrics(&self, own: &str, now_ms: i64) {
        let writing = self.instances.iter().filter(|instance| !instance.silent);
        let oldest_ms = self.partitions().map(|of| of.written_at_ms).min();
        let age_ms = oldest_ms.map_or(0, |oldest| (now_ms - oldest).max(0));
        let has_versions = self.differences.iter().any(|what| what == "version");
        let settings = self.differences.len() - usize::from(has_versions);
        let merges = self.merger.as_deref() == Some(own);
        for (metric, value) in [
            (Metric::GroupInstances, writing.count() as f64),
            (Metric::GroupPartitionsUnowned, self.unowned_partitions.len() as f64),
            (Metric::GroupOldestHead, age_ms as f64 / 1000.0),
            (Metric::GroupMerges, f64::from(u8::from(merges))),
            (Metric::GroupVersionsDiffer, f64::from(u8::from(has_versions))),
            (Metric::GroupSettingsDiffer, settings as f64),
        ] {
            set(metric, value);
        }
    }
}
