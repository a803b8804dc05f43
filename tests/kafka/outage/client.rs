//! The client against brokers of its own: away, back again, and with an authorizer.

use std::time::Duration;

use logintide::{
    ids::PartitionId,
    kafka::{
        Admin, KafkaError, NewTopic, OutRecord, Producer, commit_metadata, create_topics,
        describe_group, topic_config,
    },
};

use crate::{
    client::support::{PATIENCE, client, flush, numbered, send_all, transactional_settings, until},
    own_broker::OwnBroker,
};

/// What `kafka-acls.sh` runs.
const ACL_TOOL: &str = "org.apache.kafka.tools.AclCommand";

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn transactional_calls_wait_for_the_broker_and_are_resumed() {
    let broker = OwnBroker::new();
    let settings = transactional_settings(&broker.address(), "sink", Duration::from_mins(1));
    let mut producer = Producer::new(&settings).expect("producer");
    let topic = producer.topic("output").expect("topic");
    let short = Duration::from_secs(1);
    for _ in 0..2 {
        let error = producer.transactions().init(short).expect_err("nobody answers");
        assert!(matches!(error, KafkaError::Timeout { .. }), "{error:?}");
        assert!(error.to_string().contains("refused"), "{error}");
    }
    broker.start();
    producer.transactions().init(PATIENCE).expect("resumed");
    let admin = Admin::new(&client(&broker.address(), &[])).expect("admin");
    let name = "output".to_owned();
    let new = NewTopic { name, partitions: 1, replication: 1, config: Vec::new() };
    create_topics(&admin, &[new], PATIENCE).expect("topic");
    producer.transactions().begin().expect("begin");
    send_all(&producer, topic, 0, &numbered(0..10));
    flush(&producer);
    broker.stop();
    let values = numbered(10..20_010);
    let records =
        values.iter().map(|v| OutRecord { key: b"k", value: v.as_bytes(), ..OutRecord::default() });
    assert_eq!(producer.send_batch(&topic, PartitionId(0), records).accepted, 20_000);
    let error = producer.transactions().abort(short).expect_err("nobody answers");
    assert!(matches!(error, KafkaError::Timeout { .. }), "{error:?}");
    broker.start();
    producer.transactions().abort(PATIENCE).expect("resumed");
    assert_eq!(producer.take_delivery_failures().count, 0);
    producer.transactions().begin().expect("begin");
    send_all(&producer, topic, 0, &numbered(0..10));
    flush(&producer);
    producer.transactions().commit(PATIENCE).expect("commit");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_missing_acl_is_told_apart_from_other_refusals() {
    const AUTHORIZER: &str =
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    const OPEN: &str = "allow.everyone.if.no.acl.found=true";
    let mut broker = OwnBroker::new();
    broker.set(AUTHORIZER);
    broker.set(OPEN);
    broker.start();
    let address = broker.address();
    let admin = Admin::new(&client(&address, &[])).expect("admin");
    for name in ["open", "closed"] {
        let new =
            NewTopic { name: name.to_owned(), partitions: 1, replication: 1, config: Vec::new() };
        create_topics(&admin, &[new], PATIENCE).expect("topic");
    }
    let deny = |resource: [&str; 2], operation: &str| {
        let tool =
            [ACL_TOOL, "--bootstrap-server", &address, "--add", "--deny-principal", "User:*"];
        broker.script("exec", &[&tool[..], &["--operation", operation], &resource].concat());
    };
    deny(["--topic", "closed"], "DescribeConfigs");
    deny(["--transactional-id", "sink"], "Write");
    topic_config(&admin, &["open"], PATIENCE).expect("no ACL, no refusal");
    let error = topic_config(&admin, &["open", "closed"], PATIENCE).expect_err("denied");
    assert!(error.is_authorization() && error.to_string().contains("closed"), "{error:?}");
    let settings = transactional_settings(&address, "sink", Duration::from_mins(1));
    let producer = Producer::new(&settings).expect("producer");
    let error = producer.transactions().init(PATIENCE).expect_err("denied");
    assert!(error.is_fatal() && error.is_authorization(), "{error:?}");
}

/// librdkafka aborts the process when a coordinator comes back for whom a question has waited that
/// it has given up meanwhile (confluentinc/librdkafka#4605).
#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_coordinator_that_comes_back_after_a_question_was_given_up_ends_no_process() {
    const SOON: Duration = Duration::from_millis(300);
    const LATER: Duration = Duration::from_secs(3);
    let broker = OwnBroker::new();
    broker.start();
    let admin = Admin::new(&client(&broker.address(), &[])).expect("admin");
    let group = "nobodys";
    until("the coordinator answers", || describe_group(&admin, group, LATER).ok());
    for _ in 0..3 {
        broker.kill();
        for _ in 0..3 {
            describe_group(&admin, group, SOON).expect_err("nobody answers");
            commit_metadata(&admin, group, SOON).expect_err("nobody answers");
        }
        broker.start();
        until("the coordinator answers", || describe_group(&admin, group, LATER).ok());
        until("the coordinator answers", || commit_metadata(&admin, group, LATER).ok());
    }
}
