//! Every event exactly once and every window exact, whatever the number of workers.

use testkit::Scenario;

const MIXED: &[&str] = &[
    "--seed",
    "7",
    "--rate",
    "8000",
    "--users",
    "20000",
    "--events-per-second-of-event-time",
    "200",
    "--share-odd",
    "0.1",
    "--share-late",
    "0.05",
    "--late-by",
    "20m",
    "--share-duplicate",
    "0.05",
    "--share-poison",
    "0.02",
    "--share-tombstone",
    "0.01",
];

/// Input goes on until all is done that needs it, however slow the machine is: only a commit moves
/// the horizon that makes an event late.
fn run_until(scenario: &Scenario, at_least: f64, committed: &str, flags: &[&str]) {
    // The last commit of a stop has as long as a session.
    let running = scenario.serve(&[flags, &["--session-timeout", "1m"]].concat());
    let metric = format!("logintide_events_{committed}_total");
    running.wait_for(&metric, |events| events >= at_least);
    running.stop();
}

fn exact_to_the_end(scenario: &Scenario, flags: &[&str]) {
    scenario.start(&[flags, &["--exit-at-end"]].concat()).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete", "--expect-late", "some"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn mixed_input_is_exact_with_1_2_and_4_workers() {
    for workers in ["1", "2", "4"] {
        let scenario = Scenario::new("mixed");
        let produced = scenario.producing(MIXED);
        let flags = ["--workers", workers, "--commit-interval", "50ms"];
        run_until(&scenario, 3_000.0, "late", &flags);
        produced.stop();
        exact_to_the_end(&scenario, &flags);
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn sigterm_in_the_middle_and_a_restart_with_other_workers_repeat_nothing() {
    let scenario = Scenario::new("restart");
    let produced = scenario.producing(MIXED);
    for (workers, committed) in [("2", "in"), ("1", "late"), ("4", "in")] {
        run_until(&scenario, 1.0, committed, &["--workers", workers]);
    }
    produced.stop();
    exact_to_the_end(&scenario, &["--workers", "3"]);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn the_documented_sample_and_the_poison_record_end_where_they_belong() {
    let scenario = Scenario::new("sample");
    scenario.produce(&["--sample"]);
    scenario.start(&["--exit-at-end"]).ends_with(0);
    let report = scenario.json_report(&["--expect-complete", "--expect-late", "none"]);
    println!("{report:#}");
    assert_eq!(report["ok"], true);
    assert_eq!(report["counts"]["processed"], 1);
    assert_eq!(report["counts"]["dead_letters"], 1);
    assert_eq!(report["counts"]["windows"], 1);
}
