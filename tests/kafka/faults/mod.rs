//! What exactly-once promises while network, brokers, disks and processes fail. Slow: run by
//! `scripts/test --faults` (see `main.rs`).
//!
//! Every test asserts that its fault really hit, and lets the judge decide without
//! `--allow-duplicates`.

mod cluster;
mod disk;
mod fencing;
mod grown;
mod instances;
mod journal;
mod journal_end;
mod late_copies;
mod network;
mod outage;
mod retention;
mod startup;
mod state;
pub(crate) mod topics;

use testkit::{Scenario, Served};

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
fn fixed(scenario: &Scenario) -> Served {
    fixed_with(scenario, "state", &[])
}

/// As `fixed`, with a state folder and more flags.
fn fixed_with(scenario: &Scenario, state: &str, flags: &[&str]) -> Served {
    let own = ["--instance-id", "fixed", "--commit-interval", "100ms"];
    scenario.serve_group("group", state, &joined(&[&own, flags]))
}

/// Stops a `fixed` process, lets another one process the rest, and asks the judge about all of it.
fn finish_fixed(mut running: Served, scenario: &Scenario, events: &[&str]) {
    running.wait_for_line("reading");
    running.stop();
    scenario.start(&["--instance-id", "fixed", "--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&joined(&[events, &["--expect-complete"]])));
}
