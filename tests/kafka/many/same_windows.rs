//! The same events through one, two and four instances: the same results.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::{Instance, Scenario};

use crate::{
    faults::topics::{events, newest_windows, read, recount},
    members::wait_until_stable,
};

/// The same events each time: ten minutes of event time, more than the allowed lateness, none of
/// them behind the grace.
const ORDERLY: Wave = Wave { seed: "93", count: 30_000, start: "2024-11-02T15:00:01Z" };
/// After those, events of two minutes that are too late for their windows.
const TOO_LATE: Wave = Wave { seed: "94", count: 6_000, start: "2024-11-02T15:00:01Z" };
/// And events that revise theirs.
const LATE: Wave = Wave { seed: "95", count: 6_000, start: "2024-11-02T15:07:01Z" };

/// Many epochs, and no window closes because of a silence that a slow machine makes.
const FLAGS: &[&str] =
    &["--session-timeout", "1m", "--idle-timeout", "1h", "--commit-interval", "100ms"];

/// Events that are written at once.
struct Wave {
    seed: &'static str,
    count: u64,
    start: &'static str,
}

impl Wave {
    fn produce(&self, scenario: &Scenario) {
        let (count, rate) = (self.count.to_string(), "5000");
        let what = ["--seed", self.seed, "--count", &count, "--start-time", self.start];
        let how = ["--users", "2000", "--run-length", "20", "--rate", rate];
        let speed = ["--events-per-second-of-event-time", "50"];
        scenario.produce(&[&what[..], &how, &speed].concat());
    }
}

/// So many instances process the waves, one after the other, and start anew before each: what was
/// committed of one decides what is too late in the next. A bounded run of all of them closes the
/// last windows.
fn processed(count: usize, waves: &[Wave], judge: &[&str]) -> Scenario {
    let scenario = Scenario::new("same-windows");
    scenario.produce(&["--count", "0"]);
    let names = ["one", "two", "three", "four"];
    let mut instances: Vec<_> = names.into_iter().take(count).map(Instance::new).collect();
    let mut written = 0;
    for wave in waves {
        for instance in &mut instances {
            instance.start(&scenario, FLAGS);
        }
        wait_until_stable(&scenario, count);
        wave.produce(&scenario);
        written += wave.count;
        for instance in &instances {
            let served = instance.served();
            served.wait_for("logintide_events_in_total", |n| n > 0.0);
            served.until("all is read", || {
                let totals = &served.api("status")["snapshot"]["totals"];
                (totals["events_in"] == written).then_some(())
            });
        }
        instances.iter_mut().for_each(Instance::stop);
    }
    for instance in &mut instances {
        instance.start(&scenario, &[FLAGS, &["--exit-at-end"]].concat());
    }
    for instance in &mut instances {
        instance.served_mut().ends_with(0);
    }
    println!("{count}: {}", scenario.verify(&[&["--expect-complete"], judge].concat()));
    scenario
}

/// Every window's newest record, without what depends on when it was made.
fn records(scenario: &Scenario) -> BTreeMap<Vec<u8>, String> {
    let mut records = BTreeMap::new();
    read(scenario, "aggregated", |record| {
        let value = record.value.expect("a value");
        let mut value: Value = serde_json::from_slice(value).expect("JSON");
        let fields = value.as_object_mut().expect("an object");
        for made in ["revision", "current_time"] {
            assert!(fields.remove(made).is_some(), "{made}");
        }
        records.insert(record.key.expect("a key").to_vec(), value.to_string());
    });
    records
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn orderly_events_make_the_same_windows_in_one_two_and_four_instances() {
    let all = [1, 2, 4].map(|count| processed(count, &[ORDERLY], &["--expect-late", "none"]));
    let records = all.each_ref().map(records);
    assert!(records[0].len() >= 60, "{} windows", records[0].len());
    for (several, scenario) in records[1..].iter().zip(&all[1..]) {
        assert_eq!(&records[0], several);
        let revised = newest_windows(scenario).into_values().filter(|it| it.revision > 1).count();
        assert_eq!(revised, 0, "windows are revised although no event is behind the grace");
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn windows_and_late_events_together_are_the_same_in_one_two_and_four_instances() {
    let sums = [1, 2, 4].map(|count| {
        let waves = [ORDERLY, TOO_LATE, LATE];
        let scenario = processed(count, &waves, &["--expect-late", "some"]);
        let mut sums = recount(&events(&scenario, "late"));
        for (start, window) in newest_windows(&scenario) {
            *sums.entry(start).or_default() += window.total;
        }
        sums
    });
    assert!(sums[0].len() >= 60, "{} windows", sums[0].len());
    assert_eq!(sums[0], sums[1]);
    assert_eq!(sums[0], sums[2]);
}
