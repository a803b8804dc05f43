//! Topics that change while a processor uses them: the input is deleted and created again, an
//! output gets more partitions.

use std::collections::BTreeMap;

use logintide::{
    ids::PartitionId,
    kafka::{Admin, NewTopic, create_topics},
};
use testkit::{SOON, Scenario, Served};

use crate::{
    client::support::{PATIENCE, client},
    faults::topics::{events, newest_windows},
    topic_admin,
};

/// How often these processors look at the topics.
const LOOK_OFTEN: [&str; 2] = ["-X", "topic.metadata.refresh.interval.ms=1000"];

const BEGIN: [&str; 2] = ["--on-topic-recreated", "begin"];

fn admin(scenario: &Scenario) -> Admin {
    Admin::new(&client(scenario.brokers(), &[])).expect("admin")
}

fn create(admin: &Admin, name: &str, partitions: i32) {
    let topic = NewTopic { name: name.to_owned(), partitions, replication: 1, config: Vec::new() };
    create_topics(admin, &[topic], PATIENCE).expect("created");
}

/// The input's next topic of the same name.
fn create_again(scenario: &Scenario) {
    let (admin, input) = (admin(scenario), scenario.topic("input"));
    topic_admin::delete_topics(scenario.brokers(), &[&input]);
    create(&admin, &input, 1);
}

/// Events of two minutes in one partition; windows of 10 s are published while they are read.
fn events_of(seed: &str, count: &str) -> Vec<String> {
    let flags = [
        "--seed",
        seed,
        "--count",
        count,
        "--start-time",
        "2024-06-01T00:00:00Z",
        "--events-per-second-of-event-time",
        "1",
        "--disorder",
        "0s",
    ];
    flags.map(str::to_owned).to_vec()
}

fn produce(scenario: &Scenario, seed: &str, count: &str) {
    let flags = events_of(seed, count);
    scenario.produce(&flags.iter().map(String::as_str).collect::<Vec<_>>());
}

fn watching(scenario: &Scenario, flags: &[&str]) -> Served {
    let own = ["--instance-id", "fixed", "--idle-timeout", "1s"];
    scenario.serve(&[&own[..], &LOOK_OFTEN, flags].concat())
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_topic_that_was_created_again_and_is_longer_is_noticed_while_it_is_read() {
    let scenario = Scenario::new("recreated");
    create(&admin(&scenario), &scenario.topic("input"), 1);
    produce(&scenario, "61", "10");
    let mut first = watching(&scenario, &[]);
    first.wait_for("logintide_events_processed_total", |n| n >= 10.0);
    create_again(&scenario);
    produce(&scenario, "62", "25");
    first.ends_with(1);
    let log = first.log();
    assert!(log.contains("was deleted and created again: its id is "), "{log}");
    assert!(log.contains("start with --on-topic-recreated begin"), "{log}");
    // A supervisor's next start.
    let mut second = watching(&scenario, &[]);
    second.ends_with(1);
    assert!(second.log().contains("was deleted and created again"), "{log}");
    // What the remedy names.
    let third = watching(&scenario, &BEGIN);
    third.wait_for("logintide_events_in_total", |n| n >= 25.0);
    third.wait_for("logintide_open_windows", |n| n == 0.0);
    let log = third.log();
    assert!(log.contains("reading begins at its log's start"), "{log}");
    third.stop();
    let processed = events(&scenario, "processed");
    for number in 0..25 {
        // The first ten numbers were in the earlier topic as well.
        let least = if number < 10 { 2 } else { 1 };
        let count = processed.iter().filter(|event| event.number == number).count();
        assert!(count >= least, "event {number} of the new topic vanished: {processed:?}");
    }
    // It goes on as if nothing had been.
    produce(&scenario, "63", "5");
    let fourth = watching(&scenario, &[]);
    fourth.wait_for("logintide_events_in_total", |n| n >= 5.0);
    fourth.stop();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn windows_published_before_a_topic_was_created_again_keep_their_totals() {
    for orderly in [true, false] {
        let scenario = Scenario::new("recreated-totals");
        create(&admin(&scenario), &scenario.topic("input"), 1);
        produce(&scenario, "64", "120");
        let first = watching(&scenario, &[]);
        first.wait_for("logintide_events_processed_total", |n| n >= 120.0);
        first.wait_for("logintide_open_windows", |n| n == 0.0);
        if orderly {
            first.stop();
        } else {
            // Nothing says then that the last epoch was committed: its commit goes with the topic.
            first.kill();
        }
        let before = newest_windows(&scenario);
        assert!(before.len() > 10, "{before:?}");
        create_again(&scenario);
        produce(&scenario, "65", "120");
        let second = watching(&scenario, &BEGIN);
        second.wait_for("logintide_events_late_total", |n| n >= 120.0);
        second.stop();
        assert_eq!(newest_windows(&scenario), before, "no total is replaced");
        assert_eq!(events(&scenario, "late").len(), 120);
        assert_eq!(events(&scenario, "processed").len(), 240);
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_output_that_grows_is_used_as_a_whole_at_an_epoch_cut() {
    for delivery in ["exactly-once", "at-least-once"] {
        let scenario = Scenario::new("grows");
        let admin = admin(&scenario);
        for name in ["processed", "aggregated", "dead-letter", "late"] {
            create(&admin, &scenario.topic(name), 1);
        }
        scenario.produce(&["--seed", "66", "--count", "2000", "--share-poison", "0.2"]);
        let running = watching(&scenario, &["--delivery", delivery, "--workers", "2"]);
        running.wait_for_events(2000.0);
        for name in ["processed", "aggregated", "dead-letter", "late"] {
            topic_admin::add_partitions(scenario.brokers(), &scenario.topic(name), 4);
        }
        // The line comes with the next epoch, so there must be events for one.
        let mut produced = 2000.0;
        let mut seed = 67;
        let said = |running: &Served| running.log().matches("another number of partitions").count();
        let began = std::time::Instant::now();
        while said(&running) < 4 {
            assert!(began.elapsed() < SOON, "{}", running.tail());
            scenario.produce(&["--seed", &seed.to_string(), "--count", "100"]);
            (seed, produced) = (seed + 1, produced + 100.0);
            running.wait_for_events(produced);
        }
        scenario.produce(&["--seed", "99", "--count", "2000", "--share-poison", "0.2"]);
        running.wait_for_events(produced + 2000.0);
        running.stop();
        scenario.start(&["--instance-id", "fixed", "--exit-at-end"]).ends_with(0);
        let mut used: BTreeMap<PartitionId, usize> = BTreeMap::new();
        for event in events(&scenario, "processed") {
            *used.entry(event.partition).or_default() += 1;
        }
        assert_eq!(used.len(), 4, "{used:?}");
        assert!(used[&PartitionId(3)] > 200, "{used:?}");
        // Nothing is lost or doubled; what was written before lies where its key belonged then.
        let report = scenario.json_report(&["--expect-complete", "--expect-late", "none"]);
        let mistakes = report["mistakes"].as_array().expect("a list");
        let is_moved = |mistake: &serde_json::Value| {
            mistake["mistake"].as_str().is_some_and(|name| name.ends_with("WrongPartition"))
        };
        assert!(mistakes.iter().all(is_moved), "{report:#}");
        assert_eq!(report["counts"]["processed_repeats"], 0, "{report:#}");
    }
}
