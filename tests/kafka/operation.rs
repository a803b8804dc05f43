//! Starting, stopping and being refused: what an operator meets.

use std::fs;

use testkit::{Scenario, Served, WITHOUT_TOPICS, free_port};

use crate::own_broker::OwnBroker;

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn missing_topics_are_named_together_with_the_remedy() {
    let scenario = Scenario::new("missing");
    let mut running = scenario.start(&[WITHOUT_TOPICS]);
    running.ends_with(2);
    let log = running.log();
    for needle in
        ["topics missing", "input", "processed", "late", "group-journal", "--create-topics"]
    {
        assert!(log.contains(needle), "{needle} is not in\n{log}");
    }
    assert!(!scenario.state_dir().join("db").exists(), "nothing was changed");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_state_folder_in_use_or_of_another_window_is_refused_by_name() {
    let scenario = Scenario::new("refused");
    scenario.produce(&["--count", "100"]);
    let mut first = scenario.start(&[]);
    first.wait_for_line("reading");
    let mut second = scenario.start(&[]);
    second.ends_with(2);
    assert!(second.log().contains("--state-dir"), "{}", second.tail());
    first.stop();
    let mut other_window = scenario.start(&["--window", "20s"]);
    other_window.ends_with(2);
    let log = other_window.log();
    assert!(log.contains("--window") && log.contains("--journal-topic"), "{log}");
    // And nothing was changed: the right window goes on.
    scenario.start(&["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_state_folder_that_cannot_be_written_is_refused() {
    let scenario = Scenario::new("unwritable");
    scenario.produce(&["--count", "10"]);
    fs::write(scenario.dir.path().join("file"), "in the way").expect("a file");
    let mut running = scenario.start_group("group", "file/state", &[]);
    running.ends_with(2);
    assert!(running.log().contains("--state-dir"), "{}", running.tail());
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn start_from_latest_reads_only_what_comes_and_marks_its_first_windows() {
    let scenario = Scenario::new("latest");
    let events = ["--events-per-second-of-event-time", "50", "--run-length", "10"];
    // 20 s of events that are there before, 40 s that come: both have events in one window.
    let before = ["--seed", "1", "--count", "1000", "--start-time", "2024-06-01T00:00:00Z"];
    let after = ["--seed", "2", "--count", "2000", "--start-time", "2024-06-01T00:00:15Z"];
    scenario.produce(&[before.as_slice(), &events].concat());
    let mut running = scenario.serve(&["--start-from", "latest"]);
    running.wait_for_line("reading");
    scenario.produce(&[after.as_slice(), &events].concat());
    running.wait_for_events(2_000.0);
    let health = running.get("/healthz").expect("an answer");
    assert!(health.contains("\"healthy\":true"), "{health}");
    running.stop();
    scenario.start(&["--exit-at-end"]).ends_with(0);
    // 100 runs of ten for 8 partitions.
    let report = scenario.json_report(&[
        "--input-from",
        "130,130,130,130,120,120,120,120",
        "--expect-late",
        "none",
    ]);
    assert_eq!(report["ok"], true, "{report:#}");
    assert_eq!(report["counts"]["unseen"], 1_000, "{report:#}");
    assert_eq!(report["counts"]["processed"], 2_000, "{report:#}");
    // From :10 to :20, with the first event of every partition; the other four miss nothing.
    assert_eq!(report["counts"]["windows_incomplete"], 1, "{report:#}");
    assert_eq!(report["counts"]["windows"], 5, "{report:#}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_lost_state_folder_costs_reading_and_nothing_else() {
    let scenario = Scenario::new("lost-state");
    let events =
        ["--start-time", "2024-06-01T00:00:00Z", "--events-per-second-of-event-time", "50"];
    scenario.produce(&[["--seed", "1", "--count", "5000"].as_slice(), &events].concat());
    // With a name of its own the next start need not wait until the group has forgotten this one.
    let end = ["--exit-at-end", "--instance-id", "one"];
    scenario.start(&end).ends_with(0);
    fs::remove_dir_all(scenario.state_dir()).expect("the folder was there");
    scenario.produce(&[["--seed", "2", "--count", "5000"].as_slice(), &events].concat());
    scenario.start(&end).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_signal_ends_the_wait_for_a_broker() {
    let nowhere = Scenario::on("nowhere", format!("127.0.0.1:{}", free_port()));
    let mut running = nowhere.start(&[]);
    running.wait_for_line("no broker answers");
    running.signal("-INT");
    running.ends_with(0);
}

/// Records in the topic of processed events; none as long as a topic is missing.
fn processed(scenario: &Scenario) -> u64 {
    let report: Option<serde_json::Value> =
        serde_json::from_slice(&scenario.verdict(&["--json"]).stdout).ok();
    report.and_then(|report| report["counts"]["processed"].as_u64()).unwrap_or(0)
}

/// Starts a processor that has read and sent 1 000 events and commits them after a minute, if
/// nothing ends the epoch before.
fn with_an_open_epoch(scenario: &Scenario) -> Served {
    scenario.produce(&["--seed", "61", "--count", "1000"]);
    let open = ["--delivery", "at-least-once", "--commit-interval", "60s"];
    let mut running = scenario.serve(&open);
    running.wait_for_line("reading");
    running.until("all events processed", || (processed(scenario) >= 1_000).then_some(()));
    running
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn sigint_with_an_open_epoch_commits_it_and_ends_with_0() {
    let scenario = Scenario::new("open-epoch");
    let mut running = with_an_open_epoch(&scenario);
    assert_eq!(running.metric("logintide_events_in_total"), Some(0.0), "still open");
    running.signal("-INT");
    running.ends_with(0);
    // Were it not committed, the next run would repeat every output.
    scenario.start(&["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete", "--expect-late", "none"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_second_signal_leaves_at_once() {
    for (second, code) in [("-INT", 130), ("-TERM", 143)] {
        let broker = OwnBroker::new();
        broker.start();
        let scenario = Scenario::on("signals", broker.address());
        let mut running = with_an_open_epoch(&scenario);
        // The open epoch can never be committed: the first signal does not end the process.
        broker.stop();
        assert_eq!(running.metric("logintide_events_in_total"), Some(0.0), "still open");
        running.signal("-INT");
        running.wait_for_line("finishing the open epoch");
        // Terminals and sessions send it along with another signal: it hurries nobody.
        running.signal("-HUP");
        running.signal("-USR1");
        running.wait_for_line("; source: ");
        running.signal(second);
        // An ordered stop, which has 10 s for its epoch, would end with another code.
        running.ends_with(code);
    }
}
