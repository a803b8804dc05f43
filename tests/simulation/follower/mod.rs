//! The replica on the simulated Kafka: what it says of the journal is what was committed.

mod author;
mod cases;
mod copies;
mod histories;
mod running;
mod state;

/// Input partitions of the group.
const INPUT_PARTITIONS: i32 = 5;
/// Journal partitions.
const PARTITIONS: u32 = 2;
/// The journal topic.
const JOURNAL: &str = "journal";
/// Window size.
const WINDOW_MS: i64 = 10_000;
