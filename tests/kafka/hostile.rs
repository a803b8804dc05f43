//! Input that means harm: nothing is lost, nothing crashes, memory stays in the budget.

use testkit::Scenario;

const MIB: u64 = 1024 * 1024;

/// Runs to the end and checks the resident memory against `--memory-budget` + 100 MiB, and that
/// input cannot make series without end.
fn run_within_budget(scenario: &Scenario, budget_mib: u64, events: f64, flags: &[&str]) {
    let budget = format!("{budget_mib}MiB");
    let running = scenario.serve(&[&["--memory-budget", &budget], flags].concat());
    running.wait_for_events(events);
    let peak = running.peak_memory();
    println!("peak memory {} MiB of {budget_mib} + 100 MiB", peak / MIB);
    assert!(peak <= (budget_mib + 100) * MIB, "{} MiB\n{}", peak / MIB, running.tail());
    let text = running.get("/metrics").expect("an answer");
    let is_location = |line: &&str| line.starts_with("logintide_logins_by_location_total{");
    let locations = text.lines().filter(is_location).count();
    // 50 and `other`.
    assert!((1..=51).contains(&locations), "{locations} series of locations");
    running.stop();
    scenario.start(&[flags, &["--exit-at-end"]].concat()).ends_with(0);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_hour_ahead_moves_nobody_s_window() {
    let scenario = Scenario::new("ahead");
    // 500 s of events; every 100th claims to be from 59 minutes after its record.
    let events = [
        "--seed",
        "31",
        "--count",
        "50000",
        "--events-per-second-of-event-time",
        "100",
        "--run-length",
        "10",
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
    // Nothing but the watermark closes a window here: there is no end and no silence.
    let running = scenario.serve(&["--idle-timeout", "1h"]);
    running.wait_for_events(50_000.0);
    // The last of the 50 windows and perhaps the one before are still inside of grace and
    // disorder. Were the early events believed, more than 90 would be closed.
    running.wait_for("logintide_window_records_total", |n| n >= 48.0);
    // Several epochs later it is still so.
    running.wait_its_own_seconds(3);
    let report = scenario.json_report(&["--expect-late", "none"]);
    let windows = report["counts"]["windows"].as_u64().expect("a count");
    assert!((48..=50).contains(&windows), "{report:#}\n{}", running.tail());
    running.stop();
    scenario.start(&["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete", "--expect-late", "none"]));
}

/// Produces, runs to the end and expects every window complete and no event late.
fn nothing_is_late(scenario: &Scenario, events: &[&str]) {
    scenario.produce(events);
    scenario.start(&["--workers", "2", "--exit-at-end"]).ends_with(0);
    let expected = ["--expect-complete", "--expect-late", "none"];
    println!("{}", scenario.verify(&[events, &expected].concat()));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_partition_far_behind_the_others_loses_nothing() {
    // One partition has a hundred times the backlog of each other: these are at their end, 50
    // minutes of event time ahead, when it has hardly begun.
    let events = [
        "--seed",
        "37",
        "--count",
        "300000",
        "--events-per-second-of-event-time",
        "100",
        "--partition-shares",
        "100,1",
        "--run-length",
        "10",
        "--disorder",
        "0s",
    ];
    nothing_is_late(&Scenario::new("behind"), &events);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn partitions_that_are_minutes_apart_lose_nothing() {
    // Long runs to one partition: their event times are minutes apart while they are read.
    let events = [
        "--seed",
        "38",
        "--count",
        "100000",
        "--events-per-second-of-event-time",
        "20",
        "--run-length",
        "12000",
        "--disorder",
        "0s",
    ];
    nothing_is_late(&Scenario::new("apart"), &events);
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
    println!("{}", scenario.verify(&["--window", "1m", "--expect-late", "none"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn huge_values_of_one_single_user_stay_in_the_budget() {
    let scenario = Scenario::new("huge");
    scenario.produce(&["--seed", "43", "--count", "20000", "--users", "1", "--share-huge", "0.2"]);
    run_within_budget(&scenario, 64, 20_000.0, &["--workers", "2"]);
    println!("{}", scenario.verify(&["--expect-late", "none"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_flood_of_garbage_ends_in_the_dead_letter_topic() {
    let events = ["--seed", "47", "--count", "100000", "--share-poison", "0.8"];
    nothing_is_late(&Scenario::new("garbage"), &events);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn valid_events_at_every_edge_of_the_rules_are_processed() {
    let events = ["--seed", "53", "--count", "50000", "--share-odd", "1"];
    nothing_is_late(&Scenario::new("edges"), &events);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_value_that_the_dead_letter_topic_cannot_take_is_cut_and_says_so() {
    let scenario = Scenario::new("cut");
    let size = ["--seed", "59", "--event-size", "1500000", "--count", "20"];
    let input_takes_it =
        ["--topic-config", "max.message.bytes=3000000", "-X", "message.max.bytes=3000000"];
    scenario.produce(&[size.as_slice(), &input_takes_it].concat());
    scenario.start(&["--exit-at-end"]).ends_with(0);
    let report = scenario.json_report(&["--expect-late", "none"]);
    assert_eq!(report["ok"], true, "{report:#}");
    assert_eq!(report["counts"]["rejected"], 20, "{report:#}");
    assert_eq!(report["counts"]["dead_letters_cut"], 20, "{report:#}");
}
