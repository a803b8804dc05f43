//! Instances are added, taken away and restarted while events come.

use testkit::{Instance, Scenario};

use super::group::{Group, goes_on};
use crate::members::wait_until_stable;

/// A restart takes less, however slow the machine is.
const LONG_SESSION: &[&str] = &["--session-timeout", "1m"];

/// From one to three and back to one.
fn scaled(name: &str, flags: &[&str]) {
    let mut group = Group::new(Scenario::new(name), 3, flags);
    for number in 0..3 {
        group.start(number);
        group.all_go_on();
    }
    // The two that came last.
    for number in [1, 2] {
        group.instances[number].stop();
    }
    group.wait_for_all(8);
    wait_until_stable(group.scenario(), 1);
    goes_on(&group.instances[0]);
    group.is_exact();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn instances_that_come_and_stop_change_no_result() {
    scaled("scaled", &[]);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn instances_that_come_and_leave_change_no_result() {
    scaled("scaled-left", &["--leave-on-stop"]);
}

/// How often an instance was given partitions.
fn assignments(instance: &Instance) -> Option<f64> {
    instance.served().metric("logintide_rebalances_total{kind=\"assigned\"}")
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn restarts_one_after_the_other_move_no_partition_and_change_no_result() {
    let mut group = Group::new(Scenario::new("rolling"), 3, &[]);
    for number in 0..3 {
        group.start_with(number, LONG_SESSION, &[]);
    }
    group.all_go_on();
    for restarted in 0..3 {
        let others: Vec<_> = (0..3).filter(|number| *number != restarted).collect();
        let given = |group: &Group| {
            others.iter().map(|other| assignments(&group.instances[*other])).collect::<Vec<_>>()
        };
        let before = given(&group);
        assert!(before.iter().all(Option::is_some), "{before:?}");
        group.instances[restarted].stop();
        group.start_with(restarted, LONG_SESSION, &[]);
        goes_on(&group.instances[restarted]);
        assert_eq!(given(&group), before, "the others were given partitions anew");
    }
    group.all_go_on();
    group.is_exact();
}
