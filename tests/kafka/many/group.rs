//! A group at work while something happens to its instances: events come in the background, and
//! at the end the judge counts.
//!
//! Holds: the instances that are there at the end read and close everything by themselves, and all
//! of them say so; then the judge must find nothing missing, doubled, wrong or hidden.

use std::time::Instant;

use serde_json::Value;
use testkit::{Instance, Process, Scenario, until};

use super::readable::wait_until_readable;
use crate::{faults::topics::log_ends, members::wait_until_stable};

/// The shortest session that brokers allow; windows that close while events come, and events that
/// are too late for theirs. All is closed soon after the last event.
const FLAGS: &[&str] = &[
    "--session-timeout",
    "6s",
    "--commit-interval",
    "200ms",
    "--window",
    "2s",
    "--grace",
    "1s",
    "--allowed-lateness",
    "20s",
    "--idle-timeout",
    "3s",
];
/// What the judge must know of them.
pub(crate) const JUDGED: &[&str] =
    &["--window", "2s", "--allowed-lateness", "20s", "--expect-complete"];

/// Events of now, until production ends.
pub(crate) const LIVE: &[&str] = &[
    "--rate",
    "1000",
    "--users",
    "500",
    "--run-length",
    "20",
    "--share-late",
    "0.05",
    "--late-by",
    "40s",
    "--share-poison",
    "0.01",
    "--share-odd",
    "0.05",
];

/// The instances of a group, not all of them running, and its events.
pub(crate) struct Group {
    scenario: Scenario,
    produced: Process,
    pub(crate) instances: Vec<Instance>,
    /// Of all instances, on top of `FLAGS`.
    flags: Vec<String>,
}

/// Flags, the first of them with values; of two with the same name the second one counts.
fn merged<'a>(first: &[&'a str], second: &[&'a str]) -> Vec<&'a str> {
    let stays = |pair: &&[&str]| !second.contains(&pair[0]);
    first.chunks(2).filter(stays).flatten().chain(second).copied().collect()
}

impl Group {
    /// Instances that do not run yet, and events that come.
    pub(crate) fn new(scenario: Scenario, count: usize, flags: &[&str]) -> Self {
        Self::with_events(scenario, count, LIVE, flags)
    }

    /// As `new`, with any flags of `loadgen produce`.
    pub(crate) fn with_events(
        scenario: Scenario,
        count: usize,
        produce: &[&str],
        flags: &[&str],
    ) -> Self {
        let produced = scenario.producing(&[&["--seed", "91"], produce].concat());
        let instances = ["one", "two", "three", "four"].into_iter().take(count).map(Instance::new);
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Self { scenario, produced, instances: instances.collect(), flags }
    }

    /// As `new`, with all instances running, and under way.
    pub(crate) fn begin(scenario: Scenario, count: usize, flags: &[&str]) -> Self {
        let mut group = Self::new(scenario, count, flags);
        group.start_all();
        group
    }

    pub(crate) fn start_all(&mut self) {
        for number in 0..self.instances.len() {
            self.start(number);
        }
        self.all_go_on();
    }

    pub(crate) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub(crate) fn start(&mut self, number: usize) {
        self.start_with(number, &[], &[]);
    }

    /// As `start`, with more flags, and variables of the environment.
    pub(crate) fn start_with(&mut self, number: usize, flags: &[&str], variables: &[(&str, &str)]) {
        let own: Vec<_> = self.flags.iter().map(String::as_str).collect();
        let all = merged(FLAGS, &[&own, flags].concat());
        self.instances[number].start_with(&self.scenario, &all, variables);
    }

    /// Those that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().filter(|instance| instance.is_running())
    }

    /// The number of the instance that reads input partition 0, and so makes the window records.
    pub(crate) fn merger(&self) -> usize {
        let owns = |instance: &Instance| {
            instance.is_running() && status(instance)["partitions"][0]["owned"] == true
        };
        until("a merger", || self.instances.iter().position(owns))
    }

    /// Waits until the group is stable with all that run, and each commits further events.
    pub(crate) fn all_go_on(&mut self) {
        wait_until_stable(&self.scenario, self.running().count());
        self.running().for_each(goes_on);
        let ended = self.produced.ended();
        assert!(ended.is_none(), "loadgen produce: {ended:?}\n{}", self.produced.tail());
    }

    /// Waits until those that run have so many partitions together.
    pub(crate) fn wait_for_all(&self, partitions: u32) {
        let running: Vec<_> = self.running().collect();
        wait_for_partitions(&running, partitions);
    }

    /// Waits until all but this one have so many partitions together, and each goes on.
    pub(crate) fn wait_for_others(&self, number: usize, partitions: u32) {
        let name = self.instances[number].name();
        let others: Vec<_> = self.running().filter(|it| it.name() != name).collect();
        wait_for_partitions(&others, partitions);
        others.into_iter().for_each(goes_on);
    }

    /// Waits until the others have the partitions of an instance that is lost, and everything that
    /// is written can be read. How soon that must be, the simulation judges by its own clock.
    pub(crate) fn is_taken_over(&self, lost: Instant, partitions: u32) {
        self.wait_for_all(partitions);
        println!("all partitions after {:?}", lost.elapsed());
        wait_until_readable(&self.scenario);
        println!("all can be read after {:?}", lost.elapsed());
        self.running().for_each(goes_on);
    }

    /// Production ends; waits until each instance shows that all is read and closed.
    pub(crate) fn drain(&mut self) {
        if self.produced.ended().is_none() {
            self.produced.signal("-TERM");
        }
        self.produced.ends_with(0);
        let sent: i64 = log_ends(&self.scenario, "input").values().map(|(_, end)| end).sum();
        for instance in self.running() {
            instance.served().until("all is read and closed", || {
                let status = status(instance);
                let read = status["totals"]["events_in"].as_i64() == Some(sent);
                (read && status["open_window_count"] == 0).then_some(())
            });
        }
    }

    /// Drains and stops those that run. The judge must find all of it exact.
    pub(crate) fn is_exact(&mut self) {
        self.is_exact_with(JUDGED);
    }

    /// As `is_exact`, with the judge's flags.
    pub(crate) fn is_exact_with(&mut self, judge: &[&str]) {
        self.drain();
        for instance in self.instances.iter_mut().filter(|instance| instance.is_running()) {
            instance.stop();
        }
        println!("{}", self.scenario.verify(judge));
        let settled = self.scenario.settled_command().status().expect("loadgen runs");
        assert!(settled.success(), "an open transaction hides something");
    }
}

fn wait_for_partitions(instances: &[&Instance], partitions: u32) {
    let owned = |instance: &&Instance| {
        instance.served().metric("logintide_assigned_partitions").unwrap_or_default()
    };
    until(&format!("{partitions} partitions are owned"), || {
        let all: f64 = instances.iter().map(owned).sum();
        (all as u32 == partitions).then_some(())
    });
}

/// The snapshot that an instance shows; null while it shows none.
pub(crate) fn status(instance: &Instance) -> Value {
    let answer = instance.served().get("/api/v1/status");
    let answer: Option<Value> = answer.and_then(|text| serde_json::from_str(&text).ok());
    answer.map(|mut answer| answer["snapshot"].take()).unwrap_or_default()
}

/// Waits until an instance has committed further events.
pub(crate) fn goes_on(instance: &Instance) {
    let name = "logintide_events_in_total";
    let before = instance.served().metric(name).unwrap_or_default();
    instance.served().wait_for(name, |n| n > before);
}
