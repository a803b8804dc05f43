//! Retention overtakes the group: the gap is said and counted, the rest is processed.

use std::collections::{BTreeMap, BTreeSet};

use logintide::ids::PartitionId;
use testkit::{Scenario, Served};

use super::{
    fixed, fixed_with,
    topics::{Event, committed, delete_input, events, log_ends, newest_windows},
};

const FIRST: &[&str] = &[
    "--seed",
    "51",
    "--count",
    "20000",
    "--start-time",
    "2024-06-01T00:00:00Z",
    "--events-per-second-of-event-time",
    "500",
];

/// What comes after the first 40 seconds of event time.
const REST: &[&str] = &[
    "--seed",
    "52",
    "--count",
    "20000",
    "--start-time",
    "2024-06-01T00:00:40Z",
    "--events-per-second-of-event-time",
    "500",
];

/// Deletes all input up to `behind` records behind the committed offsets; returns what nobody has
/// read of it.
fn overtake(scenario: &Scenario, behind: i64) -> Vec<Event> {
    let committed = committed(scenario);
    let ends = log_ends(scenario, "input");
    let below: BTreeMap<PartitionId, i64> =
        committed.iter().map(|(p, (offset, _))| (*p, (offset + behind).min(ends[p].1))).collect();
    let gone: Vec<_> = events(scenario, "input")
        .into_iter()
        .filter(|e| (committed[&e.partition].0..below[&e.partition]).contains(&e.offset))
        .collect();
    assert!(gone.len() > 1000, "{} records are deleted unread", gone.len());
    delete_input(scenario, &below);
    gone
}

/// The gap is said and counted, and once all is processed, nothing but the gap is missing.
fn only_the_gap_is_missing(scenario: &Scenario, mut running: Served, gone: &[Event]) {
    let gap = gone.len() as f64;
    running.wait_for("logintide_gap_records_total", |n| n >= gap);
    running.wait_for_line("are gone (retention): reading goes on behind them");
    let counted = running.metric("logintide_gap_records_total");
    assert_eq!(counted, Some(gap), "{}", running.tail());
    running.stop();
    scenario.start(&["--instance-id", "fixed", "--exit-at-end"]).ends_with(0);

    let processed = events(scenario, "processed").len();
    assert_eq!(processed, 40_000 - gone.len(), "all that was left is processed, once");
    let windows = newest_windows(scenario);
    let gone: BTreeSet<_> = gone.iter().map(|event| event.window).collect();
    let total: u64 = windows.values().map(|window| window.total).sum();
    let late = events(scenario, "late").len() as u64;
    assert_eq!(total + late, processed as u64, "every processed event is in a window, or late");
    println!("{} windows, {} of them with a gap", windows.len(), gone.len());
    for start in gone {
        assert!(!windows[&start].complete, "{start}: {:?}", windows[&start]);
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_committed_offset_before_the_logs_start_is_a_gap_that_is_said_and_counted() {
    let scenario = Scenario::new("retention-stopped");
    scenario.produce(FIRST);
    let running = fixed(&scenario);
    running.wait_for_events(20_000.0);
    running.stop();
    scenario.produce(REST);
    let gone = overtake(&scenario, 900);
    only_the_gap_is_missing(&scenario, fixed(&scenario), &gone);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_running_process_that_retention_overtakes_says_so_and_goes_on() {
    let scenario = Scenario::new("retention-running");
    scenario.produce(FIRST);
    let flags = ["-X", "fetch.message.max.bytes=20000", "--session-timeout", "2m"];
    let running = fixed_with(&scenario, "state", &flags);
    running.wait_for_events(20_000.0);
    // At the log's end, with nothing prefetched; stopped for less than the session timeout.
    running.signal("-STOP");
    scenario.produce(REST);
    let gone = overtake(&scenario, 900);
    running.signal("-CONT");
    only_the_gap_is_missing(&scenario, running, &gone);
}
