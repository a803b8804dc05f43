//! How long output stands still while partitions change hands.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use logintide::ids::PartitionId;
use serde_json::Value;
use testkit::Scenario;

use super::super::group::Group;
use crate::faults::topics::read;

/// Number, partition and Kafka timestamp of every event of a topic that has a number.
fn numbered(scenario: &Scenario, topic: &str) -> Vec<(u64, PartitionId, i64)> {
    let mut events = Vec::new();
    read(scenario, topic, |record| {
        let value = serde_json::from_slice::<Value>(record.value.unwrap_or_default());
        if let Some(number) = value.ok().and_then(|value| value["event_no"].as_u64()) {
            events.push((number, record.partition, record.timestamp_ms));
        }
    });
    events
}

/// The longest time in which no enriched event of one input partition was written, by their Kafka
/// timestamps: before a moment, and from then on.
fn longest_pauses(scenario: &Scenario, moment_ms: i64) -> [Duration; 2] {
    let input = numbered(scenario, "input");
    let origin: BTreeMap<_, _> = input.iter().map(|(number, from, _)| (number, from)).collect();
    let mut written: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for (number, _, at_ms) in numbered(scenario, "processed") {
        written.entry(origin[&number]).or_default().push(at_ms);
    }
    let mut longest = [0, 0];
    for times in written.values_mut() {
        times.sort_unstable();
        for pair in times.windows(2) {
            let longest = &mut longest[usize::from(pair[1] >= moment_ms)];
            *longest = (pair[1] - pair[0]).max(*longest);
        }
    }
    longest.map(|ms| Duration::from_millis(ms as u64))
}

/// The longest pause of a partition from the change on, in a group of so many that is under way.
fn paused(
    count: usize,
    running: usize,
    flags: &[&str],
    change: impl FnOnce(&mut Group),
) -> Duration {
    let flags = [flags, &["--leave-on-stop"]].concat();
    let mut group = Group::new(Scenario::new("paused"), count, &flags);
    for number in 0..running {
        group.start(number);
    }
    group.all_go_on();
    let moment_ms = now_ms();
    change(&mut group);
    group.wait_for_all(8);
    group.all_go_on();
    group.is_exact();
    let [before, from_then] = longest_pauses(group.scenario(), moment_ms);
    println!("{running} of {count}: paused for {from_then:?}; before that for {before:?}");
    from_then
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.expect("the clock is right").as_millis() as i64
}

/// That of a group, unless a test says another one.
const SESSION: Duration = Duration::from_secs(6);
/// Far longer than a rebalance takes: no pause of these waits for its end.
const LONG_SESSION: &[&str] = &["--session-timeout", "30s"];

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn output_waits_for_no_session_when_an_instance_joins() {
    let pause = paused(2, 1, LONG_SESSION, |group| group.start(1));
    assert!(pause < Duration::from_secs(15), "{pause:?}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn output_waits_for_no_session_when_an_instance_leaves() {
    let pause = paused(2, 2, LONG_SESSION, |group| group.instances[0].stop());
    assert!(pause < Duration::from_secs(15), "{pause:?}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn output_waits_for_the_session_of_an_instance_that_is_killed() {
    let pause = paused(2, 2, &[], |group| group.instances[0].kill());
    // It ends a heartbeat before the kill at the earliest.
    assert!(pause > SESSION / 2 && pause < 3 * SESSION, "{pause:?}");
}
