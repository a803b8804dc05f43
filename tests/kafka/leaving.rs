//! What a stop does to an instance's place in the group.

use std::time::{Duration, Instant};

use testkit::{Scenario, Served};

use crate::members::{members, wait_until_stable};

/// Far longer than any of these tests: no place is lost because a session has ended.
const SESSION: &[&str] = &["--session-timeout", "5m", "-X", "transaction.timeout.ms=600000"];
/// How long the place of an instance that has left may still be seen.
const SOON_GONE: Duration = Duration::from_secs(2);

fn start(scenario: &Scenario, instance: &str, flags: &[&str]) -> Served {
    let own = ["--instance-id", instance];
    scenario.serve_group("group", instance, &[&own, SESSION, flags].concat())
}

fn stopped(running: Served) -> Instant {
    running.stop();
    Instant::now()
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_stop_keeps_the_place_unless_it_is_to_leave() {
    let scenario = Scenario::new("leave");
    scenario.produce(&["--count", "2000"]);
    let keeps = start(&scenario, "one", &[]);
    keeps.wait_for_events(2000.0);
    let gone = stopped(keeps);
    while gone.elapsed() < SOON_GONE {
        assert_eq!(members(&scenario), ["one"]);
    }
    let mut leaves = start(&scenario, "one", &["--leave-on-stop"]);
    leaves.wait_for_line(" reading partitions=");
    assert_eq!(members(&scenario), ["one"]);
    let gone = stopped(leaves);
    assert!(members(&scenario).is_empty());
    assert!(gone.elapsed() < SOON_GONE);
    // The end of a bounded run is a stop too.
    let flags = ["--instance-id", "one", "--exit-at-end", "--leave-on-stop"];
    scenario.start_group("group", "one", &[&flags, SESSION].concat()).ends_with(0);
    assert!(members(&scenario).is_empty());
    println!("{}", scenario.verify(&["--expect-complete"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn others_have_the_partitions_of_an_instance_that_leaves_at_once() {
    let scenario = Scenario::new("leave-others");
    scenario.produce(&["--count", "2000"]);
    let first = start(&scenario, "one", &["--leave-on-stop"]);
    let second = start(&scenario, "two", &["--leave-on-stop"]);
    wait_until_stable(&scenario, 2);
    for process in [&first, &second] {
        process.wait_for("logintide_assigned_partitions", |partitions| partitions == 4.0);
    }
    let gone = stopped(first);
    second.wait_for("logintide_assigned_partitions", |partitions| partitions == 8.0);
    println!("all partitions after {:?}", gone.elapsed());
    assert_eq!(members(&scenario), ["two"]);
    second.stop();
    assert!(members(&scenario).is_empty());
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_group_that_is_stopped_as_a_whole_is_left_by_all() {
    let scenario = Scenario::new("leave-all");
    scenario.produce(&["--count", "2000"]);
    let start = |instance| start(&scenario, instance, &["--leave-on-stop"]);
    let mut all = ["one", "two", "three"].map(start);
    wait_until_stable(&scenario, 3);
    // The leaving of one is a rebalance in the middle of which the others are to leave.
    all.iter().for_each(|process| process.signal("-TERM"));
    all.iter_mut().for_each(|process| process.ends_with(0));
    assert_eq!(members(&scenario), [""; 0]);
}
