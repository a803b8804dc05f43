//! The Kafka client against a real broker: group protocol, offsets, faults.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use logintide::{
    ids::{Offset, PartitionId},
    kafka::{
        Admin, Consumer, DeliveryFailures, Flow, KafkaError, NewTopic, OutRecord, Producer,
        RebalanceEvent, create_topics, find_topics,
    },
};

#[path = "../client_mock/support.rs"]
pub(crate) mod support;

use support::*;

use crate::topic_admin;

/// A topic of the test's own; deleted at its end.
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) brokers: String,
    pub(crate) admin: Admin,
}

impl Topic {
    pub(crate) fn new(what: &str, partitions: i32, config: &[(&str, &str)]) -> Self {
        let brokers =
            std::env::var("KAFKA_BROKERS").expect("KAFKA_BROKERS names the broker; scripts/test");
        let name = format!("client-{what}-{}", uuid::Uuid::new_v4());
        let admin = Admin::new(&client(&brokers, &[])).expect("admin");
        let topic = NewTopic {
            name: name.clone(),
            partitions,
            replication: 1,
            config: config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        };
        create_topics(&admin, &[topic], PATIENCE).expect("create the topic");
        Self { name, brokers, admin }
    }

    fn produce(&self, partition: i32, values: &[String]) {
        produce(&self.brokers, &self.name, partition, values);
    }

    /// A member of the topic's one group; hears of new partitions within a second.
    pub(crate) fn member(&self) -> Consumer {
        let mut settings = consumer_settings(&self.brokers, &self.name, &self.name);
        settings.client = client(&self.brokers, &[("topic.metadata.refresh.interval.ms", "1000")]);
        Consumer::new(&settings).expect("consumer")
    }

    fn producer(&self) -> (Producer, logintide::kafka::TopicHandle) {
        let mut producer = Producer::new(&producer_settings(&self.brokers)).expect("producer");
        let handle = producer.topic(&self.name).expect("topic");
        (producer, handle)
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // A failed test has said enough.
        if !std::thread::panicking() {
            topic_admin::delete_topics(&self.brokers, &[&self.name]);
        }
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now.as_millis() as i64
}

fn partitions_of(event: &RebalanceEvent) -> Vec<i32> {
    let (RebalanceEvent::Assigned(list) | RebalanceEvent::Revoked(list)) = event else {
        panic!("{event:?} is neither an assignment nor a revoke")
    };
    let mut partitions: Vec<_> = list.iter().map(|p| p.0).collect();
    partitions.sort_unstable();
    partitions
}

/// Counts the records of each partition, which come without a gap.
fn count(seen: &[Seen], next: &mut [i64; 4]) {
    for seen in seen {
        if let Seen::Record { partition, offset, .. } = seen {
            let expected = &mut next[*partition as usize];
            assert_eq!(offset, expected, "partition {partition}");
            *expected += 1;
        }
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_revoke_is_answered_late_and_everything_is_read_once() {
    let topic = Topic::new("revoke", 4, &[]);
    for partition in 0..4 {
        topic.produce(partition, &numbered(0..3_000));
    }
    let mut first = topic.member();
    assert_eq!(join(&mut first).len(), 4);
    let mut next = [0_i64; 4];
    count(&take_records(&mut first, 500), &mut next);
    let mut second = topic.member();
    second.subscribe().expect("subscribe");
    // The first goes on as if nothing were, for 1.5 s after the event.
    let revoked = until("the revoke", || {
        serve(&mut first);
        second.serve(TURN, &mut |event| panic!("{:?}", Seen::of(&event))).expect("works");
        first.next_rebalance()
    });
    assert_eq!(partitions_of(&revoked), [0, 1, 2, 3]);
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(1_500) {
        serve(&mut first);
        first.drain(TURN, |event| {
            count(&[Seen::of(&event)], &mut next);
            Flow::Continue
        });
        serve(&mut second);
        assert_eq!(second.next_rebalance(), None, "the group waits for the first");
    }
    let entries: Vec<_> = (0..4)
        .map(|p| (PartitionId(p), Offset(next[p as usize]), "before the revoke".to_owned()))
        .collect();
    first.committer().commit(&entries, PATIENCE).expect("a commit while the group waits");
    first.unassign().expect("unassign");
    assert_eq!(first.drain(TURN, |event| panic!("unassigned: {:?}", Seen::of(&event))), 0);
    let mut offers = [None, None];
    until("both offers", || {
        for (member, offer) in [&mut first, &mut second].into_iter().zip(&mut offers) {
            serve(member);
            *offer = offer.take().or_else(|| member.next_rebalance());
        }
        offers.iter().all(Option::is_some).then_some(())
    });
    let mut owned: Vec<i32> = Vec::new();
    for (member, offer) in [&mut first, &mut second].into_iter().zip(&offers) {
        let offer = offer.as_ref().expect("both were offered partitions");
        let mine = partitions_of(offer);
        assert_eq!(mine.len(), 2);
        owned.extend(&mine);
        let ids: Vec<_> = mine.iter().map(|p| PartitionId(*p)).collect();
        let committed = member.committed(&ids, PATIENCE).expect("committed offsets");
        let starts: Vec<_> =
            committed.iter().map(|c| (c.partition, c.offset.expect("was committed"))).collect();
        member.assign(&starts).expect("assign");
    }
    owned.sort_unstable();
    assert_eq!(owned, [0, 1, 2, 3]);
    for member in [&mut first, &mut second] {
        let mut ends = 0;
        let seen = take_until(member, |seen| {
            ends = seen.iter().filter(|s| matches!(s, Seen::End { .. })).count();
            ends >= 2
        });
        count(&seen, &mut next);
    }
    assert_eq!(next, [3_000; 4]);
    within_patience("close of both", move || (first.close(), second.close()));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_new_partition_brings_a_new_assignment() {
    let topic = Topic::new("grow", 1, &[]);
    topic.produce(0, &numbered(0..10));
    let mut consumer = topic.member();
    join(&mut consumer);
    assert_eq!(values_to_end(&mut consumer, 0, 10), numbered(0..10));
    topic_admin::add_partitions(&topic.brokers, &topic.name, 3);
    topic.produce(2, &numbered(100..120));
    let event = until("the revoke", || {
        serve(&mut consumer);
        consumer.drain(TURN, |_| Flow::Continue);
        consumer.next_rebalance()
    });
    assert_eq!(event, RebalanceEvent::Revoked(vec![PartitionId(0)]));
    consumer.unassign().expect("unassign");
    let event = next_rebalance(&mut consumer);
    assert_eq!(partitions_of(&event), [0, 1, 2]);
    let starts = [(0, 10), (1, 0), (2, 0)].map(|(p, offset)| (PartitionId(p), Offset(offset)));
    consumer.assign(&starts).expect("assign");
    let records = take_records(&mut consumer, 20);
    assert!(records.iter().all(|s| matches!(s, Seen::Record { partition: 2, .. })), "{records:?}");
    let logs = consumer.logs(&[0, 2].map(PartitionId), PATIENCE).expect("logs");
    let expected = [(0, (0, 10)), (2, (0, 20))];
    let expected = expected.map(|(p, (low, high))| (PartitionId(p), (Offset(low), Offset(high))));
    assert_eq!(logs, expected.into());
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_commit_is_read_back_by_the_next_member_also_when_nothing_moved() {
    let topic = Topic::new("commit", 2, &[]);
    let mut consumer = topic.member();
    join(&mut consumer);
    let committer = consumer.committer();
    for epoch in 1..=3 {
        let metadata = format!("instance:{epoch}:0:1730653310000");
        let entries = [(PartitionId(1), Offset(0), metadata)];
        committer.commit(&entries, PATIENCE).expect("commit");
    }
    consumer.close();
    let next = topic.member();
    let read = next.committed(&[PartitionId(0), PartitionId(1)], PATIENCE).expect("committed");
    assert_eq!((read[0].offset, read[0].metadata.as_str()), (None, ""));
    assert_eq!(read[1].offset, Some(Offset(0)));
    assert_eq!(read[1].metadata, "instance:3:0:1730653310000");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn offsets_are_found_by_time_and_the_end_when_none_is_late_enough() {
    let topic = Topic::new("time", 2, &[]);
    topic.produce(0, &numbered(0..5));
    std::thread::sleep(Duration::from_millis(50));
    let between = now_ms();
    std::thread::sleep(Duration::from_millis(50));
    topic.produce(0, &numbered(5..8));
    let consumer = topic.member();
    let both = [PartitionId(0), PartitionId(1)];
    let at = |time| {
        let mut found = consumer.offset_for_time(&both, time, PATIENCE).expect("offsets by time");
        found.sort_unstable();
        found.into_iter().map(|(_, offset)| offset.0).collect::<Vec<_>>()
    };
    assert_eq!(at(0), [0, 0]);
    assert_eq!(at(between), [5, 0]);
    assert_eq!(at(now_ms() + 3_600_000), [8, 0]);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_position_outside_the_log_is_an_event_and_a_seek_goes_on() {
    let topic = Topic::new("range", 2, &[]);
    topic.produce(0, &numbered(0..5));
    topic.produce(1, &numbered(10..15));
    let mut consumer = topic.member();
    join(&mut consumer);
    take_records(&mut consumer, 10);
    let starts = [(PartitionId(0), Offset(77)), (PartitionId(1), Offset(5))];
    consumer.assign(&starts).expect("assign");
    let is_error = |seen: &Seen| matches!(seen, Seen::Error { .. });
    let seen = take_until(&mut consumer, |seen| seen.iter().any(is_error));
    let Some(Seen::Error { error, .. }) = seen.into_iter().find(is_error) else {
        unreachable!("it was waited for")
    };
    assert!(
        matches!(
            error,
            KafkaError::OffsetOutOfRange { partition: PartitionId(0), position: 77, .. }
        ),
        "{error:?}"
    );
    let starts = [(PartitionId(0), Offset(2)), (PartitionId(1), Offset(5))];
    consumer.assign(&starts).expect("assign");
    assert_eq!(values_to_end(&mut consumer, 0, 5), numbered(2..5));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn assigned_again_under_load_nothing_is_lost_or_doubled() {
    let topic = Topic::new("again", 2, &[]);
    topic.produce(0, &numbered(0..20_000));
    topic.produce(1, &numbered(0..20_000));
    let mut consumer = topic.member();
    join(&mut consumer);
    let mut next = [0_usize; 2];
    for round in 0..100 {
        for seen in take_records(&mut consumer, 130 + round) {
            let Seen::Record { partition, value, .. } = seen else { continue };
            let next = &mut next[partition as usize];
            assert_eq!(value, Some(format!("value-{next}")));
            *next += 1;
        }
        let starts: Vec<_> =
            (0..2).map(|p| (PartitionId(p), Offset(next[p as usize] as i64))).collect();
        if round % 2 == 0 {
            consumer.unassign().expect("unassign");
        }
        consumer.assign(&starts).expect("assign");
    }
    assert_eq!(next.iter().sum::<usize>(), (130..230).sum::<usize>());
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_second_process_with_the_same_instance_id_fences_the_first() {
    let topic = Topic::new("fence", 1, &[]);
    let mut settings = consumer_settings(&topic.brokers, &topic.name, &topic.name);
    settings.instance_id = Some("the-one".to_owned());
    let mut first = Consumer::new(&settings).expect("consumer");
    join(&mut first);
    let mut second = Consumer::new(&settings).expect("consumer");
    second.subscribe().expect("subscribe");
    let error = until("the fence", || {
        second.serve(TURN, &mut |_| {}).expect("the newer one works");
        first.serve(TURN, &mut |_| {}).err()
    });
    assert!(matches!(error, KafkaError::Fenced { .. }), "{error:?}");
    let entry = [(PartitionId(0), Offset(1), String::new())];
    let refused = first.committer().commit(&entry, PATIENCE).expect_err("fenced");
    assert!(!refused.is_retriable(), "{refused:?}");
    within_patience("close of both", move || (first.close(), second.close()));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn what_the_broker_refuses_is_a_delivery_failure() {
    let topic = Topic::new("refuse", 1, &[("max.message.bytes", "2000")]);
    let (producer, handle) = topic.producer();
    let large = vec![b'x'; 5_000];
    let record = OutRecord { key: b"k", value: &large, ..OutRecord::default() };
    let outcome = producer.send_batch(&handle, PartitionId(0), [record]);
    assert_eq!((outcome.accepted, outcome.full), (1, false));
    flush(&producer);
    let failures = producer.take_delivery_failures();
    assert_eq!((failures.count, failures.purged), (1, 0));
    let first = failures.first.expect("the failure");
    assert_eq!((first.topic.as_str(), first.partition), (topic.name.as_str(), PartitionId(0)));
    assert!(matches!(first.error, KafkaError::Refused { .. }), "{:?}", first.error);
    send_all(&producer, handle, 0, &numbered(0..3));
    flush(&producer);
    assert_eq!(producer.take_delivery_failures(), DeliveryFailures::default());
    assert_eq!(producer.fatal_error(), None);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn after_a_purge_in_flight_the_idempotent_producer_goes_on() {
    let topic = Topic::new("purge", 2, &[]);
    let (producer, handle) = topic.producer();
    send_all(&producer, handle, 0, &numbered(0..100));
    flush(&producer);
    let mut purged = 0;
    // Long enough for the first requests to leave, too short for all answers: how long that is,
    // depends on the machine.
    for wait_ms in [8, 4, 2, 1].into_iter().chain([0; 100]) {
        if wait_ms == 0 && purged > 0 {
            break;
        }
        let values = numbered(0..20_000);
        let records = values.iter().map(|v| OutRecord {
            key: b"k",
            value: v.as_bytes(),
            ..OutRecord::default()
        });
        assert_eq!(producer.send_batch(&handle, PartitionId(0), records).accepted, 20_000);
        producer.poll(Duration::from_millis(wait_ms));
        producer.purge();
        flush(&producer);
        let failures = producer.take_delivery_failures();
        assert_eq!(failures.count, 0, "{failures:?}");
        purged += failures.purged;
    }
    assert!(purged > 0, "nothing was purged");
    for partition in 0..2 {
        send_all(&producer, handle, partition, &numbered(0..10));
    }
    flush(&producer);
    assert_eq!(producer.take_delivery_failures(), DeliveryFailures::default());
    assert_eq!(producer.fatal_error(), None);
    let mut consumer = topic.member();
    join(&mut consumer);
    consumer.assign(&[(PartitionId(1), Offset(0))]).expect("assign");
    assert_eq!(values_to_end(&mut consumer, 1, 10), numbered(0..10));
    let (_, end) = consumer.logs(&[PartitionId(0)], PATIENCE).expect("logs")[&PartitionId(0)];
    consumer.assign(&[(PartitionId(0), Offset(end.0 - 10))]).expect("assign");
    assert_eq!(values_to_end(&mut consumer, 0, end.0), numbered(0..10));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn topics_are_created_once_and_a_refusal_names_the_topic() {
    let topic = Topic::new("create", 2, &[("cleanup.policy", "compact")]);
    let again =
        NewTopic { name: topic.name.clone(), partitions: 5, replication: 1, config: Vec::new() };
    create_topics(&topic.admin, std::slice::from_ref(&again), PATIENCE).expect("left as it is");
    let missing = format!("{}-missing", topic.name);
    let found = find_topics(&topic.admin, &[&topic.name, &missing], PATIENCE).expect("metadata");
    assert_eq!((found[0].partitions, found[1].partitions), (Some(2), None));
    let wrong = NewTopic { name: missing.clone(), replication: 99, ..again };
    let error = create_topics(&topic.admin, &[wrong], PATIENCE).expect_err("one broker only");
    assert!(error.is_fatal() && error.to_string().contains(&missing), "{error}");
    let impossible = NewTopic {
        name: missing,
        partitions: 1,
        replication: 1,
        config: vec![("no.such.setting".to_owned(), "1".to_owned())],
    };
    create_topics(&topic.admin, &[impossible], PATIENCE).expect_err("an unknown setting");
}
