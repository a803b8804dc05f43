//! Sections that `cargo xtask bench` does not measure: their figures were written into the files of
//! a run by hand.

use super::table::{Layout, Show};

/// What other programs make of the same work, from their authors' programs.
pub(crate) const PEERS: Layout = Layout {
    corner: "",
    cases: &[
        ("logintide", "logintide"),
        ("Flink 1.20.3", "Flink 1.20.3"),
        ("Kafka Streams 4.1.1", "Kafka Streams 4.1.1"),
    ],
    measures: &[
        ("at_least_once_k_per_s", "at-least-once, k/s", Show::Rounds),
        ("at_least_once_own_us", "own CPU, µs", Show::Rounds),
        ("exactly_once_k_per_s", "exactly-once, k/s", Show::Rounds),
        ("exactly_once_own_us", "own CPU, µs", Show::Rounds),
    ],
};
