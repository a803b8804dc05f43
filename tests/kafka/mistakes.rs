//! Deliberate mistakes that only a broker can answer, and what the program says to each.

use std::fs;

use logintide::{
    headers::HeaderBlock,
    kafka::{Admin, NewTopic, Producer, create_topics},
};
use testkit::{Process, Scenario, WITHOUT_TOPICS};

use crate::{
    client::support::{PATIENCE, client, flush, producer_settings},
    own_broker::OwnBroker,
};

#[path = "../mistakes/shown.rs"]
mod shown;

/// Waits for the end and compares what was said; librdkafka's own lines come at any time.
fn says(name: &str, scenario: &Scenario, mut running: Process, code: i32) {
    running.ends_with(code);
    let log = running.log();
    let own = log.lines().filter(|line| !line.contains("librdkafka"));
    let text: String = own.flat_map(|line| [line, "\n"]).collect();
    shown::assert_said(name, scenario.dir.path(), Some(code), &text);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn topics_that_are_missing() {
    let scenario = Scenario::new("mistake");
    let running = scenario.start(&[WITHOUT_TOPICS]);
    says("topics-missing", &scenario, running, 2);
}

/// A processor whose side topics are compacted works, until a record without a key is rejected.
#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_compacted_dead_letter_topic() {
    let scenario = Scenario::new("mistake");
    let admin = Admin::new(&client(scenario.brokers(), &[])).expect("admin");
    let topic = |name, config: &[(&str, &str)]| NewTopic {
        name: scenario.topic(name),
        partitions: 1,
        replication: 1,
        config: config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    let topics = [topic("input", &[]), topic("dead-letter", &[("cleanup.policy", "compact")])];
    create_topics(&admin, &topics, PATIENCE).expect("topics");
    let mut producer = Producer::new(&producer_settings(scenario.brokers())).expect("producer");
    let input = producer.topic(&scenario.topic("input")).expect("topic");
    producer
        .send_with_headers(&input, None, None, Some(b"no JSON"), HeaderBlock::default())
        .expect("accepted");
    flush(&producer);
    let mut running = scenario.start(&[]);
    running.ends_with(1);
    let dead_letter = scenario.topic("dead-letter");
    for part in [
        format!("topic {dead_letter}: with cleanup.policy=compact it refuses records without"),
        format!("a key: set cleanup.policy=delete for topic {dead_letter}, and start again"),
    ] {
        assert!(running.log().contains(&part), "{part}\n{}", running.tail());
    }
    assert!(!running.log().contains("max.message.bytes"), "{}", running.tail());
}

/// In a folder where nobody, not even root, can create one.
#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_state_folder_that_cannot_be_written() {
    let scenario = Scenario::new("mistake");
    fs::write(scenario.dir.path().join("file"), "in the way").expect("a file");
    let running = scenario.start_group("group", "file/state", &[]);
    says("state-folder-not-writable", &scenario, running, 2);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn too_many_copies_for_the_cluster() {
    let scenario = Scenario::new("mistake");
    let running = scenario.start(&["--replication", "90"]);
    says("too-many-copies", &scenario, running, 2);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_wrong_password_is_refused_and_the_right_one_is_taken_from_its_file() {
    let broker = OwnBroker::with_password("open-sesame");
    broker.start();
    let scenario = Scenario::through("mistake", broker.address(), broker.direct());
    scenario.produce(&["--count", "100"]);
    let password = scenario.dir.path().join("password");
    let of_file = format!("sasl.password.file={}", password.display());
    let flags = [
        "-Xsecurity.protocol=sasl_plaintext",
        "-Xsasl.mechanisms=PLAIN",
        "-Xsasl.username=logintide",
        "-X",
        &of_file,
        "--exit-at-end",
    ];
    fs::write(&password, "open-barley\n").expect("writable");
    let running = scenario.start(&flags);
    says("wrong-password", &scenario, running, 2);
    fs::write(&password, "open-sesame\n").expect("writable");
    let mut running = scenario.start(&flags);
    running.ends_with(0);
    assert!(!running.log().contains("sesame"), "{}", running.tail());
    println!("{}", scenario.verify(&["--expect-complete"]));
}
