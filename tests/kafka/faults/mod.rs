//! What exactly-once promises while network, brokers, disks and processes fail. Slow: run by
//! `scripts/test --faults` (see `main.rs`).
//!
//! Every test asserts that its fault really hit, and lets the judge decide without
//! `--allow-duplicates`.

mod cluster;
mod network;
mod outage;
