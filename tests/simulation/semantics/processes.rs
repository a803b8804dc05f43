//! Processes: killed, paused, cut off.

use std::time::Duration;

use logintide::{
    client::{Client, OffsetCommitter, RecordConsumer, RecordProducer},
    ids::PartitionId,
    kafka::OutRecord,
};

use super::{SOON, impatient};
use crate::{
    kafka::{Faults, Link},
    script::stage::{PATIENCE, SESSION, kind, named},
    stage::play,
};

#[test]
fn what_a_killed_process_had_on_the_way_arrives_or_not_and_never_after_its_successor() {
    let mut arrived = [0, 0];
    for seed in 0..40 {
        let play = play(seed);
        let kafka = &play.stage.kafka;
        let client = kafka.process();
        let writer = play.writer_of(&client, Some("w"), PATIENCE);
        writer.producer.begin_transaction().expect("begin");
        play.send(&writer, 0, &["a"]);
        let record = OutRecord { key: b"b", value: b"b", ..OutRecord::default() };
        writer.producer.send_batch(&writer.topic, PartitionId(0), [record]);
        kafka.kill(client.process());
        let late = seed % 2 == 0;
        if late {
            kafka.pass(Duration::from_secs(5));
        }
        let next = play.writer(Some("w"), PATIENCE);
        play.commit(&next, 0, &["x"]);
        kafka.pass(SOON);
        let (all, committed) = (play.read(0, true), play.read(0, false));
        arrived[usize::from(late)] += usize::from(all.contains("=b"));
        assert!(committed.contains("=x") && !committed.contains("=b"), "seed {seed}: {committed}");
        assert!(kafka.is_settled(&[&play.topic]), "seed {seed}");
    }
    assert_eq!(arrived[0], 0, "the successor has taken the id over");
    assert!((1..20).contains(&arrived[1]), "{arrived:?}");
}

#[test]
fn calls_of_a_process_that_was_killed_change_nothing() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let client = kafka.process();
    let writer = play.writer_of(&client, Some("w"), PATIENCE);
    let mut member = client.consumer(&play.consumer_settings(None)).expect("a consumer");
    play.join(&mut member);
    writer.producer.begin_transaction().expect("begin");
    play.send(&writer, 0, &["a"]);
    kafka.kill(client.process());
    let unknown = writer.producer.commit_transaction(PATIENCE).expect_err("nobody answers");
    assert_eq!(kind(&unknown), "Timeout");
    assert!(member.committer().group_metadata().is_err());
    assert_eq!(member.drain(Duration::ZERO, |event| panic!("{event:?}")), 0);
    drop((writer, member));
    kafka.pass(SOON * 4);
    assert_eq!(play.read(0, false), "end 2", "the coordinator has ended it");
}

#[test]
fn a_process_that_is_cut_off_loses_its_place_on_both_sides() {
    for link in [Link::Down, Link::Mute] {
        let play = play(1);
        let kafka = &play.stage.kafka;
        let client = kafka.process();
        let mut member = client.consumer(&play.consumer_settings(None)).expect("a consumer");
        play.join(&mut member);
        kafka.connect(client.process(), link);
        let mut other = play.consumer(None);
        other.subscribe().expect("subscribe");
        assert_eq!(play.take_offer(&mut other), "assigned [0, 1]", "{link:?}");
        assert_eq!(named(&play.rebalance(&mut member)), "lost [0, 1]", "{link:?}");
        member.unassign().expect("unassign");
        kafka.pass(SOON);
        assert_eq!(member.next_rebalance(), None, "it cannot join");
        kafka.connect(client.process(), Link::Up);
        play.rebalance(&mut other);
        other.unassign().expect("unassign");
        let mut both = [play.take_offer(&mut member), play.take_offer(&mut other)];
        both.sort();
        assert_eq!(both, ["assigned [0]", "assigned [1]"], "{link:?}");
    }
}

#[test]
fn requests_of_a_process_that_hears_nothing_are_carried_out() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let client = kafka.process();
    let writer = play.writer_of(&client, Some("w"), PATIENCE);
    writer.producer.begin_transaction().expect("begin");
    play.send(&writer, 0, &["a"]);
    kafka.set_faults(impatient());
    for (link, seen) in [(Link::Down, "end 0"), (Link::Mute, "0=a end 2")] {
        kafka.connect(client.process(), link);
        let unknown = writer.producer.commit_transaction(PATIENCE).expect_err("no answer");
        assert_eq!(kind(&unknown), "Timeout");
        kafka.pass(Duration::from_secs(1));
        assert_eq!(play.read(0, false), seen, "{link:?}");
    }
}

#[test]
fn a_short_pause_is_not_noticed_and_records_sent_before_it_are_delivered_after_it() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let client = kafka.process();
    let mut member = client.consumer(&play.consumer_settings(None)).expect("a consumer");
    play.join(&mut member);
    let writer = play.writer_of(&client, None, PATIENCE);
    let record = OutRecord { key: b"k", value: b"v", ..OutRecord::default() };
    writer.producer.send_batch(&writer.topic, PartitionId(0), [record]);
    kafka.pause(client.process());
    kafka.pass(SESSION / 3);
    assert_eq!(play.read(0, false), "end 0", "it stands still");
    kafka.resume(client.process());
    kafka.pass(SOON);
    assert_eq!(writer.producer.poll(Duration::ZERO), 1);
    member.serve(Duration::ZERO, &mut |_| {}).expect("it works");
    assert_eq!(member.next_rebalance(), None);
    assert_eq!(play.read(0, false), "0=v end 1");
    kafka.set_faults(Faults::none());
}
