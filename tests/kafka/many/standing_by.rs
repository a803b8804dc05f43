//! More instances than partitions: one stands by.

use std::time::Instant;

use serde_json::Value;
use testkit::{Instance, Scenario};

use super::group::{Group, JUDGED, LIVE, goes_on, status};
use crate::members::wait_until_so_many_have_partitions;

/// Windows as an instance lists them.
fn windows(instance: &Instance) -> Value {
    instance.served().api("windows?limit=380")["windows"].clone()
}

fn has_partitions(instance: &Instance) -> bool {
    instance.served().metric("logintide_assigned_partitions").is_some_and(|n| n > 0.0)
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_instance_without_partitions_is_ready_shows_everything_and_takes_over() {
    let scenario = Scenario::new("standing-by");
    let events = [LIVE, &["--create-topic", "2"]].concat();
    let mut group = Group::with_events(scenario, 3, &events, &[]);
    (0..3).for_each(|number| group.start(number));
    wait_until_so_many_have_partitions(group.scenario(), 3, 2);
    group.wait_for_all(2);
    let by = group.instances.iter().position(|instance| !has_partitions(instance));
    let by = by.expect("one has no partition");
    let readers: Vec<_> = (0..3).filter(|number| *number != by).collect();
    readers.iter().for_each(|number| goes_on(&group.instances[*number]));

    let standing = group.instances[by].served();
    let ready = standing.until("it is ready", || {
        standing.get("/readyz").filter(|answer| answer.contains("\"ready\":true"))
    });
    assert!(ready.contains("\"assigned_partitions\":0"), "{ready}");
    assert!(standing.get("/").is_some_and(|page| page.contains("<html")), "a dashboard");
    // What it shows grows with what the others read.
    let read = || status(&group.instances[by])["totals"]["events_in"].as_u64();
    let before = read().expect("it shows totals");
    standing.until("its totals grow", || (read() > Some(before)).then_some(()));

    let lost = Instant::now();
    group.instances[readers[0]].kill();
    group.is_taken_over(lost, 2);
    assert!(has_partitions(&group.instances[by]));
    group.drain();
    let [of_reader, of_it] = [readers[1], by].map(|number| windows(&group.instances[number]));
    assert!(of_it.as_array().is_some_and(|windows| !windows.is_empty()), "{of_it}");
    assert_eq!(of_reader, of_it, "each shows the windows of the group");
    group.is_exact_with(JUDGED);
}
