//! A cluster in which a run can never read: it says why, and is unhealthy, and goes on by itself
//! once the cause is gone. Uses brokers of its own.

use testkit::{Scenario, Served};

use crate::{check::exits, own_broker::OwnBroker};

const STALLS_SOON: [&str; 2] = ["--stall-timeout", "10s"];

/// Waits until the wait for this has been a stall for longer than twice the timeout, and the
/// process is still there.
fn stays_unhealthy(running: &mut Served, waiting: &str, cause: &str) {
    running.wait_for_line(cause);
    let stalled = format!("stalled (--stall-timeout), {waiting}: ");
    let began = std::time::Instant::now();
    // One every five seconds, the first at the timeout.
    while running.log().matches(&stalled).count() < 3 {
        assert!(running.ended().is_none(), "ended\n{}", running.tail());
        assert!(began.elapsed() < testkit::SOON, "{}", running.tail());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    running.wait_for("logintide_stalled", |n| n > 0.0);
    let health = running.get("/healthz").expect("an answer");
    assert!(health.contains(&format!("stalled: {waiting}")), "{health}");
    let status = running.get("/api/v1/status").expect("an answer");
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["snapshot"]["lag_records"], serde_json::Value::Null, "{status:#}");
    let log = running.log();
    let statistics: Vec<_> = log.lines().filter(|line| line.contains(" statistics ")).collect();
    let is_unknown = |line: &&str| line.contains(r#" lag="unknown""#);
    assert!(!statistics.is_empty() && statistics.iter().all(is_unknown), "{log}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_group_without_a_coordinator_is_said_and_unhealthy_until_there_is_one() {
    let mut broker = OwnBroker::new();
    broker.set("offsets.topic.replication.factor=3");
    broker.start();
    let scenario = Scenario::on("no-coordinator", broker.address());
    scenario.produce(&["--count", "1000"]);
    let cause = "offsets.topic.replication.factor=3, more than the number of running brokers (1)";
    let said = exits(&scenario.check_config(&[]), 2);
    assert!(said.contains(cause), "{said}");
    let mut running = scenario.serve(&STALLS_SOON);
    let waiting = "waiting for the consumer group to assign partitions";
    stays_unhealthy(&mut running, waiting, cause);
    broker.stop();
    broker.set("offsets.topic.replication.factor=1");
    broker.start();
    running.wait_for_events(1000.0);
    running.wait_for("logintide_ready", |n| n > 0.0);
    running.wait_for_line(" lag=0");
    running.stop();
    scenario.start(&["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete", "--expect-late", "none"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_transactional_id_that_cannot_be_registered_and_a_full_group_are_said() {
    let mut broker = OwnBroker::new();
    broker.set("transaction.state.log.replication.factor=3");
    broker.set("group.max.size=1");
    broker.start();
    let scenario = Scenario::on("no-transactions", broker.address());
    scenario.produce(&["--count", "1000"]);
    let mut running = scenario.serve(&STALLS_SOON);
    let waiting = "waiting for the transactional id to be registered";
    let cause =
        "transaction.state.log.replication.factor=3, more than the number of running brokers (1)";
    stays_unhealthy(&mut running, waiting, cause);
    let relaxed = ["--delivery", "at-least-once"];
    let mut second = scenario.start_group("group", "second", &relaxed);
    second.ends_with(1);
    let log = second.log();
    for part in ["GROUP_MAX_SIZE_REACHED", "group.max.size allows; stop one of them"] {
        assert!(log.contains(part), "{part}\n{log}");
    }
    let said =
        exits(&scenario.check_config(&[&relaxed[..], &["--instance-id", "other"]].concat()), 2);
    assert!(said.contains("the brokers' group.max.size=1, so the run cannot join"), "{said}");
    running.stop();
}
