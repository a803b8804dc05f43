//! Starting, stopping and being refused: what an operator meets.

use std::{fs, process::Command};

use crate::support::{Scenario, WITHOUT_TOPICS, free_port, get, wait_for_metric};

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn missing_topics_are_named_together_with_the_remedy() {
    let scenario = Scenario::new("missing");
    let mut running = scenario.start(&[WITHOUT_TOPICS]);
    running.ends_with(2);
    let log = running.log();
    for needle in ["topics missing", "input", "processed", "late", "--create-topics"] {
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
    assert!(log.contains("window") && log.contains("--state-dir"), "{log}");
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
    scenario.produce(&["--seed", "1", "--count", "1000"]);
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut running = scenario.start(&["--start-from", "latest", "--http", &address]);
    running.wait_for_line("reading");
    scenario.produce(&["--seed", "2", "--count", "500"]);
    wait_for_metric(&running, port, "logintide_events_in_total", |n| n >= 500.0);
    let health = get(port, "/healthz").expect("an answer");
    assert!(health.contains("\"healthy\":true"), "{health}");
    running.stop();
    scenario.start(&["--exit-at-end"]).ends_with(0);
    let report = scenario.json_report(&["--allow-incomplete"]);
    assert_eq!(report["counts"]["processed"], 500, "{report:#}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_lost_state_folder_is_said_and_its_windows_are_marked() {
    let scenario = Scenario::new("lost-state");
    let events =
        ["--start-time", "2024-06-01T00:00:00Z", "--events-per-second-of-event-time", "50"];
    scenario.produce(&[["--seed", "1", "--count", "5000"].as_slice(), &events].concat());
    scenario.start(&["--exit-at-end"]).ends_with(0);
    fs::remove_dir_all(scenario.state_dir()).expect("the folder was there");
    scenario.produce(&[["--seed", "2", "--count", "5000"].as_slice(), &events].concat());
    let mut running = scenario.start(&["--exit-at-end"]);
    running.ends_with(0);
    assert!(running.log().contains("marked incomplete"), "{}", running.tail());
    // Every event is processed once all the same.
    let report = scenario.verify(&["--allow-incomplete", "--allow-duplicates"]);
    println!("{report}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn state_show_prints_what_a_stopped_run_left_and_reset_clears_it() {
    let scenario = Scenario::new("state-show");
    scenario.produce(&["--count", "1000"]);
    scenario.start(&["--exit-at-end"]).ends_with(0);
    let state = scenario.state_dir();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_logintide"))
            .arg("state")
            .args(arguments)
            .arg("--state-dir")
            .arg(&state)
            .output()
            .expect("logintide runs");
        assert!(output.status.success(), "{}", crate::support::text(&output));
        crate::support::text(&output)
    };
    let shown = run(&["show"]);
    assert!(shown.contains(&scenario.topic("input")), "{shown}");
    run(&["reset", "--yes"]);
    let mut fresh = scenario.start(&["--exit-at-end"]);
    fresh.ends_with(0);
    assert!(fresh.log().contains("does not fit the committed offset"), "{}", fresh.tail());
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_second_signal_leaves_at_once() {
    let scenario = Scenario::new("signals");
    let nowhere = Scenario::on("signals", format!("127.0.0.1:{}", free_port()));
    drop(scenario);
    let mut running = nowhere.start(&[]);
    running.wait_for_line("no broker answers");
    running.signal("-INT");
    running.ends_with(0);
}
