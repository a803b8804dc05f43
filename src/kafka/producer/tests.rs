//! What only rdkafka's own consumer can see of a sent record: headers, partition, null values.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::*;
use crate::kafka::{ClientSettings, MockCluster, Partitioner};

const PARTITIONS: i32 = 3;
const PATIENCE: Duration = Duration::from_mins(1);

fn producer(cluster: &MockCluster) -> (Producer, TopicHandle) {
    lingering(cluster, Duration::ZERO)
}

fn lingering(cluster: &MockCluster, linger: Duration) -> (Producer, TopicHandle) {
    let mut producer = Producer::new(&ProducerSettings {
        client: ClientSettings { brokers: cluster.brokers(), properties: Vec::new() },
        queue_kbytes: 1024,
        batch_bytes: 1_000_000,
        linger,
        delivery_timeout: PATIENCE,
        transactional: None,
    })
    .expect("producer");
    let topic = producer.topic("out").expect("topic");
    (producer, topic)
}

/// All records of the topic, as rdkafka reads them.
fn written(cluster: &MockCluster, producer: &Producer, count: usize) -> Vec<OwnedMessage> {
    let start = Instant::now();
    while producer.in_flight() > 0 {
        producer.poll(Duration::from_millis(5));
        assert!(start.elapsed() < PATIENCE, "still in flight");
    }
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.brokers()).set("group.id", "reader");
    let reader: BaseConsumer = config.create().expect("reader");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset("out", partition, Offset::Beginning).expect("offset");
    }
    reader.assign(&list).expect("assign");
    let mut messages = Vec::new();
    while messages.len() < count {
        if let Some(message) = reader.poll(Duration::from_millis(50)) {
            messages.push(message.expect("a record").detach());
        }
        assert!(start.elapsed() < PATIENCE, "{} of {count} records", messages.len());
    }
    messages
}

fn cluster() -> MockCluster {
    let cluster = MockCluster::new(1).expect("mock cluster");
    cluster.create_topic("out", PARTITIONS).expect("topic");
    cluster
}

#[test]
fn a_hurried_record_does_not_wait_for_others() {
    let cluster = cluster();
    let (producer, topic) = lingering(&cluster, PATIENCE / 2);
    let record = OutRecord { key: b"k", value: b"v" };
    assert_eq!(producer.send_batch(&topic, PartitionId(0), [record]).accepted, 1);
    let start = Instant::now();
    while producer.in_flight() > 0 {
        producer.hurry();
        producer.poll(Duration::from_millis(5));
        assert!(start.elapsed() < PATIENCE / 4, "it has lingered");
    }
}

#[test]
fn headers_key_and_value_arrive_as_they_were_sent() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    let headers: [(&str, &[u8]); 3] =
        [("logintide.reason", b"not_json"), ("raw", &[0, 255, 10]), ("empty", b"")];
    producer
        .send_with_headers(&topic, Some(PartitionId(2)), Some(b"k\0y"), Some(b"\xff{"), &headers)
        .expect("accepted");
    let written = written(&cluster, &producer, 1);
    let message = &written[0];
    assert_eq!(message.partition(), 2);
    assert_eq!((message.key(), message.payload()), (Some(&b"k\0y"[..]), Some(&b"\xff{"[..])));
    let seen = message.headers().expect("headers");
    assert_eq!(seen.count(), headers.len());
    for (seen, (name, value)) in seen.iter().zip(headers) {
        assert_eq!((seen.key, seen.value), (name, Some(value)));
    }
}

#[test]
fn missing_and_empty_are_told_apart() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    let send = |key, value| {
        producer
            .send_with_headers(&topic, Some(PartitionId(0)), key, value, &[])
            .expect("accepted");
    };
    send(None, Some(&b"a"[..]));
    send(Some(&b""[..]), Some(&b"b"[..]));
    send(Some(&b"c"[..]), None);
    send(Some(&b"d"[..]), Some(&b""[..]));
    let written = written(&cluster, &producer, 4);
    let pairs: Vec<_> = written.iter().map(|m| (m.key(), m.payload())).collect();
    assert_eq!(pairs[0], (None, Some(&b"a"[..])));
    assert_eq!(pairs[1], (Some(&b""[..]), Some(&b"b"[..])));
    assert_eq!(pairs[2], (Some(&b"c"[..]), None));
    assert_eq!(pairs[3], (Some(&b"d"[..]), Some(&b""[..])));
}

#[test]
fn without_a_partition_the_key_decides_as_in_the_java_client() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    let keys: Vec<_> = (0..40).map(|n| format!("user-{n}")).collect();
    for key in &keys {
        producer
            .send_with_headers(&topic, None, Some(key.as_bytes()), Some(b"v"), &[])
            .expect("accepted");
    }
    for message in written(&cluster, &producer, keys.len()) {
        let key = message.key().expect("every record has a key");
        assert_eq!(
            PartitionId(message.partition()),
            Partitioner::new(PARTITIONS).partition_of(key)
        );
    }
}
