//! Old data, all at once: ends by itself with every window closed.

use testkit::Scenario;

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_backfill_of_2023_ends_by_itself_with_every_window_closed() {
    let scenario = Scenario::new("backfill");
    // 200 000 events over about 46 days.
    let events = [
        "--seed",
        "23",
        "--count",
        "200000",
        "--start-time",
        "2023-01-01T00:00:00Z",
        "--events-per-second-of-event-time",
        "0.05",
        "--disorder",
        "30s",
    ];
    scenario.produce(&events);
    scenario.start(&["--workers", "2", "--window", "1m", "--exit-at-end"]).ends_with(0);
    let verify: Vec<&str> = events
        .iter()
        .chain(&["--window", "1m", "--expect-complete", "--expect-late", "none"])
        .copied()
        .collect();
    println!("{}", scenario.verify(&verify));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_second_run_over_the_same_input_has_nothing_to_do() {
    let scenario = Scenario::new("again");
    let events = ["--seed", "2", "--count", "5000"];
    scenario.produce(&events);
    scenario.start(&["--exit-at-end"]).ends_with(0);
    scenario.start(&["--exit-at-end"]).ends_with(0);
    let verify: Vec<&str> =
        events.iter().chain(&["--expect-complete", "--expect-late", "none"]).copied().collect();
    println!("{}", scenario.verify(&verify));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn events_that_arrive_after_a_bounded_run_revise_its_windows() {
    let scenario = Scenario::new("revise");
    let start =
        ["--start-time", "2024-06-01T00:00:00Z", "--events-per-second-of-event-time", "100"];
    scenario.produce(&[["--seed", "2", "--count", "5000"].as_slice(), &start].concat());
    scenario.start(&["--exit-at-end"]).ends_with(0);
    scenario.produce(&[["--seed", "3", "--count", "5000"].as_slice(), &start].concat());
    scenario.start(&["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete", "--expect-late", "none"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_epoch_whose_counts_nearly_fill_the_budget_ends_early() {
    let scenario = Scenario::new("early-cut");
    // Thousands of windows at once, long before the commit interval has passed.
    let events = [
        "--seed",
        "29",
        "--count",
        "200000",
        "--users",
        "20000",
        "--events-per-second-of-event-time",
        "40",
    ];
    scenario.produce(&events);
    let small = ["--window", "1s", "--memory-budget", "32MiB", "--workers", "2"];
    let running = scenario.serve(&[small.as_slice(), &["--commit-interval", "15s"]].concat());
    running.wait_for("logintide_epochs_cut_early_total", |cuts| cuts >= 1.0);
    running.stop();
    scenario.start(&[small.as_slice(), &["--exit-at-end"]].concat()).ends_with(0);
    println!("{}", scenario.verify(&["--window", "1s", "--expect-complete"]));
}
