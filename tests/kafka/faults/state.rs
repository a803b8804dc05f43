//! A state folder that is lost, damaged or old: the journal is read, and everything is exact.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::Command,
};

use logintide::ids::PartitionId;
use testkit::{Scenario, Served, text};

use super::{
    SMALL, finish_fixed, fixed, joined,
    topics::{committed, delete_input, events, newest_windows, recount},
};

/// The copy's largest file.
fn database(scenario: &Scenario) -> PathBuf {
    scenario.state_dir().join("journal").join("db")
}

/// A start, and kill -9 once a copy is on disk. On a slow machine all input may be over by then.
fn worked_and_killed(scenario: &Scenario) {
    let running = fixed(scenario);
    running.wait_for_epochs(1.0);
    running.wait_for("logintide_state_flush_seconds_count", |n| n >= 2.0);
    running.kill();
}

/// A start that reads on where the last one was.
fn goes_on(scenario: &Scenario, what: &str) -> Served {
    let mut running = fixed(scenario);
    running.wait_for_line("first_epoch=");
    let log = running.log();
    let line = log.lines().find(|line| line.contains("first_epoch=")).expect("it was waited for");
    // On a slow machine the input may be over, and its windows are closed.
    assert!(!line.contains("first_epoch=1 "), "what was committed is known: {line}");
    println!("{what}: {line}");
    running.wait_for_epochs(1.0);
    running
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_folder_that_is_gone_or_a_minute_old_costs_reading_and_nothing_else() {
    let scenario = Scenario::new("state-gone");
    let mut produced = scenario.producing(&joined(&[SMALL, &["--rate", "2500"]]));
    worked_and_killed(&scenario);
    let (folder, old) = (scenario.state_dir(), scenario.dir.path().join("old"));
    let copied = Command::new("cp").arg("-r").args([&folder, &old]).output().expect("cp runs");
    assert!(copied.status.success(), "{}", text(&copied));

    fs::remove_dir_all(&folder).expect("the folder was there");
    goes_on(&scenario, "removed").kill();

    fs::remove_dir_all(&folder).expect("the folder was there");
    fs::rename(&old, &folder).expect("the old one takes its place");
    let running = goes_on(&scenario, "an old one");
    assert!(!running.log().contains("moved aside"), "{}", running.tail());
    produced.ends_with(0);
    finish_fixed(running, &scenario, SMALL);
}

/// Inverts one byte that is not zero: the next one at or behind `share` of the file.
fn flip(file: &Path, share: f64) -> u64 {
    let mut file = OpenOptions::new().read(true).write(true).open(file).expect("the file opens");
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("it can be read");
    let from = (bytes.len() as f64 * share) as usize;
    let used = bytes.iter().enumerate().cycle().skip(from).take(bytes.len());
    let (at, byte) = used.into_iter().find(|(_, byte)| **byte != 0).expect("it is not empty");
    file.seek(SeekFrom::Start(at as u64)).expect("it can be sought");
    file.write_all(&[!byte]).expect("it can be written");
    at as u64
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_flipped_byte_is_found_or_does_no_harm() {
    let scenario = Scenario::new("state-flipped");
    let mut found = 0;
    for (seed, share) in
        ["1", "2", "3", "4", "5", "6"].iter().zip([0.0, 0.03, 0.11, 0.29, 0.47, 0.71])
    {
        // Live events, so that some come in every round, however long it takes.
        let mut produced =
            scenario.producing(&["--seed", seed, "--count", "8000", "--rate", "800"]);
        worked_and_killed(&scenario);
        let file = database(&scenario);
        let length = fs::metadata(&file).expect("the file is there").len();
        let at = flip(&file, share);
        let running = fixed(&scenario);
        running.wait_for_epochs(1.0);
        let log = running.log();
        let moved = log.contains("it is moved aside");
        println!(
            "byte {at} of {length} inverted: {}",
            if moved { "moved aside" } else { "unused" }
        );
        if moved {
            found += 1;
            assert!(log.contains("journal.broken-"), "named\n{}", running.tail());
        }
        running.kill();
        produced.ends_with(0);
    }
    assert!(found > 0, "no flipped byte was in use");
    finish_fixed(fixed(&scenario), &scenario, &[]);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_truncated_copy_is_moved_aside_or_older() {
    let scenario = Scenario::new("state-truncated");
    let mut produced = scenario.producing(&joined(&[SMALL, &["--rate", "2500"]]));
    for (numerator, denominator) in [(1, 2), (1, 10), (0, 1)] {
        worked_and_killed(&scenario);
        let file = database(&scenario);
        let length = fs::metadata(&file).expect("the file is there").len();
        let kept = length * numerator / denominator;
        let open = OpenOptions::new().write(true).open(&file).expect("the file opens");
        open.set_len(kept).expect("it can be cut");
        let running = goes_on(&scenario, &format!("cut from {length} to {kept} bytes"));
        // What is left is damaged, or it is an older copy; an empty file is a new database.
        let (log, tail) = (running.log(), running.tail());
        let moved = log.contains("it is moved aside");
        assert_eq!(moved, log.contains("journal.broken-"), "named\n{tail}");
        running.kill();
    }
    produced.ends_with(0);
    finish_fixed(fixed(&scenario), &scenario, SMALL);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_folder_that_is_gone_with_all_input_that_was_read_loses_nothing() {
    let scenario = Scenario::new("state-input-gone");
    let plain = ["--seed", "43", "--count", "60000", "--events-per-second-of-event-time", "500"];
    let mut produced = scenario.producing(&joined(&[&plain, &["--rate", "2500"]]));
    let running = fixed(&scenario);
    running.wait_for("logintide_window_records_total", |n| n >= 3.0);
    running.kill();
    let before = newest_windows(&scenario);
    // All that the group has read.
    let gone: BTreeMap<PartitionId, i64> =
        committed(&scenario).iter().map(|(partition, (offset, _))| (*partition, *offset)).collect();
    assert!(gone.values().sum::<i64>() > 1000, "{gone:?}");
    delete_input(&scenario, &gone);
    fs::remove_dir_all(scenario.state_dir()).expect("the folder was there");
    let running = goes_on(&scenario, "removed");
    produced.ends_with(0);
    running.stop();
    scenario.start(&["--instance-id", "fixed", "--exit-at-end"]).ends_with(0);

    let processed = events(&scenario, "processed");
    assert_eq!(processed.len(), 60_000, "every event exactly once");
    let (counted, late) = (recount(&processed), recount(&events(&scenario, "late")));
    let after = newest_windows(&scenario);
    assert!(after.len() > before.len() && before.len() >= 3, "{before:?}");
    for (start, window) in &after {
        let all = counted[start] - late.get(start).unwrap_or(&0);
        assert!(window.complete && window.total == all, "{start}: {window:?}, {all} events");
    }
}
