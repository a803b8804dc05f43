//! What one epoch brings to the window state. Pure data, filled by workers, source and sink.
//!
//! In:  deltas from each worker, progress and horizon from the source's cut, the clock from the
//! sink. Holds: no event of a delta belongs to a window at or behind the horizon that was in force
//! when it was read; such events went to the late topic.

use super::Partial;
use crate::ids::{Epoch, EventTimeMs, Offset, PartitionId, WindowStart};

/// What one worker counted of one input partition in one epoch.
#[derive(Debug)]
pub struct PartitionDelta {
    /// Input partition.
    pub partition: PartitionId,
    /// Counts per window, each window once.
    pub windows: Vec<(WindowStart, Partial)>,
    /// Highest event time, each event counted at most up to its record's Kafka timestamp.
    pub highest_event_time: Option<EventTimeMs>,
    /// The event with the lowest offset: its offset and event time.
    pub first_event: Option<(i64, EventTimeMs)>,
}

/// Where one owned input partition stands at the epoch's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionProgress {
    /// Input partition.
    pub partition: PartitionId,
    /// Next offset to read.
    pub next_offset: Offset,
    /// Idle: at its end, readable, and silent for the idle timeout. A broker has said so when it
    /// was asked at this moment of the wall clock; later records may be there.
    pub idle_as_of: Option<EventTimeMs>,
}

/// All that the window state needs to know of one epoch.
#[derive(Debug)]
pub struct EpochInput {
    /// The epoch; greater than any before.
    pub epoch: Epoch,
    /// Counts; several workers may report the same partition.
    pub deltas: Vec<PartitionDelta>,
    /// Every owned partition, each once.
    pub progress: Vec<PartitionProgress>,
    /// The horizon that the epoch's barrier carries: it rules the events of later epochs.
    pub horizon: Option<EventTimeMs>,
    /// Number of input partitions that is known beside those that have a head.
    pub partitions: u32,
    /// Wall clock, milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The input is finished: every window closes.
    pub close_all: bool,
}
