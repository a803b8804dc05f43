//! `logintide state` on a real broker: what it shows of a group, and what is gone afterwards.

use std::process::{Command, Output, Stdio};

use logintide::kafka::{Admin, ClientSettings, delete_group};
use serde_json::Value;
use testkit::{Scenario, text};

use crate::client::support::{PATIENCE, until};

/// `logintide state` with the scenario's group, topic and folder, unless the flags name others.
fn state(scenario: &Scenario, action: &str, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logintide"));
    command.args(["state", action, "--brokers", scenario.brokers()]);
    let folder = scenario.state_dir();
    let (group, input) = (scenario.topic("group"), scenario.topic("input"));
    let folder = folder.to_str().expect("UTF-8");
    for (flag, value) in
        [("--group-id", &*group), ("--input-topic", &input), ("--state-dir", folder)]
    {
        if !flags.contains(&flag) {
            command.args([flag, value]);
        }
    }
    command.args(flags);
    command.stdin(Stdio::null()).output().expect("logintide runs")
}

/// What a command says that succeeds.
fn done(scenario: &Scenario, action: &str, flags: &[&str]) -> String {
    let output = state(scenario, action, flags);
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What a command says that is refused.
fn refused(scenario: &Scenario, action: &str, flags: &[&str]) -> String {
    let output = state(scenario, action, flags);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(output.stdout.is_empty(), "{}", text(&output));
    text(&output)
}

fn json(scenario: &Scenario, flags: &[&str]) -> Value {
    let shown = done(scenario, "show", &[&["--json"], flags].concat());
    serde_json::from_str(&shown).expect("JSON")
}

/// A group that has read 1 000 events to their end, under one name.
fn after_a_run(name: &str) -> Scenario {
    let scenario = Scenario::new(name);
    scenario.produce(&["--count", "1000"]);
    run(&scenario);
    scenario
}

/// Flags of an instance that is no member any more soon after it has stopped.
const ONE: &[&str] = &["--instance-id", "one", "--session-timeout", "6s"];

/// Reads to the end. Returns the log.
fn run(scenario: &Scenario) -> String {
    let mut running = scenario.start(&[&["--exit-at-end"], ONE].concat());
    running.ends_with(0);
    running.log()
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn show_prints_the_journal_and_the_copy_of_a_group() {
    let scenario = after_a_run("state-show");
    let report = json(&scenario, &[]);
    assert_eq!(report["identity"]["group_id"], scenario.topic("group"), "{report:#}");
    assert_eq!(report["identity"]["input_topic"], scenario.topic("input"), "{report:#}");
    assert_eq!(report["totals"]["in"], 1000, "{report:#}");
    let rows = report["partitions"].as_array().expect("rows");
    assert_eq!(rows.len(), 8, "{report:#}");
    for row in rows {
        assert_eq!(
            (&row["commit"], &row["stream"]),
            (&"agrees".into(), &"whole".into()),
            "{row:#}"
        );
        assert_eq!(row["committed_offset"], row["head"]["next_offset"], "{row:#}");
        assert_eq!(row["head"]["writer"], "one", "{row:#}");
    }
    let merger = &report["merger"];
    assert_eq!(merger["announced_partitions"], 8, "{merger:#}");
    assert!(merger["epoch"].as_u64() > Some(0), "{merger:#}");
    assert_eq!((&report["hidden_offsets"], &report["unknown_records"]), (&0.into(), &0.into()));
    let shown = done(&scenario, "show", &[]);
    assert!(shown.starts_with(&format!("journal      {}", scenario.topic("group-journal"))));
    assert!(shown.contains("\nrecords      1000 in, "), "{shown}");
    assert!(shown.contains("\nbegun        2"), "{shown}");
    // The copy is as new as what the run had followed: it need not have seen its own last epoch.
    let copy = json(&scenario, &["--offline"]);
    assert_eq!((&copy["source"]["kind"], &copy["identity"]), (&"copy".into(), &report["identity"]));
    let epochs = |report: &Value| -> Vec<_> {
        let rows = report["partitions"].as_array().expect("rows").iter();
        rows.map(|row| row["head"]["epoch"].as_u64()).collect()
    };
    let (copied, committed) = (epochs(&copy), epochs(&report));
    assert!(copied.iter().zip(&committed).all(|(copied, committed)| copied <= committed));
    assert_eq!(copied.len(), 8, "{copy:#}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_group_at_work_is_shown_and_not_cleared() {
    let scenario = after_a_run("state-at-work");
    let running = scenario.serve(ONE);
    running.wait_for_epochs(1.0);
    scenario.produce(&["--count", "1000", "--seed", "7"]);
    running.wait_for_events(1000.0);
    let report = json(&scenario, &[]);
    assert_eq!(report["totals"]["in"], 2000, "{report:#}");
    let rows = report["partitions"].as_array().expect("rows");
    assert!(rows.iter().all(|row| row["commit"] == "agrees"), "{report:#}");
    for (action, flags) in [("show", &["--offline"][..]), ("reset", &["--yes"])] {
        let error = refused(&scenario, action, flags);
        let pid = format!("is in use by process {}", running.pid());
        assert!(error.contains(&pid), "{error}");
    }
    let error = refused(&scenario, "reset", &["--journal", "--yes", "--state-dir", "/nowhere"]);
    assert!(
        error.contains("has members: ") && error.contains("(instance id one); stop"),
        "{error}"
    );
    assert_eq!(json(&scenario, &[])["totals"], report["totals"], "nothing was removed");
    running.stop();
    // Meanwhile the copy has what was read.
    assert_eq!(json(&scenario, &["--offline"])["totals"], report["totals"]);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn what_is_not_the_groups_journal_is_refused_by_name() {
    let scenario = after_a_run("state-other");
    let (journal, input) = (scenario.topic("group-journal"), scenario.topic("input"));
    let missing = refused(&scenario, "show", &["--journal-topic", "nowhere"]);
    assert!(missing.contains("'nowhere' (--journal-topic) does not exist on"), "{missing}");
    for (action, more) in [("show", &[][..]), ("reset", &["--journal", "--yes"])] {
        let refused = |flags: &[&str]| refused(&scenario, action, &[flags, more].concat());
        let foreign = refused(&["--journal-topic", &input]);
        assert!(foreign.contains("is not the journal of a group"), "{foreign}");
        let other_input = refused(&["--input-topic", "elsewhere"]);
        assert!(other_input.contains("another input topic (--input-topic)"), "{other_input}");
        let other_group = refused(&["--group-id", "someone-else", "--journal-topic", &journal]);
        assert!(other_group.contains("another consumer group (--group-id)"), "{other_group}");
    }
    assert_eq!(json(&scenario, &[])["totals"]["in"], 1000, "nothing was removed");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_copy_that_was_removed_is_read_from_the_journal() {
    let scenario = after_a_run("state-reset-copy");
    let removed = done(&scenario, "reset", &["--yes"]);
    assert!(removed.starts_with("removed ") && !scenario.state_dir().join("journal").exists());
    scenario.produce(&["--count", "1000", "--seed", "7"]);
    run(&scenario);
    assert_eq!(json(&scenario, &[])["totals"]["in"], 2000);
    println!("{}", scenario.verify(&["--expect-complete"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_group_that_was_cleared_begins_anew() {
    let scenario = after_a_run("state-reset-all");
    let said = until("the end of the member's session", || {
        let output = state(&scenario, "reset", &["--journal", "--yes"]);
        let is_done = output.status.success();
        assert!(is_done || text(&output).contains("has members: "), "{}", text(&output));
        is_done.then(|| text(&output))
    });
    for part in ["committed offsets: deleted", "journal: deleted", "--start-from"] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let missing = refused(&scenario, "show", &[]);
    assert!(missing.contains("does not exist"), "{missing}");
    // A second one finds nothing, and is no failure.
    let said = done(&scenario, "reset", &["--journal", "--yes"]);
    assert!(said.contains("there is no local copy") && said.matches("was not there").count() == 2);
    let log = run(&scenario);
    assert!(log.contains("a new journal is begun"), "{log}");
    // It has read the same input again, from its start.
    assert_eq!(json(&scenario, &[])["totals"]["in"], 1000);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_reset_that_was_cut_off_before_the_journal_loses_nothing() {
    let scenario = after_a_run("state-reset-half");
    let brokers = scenario.brokers().to_owned();
    let admin = Admin::new(&ClientSettings { brokers, properties: Vec::new() }).expect("a client");
    let delete = || delete_group(&admin, &scenario.topic("group"), PATIENCE);
    // NON_EMPTY_GROUP, until the stopped member's session has ended.
    assert!(until("the end of the member's session", || delete().ok()));
    assert_eq!(delete(), Ok(false), "it is gone");
    let report = json(&scenario, &[]);
    assert_eq!(report["partitions"][0]["commit"], "missing", "{report:#}");
    scenario.produce(&["--count", "1000", "--seed", "7"]);
    let log = run(&scenario);
    assert!(log.contains("no committed offset but the journal has a position"), "{log}");
    assert_eq!(json(&scenario, &[])["totals"]["in"], 2000);
    println!("{}", scenario.verify(&["--expect-complete"]));
}
