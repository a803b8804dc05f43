//! Runs of records, refusals, failures and purges of the producer.

use std::time::Duration;

use logintide::{
    headers::HeaderBlock,
    ids::PartitionId,
    kafka::{
        Consumer, DeliveryFailures, ErrorCode, KafkaError, MockCluster, MockRequest, OutRecord,
        Producer, SendError, TopicHandle, Transactional,
    },
};

use crate::support::*;

const TOPIC: &str = "output";
const NOT_LEADER: ErrorCode = ErrorCode(6);

fn cluster() -> MockCluster {
    let cluster = MockCluster::new(1).expect("mock cluster");
    cluster.create_topic(TOPIC, 2).expect("topic");
    cluster
}

fn producer(cluster: &MockCluster, queue_kbytes: usize) -> (Producer, TopicHandle) {
    let mut settings = producer_settings(&cluster.brokers());
    settings.queue_kbytes = queue_kbytes;
    let mut producer = Producer::new(&settings).expect("producer");
    let topic = producer.topic(TOPIC).expect("topic");
    assert_eq!(producer.topic(TOPIC).expect("topic"), topic);
    (producer, topic)
}

fn written(cluster: &MockCluster, partition: i32, count: i64) -> Vec<String> {
    // A group of its own: in that of an earlier reader it waits for the end of that one's session.
    let group = format!("reader-{count}");
    let settings = consumer_settings(&cluster.brokers(), TOPIC, &group);
    let mut consumer = Consumer::new(&settings).expect("consumer");
    join(&mut consumer);
    let end = Seen::End { partition, offset: count };
    let seen = take_until(&mut consumer, |seen| seen.contains(&end));
    values_of(&seen, partition)
}

#[test]
fn a_full_queue_takes_a_prefix_and_the_rest_later_in_order() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster, 16);
    let values = numbered(0..3_000);
    cluster.take_down().expect("down");
    let records =
        values.iter().map(|v| OutRecord { key: b"k", value: v.as_bytes(), ..OutRecord::default() });
    let outcome = producer.send_batch(&topic, PartitionId(1), records);
    assert!(outcome.full && outcome.refused.is_empty(), "{outcome:?}");
    assert!(outcome.accepted > 0 && outcome.accepted < values.len(), "{outcome:?}");
    // Log lines that wait for a poll count as well.
    assert!(producer.in_flight() >= outcome.accepted);
    let large = [b'x'; 16 * 1024];
    let single = producer.send_with_headers(&topic, None, None, Some(&large), HeaderBlock::NONE);
    assert_eq!(single, Err(SendError::Full));
    cluster.bring_up().expect("up");
    send_all(&producer, topic, 1, &values[outcome.settled()..]);
    flush(&producer);
    assert_eq!(producer.take_delivery_failures().count, 0);
    assert_eq!(written(&cluster, 1, 3_000), values);
}

#[test]
fn a_record_that_is_too_large_is_refused_by_its_index_and_the_others_go() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster, 16 * 1024);
    let huge = vec![b'x'; 2_000_000];
    let mut values: Vec<&[u8]> = vec![b"small"; 1_200];
    // In the first run, at its end, and in the last.
    for index in [3, 511, 1_199] {
        values[index] = &huge;
    }
    let records = values.iter().map(|value| OutRecord { key: b"", value, ..OutRecord::default() });
    let outcome = producer.send_batch(&topic, PartitionId(0), records);
    let refused: Vec<_> = outcome.refused.iter().map(|(index, _)| *index).collect();
    assert_eq!(refused, [3, 511, 1_199]);
    assert!(outcome.refused.iter().all(|(_, e)| matches!(e, KafkaError::Refused { .. })));
    assert_eq!((outcome.accepted, outcome.settled(), outcome.full), (1_197, 1_200, false));
    let single = producer.send_with_headers(&topic, None, None, Some(&huge), HeaderBlock::NONE);
    assert!(matches!(single, Err(SendError::Refused(KafkaError::Refused { .. }))), "{single:?}");
    flush(&producer);
    assert_eq!(written(&cluster, 0, 1_197).len(), 1_197);
}

#[test]
fn what_cannot_be_delivered_in_time_is_reported() {
    let cluster = cluster();
    let mut settings = producer_settings(&cluster.brokers());
    settings.delivery_timeout = Duration::from_secs(10);
    let mut producer = Producer::new(&settings).expect("producer");
    let topic = producer.topic(TOPIC).expect("topic");
    send_all(&producer, topic, 1, &numbered(0..10));
    flush(&producer);
    assert_eq!(producer.take_delivery_failures(), DeliveryFailures::default());
    cluster.take_down().expect("down");
    send_all(&producer, topic, 1, &numbered(0..25));
    flush(&producer);
    let failures = producer.take_delivery_failures();
    assert_eq!((failures.count, failures.purged), (25, 0));
    let first = failures.first.expect("the first failure");
    assert_eq!((first.topic.as_str(), first.partition), (TOPIC, PartitionId(1)));
    assert!(first.error.is_retriable(), "{:?}", first.error);
    assert_eq!(producer.take_delivery_failures(), DeliveryFailures::default());
    assert_eq!(producer.fatal_error(), None);
}

#[test]
fn a_partition_that_does_not_exist_is_reported_and_not_a_refusal_of_the_record() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster, 1024);
    send_all(&producer, topic, 0, &numbered(0..1));
    flush(&producer);
    // The partition count is known by now.
    let record = OutRecord { key: b"k", value: b"v", ..OutRecord::default() };
    let outcome = producer.send_batch(&topic, PartitionId(7), [record, record]);
    flush(&producer);
    let failures = producer.take_delivery_failures();
    let errors: Vec<_> = outcome
        .refused
        .iter()
        .map(|(_, error)| error.clone())
        .chain(failures.first.map(|first| first.error))
        .collect();
    assert!(!errors.is_empty(), "{outcome:?}");
    for error in errors {
        assert!(matches!(error, KafkaError::Retriable { .. }), "{error:?}");
    }
}

#[test]
fn a_mark_waits_for_what_was_accepted_before_it_and_for_nothing_else() {
    let cluster = cluster();
    let (mut producer, topic) = producer(&cluster, 16 * 1024);
    let other = producer.topic("other").expect("topic");
    let nothing = producer.mark(&[topic, other]);
    assert!(producer.has_delivered(&nothing));
    send_all(&producer, topic, 0, &numbered(0..700));
    let partition = Some(PartitionId(1));
    producer
        .send_with_headers(&topic, partition, None, Some(b"v"), HeaderBlock::NONE)
        .expect("accepted");
    let (mark, untouched) = (producer.mark(&[topic]), producer.mark(&[other]));
    assert!(!producer.has_delivered(&mark), "no report was served yet");
    assert!(producer.has_delivered(&untouched));
    until("the marked records", || {
        producer.poll(TURN);
        producer.has_delivered(&mark).then_some(())
    });
    // What comes later and is never delivered changes nothing.
    cluster.take_down().expect("down");
    send_all(&producer, topic, 1, &numbered(0..10));
    producer.poll(TURN);
    assert!(producer.has_delivered(&mark) && !producer.has_delivered(&producer.mark(&[topic])));
}

#[test]
fn records_that_are_not_delivered_never_satisfy_a_mark() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster, 16 * 1024);
    send_all(&producer, topic, 0, &numbered(0..10));
    flush(&producer);
    assert!(producer.has_delivered(&producer.mark(&[topic])));
    // INVALID_RECORD
    cluster.fail_next(MockRequest::Produce, &[ErrorCode(87)]);
    send_all(&producer, topic, 0, &numbered(10..20));
    flush(&producer);
    assert_eq!(producer.take_delivery_failures().count, 10);
    assert!(!producer.has_delivered(&producer.mark(&[topic])));
}

/// librdkafka calls refused records delivered when a later request of their partition succeeds. A
/// broker takes that request whatever its sequence number says, when it knows nothing of the
/// producer yet: leader of a new partition since a moment ago, it has refused the first ones.
#[test]
fn records_that_only_the_success_of_later_ones_vouches_for_are_not_delivered() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster, 16 * 1024);
    // Each a request of its own, all of them sent before the first answer.
    let values: Vec<String> = (0..4).map(|n| n.to_string().repeat(600_000)).collect();
    cluster.set_round_trip(Duration::from_secs(1)).expect("slow brokers");
    cluster.fail_next(MockRequest::Produce, &[NOT_LEADER; 3]);
    send_all(&producer, topic, 1, &values);
    let mark = producer.mark(&[topic]);
    flush(&producer);
    cluster.set_round_trip(Duration::ZERO).expect("fast brokers");
    assert_eq!(written(&cluster, 1, 1), values[3..]);
    let failures = producer.take_delivery_failures();
    assert_eq!((failures.count, failures.purged), (3, 0), "{failures:?}");
    let first = failures.first.expect("the first failure");
    assert_eq!((first.topic.as_str(), first.partition), (TOPIC, PartitionId(1)));
    assert!(first.error.is_retriable(), "{:?}", first.error);
    assert!(!producer.has_delivered(&mark));
    // The broker knows the producer by now, and what is sent again arrives.
    send_all(&producer, topic, 1, &values[..3]);
    flush(&producer);
    assert_eq!(producer.take_delivery_failures(), DeliveryFailures::default());
    assert_eq!(producer.fatal_error(), None);
    assert_eq!(written(&cluster, 1, 4), [&values[3..], &values[..3]].concat());
}

#[test]
fn purged_records_are_no_failures_and_the_producer_goes_on() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster, 16 * 1024);
    send_all(&producer, topic, 0, &numbered(0..100));
    flush(&producer);
    // Some records in flight, others still waiting.
    cluster.set_round_trip(Duration::from_secs(10)).expect("slow brokers");
    let outcome = producer.send_batch(
        &topic,
        PartitionId(0),
        numbered(100..2_000).iter().map(|v| OutRecord {
            key: b"k",
            value: v.as_bytes(),
            ..OutRecord::default()
        }),
    );
    assert_eq!(outcome.accepted, 1_900);
    std::thread::sleep(Duration::from_millis(100));
    producer.purge();
    flush(&producer);
    let failures = producer.take_delivery_failures();
    assert_eq!((failures.count, failures.purged), (0, 1_900), "{failures:?}");
    cluster.set_round_trip(Duration::ZERO).expect("fast brokers");
    send_all(&producer, topic, 1, &numbered(0..10));
    flush(&producer);
    assert_eq!(producer.take_delivery_failures().count, 0);
    assert_eq!(producer.fatal_error(), None);
    assert_eq!(written(&cluster, 1, 10), numbered(0..10));
}

#[test]
fn dropping_a_producer_with_records_in_flight_does_not_hang() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster, 1024);
    cluster.take_down().expect("down");
    send_all(&producer, topic, 0, &numbered(0..100));
    within_patience("drop of the producer", move || drop(producer));
}

#[test]
fn a_send_in_a_transaction_that_has_failed_meanwhile_is_no_fatal_error_of_the_client() {
    let cluster = cluster();
    let mut settings = producer_settings(&cluster.brokers());
    settings.delivery_timeout = Duration::from_secs(1);
    settings.transactional =
        Some(Transactional { id: "tx".into(), timeout: Duration::from_secs(30) });
    let mut producer = Producer::new(&settings).expect("producer");
    let topic = producer.topic(TOPIC).expect("topic");
    producer.transactions().init(PATIENCE).expect("a coordinator answers");
    producer.transactions().begin().expect("none is open");
    cluster.take_down().expect("down");
    // Nothing polls: the first record times out, and the client alone knows of it.
    let error = until("a refusal", || {
        match producer.send_with_headers(
            &topic,
            Some(PartitionId(0)),
            None,
            Some(b"x"),
            HeaderBlock::NONE,
        ) {
            Ok(()) => None,
            Err(SendError::Refused(error)) => Some(error),
            Err(SendError::Full) => panic!("the queue has room for all of them"),
        }
    });
    assert!(error.is_wrong_state(), "{error:?}");
    assert_eq!(producer.fatal_error(), None);
}
