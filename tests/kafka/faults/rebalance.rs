//! Instances that come and go, and an input that grows: every event exactly once.

use testkit::{Scenario, Served};

use super::{SMALL, joined, topics};
use crate::topic_admin;

const QUICK: &[&str] = &["--session-timeout", "6s"];

/// The judge's report must name no mistake but those that two publishers of one window make.
fn only_windows_are_shared(report: &serde_json::Value) {
    let mistakes = report["mistakes"].as_array().expect("a list");
    for mistake in mistakes {
        let kind = mistake["mistake"].as_str().expect("a kind");
        // Each publishes what it has, with the revision and late events that it has read back.
        assert!(["WindowRevision", "WindowInconsistent"].contains(&kind), "{report:#}");
    }
}

/// Whether a number of partitions is this one.
fn owns(partitions: u64) -> impl Fn(f64) -> bool {
    move |n| n as u64 == partitions
}

fn start(scenario: &Scenario, instance: &str) -> Served {
    let own = ["--instance-id", instance, "--commit-interval", "500ms"];
    scenario.serve_group("group", instance, &joined(&[&own, QUICK]))
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_second_instance_comes_and_goes_and_every_event_is_processed_once() {
    let scenario = Scenario::new("rebalance-two");
    let mut produced = scenario.producing(&joined(&[SMALL, &["--rate", "2000"]]));
    let mut first = start(&scenario, "one");
    first.wait_for_epochs(2.0);
    let second = start(&scenario, "two");
    for process in [&first, &second] {
        process.wait_for("logintide_assigned_partitions", owns(4));
    }
    let before = second.metric("logintide_events_in_total").unwrap_or_default();
    second.wait_for("logintide_events_in_total", |n| n > before + 1000.0);
    first.wait_for_line("partitions revoked");
    second.stop();
    first.wait_for("logintide_assigned_partitions", owns(8));
    produced.ends_with(0);
    first.stop();
    let own = ["--instance-id", "one", "--exit-at-end"];
    scenario.start_group("group", "one", &joined(&[&own, QUICK])).ends_with(0);
    let report = scenario.json_report(&joined(&[SMALL, &["--allow-incomplete"]]));
    println!("{report:#}");
    only_windows_are_shared(&report);
    assert_eq!(report["counts"]["processed"], report["counts"]["valid"]);
    assert!(report["counts"]["windows_incomplete"].as_u64() > Some(0), "{report:#}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn partitions_that_are_added_while_running_are_read_from_their_beginning() {
    let scenario = Scenario::new("rebalance-grown");
    let mut produced = scenario.producing(&["--seed", "61", "--count", "30000", "--rate", "1500"]);
    let running = scenario.serve(&[]);
    running.wait_for_epochs(2.0);
    let input = scenario.topic("input");
    topic_admin::add_partitions(scenario.brokers(), &input, 12);
    // Before the process knows of them: what is in them by then must not be passed over.
    scenario.produce(&["--seed", "62", "--count", "6000"]);
    let ends = topics::log_ends(&scenario, "input");
    let new: i64 = ends.iter().filter(|(p, _)| p.0 >= 8).map(|(_, (_, high))| high).sum();
    assert!(new > 0, "the new partitions have records: {ends:?}");
    let took = running.wait_for("logintide_assigned_partitions", owns(12));
    println!("12 partitions after {took:?}");
    produced.ends_with(0);
    running.wait_for_events(36_000.0);
    assert!(running.get("/healthz").is_some_and(|text| text.contains("\"healthy\":true")));
    running.stop();
    scenario.start(&["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
}
