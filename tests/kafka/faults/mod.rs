//! What exactly-once promises while network, brokers, disks and processes fail. Slow: run by
//! `scripts/test --faults` (see `main.rs`).
//!
//! Every test asserts that its fault really hit, and lets the judge decide without
//! `--allow-duplicates`.

mod cluster;
mod disk;
mod fencing;
mod network;
mod outage;
mod rebalance;
mod retention;
mod startup;
mod state;
pub(crate) mod topics;

use testkit::{Process, Scenario, free_port, wait_for_metric};

/// Events for a test that starts several processes: two minutes of event time, some late, some
/// very late, some no events at all.
const SMALL: &[&str] = &[
    "--seed",
    "41",
    "--count",
    "60000",
    "--users",
    "5000",
    "--events-per-second-of-event-time",
    "500",
    "--share-late",
    "0.05",
    "--late-by",
    "8m",
    "--share-poison",
    "0.01",
    "--share-odd",
    "0.05",
];

/// Flags one after the other.
fn joined<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

/// A process whose instance id stays the same, so that it takes the place of one that was killed
/// without waiting for that one's session to end. Commits often: windows are open, epochs small.
struct Fixed {
    process: Process,
    port: u16,
}

impl Fixed {
    fn start(scenario: &Scenario) -> Self {
        Self::start_in(scenario, "state")
    }

    fn start_in(scenario: &Scenario, state: &str) -> Self {
        Self::start_with(scenario, state, &[])
    }

    fn start_with(scenario: &Scenario, state: &str, flags: &[&str]) -> Self {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let own = ["--instance-id", "fixed", "--http", &address, "--commit-interval", "100ms"];
        Self { process: scenario.start_group("group", state, &joined(&[&own, flags])), port }
    }

    fn wait_for_epochs(&self, least: f64) {
        self.wait_for("logintide_epochs_committed_total", |n| n >= least);
    }

    fn wait_for(&self, metric: &str, reached: impl Fn(f64) -> bool) {
        wait_for_metric(&self.process, self.port, metric, reached);
    }

    /// Stops it, lets another one process the rest, and asks the judge about all of it.
    fn finish(mut self, scenario: &Scenario, events: &[&str]) {
        self.process.wait_for_line("reading");
        self.process.stop();
        scenario.start(&["--instance-id", "fixed", "--exit-at-end"]).ends_with(0);
        println!("{}", scenario.verify(&joined(&[events, &["--expect-complete"]])));
    }
}
