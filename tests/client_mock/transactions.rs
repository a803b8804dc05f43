//! Transactions whose requests the brokers answer late, wrongly or not at all.

use std::time::Duration;

use logintide::{
    ids::{Offset, PartitionId},
    kafka::{
        CommitEntry, Consumer, ErrorCode, GroupMetadata, KafkaError, MockCluster, MockRequest,
        OutRecord, Producer, TopicHandle,
    },
};

use crate::support::*;

const INPUT: &str = "input";
const OUTPUT: &str = "output";
/// Longer than any test lasts: no transaction ends by itself.
const TIMEOUT: Duration = Duration::from_mins(10);
/// Short enough for a test to wait for it, and far above any healthy answer.
const SHORT: Duration = Duration::from_millis(500);
/// An answer that comes after `SHORT`, also when a busy machine leaves the test waiting.
const LATE: Duration = Duration::from_secs(5);

const ILLEGAL_GENERATION: ErrorCode = ErrorCode(22);
const INVALID_PRODUCER_EPOCH: ErrorCode = ErrorCode(47);
const INVALID_PRODUCER_ID_MAPPING: ErrorCode = ErrorCode(49);
const TOPIC_AUTHORIZATION_FAILED: ErrorCode = ErrorCode(29);
const CONCURRENT_TRANSACTIONS: ErrorCode = ErrorCode(51);

fn cluster() -> MockCluster {
    let cluster = MockCluster::new(1).expect("mock cluster");
    cluster.create_topic(INPUT, 1).expect("topic");
    cluster.create_topic(OUTPUT, 2).expect("topic");
    cluster
}

fn producer(cluster: &MockCluster) -> (Producer, TopicHandle) {
    transactional(&cluster.brokers(), OUTPUT, "sink", TIMEOUT)
}

fn member(cluster: &MockCluster) -> (Consumer, GroupMetadata) {
    let settings = consumer_settings(&cluster.brokers(), INPUT, "group");
    let mut consumer = Consumer::new(&settings).expect("consumer");
    join(&mut consumer);
    let group = consumer.committer().group_metadata().expect("a member");
    (consumer, group)
}

fn entries() -> [CommitEntry; 1] {
    [(PartitionId(0), Offset(3), "instance:1:0:0".to_owned())]
}

/// A whole transaction, which proves that the producer works.
fn commit_some(producer: &Producer, topic: TopicHandle) {
    producer.transactions().begin().expect("begin");
    send_all(producer, topic, 0, &numbered(0..10));
    flush(producer);
    producer.transactions().commit(PATIENCE).expect("commit");
    assert_eq!(producer.take_delivery_failures().count, 0);
}

#[test]
fn a_refused_offset_is_abortable_and_the_producer_goes_on_after_the_abort() {
    let cluster = cluster();
    let (_consumer, group) = member(&cluster);
    let (producer, topic) = producer(&cluster);
    producer.transactions().begin().expect("begin");
    send_all(&producer, topic, 0, &numbered(0..10));
    cluster.fail_next(MockRequest::TxnOffsetCommit, &[ILLEGAL_GENERATION]);
    let error = producer
        .transactions()
        .send_offsets(INPUT, &entries(), &group, PATIENCE)
        .expect_err("refused");
    assert!(error.is_abortable(), "{error:?}");
    assert_eq!(error.code(), Some(ILLEGAL_GENERATION));
    flush(&producer);
    let error = producer.transactions().commit(PATIENCE).expect_err("nothing to commit");
    assert!(error.is_abortable(), "{error:?}");
    assert_eq!(error.code(), Some(ILLEGAL_GENERATION), "the reason stays");
    producer.transactions().abort(PATIENCE).expect("abort");
    assert_eq!(producer.take_delivery_failures().count, 0);
    assert_eq!(producer.fatal_error(), None);
    commit_some(&producer, topic);
}

#[test]
fn a_record_that_is_not_delivered_makes_the_commit_abortable() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    commit_some(&producer, topic);
    producer.transactions().begin().expect("begin");
    // INVALID_RECORD
    cluster.fail_next(MockRequest::Produce, &[ErrorCode(87)]);
    send_all(&producer, topic, 0, &numbered(0..10));
    flush(&producer);
    assert!(producer.take_delivery_failures().count > 0);
    let error = producer.transactions().commit(PATIENCE).expect_err("incomplete");
    assert!(error.is_abortable(), "{error:?}");
    producer.transactions().abort(PATIENCE).expect("abort");
    // The sequence numbers of the refused records are missing: found out only here.
    producer.transactions().begin().expect("begin");
    send_all(&producer, topic, 0, &numbered(0..10));
    flush(&producer);
    let error = producer.transactions().commit(PATIENCE).expect_err("out of order");
    assert!(error.is_abortable(), "{error:?}");
    producer.transactions().abort(PATIENCE).expect("abort");
    commit_some(&producer, topic);
}

#[test]
fn a_transaction_that_fails_between_two_calls_is_noticed_without_a_further_call() {
    for code in [INVALID_PRODUCER_ID_MAPPING, TOPIC_AUTHORIZATION_FAILED] {
        let cluster = cluster();
        let (producer, topic) = producer(&cluster);
        commit_some(&producer, topic);
        producer.transactions().begin().expect("begin");
        assert!(!producer.transactions().hints_at_failure());
        assert_eq!(producer.transactions().failure(), None);
        cluster.fail_next(MockRequest::AddPartitionsToTxn, &[code]);
        send_all(&producer, topic, 0, &numbered(0..10));
        until("a hint", || {
            producer.poll(TURN);
            producer.transactions().hints_at_failure().then_some(())
        });
        let error = producer.transactions().failure().expect("failed");
        assert!(error.is_abortable(), "{error:?}");
        assert_eq!(error.code(), Some(code));
        producer.transactions().abort(PATIENCE).expect("abort");
        assert_eq!(producer.take_delivery_failures().purged, 10);
        commit_some(&producer, topic);
    }
}

#[test]
fn looking_at_a_sound_transaction_changes_nothing() {
    let cluster = cluster();
    let (_consumer, group) = member(&cluster);
    let (producer, topic) = producer(&cluster);
    for _ in 0..2 {
        producer.transactions().begin().expect("begin");
        send_all(&producer, topic, 0, &numbered(0..10));
        assert_eq!(producer.transactions().failure(), None);
        flush(&producer);
        producer.transactions().send_offsets(INPUT, &entries(), &group, PATIENCE).expect("offsets");
        assert_eq!(producer.transactions().failure(), None);
        cluster.set_round_trip(SHORT * 3).expect("slow brokers");
        let error = producer.transactions().commit(SHORT).expect_err("too slow");
        assert!(matches!(error, KafkaError::Timeout { .. }), "{error:?}");
        assert_eq!(producer.transactions().failure(), None, "a commit is to be resumed");
        cluster.set_round_trip(Duration::ZERO).expect("fast brokers");
        producer.transactions().commit(PATIENCE).expect("resumed");
    }
}

/// librdkafka alone would ask twice a second, and a start after a kill wait for that.
#[test]
fn an_id_whose_old_transaction_is_being_ended_is_asked_for_again_soon() {
    let cluster = cluster();
    let settings = transactional_settings(&cluster.brokers(), "sink", TIMEOUT);
    let mut producer = Producer::new(&settings).expect("producer");
    let topic = producer.topic(OUTPUT).expect("topic");
    cluster.fail_next(MockRequest::InitProducerId, &[CONCURRENT_TRANSACTIONS; 140]);
    producer.transactions().init(PATIENCE).expect("more often than twice a second");
    commit_some(&producer, topic);
}

#[test]
fn what_passes_by_itself_is_not_an_error() {
    let cluster = cluster();
    let (_consumer, group) = member(&cluster);
    let (producer, topic) = producer(&cluster);
    for request in [MockRequest::AddOffsetsToTxn, MockRequest::TxnOffsetCommit, MockRequest::EndTxn]
    {
        cluster.fail_next(request, &[CONCURRENT_TRANSACTIONS]);
        producer.transactions().begin().expect("begin");
        send_all(&producer, topic, 0, &numbered(0..10));
        producer.transactions().send_offsets(INPUT, &entries(), &group, PATIENCE).expect("offsets");
        flush(&producer);
        producer.transactions().commit(PATIENCE).expect("commit");
    }
}

#[test]
fn a_commit_that_timed_out_is_resumed_and_nothing_else_is_allowed_before() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    producer.transactions().begin().expect("begin");
    send_all(&producer, topic, 0, &numbered(0..10));
    flush(&producer);
    cluster.set_round_trip(LATE).expect("slow brokers");
    let error = producer.transactions().commit(SHORT).expect_err("too slow");
    assert!(matches!(error, KafkaError::Timeout { waited: SHORT, .. }), "{error:?}");
    let error = producer.transactions().abort(PATIENCE).expect_err("the commit is under way");
    // Were it tried again until `PATIENCE` is over, this would be a timeout.
    assert!(matches!(error, KafkaError::Retriable { .. }), "{error:?}");
    cluster.set_round_trip(Duration::ZERO).expect("fast brokers");
    producer.transactions().commit(PATIENCE).expect("resumed");
    commit_some(&producer, topic);
}

#[test]
fn init_waits_for_brokers_that_are_away_and_succeeds_later() {
    let cluster = cluster();
    cluster.take_down().expect("down");
    let settings = transactional_settings(&cluster.brokers(), "sink", TIMEOUT);
    let mut producer = Producer::new(&settings).expect("producer");
    let topic = producer.topic(OUTPUT).expect("topic");
    for _ in 0..2 {
        let error = producer.transactions().init(SHORT).expect_err("nobody answers");
        let KafkaError::Timeout { waited: SHORT, text, .. } = &error else { panic!("{error:?}") };
        assert!(!text.is_empty(), "{error}");
    }
    cluster.bring_up().expect("up");
    producer.transactions().init(PATIENCE).expect("resumed");
    commit_some(&producer, topic);
}

#[test]
fn an_abort_with_everything_in_flight_and_nobody_there_is_resumed_later() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    commit_some(&producer, topic);
    producer.transactions().begin().expect("begin");
    send_all(&producer, topic, 0, &numbered(0..10));
    flush(&producer);
    cluster.take_down().expect("down");
    let values = numbered(0..20_000);
    let records =
        values.iter().map(|v| OutRecord { key: b"k", value: v.as_bytes(), ..OutRecord::default() });
    assert_eq!(producer.send_batch(&topic, PartitionId(1), records).accepted, 20_000);
    let error = producer.transactions().abort(SHORT).expect_err("nobody answers");
    assert!(matches!(error, KafkaError::Timeout { waited: SHORT, .. }), "{error:?}");
    cluster.bring_up().expect("up");
    producer.transactions().abort(PATIENCE).expect("resumed");
    assert_eq!(producer.in_flight(), 0);
    let failures = producer.take_delivery_failures();
    assert_eq!((failures.count, failures.purged), (0, 20_000), "{failures:?}");
    commit_some(&producer, topic);
}

#[test]
fn offsets_for_a_coordinator_that_is_away_fail_in_bounded_time() {
    let cluster = cluster();
    let (_consumer, group) = member(&cluster);
    let (producer, topic) = producer(&cluster);
    producer.transactions().begin().expect("begin");
    send_all(&producer, topic, 0, &numbered(0..10));
    flush(&producer);
    cluster.take_down().expect("down");
    let (producer, error) = within_patience("offsets", move || {
        let error = producer
            .transactions()
            .send_offsets(INPUT, &entries(), &group, SHORT)
            .expect_err("away");
        (producer, error)
    });
    assert!(error.is_retriable() || error.is_abortable(), "{error:?}");
    cluster.bring_up().expect("up");
    producer.transactions().abort(PATIENCE).expect("abort");
    commit_some(&producer, topic);
}

#[test]
fn offsets_that_were_answered_late_are_sent_again() {
    let cluster = cluster();
    let (_consumer, group) = member(&cluster);
    let (producer, topic) = producer(&cluster);
    producer.transactions().begin().expect("begin");
    cluster.set_round_trip(LATE).expect("slow brokers");
    let error = producer
        .transactions()
        .send_offsets(INPUT, &entries(), &group, SHORT)
        .expect_err("too slow");
    assert!(matches!(error, KafkaError::Timeout { waited: SHORT, .. }), "{error:?}");
    cluster.set_round_trip(Duration::ZERO).expect("fast brokers");
    producer.transactions().send_offsets(INPUT, &entries(), &group, PATIENCE).expect("again");
    producer.transactions().commit(PATIENCE).expect("commit");
    commit_some(&producer, topic);
}

#[test]
fn a_stale_producer_epoch_is_a_fence_also_for_the_calls_after_it() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    producer.transactions().begin().expect("begin");
    send_all(&producer, topic, 0, &numbered(0..10));
    flush(&producer);
    cluster.fail_next(MockRequest::EndTxn, &[INVALID_PRODUCER_EPOCH]);
    let error = producer.transactions().commit(PATIENCE).expect_err("fenced");
    assert!(error.is_fenced(), "{error:?}");
    let after = [producer.transactions().abort(PATIENCE), producer.transactions().begin()];
    for result in after {
        assert!(result.as_ref().is_err_and(KafkaError::is_fenced), "{result:?}");
    }
    assert!(producer.fatal_error().is_some_and(|error| error.is_fenced()));
}

#[test]
fn calls_out_of_order_are_fatal_and_not_retried() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    let error = producer.transactions().commit(PATIENCE).expect_err("nothing was begun");
    assert!(matches!(error, KafkaError::Fatal { .. }), "{error:?}");
    assert_eq!(producer.fatal_error(), None);
    commit_some(&producer, topic);
}

#[test]
fn there_is_no_group_metadata_without_a_membership() {
    let cluster = cluster();
    let settings = consumer_settings(&cluster.brokers(), INPUT, "group");
    let mut consumer = Consumer::new(&settings).expect("consumer");
    let committer = consumer.committer();
    let absent = || committer.group_metadata().expect_err("no member");
    assert!(matches!(absent(), KafkaError::NotMember { .. }), "{:?}", absent());
    join(&mut consumer);
    committer.group_metadata().expect("a member");
    consumer.close();
    assert!(matches!(absent(), KafkaError::NotMember { .. }), "{:?}", absent());
}
