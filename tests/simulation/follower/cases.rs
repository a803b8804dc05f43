//! Reading as far as a request says, whatever the journal is like.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use logintide::{
    error::RunError,
    ids::{Offset, PartitionId},
    journal::{Condition, Stream},
    replica::BeginAt,
    topics::{PerOutput, SeenTopics, Topic},
};

use super::{
    INPUT_PARTITIONS, JOURNAL, PARTITIONS,
    author::{Author, End, MANY, TRANSACTION_TIMEOUT, identity},
    running::Start,
    state::{assert_followed, streams},
};
use crate::kafka::SimKafka;

const ALL: &[i32] = &[0, 1, 2, 3, 4];

/// A journal of some epochs.
fn journal(seed: u64, epochs: i64) -> (SimKafka, Author) {
    let kafka = SimKafka::new(seed);
    let mut author = Author::new(&kafka);
    for epoch in 0..epochs {
        author.epoch(&ALL[..=epoch as usize % ALL.len()], &[epoch / 2, 7], End::Commit);
    }
    (kafka, author)
}

#[test]
fn the_answer_is_what_was_committed_up_to_the_high_watermarks() {
    let (kafka, mut author) = journal(1, 9);
    author.epoch(ALL, &[1], End::Abort);
    kafka.pass(Duration::from_secs(1));
    let mut running = Start::new(&kafka).start();
    let request = author.request(3);
    let followed = running.follow(request.clone());
    assert_eq!(followed.incarnation, request.incarnation);
    assert_eq!(followed.identity, Some(identity()));
    assert_followed(&followed, &author.truth, "all");
    // The markers of transactions have offsets too.
    assert_eq!(running.positions(), request.until);
    assert!(running.answered().is_none(), "a request has one answer");
}

#[test]
fn an_empty_journal_has_nothing_and_is_followed_from_its_first_record_on() {
    let kafka = SimKafka::new(1);
    kafka.create_topic(JOURNAL, PARTITIONS as usize);
    let mut author = Author::of(&kafka);
    let mut running = Start::new(&kafka).start();
    let followed = running.follow(author.request(1));
    assert!(followed.identity.is_none() && followed.chains.is_empty());
    author.append_identity();
    author.epoch(ALL, &[1], End::Commit);
    assert_followed(&running.follow(author.request(2)), &author.truth, "new");
}

#[test]
fn an_open_transaction_of_another_is_waited_for_and_said() {
    let (kafka, mut author) = journal(2, 3);
    author.epoch(ALL, &[1], End::Open);
    kafka.pass(Duration::from_secs(1));
    let request = author.request(1);
    let mut running = Start::new(&kafka).start();
    running.ask(request.clone());
    running.run_for(TRANSACTION_TIMEOUT / 2);
    assert!(running.answered().is_none(), "the rest may be committed yet");
    assert!(running.control.activity().following.load(Relaxed));
    for p in 0..PARTITIONS as i32 {
        assert_eq!(running.positions()[&PartitionId(p)], Offset(author.ends(p).0));
    }
    running.run_for(TRANSACTION_TIMEOUT);
    assert_followed(&running.answered().expect("it ended"), &author.truth, "aborted");
    assert!(!running.control.activity().following.load(Relaxed));
}

#[test]
fn a_newer_request_replaces_one_that_waits() {
    let (kafka, mut author) = journal(3, 3);
    let mut running = Start::new(&kafka).start();
    let mut never = author.request(5);
    never.until.values_mut().for_each(|until| until.0 += 1_000);
    running.ask(never);
    running.run_for(Duration::from_secs(1));
    running.ask(author.request(4));
    running.run_for(Duration::from_secs(1));
    assert!(running.answered().is_none(), "an older one replaces nothing");
    author.epoch(ALL, &[1], End::Commit);
    let followed = running.follow(author.request(6));
    assert_eq!(followed.incarnation, author.request(6).incarnation);
    assert_followed(&followed, &author.truth, "newer");
}

#[test]
fn what_the_cleaner_and_torn_transactions_leave_is_read() {
    for seed in 0..6 {
        let (kafka, mut author) = journal(seed, 2);
        author.event = Arc::clone(&MANY);
        let mut always = Start::new(&kafka).start();
        for round in 0..6_usize {
            // With windows of 200 KB, a record of four has several chunks.
            author.epoch(&[0, 3], &[0, 1, 2, 3], End::Commit);
            kafka.pass(Duration::from_secs(2));
            author.epoch(&[0, 3], &[0, 1, 2, 3], End::Torn(round + seed as usize % 4));
            always.run_for(Duration::from_millis(20));
            for p in 0..PARTITIONS as i32 {
                kafka.compact(JOURNAL, p, Duration::ZERO);
            }
            let followed = always.follow(author.request(round as u64));
            assert_followed(&followed, &author.truth, &format!("seed {seed} round {round}"));
            let mut cold = Start::new(&kafka).start();
            let hint = format!("seed {seed} round {round}, cold");
            assert_followed(&cold.follow(author.request(0)), &author.truth, &hint);
            author.take_over(&followed);
        }
    }
}

#[test]
fn a_topic_that_was_created_anew_is_read_from_its_start() {
    let (kafka, author) = journal(4, 5);
    let mut running = Start::new(&kafka).start();
    assert_followed(&running.follow(author.request(1)), &author.truth, "first");
    kafka.delete_topic(JOURNAL);
    running.run_for(Duration::from_millis(100));
    // It is longer than the one before, so no position is outside of it.
    let mut author = Author::new(&kafka);
    for _ in 0..20 {
        author.epoch(&[1], &[40], End::Commit);
    }
    running.run_for(Duration::from_millis(100));
    assert_followed(&running.follow(author.request(2)), &author.truth, "second");
}

#[test]
fn a_topic_that_was_created_anew_is_read_from_its_start_without_a_takeover() {
    let (kafka, author) = journal(4, 5);
    let mut running = Start::new(&kafka).start();
    assert_followed(&running.follow(author.request(1)), &author.truth, "first");
    kafka.delete_topic(JOURNAL);
    let mut author = Author::new(&kafka);
    // Longer than the one before, before anything of it is read.
    (0..20).for_each(|_| author.epoch(&[1], &[40], End::Commit));
    running.run_for(Duration::from_millis(100));
    let shown = running.positions();
    assert_eq!(shown, author.request(2).until, "the new one is read in the middle");
    let outputs = PerOutput::of(&Topic::COUNTING[1..], |_| 1);
    let journal = author.request(2).journal;
    running.control.topics().publish(SeenTopics {
        input: None,
        input_partitions: 1,
        journal,
        outputs,
    });
    running.step().expect("it goes on");
    assert!(running.positions().values().any(|position| *position < shown[&PartitionId(0)]));
    running.run_for(Duration::from_millis(100));
    // To one who asks for nothing, it is what is known by itself.
    let mut request = author.request(2);
    request.until.clear();
    assert_followed(&running.follow(request), &author.truth, "second");
}

#[test]
fn a_journal_that_has_lost_its_end_is_read_again() {
    let (kafka, author) = journal(5, 30);
    let mut running = Start::new(&kafka).start();
    running.follow(author.request(1));
    kafka.delete_topic(JOURNAL);
    let mut author = Author::new(&kafka);
    author.epoch(ALL, &[50], End::Commit);
    // To one who sees no ids it is the same topic.
    let mut request = author.request(2);
    request.journal = None;
    assert_followed(&running.follow(request.clone()), &author.truth, "asked");
    // Also when nobody asks: the broker refuses the position.
    kafka.delete_topic(JOURNAL);
    let author = Author::new(&kafka);
    running.run_for(Duration::from_secs(1));
    assert_eq!(running.positions()[&PartitionId(0)], Offset(author.ends(0).1));
    request.until = author.request(3).until;
    let followed = running.follow(request);
    assert!(followed.chains.is_empty(), "{:?}", followed.chains);
}

#[test]
fn reading_begins_where_the_commits_say_and_again_further_back() {
    let (kafka, mut author) = journal(6, 400);
    kafka.pass(Duration::from_secs(700));
    author.epoch(ALL, &[7], End::Commit);
    let mut request = author.request(1);
    for (p, commit) in &author.commits {
        let partition = Stream::Partition(*p).journal_partition(PARTITIONS);
        let BeginAt::AtLeast(from) =
            request.begin.entry(partition).or_insert(BeginAt::AtLeast(commit.restore_from))
        else {
            panic!("only such are there")
        };
        *from = commit.restore_from.min(*from);
    }
    assert!(request.begin.values().all(|begin| *begin != BeginAt::AtLeast(Offset(0))));
    let mut running = Start::new(&kafka).start();
    let followed = running.follow(request.clone());
    assert_followed(&followed, &author.truth, "from there on");
    assert_eq!(followed.identity, Some(identity()), "read from the log's start all the same");
    // Too far: behind the newest snapshots.
    author.epoch(&[], &[], End::Commit);
    let mut too_far = author.request(2);
    for (p, until) in &too_far.until {
        too_far.begin.insert(*p, BeginAt::AtLeast(Offset(until.0 - 4)));
    }
    let mut running = Start::new(&kafka).start();
    let followed = running.follow(too_far);
    let is_whole =
        |(_, chain): (_, &logintide::journal::Chain)| chain.condition() == Condition::Whole;
    assert!(!followed.chains.iter().all(is_whole), "{:?}", followed.chains);
    request.incarnation.0 = 3;
    request.until = author.request(3).until;
    for begin in request.begin.values_mut() {
        *begin = BeginAt::Again(Offset(0));
    }
    assert_followed(&running.follow(request), &author.truth, "again");
}

#[test]
fn a_record_of_a_later_format_ends_the_run() {
    let (kafka, _author) = journal(7, 2);
    kafka.append(JOURNAL, 0, b"0/9/0", &[9, 1, 2]);
    let error = Start::new(&kafka).start().fail();
    assert!(matches!(error, RunError::Refused(_)), "{error:?}");
    assert!(
        error.to_string().contains("format 9") && error.to_string().contains("run the version")
    );
}

#[test]
fn what_nobody_writes_is_passed_over() {
    let (kafka, mut author) = journal(8, 2);
    kafka.append(JOURNAL, 0, b"0/9/0", &[1, 1, 1]);
    kafka.append(JOURNAL, 1, b"somebody's", b"notes");
    author.epoch(ALL, &[3], End::Commit);
    let mut running = Start::new(&kafka).start();
    assert_followed(&running.follow(author.request(1)), &author.truth, "the rest");
}

#[test]
fn of_two_records_with_one_number_the_first_counts() {
    let (kafka, mut author) = journal(9, 2);
    let mut running = Start::new(&kafka).start();
    let before = running.follow(author.request(1));
    let mut other = author.another(&before);
    author.epoch(ALL, &[3], End::Commit);
    other.epoch(ALL, &[4], End::Commit);
    assert_followed(&running.follow(author.request(2)), &author.truth, "the first");
}

#[test]
fn the_identity_says_how_many_partitions_the_journal_has() {
    let kafka = SimKafka::new(10);
    let mut author = Author::new(&kafka);
    author.epoch(ALL, &[1], End::Commit);
    kafka.add_partitions(JOURNAL, 7);
    let mut running = Start { partitions: 7, ..Start::new(&kafka) }.start();
    assert_followed(&running.follow(author.request(1)), &author.truth, "two of seven");
    assert_eq!(running.positions().len(), PARTITIONS as usize);
    let error = Start { partitions: 1, ..Start::new(&kafka) }.start().fail();
    assert!(matches!(error, RunError::Refused(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(JOURNAL) && text.contains("says 2"), "{text}");
}

#[test]
fn more_than_the_budget_ends_the_run_with_the_remedy() {
    let (kafka, mut author) = journal(11, 2);
    author.event = Arc::clone(&MANY);
    author.epoch(ALL, &[0, 1], End::Commit);
    let mut running = Start { memory_limit: 4 << 20, ..Start::new(&kafka) }.start();
    assert_followed(&running.follow(author.request(1)), &author.truth, "there is room");
    let mut running = Start { memory_limit: 1 << 20, ..Start::new(&kafka) }.start();
    let error = running.fail();
    assert_eq!(error.exit_code(), 2, "{error}");
    assert!(error.to_string().contains("--memory-budget"), "{error}");
}

#[test]
fn every_stream_of_the_group_is_there() {
    let (kafka, author) = journal(12, 1);
    let followed = Start::new(&kafka).start().follow(author.request(1));
    assert_eq!(followed.chains.keys().count(), streams().count());
    assert_eq!(followed.partitions.len(), INPUT_PARTITIONS as usize);
}
