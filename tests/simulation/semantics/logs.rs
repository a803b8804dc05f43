//! Logs: compaction and retention.

use std::time::Duration;

use logintide::{
    client::{Client, RecordConsumer, RecordProducer},
    headers::{self, HeaderBlock},
    ids::{Offset, PartitionId},
    kafka::{DrainEvent, Flow},
};

use crate::{script::stage::PATIENCE, stage::play};

#[test]
fn compaction_takes_what_is_not_the_newest_of_its_key_and_moves_no_offset() {
    for seed in 0..50 {
        let play = play(seed);
        let kafka = &play.stage.kafka;
        for round in 0..5 {
            for key in ["a", "b"] {
                kafka.append(&play.topic, 0, key.as_bytes(), format!("{key}{round}").as_bytes());
            }
        }
        let mut gone = 0;
        for _ in 0..20 {
            gone += kafka.compact(&play.topic, 0, Duration::ZERO);
            let seen = play.read(0, false);
            assert!(seen.ends_with("8=a4 9=b4 end 10"), "seed {seed}: {seen}");
        }
        assert!((1..=8).contains(&gone), "seed {seed}: {gone} entries went");
    }
}

#[test]
fn compaction_keeps_what_an_open_transaction_is_above_and_drops_what_was_aborted() {
    for seed in 0..50 {
        let play = play(seed);
        let kafka = &play.stage.kafka;
        let writer = play.writer(Some("w"), PATIENCE);
        writer.producer.begin_transaction().expect("begin");
        play.send(&writer, 0, &["k"]);
        writer.producer.abort_transaction(PATIENCE).expect("abort");
        kafka.pass(Duration::from_secs(1));
        kafka.append(&play.topic, 0, b"k", b"old");
        let open = play.writer(Some("open"), PATIENCE);
        open.producer.begin_transaction().expect("begin");
        play.send(&open, 0, &["x"]);
        kafka.append(&play.topic, 0, b"k", b"new");
        for _ in 0..20 {
            kafka.compact(&play.topic, 0, Duration::ZERO);
        }
        // The newer one is above the last stable offset: nobody has replaced the old one yet.
        let seen = play.read(0, true);
        assert_eq!(seen, "2=old 3=x 4=new end 5", "seed {seed}");
        open.producer.commit_transaction(PATIENCE).expect("commit");
        kafka.pass(super::SOON);
        for _ in 0..20 {
            kafka.compact(&play.topic, 0, Duration::ZERO);
        }
        assert_eq!(play.read(0, false), "3=x 4=new end 6", "seed {seed}");
    }
}

#[test]
fn retention_leaves_a_reader_below_the_start_out_of_range() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    for value in ["a", "b", "c"] {
        kafka.append(&play.topic, 0, b"k", value.as_bytes());
    }
    let mut slow = play.consumer(None);
    slow.assign(&[(PartitionId(0), Offset(1))]).expect("assign");
    kafka.move_start(&play.topic, 0, 2);
    assert_eq!(play.read_on(&mut slow), "OutOfRange 1");
    assert_eq!(play.read(2, false), "2=c end 3");
    let logs = slow.logs(&[PartitionId(0)], PATIENCE).expect("logs");
    assert_eq!(logs[&PartitionId(0)], (Offset(2), Offset(3)));
    // It stands still until it is assigned again.
    kafka.append(&play.topic, 0, b"k", b"d");
    kafka.pass(super::SOON);
    assert_eq!(slow.drain(Duration::ZERO, |event| panic!("{event:?}")), 0);
}

#[test]
fn a_log_that_loses_its_end_keeps_transactions_whole_or_not_at_all() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    kafka.append(&play.topic, 0, b"k", b"a");
    let writer = play.writer(Some("w"), PATIENCE);
    writer.producer.begin_transaction().expect("begin");
    play.send(&writer, 0, &["b", "c"]);
    writer.producer.commit_transaction(PATIENCE).expect("commit");
    kafka.pass(super::SOON);
    kafka.append(&play.topic, 0, b"k", b"d");
    assert_eq!(play.read(0, false), "0=a 1=b 2=c 4=d end 5");
    kafka.lose_end(&play.topic, 0, 4);
    assert_eq!(play.read(0, false), "0=a 1=b 2=c end 4");
    // The marker would be lost, but not all records of its transaction.
    kafka.lose_end(&play.topic, 0, 3);
    assert_eq!(play.read(0, false), "0=a end 1");
    kafka.append(&play.topic, 0, b"k", b"e");
    assert_eq!(play.read(0, false), "0=a 1=e end 2");
}

#[test]
fn a_record_comes_as_it_was_sent() {
    let play = play(1);
    let writer = play.writer(None, PATIENCE);
    let mut block = Vec::new();
    headers::push(&mut block, b"a", Some(b"1"));
    headers::push(&mut block, b"null", None);
    headers::push(&mut block, b"a", Some(b"2"));
    let headers = HeaderBlock::new(&block);
    let partition = Some(PartitionId(0));
    let sent = writer.producer.send_with_headers(&writer.topic, partition, None, None, headers);
    sent.expect("accepted");
    play.send(&writer, 0, &["plain"]);
    let mut consumer = play.consumer(None);
    consumer.assign(&[(PartitionId(0), Offset(0))]).expect("assign");
    let mut seen = 0;
    while seen < 2 {
        consumer.drain(Duration::ZERO, |event| {
            let DrainEvent::Record(record) = event else { return Flow::Continue };
            seen += 1;
            if record.offset == 0 {
                assert_eq!((record.key, record.value), (None, None));
                let found = [b"a".as_slice(), b"null", b"a"];
                assert!(record.headers.iter().map(|header| header.name).eq(found));
                assert_eq!(record.headers.get("a"), Some(b"2".as_slice()), "the last of a name");
                assert_eq!(record.headers.get("null"), None);
                let mut copy = Vec::new();
                record.headers.copy(&mut copy, 1_000);
                assert_eq!(copy, block);
            } else {
                assert!(record.headers.is_empty() && record.value == Some(b"plain"));
            }
            Flow::Continue
        });
    }
}

#[test]
fn a_topic_that_is_gone_is_told_once_and_read_on_when_it_is_back() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let client = kafka.process();
    let mut consumer = client.consumer(&play.consumer_settings(None)).expect("a consumer");
    consumer.assign(&[(PartitionId(0), Offset(0))]).expect("assign");
    kafka.append(&play.topic, 0, b"k", b"a");
    assert_eq!(play.read_on(&mut consumer), "0=a end 1");
    kafka.delete_topic(&play.topic);
    assert_eq!(play.read_on(&mut consumer), "Retriable _UNKNOWN_PARTITION");
    kafka.create_topic(&play.topic, 2);
    for value in ["x", "y"] {
        kafka.append(&play.topic, 0, b"k", value.as_bytes());
    }
    assert_eq!(play.read_on(&mut consumer), "1=y end 2");
}
