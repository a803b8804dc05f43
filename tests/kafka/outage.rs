//! A broker that is away: a clear line, no exit, nothing lost. Uses a broker of its own.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use logintide::ids::PartitionId;
use logintide::kafka::{Admin, KafkaError, NewTopic, OutRecord, Producer};

use crate::client::support::{PATIENCE, client, flush, numbered, send_all, transactional_settings};
use crate::support::{Process, SOON, Scenario, free_port, text, wait_for_metric};

/// What `kafka-acls.sh` runs.
const ACL_TOOL: &str = "org.apache.kafka.tools.AclCommand";

/// A broker that this test may stop; ended when dropped.
struct OwnBroker {
    port: String,
    dir: tempfile::TempDir,
}

impl OwnBroker {
    fn new() -> Self {
        let port = free_port().to_string();
        Self { port, dir: tempfile::tempdir().expect("a temporary folder") }
    }

    fn script(&self, command: &str) {
        self.script_with(command, &[]);
    }

    fn script_with(&self, command: &str, rest: &[&str]) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka-local");
        let output = Command::new(script)
            .args([command, "--port", &self.port, "--dir"])
            .arg(self.dir.path())
            .args(rest)
            .stdin(Stdio::null())
            .output()
            .expect("scripts/kafka-local runs");
        assert!(output.status.success(), "{command}: {}", text(&output));
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        self.script("stop");
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_broker_that_comes_late_goes_and_returns_costs_nothing() {
    let broker = OwnBroker::new();
    let scenario = Scenario::on("outage", broker.address());
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut running = scenario.start(&["--http", &address]);
    running.wait_for_line("no broker answers");
    broker.script("start");
    running.wait_for_line("reading");
    let events = ["--seed", "71", "--count", "40000"];
    scenario.produce(&events);
    wait_for_metric(&running, port, "logintide_events_in_total", |n| n >= 40_000.0);
    broker.script("stop");
    std::thread::sleep(Duration::from_secs(5));
    broker.script("start");
    scenario.produce(&["--seed", "72", "--count", "40000"]);
    wait_for_metric(&running, port, "logintide_events_in_total", |n| n >= 80_000.0);
    let mut running: Process = running;
    running.signal("-TERM");
    let status = running.wait(SOON);
    assert!(status.success(), "{status}\n{}", running.tail());
    scenario.start(&["--exit-at-end"]).ends_with(0);
    // A rolled-back epoch may have been delivered before the broker went.
    println!("{}", scenario.verify(&["--allow-duplicates", "--expect-complete"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn transactional_calls_wait_for_the_broker_and_are_resumed() {
    let broker = OwnBroker::new();
    let settings = transactional_settings(&broker.address(), "sink", Duration::from_mins(1));
    let mut producer = Producer::new(&settings).expect("producer");
    let topic = producer.topic("output").expect("topic");
    let short = Duration::from_secs(1);
    for _ in 0..2 {
        let error = producer.init_transactions(short).expect_err("nobody answers");
        assert!(matches!(error, KafkaError::Timeout { .. }), "{error:?}");
        assert!(error.to_string().contains("refused"), "{error}");
    }
    broker.script("start");
    producer.init_transactions(PATIENCE).expect("resumed");
    let admin = Admin::new(&client(&broker.address(), &[])).expect("admin");
    let name = "output".to_owned();
    let new = NewTopic { name, partitions: 1, replication: 1, config: Vec::new() };
    admin.create_topics(&[new], PATIENCE).expect("topic");
    producer.begin_transaction().expect("begin");
    send_all(&producer, topic, 0, &numbered(0..10));
    flush(&producer);
    broker.script("stop");
    let values = numbered(10..20_010);
    let records = values.iter().map(|v| OutRecord { key: b"k", value: v.as_bytes() });
    assert_eq!(producer.send_batch(&topic, PartitionId(0), records).accepted, 20_000);
    let error = producer.abort_transaction(short).expect_err("nobody answers");
    assert!(matches!(error, KafkaError::Timeout { .. }), "{error:?}");
    broker.script("start");
    producer.abort_transaction(PATIENCE).expect("resumed");
    assert_eq!(producer.take_delivery_failures().count, 0);
    producer.begin_transaction().expect("begin");
    send_all(&producer, topic, 0, &numbered(0..10));
    flush(&producer);
    producer.commit_transaction(PATIENCE).expect("commit");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_missing_acl_is_told_apart_from_other_refusals() {
    const AUTHORIZER: &str =
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    const OPEN: &str = "allow.everyone.if.no.acl.found=true";
    let broker = OwnBroker::new();
    broker.script_with("start", &["--broker-config", AUTHORIZER, "--broker-config", OPEN]);
    let address = broker.address();
    let admin = Admin::new(&client(&address, &[])).expect("admin");
    for name in ["open", "closed"] {
        let new =
            NewTopic { name: name.to_owned(), partitions: 1, replication: 1, config: Vec::new() };
        admin.create_topics(&[new], PATIENCE).expect("topic");
    }
    let deny = |resource: [&str; 2], operation: &str| {
        let tool =
            [ACL_TOOL, "--bootstrap-server", &address, "--add", "--deny-principal", "User:*"];
        broker.script_with("exec", &[&tool[..], &["--operation", operation], &resource].concat());
    };
    deny(["--topic", "closed"], "DescribeConfigs");
    deny(["--transactional-id", "sink"], "Write");
    admin.topic_config(&["open"], PATIENCE).expect("no ACL, no refusal");
    let error = admin.topic_config(&["open", "closed"], PATIENCE).expect_err("denied");
    assert!(error.is_authorization() && error.to_string().contains("closed"), "{error:?}");
    let settings = transactional_settings(&address, "sink", Duration::from_mins(1));
    let producer = Producer::new(&settings).expect("producer");
    let error = producer.init_transactions(PATIENCE).expect_err("denied");
    assert!(error.is_fatal() && error.is_authorization(), "{error:?}");
}
