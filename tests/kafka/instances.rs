//! Several instances of one group: who reads what, and who goes on when one is lost.

use std::time::{Duration, Instant};

use testkit::{Instance, Scenario};

use crate::members::{members, wait_until_stable};

const EVENTS: &[&str] = &[
    "--seed",
    "83",
    "--count",
    "30000",
    "--rate",
    "2000",
    "--events-per-second-of-event-time",
    "300",
    "--share-late",
    "0.05",
    "--late-by",
    "30s",
];

/// The shortest session that brokers allow.
const SESSION: Duration = Duration::from_secs(6);
/// The group notices the end of a session at the next heartbeat of a member that lives, which then
/// joins anew.
const TAKEOVER: Duration = Duration::from_secs(3);

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn the_partitions_of_an_instance_that_is_lost_are_read_by_the_other_and_all_is_exact() {
    let scenario = Scenario::new("instances");
    let mut produced = scenario.producing(EVENTS);
    let flags = ["--session-timeout", "6s"];
    let [mut one, mut two] = ["one", "two"].map(Instance::new);
    for instance in [&mut one, &mut two] {
        instance.start(&scenario, &flags);
    }
    wait_until_stable(&scenario, 2);
    assert_eq!(members(&scenario), ["one", "two"]);
    for instance in [&one, &two] {
        instance.wait_for_partitions(4);
        instance.served().wait_for_events(1000.0);
    }
    two.kill();
    let lost = Instant::now();
    one.wait_for_partitions(8);
    println!("all partitions after {:?}", lost.elapsed());
    assert!(lost.elapsed() < SESSION + TAKEOVER, "{}", one.served().tail());
    wait_until_stable(&scenario, 1);
    produced.ends_with(0);
    one.stop();
    one.start(&scenario, &[&flags[..], &["--exit-at-end"]].concat());
    one.served_mut().ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
    let settled = scenario.settled_command().status().expect("loadgen runs");
    assert!(settled.success(), "an open transaction hides something");
}
