//! `logintide redrive` on a real broker: each dead letter goes back once, whatever happens.

use std::time::Duration;

use logintide::{
    headers::{REDRIVEN, redriven_count},
    kafka::Record,
};
use testkit::{Process, Scenario, text};

use crate::{
    client::{
        Topic,
        support::{PATIENCE, flush, numbered, send_all, transactional, until},
    },
    committed,
};

/// Events with a time too far ahead, which a larger --max-future accepts.
fn with_early_events(name: &str, count: &str) -> Scenario {
    with_early_events_in(name, count, &[])
}

fn with_early_events_in(name: &str, count: &str, topic: &[&str]) -> Scenario {
    let scenario = Scenario::new(name);
    let early = ["--share-early", "0.2", "--early-by", "3h", "--seed", "71", "--count", count];
    scenario.produce(&[early.as_slice(), topic].concat());
    scenario.start(&["--exit-at-end"]).ends_with(0);
    scenario
}

/// The number in front of `what` in a summary.
fn number(summary: &str, what: &str) -> u64 {
    let line = summary.lines().find(|line| line.contains(what));
    let mut words = line.unwrap_or_else(|| panic!("no {what}\n{summary}")).split_whitespace();
    words.find_map(|word| word.parse().ok()).expect("a number")
}

/// Partition, offset and marks of a record.
fn marks_of(record: &Record<'_>) -> (i32, i64, u8) {
    (record.partition.0, record.offset, redriven_count(record.headers.get(REDRIVEN)))
}

fn committed(topic: &str) -> Vec<(i32, i64, u8)> {
    committed::committed(topic, 8, marks_of)
}

fn in_sight(topic: &str) -> Vec<(i32, i64, u8)> {
    committed::in_sight(topic, 8, marks_of)
}

fn marked(records: &[(i32, i64, u8)]) -> usize {
    records.iter().filter(|(_, _, redriven)| *redriven > 0).count()
}

const REASON: [&str; 2] = ["--reason", "timestamp_out_of_range"];

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn what_became_valid_is_processed_once_and_a_second_run_sends_nothing() {
    let scenario = with_early_events("redrive", "2000");
    let input = scenario.topic("input");
    let letters = committed(&scenario.topic("dead-letter")).len() as u64;
    assert!(letters > 200, "{letters}");
    let dry = scenario.redrive(&["--all", "--dry-run"]);
    assert_eq!((number(&dry, "selected"), number(&dry, "a dry run")), (letters, 0));
    assert!(dry.contains("partition ") && dry.contains("timestamp_out_of_range: "), "{dry}");
    assert_eq!(committed(&input).len(), 2000, "a dry run changes nothing");
    let other = scenario.redrive(&["--reason", "not_json"]);
    assert_eq!(number(&other, "to "), 0, "{other}");
    let sent = scenario.redrive(&REASON);
    assert_eq!(number(&sent, " to "), letters, "{sent}");
    let again = scenario.redrive(&REASON);
    assert_eq!((number(&again, " to "), number(&again, "earlier run")), (0, letters), "{again}");
    assert_eq!(marked(&committed(&input)) as u64, letters);
    scenario.start(&["--exit-at-end", "--max-future", "4h"]).ends_with(0);
    // Every event once: those rejected at first are there now, and no further letter.
    assert_eq!(committed(&scenario.topic("processed")).len(), 2000);
    assert_eq!(committed(&scenario.topic("dead-letter")).len() as u64, letters);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_record_that_fails_again_carries_its_mark_and_is_left_alone() {
    fails_again(&with_early_events("redrive-mark", "500"));
    // There the broker gives the record its time.
    let of_broker = ["--topic-config", "message.timestamp.type=LogAppendTime"];
    fails_again(&with_early_events_in("redrive-append", "500", &of_broker));
}

fn fails_again(scenario: &Scenario) {
    let letters = committed(&scenario.topic("dead-letter")).len() as u64;
    scenario.redrive(&["--all"]);
    scenario.start(&["--exit-at-end"]).ends_with(0);
    assert_eq!(committed(&scenario.topic("dead-letter")).len() as u64, 2 * letters);
    let again = scenario.redrive(&["--all"]);
    assert_eq!((number(&again, " to "), number(&again, "failed again")), (0, letters), "{again}");
    let twice = scenario.redrive(&["--all", "--max-redrives", "2"]);
    assert_eq!((number(&twice, " to "), number(&twice, "earlier run")), (letters, letters));
    let counts = committed(&scenario.topic("input"));
    for (marks, expected) in [(1, letters), (2, letters), (3, 0)] {
        let found = counts.iter().filter(|(_, _, redriven)| *redriven == marks).count();
        assert_eq!(found as u64, expected, "{marks}");
    }
    let ignored = scenario.redrive(&["--all", "--again", "--dry-run"]);
    assert_eq!(number(&ignored, "selected"), letters, "{ignored}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_redrive_that_is_killed_again_and_again_sends_every_letter_once() {
    let scenario = with_early_events("redrive-kill", "20000");
    let input = scenario.topic("input");
    let letters = committed(&scenario.topic("dead-letter")).len();
    // So slow that none of the runs comes to its end, however late it is killed.
    let slow = ["--all", "--rate", "20/s"];
    let (mut kills, mut before) = (0, 0);
    // The first runs are perhaps killed before they have sent anything.
    while kills < 6 || before == 0 {
        let command = scenario.redrive_command(&slow);
        let log = scenario.dir.path().join(format!("redrive-{kills}.log"));
        let mut running = Process::spawn(command, log);
        let pause = Duration::from_millis([900, 1300, 700, 1700, 1100, 2100][kills % 6]);
        std::thread::sleep(pause * (1 + kills as u32 / 6));
        assert!(running.ended().is_none(), "{}", running.log());
        running.kill();
        kills += 1;
        before = marked(&in_sight(&input));
    }
    assert!(before < letters, "{before} of {letters}");
    // An ordered stop in between, too.
    let command = scenario.redrive_command(&slow);
    let mut running = Process::spawn(command, scenario.dir.path().join("redrive-stop.log"));
    until("further letters", || (marked(&in_sight(&input)) > before).then_some(()));
    running.signal("-USR1");
    running.signal("-INT");
    running.ends_with(0);
    assert!(running.log().contains("stopped before the end"), "{}", running.log());
    let last = scenario.redrive(&["--all"]);
    assert!(number(&last, " to ") > 0, "{last}");
    assert_eq!(marked(&committed(&input)), letters);
    println!("{letters} letters, {kills} kills, {before} sent before the last runs");
    scenario.start(&["--exit-at-end", "--max-future", "4h"]).ends_with(0);
    assert_eq!(committed(&scenario.topic("processed")).len(), 20_000);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn letters_of_another_input_are_refused_and_named() {
    let scenario = with_early_events("redrive-other", "500");
    let output = scenario
        .logintide("redrive")
        .args(["--all", "--group-id", &scenario.topic("x")])
        .args(["--input-topic", &scenario.topic("late")])
        .args(["--dead-letter-topic", &scenario.topic("dead-letter")])
        .output()
        .expect("logintide runs");
    let said = text(&output);
    assert!(output.status.success() && number(&said, " to ") == 0, "{said}");
    let refused = format!("refused: it came from {}", scenario.topic("input"));
    assert!(number(&said, &refused) > 0, "{said}");
    assert_eq!(committed(&scenario.topic("late")).len(), 0);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn letters_in_an_open_transaction_are_waited_for_and_named_when_it_stays_open() {
    let scenario = Scenario::new("redrive-open");
    let (input, letters) =
        (Topic::new("redrive-open-in", 1, &[]), Topic::new("redrive-open", 2, &[]));
    let (producer, topic) =
        transactional(&letters.brokers, &letters.name, &letters.name, Duration::from_mins(1));
    producer.transactions().begin().expect("begins");
    send_all(&producer, topic, 1, &numbered(0..10));
    flush(&producer);
    let start = |log| {
        let mut command = scenario.logintide("redrive");
        command.args([
            "--all",
            "--dry-run",
            "--group-id",
            &letters.name,
            "--input-topic",
            &input.name,
        ]);
        command.args(["--dead-letter-topic", &letters.name]);
        Process::spawn(command, scenario.dir.path().join(log))
    };
    let mut early = start("early.log");
    early.ends_with(0);
    let said = early.log();
    assert_eq!(number(&said, "read  "), 0, "{said}");
    assert!(said.contains("still open; left to the next run offsets=10"), "{said}");
    // On a slow machine the commit may come too late for it: then once more.
    let mut sent = 10;
    let said = until("a commit in time", || {
        let mut patient = start("patient.log");
        patient.wait_for_line("waiting for the end of a transaction");
        producer.transactions().commit(PATIENCE).expect("commits");
        patient.ends_with(0);
        let said = patient.log();
        if !said.contains("still open") {
            return Some(said);
        }
        producer.transactions().begin().expect("begins");
        send_all(&producer, topic, 1, &numbered(0..10));
        flush(&producer);
        sent += 10;
        None
    });
    assert_eq!(number(&said, "read  "), sent, "{said}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_letter_that_was_cut_is_named_and_stays() {
    let scenario = Scenario::new("redrive-cut");
    let size = ["--seed", "59", "--event-size", "1500000", "--count", "5"];
    let input_takes_it =
        ["--topic-config", "max.message.bytes=3000000", "-X", "message.max.bytes=3000000"];
    scenario.produce(&[size.as_slice(), &input_takes_it].concat());
    scenario.start(&["--exit-at-end"]).ends_with(0);
    let said = scenario.redrive(&["--all"]);
    assert_eq!((number(&said, " to "), number(&said, "cut: ")), (0, 5), "{said}");
    assert_eq!(marked(&committed(&scenario.topic("input"))), 0);
}

/// One kill at every step of a transaction; each next run begins where Kafka says.
#[cfg(feature = "test-support")]
#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_redrive_that_is_killed_at_every_step_of_a_transaction_sends_every_letter_once() {
    use std::os::unix::process::ExitStatusExt;

    use logintide::failpoint::Point;

    let scenario = with_early_events("redrive-steps", "20000");
    let letters = committed(&scenario.topic("dead-letter")).len();
    let steps = [
        Point::FirstOutput,
        Point::LastOutput,
        Point::Delivered,
        Point::OffsetsSent,
        Point::Committing,
        Point::Committed,
    ];
    for step in steps {
        // Small transactions, and one of them done before.
        let mut command = scenario.redrive_command(&["--all", "--rate", "400/s"]);
        command.env("FAILPOINTS", format!("{}=1*off->return", step.name()));
        let log = scenario.dir.path().join(format!("redrive-{}.log", step.name()));
        let mut running = Process::spawn(command, log);
        let status = running.wait(testkit::SOON);
        assert_eq!(status.signal(), Some(9), "{}: {}", step.name(), running.log());
        println!("{}: {} of {letters}", step.name(), marked(&in_sight(&scenario.topic("input"))));
    }
    let sent = marked(&committed(&scenario.topic("input")));
    assert!(sent >= 6 * 200 && sent < letters, "{sent} of {letters}");
    scenario.redrive(&["--all"]);
    assert_eq!(marked(&committed(&scenario.topic("input"))), letters);
}
