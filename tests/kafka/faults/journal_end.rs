//! A journal that has lost its end, as after the election of a replica that was behind: the topic
//! is the same one, and what was committed last is not in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use testkit::Scenario;

use super::{
    fixed,
    journal::{Lost, only_named_windows_have_lost},
    topics::{events, newest_windows, recount},
};
use crate::{own_broker::OwnBroker, work::Work};

/// Minutes of event time, one after the other.
const PARTS: [&str; 3] = ["2024-06-01T00:00:00Z", "2024-06-01T00:01:00Z", "2024-06-01T00:02:00Z"];

/// Events of a part.
const EVENTS: usize = 30_000;

/// Sends a minute of events.
fn produce(scenario: &Scenario, part: usize) {
    let (seed, count) = (part.to_string(), EVENTS.to_string());
    let rate = ["--events-per-second-of-event-time", "500", "--start-time", PARTS[part]];
    scenario.produce(&[&["--seed", &seed, "--count", &count], rate.as_slice()].concat());
}

/// The folders of the journal's partitions.
fn logs(broker: &OwnBroker, scenario: &Scenario) -> Vec<PathBuf> {
    let name = format!("{}-", scenario.topic("group-journal"));
    let mut found = Vec::new();
    let mut folders = vec![broker.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                if entry.file_name().to_string_lossy().starts_with(&name) {
                    found.push(entry.path());
                }
            }
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

/// The journal as a stopped broker has it.
struct Journal {
    logs: Vec<PathBuf>,
    kept: tempfile::TempDir,
}

impl Journal {
    fn keep(broker: &OwnBroker, scenario: &Scenario) -> Self {
        let (logs, kept) = (logs(broker, scenario), tempfile::tempdir().expect("a folder"));
        assert_eq!(logs.len(), 8, "{logs:?}");
        for (number, log) in logs.iter().enumerate() {
            copy(log, &kept.path().join(number.to_string()));
        }
        Self { logs, kept }
    }

    /// Puts it back as it was.
    fn put_back(&self) {
        for (number, log) in self.logs.iter().enumerate() {
            fs::remove_dir_all(log).expect("a folder");
            copy(&self.kept.path().join(number.to_string()), log);
        }
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn lost_while_stopped_what_was_open_is_named_and_all_else_is_exact() {
    let broker = OwnBroker::new();
    broker.start();
    let scenario = Scenario::on("journal-end", broker.address());
    let read_part = |part: usize| {
        produce(&scenario, part);
        let running = fixed(&scenario);
        running.wait_for_events(EVENTS as f64);
        running.stop();
        broker.stop();
    };
    read_part(0);
    let journal = Journal::keep(&broker, &scenario);
    broker.start();
    read_part(1);
    journal.put_back();
    broker.start();
    let mut running = fixed(&scenario);
    running.wait_for_line("the journal has lost what was committed");
    // What is published by now stands; nothing new has closed yet.
    let before = newest_windows(&scenario);
    running.wait_for("logintide_journal_losses_total", |n| n >= 1.0);
    let lost = Lost::in_log(&running.log());
    running.stop();
    produce(&scenario, 2);
    scenario.start(&["--instance-id", "fixed", "--exit-at-end"]).ends_with(0);

    let processed = events(&scenario, "processed");
    assert_eq!(processed.len(), 3 * EVENTS, "every event exactly once");
    let (counted, late) = (recount(&processed), recount(&events(&scenario, "late")));
    let after = newest_windows(&scenario);
    only_named_windows_have_lost(&after, &counted, &late, &lost);
    for (start, window) in &before {
        assert!(after[start].total >= window.total, "{start}: {window:?}, {:?}", after[start]);
        let all = counted[start];
        assert_eq!(after[start].total + late.get(start).unwrap_or(&0), all, "published: {start}");
    }
    assert!(after.keys().any(|start| lost.is_before(*start)), "windows begun after: {after:?}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn lost_while_it_runs_the_process_writes_all_of_it_again() {
    let broker = OwnBroker::new();
    broker.start();
    let mut work = Work::begin(Scenario::on("journal-cut", broker.address()), 2_000, &[]);
    broker.stop();
    let journal = Journal::keep(&broker, &work.scenario);
    broker.start();
    work.goes_on();
    broker.stop();
    journal.put_back();
    broker.start();
    work.running.wait_for_line("this process remembers all of it");
    work.goes_on();
    work.drain_and_end();
}
