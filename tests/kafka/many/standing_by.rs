//! More instances than partitions: one stands by.

use std::{collections::BTreeMap, time::Instant};

use testkit::{Instance, Scenario};

use super::group::{Group, LIVE, goes_on, status};
use crate::members::wait_until_so_many_have_partitions;

/// Revision and total of every window that an instance lists.
fn windows(instance: &Instance) -> BTreeMap<i64, (u64, u64)> {
    let answer = instance.served().api("windows?limit=380");
    let windows = answer["windows"].as_array().expect("a list").iter();
    let numbers = windows.map(|window| {
        let number = |name: &str| window[name].as_u64().expect("a number");
        (number("start_ms") as i64, (number("revision"), number("total_events")))
    });
    numbers.collect()
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
    for number in &readers {
        goes_on(&group.instances[*number]);
    }

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
    // What nobody can revise any more may be missing, but not be an older revision.
    testkit::until("each shows the windows of the group", || {
        let [of_reader, of_it] = [readers[1], by].map(|number| windows(&group.instances[number]));
        let shared = of_it.iter().filter_map(|(start, it)| Some((it, of_reader.get(start)?)));
        let (count, equal) =
            (shared.clone().count(), shared.clone().all(|(it, other)| it == other));
        (count > 0 && equal).then_some(())
    });
    group.is_exact();
}
