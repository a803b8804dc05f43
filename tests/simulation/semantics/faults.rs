//! Faults of network and brokers, by chance or by order.

use std::time::Duration;

use logintide::{
    client::{Client, Clock, Questions, RecordConsumer, RecordProducer},
    ids::{Offset, PartitionId},
    kafka::{ClientSettings, ErrorCode},
};

use super::{SOON, impatient};
use crate::{
    kafka::Faults,
    script::stage::{PATIENCE, kind},
    stage::play,
};

#[test]
fn a_call_that_nobody_answers_times_out_after_the_patience_of_the_simulation() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let consumer = play.consumer(None);
    kafka.set_faults(Faults { lost_request_one_in: 1, ..impatient() });
    let before = kafka.clock().now();
    let unanswered = consumer.logs(&[PartitionId(0)], PATIENCE).expect_err("no answer");
    assert_eq!(kind(&unanswered), "Timeout");
    assert_eq!(kafka.clock().since(before), Duration::from_millis(50));
    assert!(unanswered.to_string().contains("60000 ms"), "it says what it was asked: {unanswered}");
}

#[test]
fn a_partition_without_a_leader_is_neither_read_nor_answered_for() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    kafka.append(&play.topic, 0, b"k", b"v");
    kafka.move_leader(&play.topic, 0, Duration::from_secs(10));
    kafka.set_faults(impatient());
    let client = kafka.process();
    let mut consumer = client.consumer(&play.consumer_settings(None)).expect("a consumer");
    consumer.assign(&[(PartitionId(0), Offset(0))]).expect("assign");
    assert_eq!(consumer.drain(Duration::ZERO, |event| panic!("{event:?}")), 0);
    let admin = client.uncommitted(&ClientSettings::default()).expect("an admin client");
    let both = [PartitionId(0), PartitionId(1)];
    let ends = admin.ends(&play.topic, &both, PATIENCE).expect("an answer");
    assert_eq!(ends, [(PartitionId(1), Offset(0))]);
    assert!(admin.all_ends(&play.topic, &both, PATIENCE).is_err_and(|it| it.is_retriable()));
    assert!(consumer.logs(&both, PATIENCE).is_err_and(|error| error.is_retriable()));
    let described = admin.describe_topics(&[&play.topic], PATIENCE).expect("an answer");
    assert_eq!(described[0].as_ref().map(|topic| topic.leaderless), Ok(1));
    kafka.pass(Duration::from_secs(10));
    assert_eq!(play.read_on(&mut consumer), "0=v end 1");
}

#[test]
fn a_transaction_coordinator_that_moves_is_waited_for() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let writer = play.writer(Some("w"), PATIENCE);
    kafka.move_transaction_coordinator(Duration::from_secs(5));
    let before = kafka.clock().now();
    play.commit(&writer, 0, &["a"]);
    assert!(kafka.clock().since(before) >= Duration::from_secs(4));
    kafka.pass(SOON);
    assert_eq!(play.read(0, false), "0=a end 2");
}

#[test]
fn a_wait_for_nothing_costs_a_little_time_so_that_loops_with_a_deadline_end() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let client = kafka.process();
    let mut consumer = client.consumer(&play.consumer_settings(None)).expect("a consumer");
    let writer = play.writer(None, PATIENCE);
    let (_sender, receiver) = crossbeam_channel::bounded::<()>(1);
    let second = Duration::from_secs(1);
    for idle in [Duration::from_millis(1), Duration::from_millis(20)] {
        kafka.clock().set_idle(idle);
        let before = kafka.clock().now();
        consumer.serve(second, &mut |_| {}).expect("it works");
        consumer.drain(second, |event| panic!("{event:?}"));
        assert_eq!(writer.producer.poll(second), 0);
        assert!(kafka.clock().receive(&receiver, second).is_err());
        assert_eq!(kafka.clock().since(before), 4 * idle);
        writer.producer.poll(Duration::ZERO);
        consumer.drain(Duration::ZERO, |event| panic!("{event:?}"));
        assert_eq!(kafka.clock().since(before), 4 * idle);
    }
}

#[test]
fn the_numbers_of_codes_are_librdkafkas() {
    for (code, name) in [
        (-192, "_MSG_TIMED_OUT"),
        (-173, "_CONFLICT"),
        (-149, "_INCONSISTENT"),
        (-142, "_ASSIGNMENT_LOST"),
        (14, "COORDINATOR_LOAD_IN_PROGRESS"),
        (16, "NOT_COORDINATOR"),
        (47, "INVALID_PRODUCER_EPOCH"),
        (48, "INVALID_TXN_STATE"),
        (88, "UNSTABLE_OFFSET_COMMIT"),
        (90, "PRODUCER_FENCED"),
    ] {
        assert_eq!(ErrorCode(code).name(), name);
    }
}
