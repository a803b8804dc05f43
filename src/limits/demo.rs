//! Limits of `logintide demo`: what its embedded broker holds, and how long its steps may take.

use std::time::Duration;

/// Bytes of record batches that librdkafka's mock cluster keeps of a partition before it deletes
/// the oldest. It is fixed in librdkafka.
pub const DEMO_PARTITION_BYTES: usize = 5 * 1024 * 1024;

/// Percentage of them that a demo may fill: keys are spread unevenly over partitions.
pub const DEMO_FILL_PERCENT: usize = 80;

/// Partitions of the demo's input.
pub const DEMO_INPUT_PARTITIONS: i32 = 16;

/// Partitions of the demo's processed-logins, whose records are longer.
pub const DEMO_PROCESSED_PARTITIONS: i32 = 24;

/// Partitions of each of the demo's other topics.
pub const DEMO_SIDE_PARTITIONS: i32 = 4;

/// Bytes that one input record takes in the embedded broker on average: its key and value, a share
/// of the large dead letters, and up to 80 bytes of a batch's and a record's head when each record
/// has a batch of its own.
pub const DEMO_INPUT_RECORD_BYTES: usize = 350;

/// Bytes that one enriched record takes: those of its input, the added fields, and its own key.
pub const DEMO_PROCESSED_RECORD_BYTES: usize = 500;

/// Highest rate of the demo's load.
pub const DEMO_RATE_MAX: u32 = 50_000;

/// Shortest demo.
pub const DEMO_DURATION_MIN: Duration = Duration::from_secs(1);

/// Time between two checks of the demo's loop, and so how soon it reacts.
pub const DEMO_TICK: Duration = Duration::from_millis(50);

/// Time between two updates of the screen: as often as there is a new snapshot.
pub const DEMO_PICTURE_INTERVAL: Duration = super::STATUS_INTERVAL;

/// Time between two lines where there is no terminal.
pub const DEMO_LINE_INTERVAL: Duration = Duration::from_secs(3);

/// How long the pipeline may take to get its partitions from the embedded broker.
pub const DEMO_START_DEADLINE: Duration = Duration::from_secs(30);

/// How long the pipeline may take, after the last event was sent, to commit everything and close
/// the last window, beside what the window's own rules take.
pub const DEMO_FINISH_DEADLINE: Duration = Duration::from_mins(1);

/// Age from which a demo's folder without a lock counts as left behind: one in use is locked within
/// milliseconds.
pub const DEMO_UNLOCKED_FOLDER_AGE: Duration = Duration::from_mins(1);
