//! What the sink reports of an epoch that is finished. Plain data.
//!
//! In:  what source, workers and merger have counted in it.
//! Holds: everything is of this epoch alone; a report is handed over only when its epoch is
//! committed, or had nothing to commit.

use std::time::{Duration, Instant};

use super::{Totals, WindowView};
use crate::{
    event::{Field, RejectReason, SoftProblem},
    ids::{Epoch, PartitionId},
    latency::EpochLatency,
    users::Said,
    window::UsageCounts,
};

/// A finished epoch.
#[derive(Debug)]
pub(crate) struct EpochReport {
    pub epoch: Epoch,
    /// Wall clock of the cut, milliseconds.
    pub cut_at_ms: i64,
    /// When the last worker had answered, by the sink's clock.
    pub aligned_at: Instant,
    /// `None`: there was nothing to commit.
    pub commit: Option<CommitTime>,
    /// Payload bytes read.
    pub bytes: u64,
    /// Records dropped because their partition is not owned or they were read before.
    pub dropped: u64,
    /// Dead letters that were cut to what their topic takes.
    pub truncated: u64,
    /// Whether it was cut because memory was nearly full.
    pub is_early: bool,
    /// Dead letters by reason; a reason may stand there once per worker, as below.
    pub reasons: Vec<(RejectReason, u64)>,
    pub soft: Vec<((Field, SoftProblem), u64)>,
    /// What was said of users.
    pub said: Vec<(Said, u64)>,
    /// Every owned partition.
    pub partitions: Vec<PartitionReport>,
    /// Of each worker.
    pub latency: Vec<EpochLatency>,
    /// How often each value occurred in windows.
    pub usage: UsageCounts,
    /// Window records.
    pub windows: Vec<WindowView>,
    /// Occurrences newly counted as `other` because a dimension's cap was reached.
    pub capped_values: u64,
}

/// When an epoch's commit was known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommitTime {
    /// Wall clock, milliseconds.
    pub at_ms: i64,
    pub took: Duration,
}

/// An owned partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartitionReport {
    pub partition: PartitionId,
    /// What has become of the epoch's records.
    pub counts: Totals,
    /// Records behind the epoch, those of open transactions included; `None` while the end of the
    /// log is not known.
    pub lag_records: Option<u64>,
    /// Whether an open transaction hides the rest of the log.
    pub held_by_transaction: bool,
}
