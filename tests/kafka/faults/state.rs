//! A state folder that is lost or damaged: said by name, rebuilt from the input, exact.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use logintide::ids::PartitionId;
use testkit::{Process, Scenario, Served};

use super::{
    SMALL, finish_fixed, fixed, joined,
    topics::{committed, delete_input, events, newest_windows, recount},
};

/// The database's largest file.
fn database(scenario: &Scenario) -> PathBuf {
    scenario.state_dir().join("db").join("db")
}

/// What a rebuild said that it counted: records and partial results.
fn rebuilt(process: &Process) -> (u64, u64) {
    let log = process.log();
    let number = |line: &str, name: &str| -> u64 {
        let found = log.lines().rev().find(|text| text.contains(line));
        let found = found.unwrap_or_else(|| panic!("no line {line:?}\n{}", process.tail()));
        let (_, value) = found.split_once(&format!("{name}=")).unwrap_or_else(|| {
            panic!("no {name} in {found:?}");
        });
        let digits = value.chars().take_while(char::is_ascii_digit);
        digits.collect::<String>().parse().unwrap_or_else(|_| panic!("no number in {found:?}"))
    };
    (number("counting committed input again", "records"), number("windows are rebuilt", "partials"))
}

/// Runs until the rebuild is over and some epochs more, and says what was rebuilt.
fn rebuilds(scenario: &Scenario, what: &str) -> (Served, u64, u64) {
    let mut running = fixed(scenario);
    running.wait_for_line("windows are rebuilt");
    let (records, partials) = rebuilt(&running);
    println!("{what}: {records} records, {partials} partial results");
    assert!(records > 0 && partials > 0, "windows were open\n{}", running.tail());
    running.wait_for_epochs(2.0);
    (running, records, partials)
}

/// A start, some epochs, and kill -9 while windows are open.
fn worked_and_killed(scenario: &Scenario) {
    let running = fixed(scenario);
    running.wait_for_epochs(4.0);
    running.kill();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_folder_that_is_gone_is_rebuilt_also_after_a_kill_in_the_middle() {
    let scenario = Scenario::new("state-gone");
    let mut produced = scenario.producing(&joined(&[SMALL, &["--rate", "2500"]]));
    worked_and_killed(&scenario);
    fs::remove_dir_all(scenario.state_dir()).expect("the folder was there");
    let (running, ..) = rebuilds(&scenario, "folder removed");
    produced.ends_with(0);
    running.kill();

    fs::remove_dir_all(scenario.state_dir()).expect("the folder was there");
    let mut running = fixed(&scenario);
    running.wait_for_line("counting committed input again");
    let tail = running.tail();
    running.kill();
    assert!(!tail.contains("windows are rebuilt"), "killed too late\n{tail}");

    let (running, ..) = rebuilds(&scenario, "after a kill in the middle of the rebuild");
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
            assert!(log.contains("db.broken-"), "named\n{}", running.tail());
            let (records, partials) = rebuilt(&running);
            assert!(records > 0 && partials > 0, "rebuilt\n{}", running.tail());
        }
        running.kill();
        produced.ends_with(0);
    }
    assert!(found > 0, "no flipped byte was in use");
    finish_fixed(fixed(&scenario), &scenario, &[]);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_truncated_database_is_noticed_and_rebuilt() {
    let scenario = Scenario::new("state-truncated");
    let mut produced = scenario.producing(&joined(&[SMALL, &["--rate", "2500"]]));
    for (numerator, denominator) in [(1, 2), (1, 10), (0, 1)] {
        worked_and_killed(&scenario);
        let file = database(&scenario);
        let length = fs::metadata(&file).expect("the file is there").len();
        let kept = length * numerator / denominator;
        let open = OpenOptions::new().write(true).open(&file).expect("the file opens");
        open.set_len(kept).expect("it can be cut");
        let what = format!("cut from {length} to {kept} bytes");
        let (running, ..) = rebuilds(&scenario, &what);
        // What is left is damaged, or it is an older state; an empty file is a new database.
        let (log, tail) = (running.log(), running.tail());
        let moved = log.contains("it is moved aside");
        assert_eq!(moved, log.contains("db.broken-"), "named\n{tail}");
        assert!(log.contains("the window state does not fit the committed offset"), "{tail}");
        println!("{what}: {}", if moved { "moved aside" } else { "found to be older" });
        running.kill();
    }
    produced.ends_with(0);
    finish_fixed(fixed(&scenario), &scenario, SMALL);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_folder_that_is_gone_with_part_of_its_input_makes_no_published_window_smaller() {
    let scenario = Scenario::new("state-input-gone");
    let plain = ["--seed", "43", "--count", "60000", "--events-per-second-of-event-time", "500"];
    let mut produced = scenario.producing(&joined(&[&plain, &["--rate", "2500"]]));
    let running = fixed(&scenario);
    running.wait_for("logintide_window_records_total", |n| n >= 3.0);
    running.kill();
    let before = newest_windows(&scenario);
    assert!(before.values().filter(|window| window.complete).count() >= 3, "{before:?}");
    let committed = committed(&scenario);
    // Of what the group has read: in one partition nothing, in three half, in four all.
    let share = |partition: PartitionId| (partition.0 + 3) / 4;
    let gone: BTreeMap<_, _> = committed
        .iter()
        .map(|(partition, (offset, _))| (*partition, offset * i64::from(share(*partition)) / 2))
        .collect();
    let lost: Vec<_> = events(&scenario, "input")
        .into_iter()
        .filter(|event| gone.get(&event.partition).is_some_and(|below| event.offset < *below))
        .collect();
    assert!(lost.len() > 1000, "{} events are deleted", lost.len());
    delete_input(&scenario, &gone);
    fs::remove_dir_all(scenario.state_dir()).expect("the folder was there");

    let mut running = fixed(&scenario);
    running.wait_for_line("windows are rebuilt");
    let log = running.log();
    assert!(log.contains("part of that input is gone (retention)"), "{}", running.tail());
    produced.ends_with(0);
    running.stop();
    scenario.start(&["--instance-id", "fixed", "--exit-at-end"]).ends_with(0);

    let processed = events(&scenario, "processed");
    let numbers: BTreeSet<_> = processed.iter().map(|event| event.number).collect();
    assert_eq!((processed.len(), numbers.len()), (60_000, 60_000), "every event exactly once");
    let (counted, late) = (recount(&processed), recount(&events(&scenario, "late")));
    let after = newest_windows(&scenario);
    for (start, window) in &before {
        let now = after[start];
        assert!(now.total >= window.total && now.revision >= window.revision, "{start}: {now:?}");
    }
    for (start, window) in &after {
        let all = counted[start] - late.get(start).unwrap_or(&0);
        assert!(window.total <= all, "{start}: {window:?}, {all} events");
        assert!(!window.complete || window.total == all, "{start}: {window:?}, {all} events");
    }
    let open: BTreeSet<_> =
        lost.iter().map(|event| event.window).filter(|start| !before.contains_key(start)).collect();
    println!("{} published windows, {} open ones with lost input", before.len(), open.len());
    assert!(!open.is_empty(), "no open window has lost input");
    for start in open {
        assert!(!after[&start].complete, "{start}: {:?}", after[&start]);
    }
}
