//! Settings of topics and brokers, as the start-up checks read them; settings of the program that
//! only show on a broker.

use std::time::Duration;

use jiff::Timestamp;
use logintide::{
    ids::PartitionId,
    kafka::{Admin, broker_config, find_topics, log_ends, topic_config},
};
use testkit::{Scenario, brokers};

use crate::{
    client::{
        Topic,
        support::{PATIENCE, client},
    },
    topic_admin::delete_topics,
};

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn settings_of_topics_and_of_a_broker_are_read() {
    let topic = Topic::new("settings", 1, &[("retention.ms", "7200000")]);
    let other = Topic::new("settings", 1, &[("cleanup.policy", "compact")]);
    let names = [other.name.as_str(), topic.name.as_str()];
    let read = topic_config(&topic.admin, &names, PATIENCE).expect("settings");
    let value = |index: usize, name: &str| read[index].get(name).map(String::as_str);
    assert_eq!(read.len(), 2);
    assert_eq!(
        (value(0, "cleanup.policy"), value(1, "cleanup.policy")),
        (Some("compact"), Some("delete"))
    );
    assert_eq!(value(1, "retention.ms"), Some("7200000"));
    let broker = broker_config(&topic.admin, PATIENCE).expect("settings");
    for name in ["transaction.max.timeout.ms", "transaction.state.log.replication.factor"] {
        let number = broker.get(name).and_then(|value| value.parse::<i64>().ok());
        assert!(number.is_some_and(|number| number > 0), "{name}: {number:?}");
    }
    let missing = format!("{}-missing", topic.name);
    let error =
        topic_config(&topic.admin, &[&topic.name, &missing], PATIENCE).expect_err("missing");
    assert!(error.to_string().contains(&missing) && !error.is_authorization(), "{error}");
    assert_eq!(topic_config(&topic.admin, &[], PATIENCE), Ok(Vec::new()));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn topics_are_created_with_the_partitions_and_copies_that_are_asked_for() {
    let scenario = Scenario::new("partitions");
    let mut running = scenario.start(&["--partitions", "3", "--replication", "1"]);
    running.wait_for_line("reading");
    running.stop();
    // An input that is there decides, where nothing else is said.
    let of_input = Scenario::new("partitions");
    of_input.produce(&["--count", "10"]);
    of_input.start(&["--exit-at-end"]).ends_with(0);
    let admin = Admin::new(&client(&brokers(), &[])).expect("admin");
    for (scenario, partitions) in [(&scenario, 3), (&of_input, 8)] {
        let names = ["input", "processed", "aggregated", "dead-letter", "late"];
        let names = names.map(|name| scenario.topic(name));
        let names = names.each_ref().map(String::as_str);
        let topics = find_topics(&admin, &names, PATIENCE).expect("topics");
        assert!(topics.iter().all(|topic| topic.partitions == Some(partitions)), "{topics:?}");
        delete_topics(&brokers(), &names);
    }
}

/// A leader that does not know yet that it leads refuses the first records.
#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn the_leaders_of_new_partitions_answer_at_once() {
    let partitions: Vec<_> = (0..50).map(PartitionId).collect();
    for _ in 0..10 {
        let topic = Topic::new("leaders", 50, &[]);
        let ends = log_ends(&topic.admin, &topic.name, &partitions, PATIENCE).expect("ends");
        assert_eq!(ends.len(), 50);
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn start_from_a_time_reads_what_came_since() {
    let scenario = Scenario::new("since");
    let events = ["--events-per-second-of-event-time", "50", "--run-length", "10"];
    let before = ["--seed", "1", "--count", "1000", "--start-time", "2024-06-01T00:00:00Z"];
    let after = ["--seed", "2", "--count", "2000", "--start-time", "2024-06-01T00:10:00Z"];
    scenario.produce(&[before.as_slice(), &events].concat());
    // Record timestamps are whole milliseconds.
    let pause = Duration::from_millis(20);
    std::thread::sleep(pause);
    let time = Timestamp::now().to_string();
    std::thread::sleep(pause);
    scenario.produce(&[after.as_slice(), &events].concat());
    scenario.start(&["--start-from", &time, "--exit-at-end"]).ends_with(0);
    // 100 runs of ten for 8 partitions.
    let from = ["--input-from", "130,130,130,130,120,120,120,120", "--expect-late", "none"];
    let report = scenario.json_report(&from);
    assert_eq!(report["ok"], true, "{report:#}");
    assert_eq!(report["counts"]["unseen"], 1_000, "{report:#}");
    assert_eq!(report["counts"]["processed"], 2_000, "{report:#}");
    // A committed offset beats it: nothing is read again from the start.
    scenario.start(&["--start-from", "earliest", "--exit-at-end"]).ends_with(0);
    let report = scenario.json_report(&from);
    assert_eq!((&report["ok"], &report["counts"]["processed"]), (&true.into(), &2_000.into()));
}
