//! Every event exactly once and every window exact, whatever the number of workers.

use crate::support::{Scenario, free_port, wait_for_metric};

const MIXED: &[&str] = &[
    "--seed",
    "7",
    "--count",
    "200000",
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

/// What `verify` must be told to predict the input.
fn predicted(more: &[&'static str]) -> Vec<&'static str> {
    MIXED.iter().chain(more).copied().collect()
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn mixed_input_is_exact_with_1_2_and_4_workers() {
    for workers in ["1", "2", "4"] {
        let scenario = Scenario::new("mixed");
        // Read while it is produced, for seconds: only a commit moves the horizon that makes an
        // event late, and a cold broker's first one takes longer than reading everything.
        let mut produced = scenario.producing(&[MIXED, &["--rate", "40000"]].concat());
        let flags = ["--workers", workers, "--commit-interval", "50ms"];
        let running = scenario.start(&flags);
        produced.ends_with(0);
        running.stop();
        scenario.start(&[flags.as_slice(), &["--exit-at-end"]].concat()).ends_with(0);
        println!(
            "{}",
            scenario.verify(&predicted(&["--expect-complete", "--expect-late", "some"]))
        );
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn sigterm_in_the_middle_and_a_restart_with_other_workers_repeat_nothing() {
    let scenario = Scenario::new("restart");
    let mut produced = scenario.producing(&[MIXED, &["--rate", "20000"]].concat());
    for workers in ["2", "1", "4"] {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let running = scenario.start(&["--workers", workers, "--http", &address]);
        // In the middle: something is committed, and more is coming.
        wait_for_metric(&running, port, "logintide_events_in_total", |events| events >= 1.0);
        running.stop();
    }
    produced.ends_with(0);
    scenario.start(&["--workers", "3", "--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&predicted(&["--expect-complete", "--expect-late", "some"])));
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
