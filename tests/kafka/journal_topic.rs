//! The journal's topic: what a run creates, and what it refuses by name.

use logintide::kafka::{Admin, NewTopic, create_topics, find_topics, topic_config};
use testkit::{Scenario, WITHOUT_TOPICS, brokers};

use crate::{
    check::exits,
    client::support::{PATIENCE, client},
    topic_admin::delete_topics,
};

fn admin() -> Admin {
    Admin::new(&client(&brokers(), &[])).expect("admin")
}

/// Creates topics with settings.
fn create(topics: &[(&str, &[(&str, &str)])]) {
    let new = |(name, config): &(&str, &[(&str, &str)])| NewTopic {
        name: (*name).to_owned(),
        partitions: 1,
        replication: 1,
        config: config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    let new: Vec<_> = topics.iter().map(new).collect();
    create_topics(&admin(), &new, PATIENCE).expect("topics");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_created_journal_is_compacted_and_has_at_most_eight_partitions() {
    let admin = admin();
    for (partitions, expected) in [(12, 8), (3, 3)] {
        let scenario = Scenario::new("journal");
        let mut running = scenario.start(&["--partitions", &format!("{partitions}")]);
        running.wait_for_line("reading");
        running.stop();
        let journal = scenario.topic("group-journal");
        let found = find_topics(&admin, &[&journal], PATIENCE).expect("an answer");
        assert_eq!(found[0].partitions, Some(expected));
        let settings = topic_config(&admin, &[&journal], PATIENCE).expect("settings");
        for (name, value) in [
            ("cleanup.policy", "compact"),
            ("compression.type", "producer"),
            ("segment.bytes", "67108864"),
            ("segment.ms", "600000"),
            ("max.compaction.lag.ms", "1800000"),
            ("delete.retention.ms", "86400000"),
        ] {
            assert_eq!(settings[0].get(name).map(String::as_str), Some(value), "{name}");
        }
        // A check finds nothing wrong with what was created, and a start takes it as it is.
        let checked = exits(&scenario.check_config(&[WITHOUT_TOPICS]), 0);
        assert!(!checked.contains("--journal-topic"), "{checked}");
        scenario.start(&["--exit-at-end"]).ends_with(0);
        let names = ["input", "processed", "aggregated", "dead-letter", "late", "group-journal"];
        let names = names.map(|name| scenario.topic(name));
        delete_topics(&brokers(), &names.each_ref().map(String::as_str));
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_journal_that_would_lose_the_state_is_refused_with_the_remedy() {
    for (setting, value, said) in [
        ("cleanup.policy", "delete", "with cleanup.policy=delete it deletes the group's state"),
        ("cleanup.policy", "compact,delete", "with cleanup.policy=compact,delete it deletes"),
        ("max.message.bytes", "500000", "max.message.bytes=500000 is "),
    ] {
        let scenario = Scenario::new("journal-refused");
        let journal = scenario.topic("state");
        let compacted: &[_] = &[("cleanup.policy", "compact"), (setting, value)];
        let settings = if setting == "cleanup.policy" { &compacted[1..] } else { compacted };
        create(&[(&journal, settings)]);
        let flags = ["--journal-topic", &journal];
        let mut running = scenario.start(&flags);
        running.ends_with(2);
        let named = format!("topic {journal}: {said}");
        assert!(running.log().contains(&named), "{named}\n{}", running.tail());
        assert!(!scenario.state_dir().join("db").exists(), "nothing was changed");
        let checked = exits(&scenario.check_config(&flags), 2);
        let named = format!("topic {journal} (--journal-topic): {said}");
        assert!(checked.contains(&named), "{named}\n{checked}");
        if setting == "cleanup.policy" {
            let command = format!(
                "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics \
                 --entity-name {journal} --add-config cleanup.policy=compact",
                brokers()
            );
            assert!(running.log().contains(&command), "{command}\n{}", running.tail());
            assert!(checked.contains(&command), "{command}\n{checked}");
        }
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_journal_that_is_missing_is_named_with_the_command_that_creates_it() {
    let scenario = Scenario::new("journal-missing");
    scenario.produce(&["--count", "10"]);
    let names = ["processed", "aggregated", "dead-letter", "late"].map(|name| scenario.topic(name));
    create(&names.each_ref().map(|name| (name.as_str(), &[][..])));
    let mut running = scenario.start(&[WITHOUT_TOPICS]);
    running.ends_with(2);
    let journal = scenario.topic("group-journal");
    let command = format!(
        "kafka-topics.sh --bootstrap-server {} --create --topic {journal} --partitions 8 --config \
         cleanup.policy=compact --config ",
        brokers()
    );
    for part in [format!(": {journal}; create them, or add --create-topics"), command.clone()] {
        assert!(running.log().contains(&part), "{part}\n{}", running.tail());
    }
    let checked = exits(&scenario.check_config(&[WITHOUT_TOPICS]), 2);
    assert!(checked.contains("1 problem\n") && checked.contains(&command), "{checked}");
}
