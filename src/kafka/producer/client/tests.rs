//! What only rdkafka's own consumer can see of a sent record: headers, partition, null values.

use std::time::{Duration, Instant};

use rdkafka::{
    config::ClientConfig,
    consumer::{BaseConsumer, Consumer},
    message::{Headers, Message, OwnedMessage},
    topic_partition_list::{Offset, TopicPartitionList},
};

use super::{super::partitioner::Partitioner, *};
use crate::{
    headers::{self, HeaderBlock},
    kafka::native::{ClientSettings, MockCluster},
    limits::PRODUCER_UNCOUNTED_BYTES,
};

const PARTITIONS: i32 = 3;
const PATIENCE: Duration = Duration::from_mins(1);

/// Longer than any test is patient.
const LINGER: Duration = Duration::from_mins(10);

fn producer(cluster: &MockCluster) -> (Producer, TopicHandle) {
    lingering(cluster, Duration::ZERO)
}

fn lingering(cluster: &MockCluster, linger: Duration) -> (Producer, TopicHandle) {
    let mut producer = Producer::new(&ProducerSettings {
        client: ClientSettings { brokers: cluster.brokers(), properties: Vec::new() },
        queue_kbytes: 1024,
        batch_bytes: 1_000_000,
        linger,
        delivery_timeout: 2 * LINGER,
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
    let (producer, topic) = lingering(&cluster, LINGER);
    let record = OutRecord { key: b"k", value: b"v", ..OutRecord::default() };
    assert_eq!(producer.send_batch(&topic, PartitionId(0), [record]).accepted, 1);
    let start = Instant::now();
    while producer.in_flight() > 0 {
        producer.hurry();
        producer.poll(Duration::from_millis(5));
        assert!(start.elapsed() < PATIENCE, "it lingers");
    }
}

#[test]
fn headers_key_and_value_arrive_as_they_were_sent() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    let headers: [(&str, Option<&[u8]>); 5] = [
        ("logintide.reason", Some(b"not_json")),
        ("raw", Some(&[0, 255, 10])),
        ("empty", Some(b"")),
        ("null", None),
        ("raw", Some(b"once more")),
    ];
    let block = block_of(&headers);
    let block = HeaderBlock::new(&block);
    producer
        .send_with_headers(&topic, Some(PartitionId(2)), Some(b"k\0y"), Some(b"\xff{"), block)
        .expect("accepted");
    let written = written(&cluster, &producer, 1);
    let message = &written[0];
    assert_eq!(message.partition(), 2);
    assert_eq!((message.key(), message.payload()), (Some(&b"k\0y"[..]), Some(&b"\xff{"[..])));
    let seen = message.headers().expect("headers");
    assert_eq!(seen.count(), headers.len());
    for (seen, (name, value)) in seen.iter().zip(headers) {
        assert_eq!((seen.key, seen.value), (name, value));
    }
}

fn block_of(headers: &[(&str, Option<&[u8]>)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        headers::push(&mut block, name.as_bytes(), *value);
    }
    block
}

#[test]
fn records_with_headers_and_without_keep_their_order() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    let block = block_of(&[("traceparent", Some(b"00-1"))]);
    // Runs of every length up to more than one call of librdkafka takes, with headers in between.
    let has_headers = |number: usize| number < 50 || (number % 700).is_multiple_of(13);
    let values: Vec<_> = (0..3_000).map(|number| format!("{number:04}")).collect();
    let records: Vec<_> = (0..)
        .zip(&values)
        .map(|(number, value)| OutRecord {
            key: b"k",
            value: value.as_bytes(),
            headers: if has_headers(number) { HeaderBlock::new(&block) } else { HeaderBlock::NONE },
        })
        .collect();
    let mut sent = 0;
    while sent < records.len() {
        let outcome = producer.send_batch(&topic, PartitionId(1), records[sent..].iter().copied());
        assert_eq!(outcome.refused, []);
        sent += outcome.accepted;
        producer.poll(Duration::from_millis(1));
    }
    let mark = producer.mark(&[topic]);
    let written = written(&cluster, &producer, values.len());
    assert!(producer.has_delivered(&mark), "every record counts, with headers or without");
    for (number, (message, value)) in written.iter().zip(&values).enumerate() {
        assert_eq!(message.payload(), Some(value.as_bytes()));
        assert_eq!(message.headers().is_some(), has_headers(number), "{number}");
    }
}

#[test]
fn large_headers_wait_until_earlier_ones_are_delivered() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    let large = vec![0; 60_000];
    let block = block_of(&[("large", Some(&large))]);
    let record = OutRecord { key: b"k", value: b"v", headers: HeaderBlock::new(&block) };
    cluster.take_down().expect("down");
    // librdkafka counts one byte for each of them.
    let most = PRODUCER_UNCOUNTED_BYTES / large.len() + 2;
    let outcome = producer.send_batch(&topic, PartitionId(0), vec![record; 1_000]);
    assert!(outcome.full && (most / 2..=most).contains(&outcome.accepted), "{outcome:?}");
    cluster.bring_up().expect("up");
    let mut sent = outcome.accepted;
    let start = Instant::now();
    while sent < 1_000 {
        producer.poll(Duration::from_millis(5));
        sent += producer.send_batch(&topic, PartitionId(0), vec![record; 1_000 - sent]).accepted;
        assert!(start.elapsed() < PATIENCE, "{sent} of 1000");
    }
    // The mock cluster keeps only the last of them.
    let mark = producer.mark(&[topic]);
    while !producer.has_delivered(&mark) {
        producer.poll(Duration::from_millis(5));
        assert!(start.elapsed() < PATIENCE, "not all are delivered");
    }
}

#[test]
fn missing_and_empty_are_told_apart() {
    let cluster = cluster();
    let (producer, topic) = producer(&cluster);
    let send = |key, value| {
        producer
            .send_with_headers(&topic, Some(PartitionId(0)), key, value, HeaderBlock::NONE)
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
            .send_with_headers(&topic, None, Some(key.as_bytes()), Some(b"v"), HeaderBlock::NONE)
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
