//! Input that means harm: nothing is lost, nothing crashes, memory stays in the budget.

use crate::support::{Scenario, free_port, wait_for_metric};

const MIB: u64 = 1024 * 1024;

/// Runs to the end and checks the resident memory against `--memory-budget` + 100 MiB.
fn run_within_budget(scenario: &Scenario, budget_mib: u64, events: f64, flags: &[&str]) {
    let port = free_port();
    let (address, budget) = (format!("127.0.0.1:{port}"), format!("{budget_mib}MiB"));
    let own = ["--http", &address, "--memory-budget", &budget];
    let running = scenario.start(&[own.as_slice(), flags].concat());
    wait_for_metric(&running, port, "logintide_events_in_total", |n| n >= events);
    let peak = running.peak_memory();
    println!("peak memory {} MiB of {budget_mib} + 100 MiB", peak / MIB);
    assert!(peak <= (budget_mib + 100) * MIB, "{} MiB\n{}", peak / MIB, running.tail());
    running.stop();
    scenario.start(&[flags, &["--exit-at-end"]].concat()).ends_with(0);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_hour_ahead_moves_nobody_s_window() {
    let scenario = Scenario::new("ahead");
    // Every 100th event claims to be from 59 minutes in the future.
    let events = [
        "--seed",
        "31",
        "--count",
        "50000",
        "--events-per-second-of-event-time",
        "100",
        "--share-early",
        "0.01",
        "--early-by",
        "59m",
        "--start-time",
        "2024-01-01T00:00:00Z",
        "--kafka-timestamp",
        "event",
    ];
    scenario.produce(&events);
    scenario.start(&["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_partition_far_behind_the_others_loses_nothing() {
    let scenario = Scenario::new("behind");
    // Long runs to one partition: their event times are minutes apart while they are read.
    let events = [
        "--seed",
        "37",
        "--count",
        "100000",
        "--events-per-second-of-event-time",
        "20",
        "--run-length",
        "12000",
        "--disorder",
        "0s",
    ];
    scenario.produce(&events);
    scenario.start(&["--workers", "2", "--exit-at-end"]).ends_with(0);
    let verify: Vec<&str> = events.iter().chain(&["--expect-complete"]).copied().collect();
    println!("{}", scenario.verify(&verify));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_hundred_thousand_locales_in_one_window_stay_in_the_budget() {
    let scenario = Scenario::new("locales");
    scenario.produce(&[
        "--seed",
        "41",
        "--count",
        "300000",
        "--locales",
        "100000",
        "--events-per-second-of-event-time",
        "100000",
    ]);
    run_within_budget(&scenario, 64, 300_000.0, &["--workers", "2", "--window", "1m"]);
    println!("{}", scenario.verify(&["--window", "1m"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn huge_values_of_one_single_user_stay_in_the_budget() {
    let scenario = Scenario::new("huge");
    scenario.produce(&["--seed", "43", "--count", "20000", "--users", "1", "--share-huge", "0.2"]);
    run_within_budget(&scenario, 64, 20_000.0, &["--workers", "2"]);
    println!("{}", scenario.verify(&[]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_flood_of_garbage_ends_in_the_dead_letter_topic() {
    let scenario = Scenario::new("garbage");
    let events = ["--seed", "47", "--count", "100000", "--share-poison", "0.8"];
    scenario.produce(&events);
    scenario.start(&["--workers", "2", "--exit-at-end"]).ends_with(0);
    let verify: Vec<&str> = events.iter().chain(&["--expect-complete"]).copied().collect();
    println!("{}", scenario.verify(&verify));
}
