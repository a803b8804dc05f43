//! A journal that is deleted: said, named, and nothing that was published gets smaller.

use std::collections::BTreeMap;

use logintide::kafka::{NewTopic, create_topics};
use testkit::Scenario;

use super::{
    fixed, fixed_with,
    topics::{WINDOW_S, Window, admin, events, newest_windows, recount},
};
use crate::{client::support::PATIENCE, topic_admin};

/// Half a minute of events that come as they are made.
const LIVE: [&str; 8] = [
    "--seed",
    "44",
    "--count",
    "60000",
    "--events-per-second-of-event-time",
    "500",
    "--rate",
    "2000",
];

/// Deletes the journal of the scenario's group, and makes a new one.
fn delete_journal(scenario: &Scenario) {
    let name = scenario.topic("group-journal");
    topic_admin::delete_topics(scenario.brokers(), &[&name]);
    let config = vec![("cleanup.policy".to_owned(), "compact".to_owned())];
    let topic = NewTopic { name, partitions: 8, replication: 1, config };
    create_topics(&admin(scenario), &[topic], PATIENCE).expect("created");
}

/// The windows that a process has named: they may have lost counts.
#[derive(Debug)]
pub(super) struct Lost(std::ops::Range<i64>);

impl Lost {
    /// What the line says that a log has about them.
    pub(super) fn in_log(log: &str) -> Self {
        let line = log.lines().find(|line| line.contains("lost_until_ms=")).expect("a line");
        println!("{line}");
        let lost = window_in(line, "lost_from_ms")..window_in(line, "lost_until_ms");
        assert!((lost.end - lost.start) / WINDOW_S < 60, "not everything is named: {lost:?}");
        Self(lost)
    }

    /// Whether a window begins behind all of them.
    pub(super) fn is_before(&self, start: i64) -> bool {
        start >= self.0.end
    }
}

/// A number that a line of a log has, in milliseconds, as a window's start.
fn window_in(line: &str, name: &str) -> i64 {
    let (_, value) = line.split_once(&format!("{name}=")).expect("it is named");
    let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<i64>().expect("a number") / 1000
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn deleted_while_stopped_what_was_open_is_named_and_all_else_is_exact() {
    let scenario = Scenario::new("journal-deleted");
    let mut produced = scenario.producing(&LIVE);
    let running = fixed(&scenario);
    running.wait_for("logintide_window_records_total", |n| n >= 3.0);
    running.stop();
    let before = newest_windows(&scenario);
    delete_journal(&scenario);

    let mut running = fixed(&scenario);
    running.wait_for_line("the journal has lost what was committed");
    running.wait_for("logintide_journal_losses_total", |n| n >= 1.0);
    let lost = Lost::in_log(&running.log());
    produced.ends_with(0);
    running.stop();
    scenario.start(&["--instance-id", "fixed", "--exit-at-end"]).ends_with(0);

    let processed = events(&scenario, "processed");
    assert_eq!(processed.len(), 60_000, "every event exactly once");
    let (counted, late) = (recount(&processed), recount(&events(&scenario, "late")));
    let after = newest_windows(&scenario);
    only_named_windows_have_lost(&after, &counted, &late, &lost);
    for (start, window) in &before {
        assert!(after[start].total >= window.total, "{start}: {window:?}, {:?}", after[start]);
    }
    assert!(after.keys().any(|start| lost.is_before(*start)), "windows begun after: {after:?}");
}

/// Total and late records are a recount of the input, but for the windows of this time.
pub(super) fn only_named_windows_have_lost(
    windows: &BTreeMap<i64, Window>,
    counted: &BTreeMap<i64, u64>,
    late: &BTreeMap<i64, u64>,
    lost: &Lost,
) {
    for (start, all) in counted {
        let total = windows.get(start).map_or(0, |window| window.total);
        let found = total + late.get(start).unwrap_or(&0);
        let is_named = lost.0.contains(start);
        assert!(found == *all || is_named && found < *all, "{start}: {found} of {all}, {lost:?}");
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn deleted_while_it_runs_the_process_writes_all_of_it_again() {
    let scenario = Scenario::new("journal-gone");
    let mut produced = scenario.producing(&LIVE);
    let look_often = ["-X", "topic.metadata.refresh.interval.ms=1000"];
    let mut running = fixed_with(&scenario, "state", &look_often);
    running.wait_for("logintide_window_records_total", |n| n >= 3.0);
    delete_journal(&scenario);
    running.wait_for_line("this process remembers all of it");
    let epochs = running.metric("logintide_epochs_committed_total").unwrap_or_default();
    running.wait_for("logintide_epochs_committed_total", |n| n > epochs + 2.0);
    running.kill();
    // The next one has only what was written again.
    let running = fixed(&scenario);
    running.wait_for_epochs(1.0);
    produced.ends_with(0);
    running.stop();
    scenario.start(&["--instance-id", "fixed", "--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
}
