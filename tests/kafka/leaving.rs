//! What a stop does to an instance's place in the group.

use std::time::{Duration, Instant};

use testkit::{Instance, Scenario};

use crate::members::{members, wait_until_stable};

/// Far longer than any of these tests: no place is lost because a session has ended.
const SESSION: &[&str] = &["--session-timeout", "5m", "-X", "transaction.timeout.ms=600000"];
/// How long a place is looked at that is to stay.
const A_WHILE: Duration = Duration::from_secs(2);

fn start(scenario: &Scenario, instance: &mut Instance, flags: &[&str]) {
    instance.start(scenario, &[SESSION, flags].concat());
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_stop_keeps_the_place_unless_it_is_to_leave() {
    let scenario = Scenario::new("leave");
    scenario.produce(&["--count", "2000"]);
    let mut one = Instance::new("one");
    start(&scenario, &mut one, &[]);
    one.served().wait_for_events(2000.0);
    one.stop();
    let gone = Instant::now();
    while gone.elapsed() < A_WHILE {
        assert_eq!(members(&scenario), ["one"]);
    }
    start(&scenario, &mut one, &["--leave-on-stop"]);
    one.served_mut().wait_for_line(" reading partitions=");
    assert_eq!(members(&scenario), ["one"]);
    one.stop();
    assert_eq!(members(&scenario), [""; 0], "long before its session is over");
    // The end of a bounded run is a stop too.
    start(&scenario, &mut one, &["--exit-at-end", "--leave-on-stop"]);
    one.served_mut().ends_with(0);
    assert_eq!(members(&scenario), [""; 0]);
    println!("{}", scenario.verify(&["--expect-complete"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn others_have_the_partitions_of_an_instance_that_leaves_at_once() {
    let scenario = Scenario::new("leave-others");
    scenario.produce(&["--count", "2000"]);
    let [mut one, mut two] = ["one", "two"].map(Instance::new);
    for instance in [&mut one, &mut two] {
        start(&scenario, instance, &["--leave-on-stop"]);
    }
    wait_until_stable(&scenario, 2);
    one.stop();
    let gone = Instant::now();
    two.wait_for_partitions(8);
    println!("all partitions after {:?}", gone.elapsed());
    assert_eq!(members(&scenario), ["two"]);
    two.stop();
    assert_eq!(members(&scenario), [""; 0]);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_group_that_is_stopped_as_a_whole_is_left_by_all() {
    let scenario = Scenario::new("leave-all");
    scenario.produce(&["--count", "2000"]);
    let mut all = ["one", "two", "three"].map(Instance::new);
    for instance in &mut all {
        start(&scenario, instance, &["--leave-on-stop"]);
    }
    wait_until_stable(&scenario, 3);
    // The leaving of one is a rebalance in the middle of which the others are to leave.
    for instance in &all {
        instance.served().signal("-TERM");
    }
    for instance in &mut all {
        instance.served_mut().ends_with(0);
    }
    assert_eq!(members(&scenario), [""; 0]);
}
