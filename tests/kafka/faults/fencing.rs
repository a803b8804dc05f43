//! A process that somebody has replaced stops, says who it was, and nothing is doubled.

use std::time::{Duration, Instant};

use testkit::{Process, Scenario, free_port, wait_for_metric};

use super::{SMALL, joined, topics};

/// The group gives a silent member up after six seconds, the shortest that brokers allow; the
/// broker ends a silent transaction after ten.
const QUICK: &[&str] = &[
    "-X",
    "session.timeout.ms=6000",
    "-X",
    "heartbeat.interval.ms=1000",
    "-X",
    "transaction.timeout.ms=10000",
    "-X",
    "message.timeout.ms=8000",
    "-X",
    "socket.timeout.ms=8000",
];

/// Longer than the session timeout.
const STOP: Duration = Duration::from_secs(9);

/// Longer than any transaction lasts.
const LONG_STOP: Duration = Duration::from_secs(25);

/// A process with a name and a folder of its own, in the middle of its work.
struct Member {
    process: Process,
    port: u16,
}

impl Member {
    fn start(scenario: &Scenario, instance: &str, state: &str) -> Self {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let own = ["--instance-id", instance, "--http", &address, "--commit-interval", "100ms"];
        let process = scenario.start_group("group", state, &joined(&[&own, QUICK]));
        Self { process, port }
    }

    fn wait_for_epochs(&self, least: f64) {
        let name = "logintide_epochs_committed_total";
        wait_for_metric(&self.process, self.port, name, |n| n >= least);
    }

    /// The end of a process that was replaced.
    fn ends_fenced(mut self, name: &str) {
        self.process.ends_with(1);
        let log = self.process.log();
        let error = log.lines().rev().find(|line| line.contains("fenced"));
        let error = error.unwrap_or_else(|| panic!("not fenced:\n{}", self.process.tail()));
        println!("{error}");
        assert!(error.contains(name), "{name} is not named:\n{}", self.process.tail());
    }
}

/// All of the input is processed by whom is left, and the judge finds nothing.
fn finish(scenario: &Scenario, mut produced: Process, last: Member, instance: &str, state: &str) {
    produced.ends_with(0);
    last.process.stop();
    let own = ["--instance-id", instance, "--exit-at-end"];
    scenario.start_group("group", state, &joined(&[&own, QUICK])).ends_with(0);
    println!("{}", scenario.verify(&joined(&[SMALL, &["--expect-complete"]])));
}

/// Stops the first process for this long, while the second takes over.
fn taken_over_while_stopped(
    scenario: &Scenario,
    first: &Member,
    second: &str,
    stop: Duration,
) -> Member {
    first.wait_for_epochs(3.0);
    first.process.signal("-STOP");
    let stopped = Instant::now();
    let before = topics::committed(scenario);
    let end: i64 = topics::log_ends(scenario, "input").values().map(|(_, high)| high).sum();
    let reached: i64 = before.values().map(|(offset, _)| offset).sum();
    assert!(reached > 0, "the first process was in the middle of its work, at {reached} of {end}");
    let second = Member::start(scenario, second, "second");
    second.wait_for_epochs(1.0);
    std::thread::sleep(stop.saturating_sub(stopped.elapsed()));
    first.process.signal("-CONT");
    second
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn stopped_and_replaced_under_the_same_instance_id() {
    let scenario = Scenario::new("fenced-same");
    let produced = scenario.producing(&joined(&[SMALL, &["--rate", "1500"]]));
    let first = Member::start(&scenario, "one", "first");
    let second = taken_over_while_stopped(&scenario, &first, "one", STOP);
    first.ends_fenced("one");
    finish(&scenario, produced, second, "one", "second");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn stopped_and_replaced_under_another_instance_id() {
    let scenario = Scenario::new("fenced-other");
    let produced = scenario.producing(&joined(&[SMALL, &["--rate", "1500"]]));
    let first = Member::start(&scenario, "one", "first");
    let second = taken_over_while_stopped(&scenario, &first, "two", STOP);
    first.ends_fenced("two");
    finish(&scenario, produced, second, "two", "second");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_process_that_wakes_late_does_not_fence_the_one_that_has_replaced_it() {
    let scenario = Scenario::new("fenced-late");
    let produced = scenario.producing(&joined(&[SMALL, &["--rate", "1500"]]));
    let first = Member::start(&scenario, "one", "first");
    let second = taken_over_while_stopped(&scenario, &first, "one", LONG_STOP);
    first.ends_fenced("one");
    // `finish` stops it in order: it has not been fenced.
    finish(&scenario, produced, second, "one", "second");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn started_twice_by_mistake_under_the_same_instance_id() {
    let scenario = Scenario::new("fenced-twice");
    let produced = scenario.producing(&joined(&[SMALL, &["--rate", "1500"]]));
    let first = Member::start(&scenario, "one", "first");
    first.wait_for_epochs(3.0);
    let second = Member::start(&scenario, "one", "second");
    first.ends_fenced("one");
    second.wait_for_epochs(1.0);
    finish(&scenario, produced, second, "one", "second");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn stopped_for_longer_than_its_transaction_may_last_and_replaced_by_nobody_it_goes_on() {
    let scenario = Scenario::new("fenced-nobody");
    let produced = scenario.producing(&joined(&[SMALL, &["--rate", "1500"]]));
    let mut member = Member::start(&scenario, "one", "first");
    member.wait_for_epochs(3.0);
    member.process.signal("-STOP");
    let before = topics::committed(&scenario);
    std::thread::sleep(LONG_STOP);
    member.process.signal("-CONT");
    // Its partitions, its transaction or both.
    member.process.wait_for_line("rolled back");
    member.wait_for_epochs(6.0);
    assert!(before != topics::committed(&scenario), "it goes on\n{}", member.process.tail());
    finish(&scenario, produced, member, "one", "first");
}
