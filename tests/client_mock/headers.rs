//! Headers of fetched records: seen where they are, and nowhere else.

use std::time::Duration;

use logintide::{
    headers::{Dropped, HeaderBlock, Travelling, push},
    ids::PartitionId,
    kafka::{Consumer, DrainEvent, Flow, MockCluster, OutRecord, Producer, ProducerSettings},
};

use crate::support::*;

const TOPIC: &str = "input";

/// Offset, value's length and headers of every record of a partition.
fn read(cluster: &MockCluster, count: usize) -> Vec<(i64, usize, Vec<u8>, Travelling)> {
    let settings = consumer_settings(&cluster.brokers(), TOPIC, "group");
    let mut consumer = Consumer::new(&settings).expect("consumer");
    join(&mut consumer);
    let mut records = Vec::new();
    until("all records", || {
        serve(&mut consumer);
        consumer.drain(TURN, |event| {
            if let DrainEvent::Record(record) = event {
                let mut block = Vec::new();
                let travelling = record.headers.copy(&mut block, 1_000_000);
                let value = record.value.map_or(0, <[u8]>::len);
                records.push((record.offset, value, block, travelling));
            }
            Flow::Continue
        });
        (records.len() >= count).then_some(())
    });
    records
}

/// The headers of the record with this number; of most none.
fn block(number: usize) -> Vec<u8> {
    let mut block = Vec::new();
    let count = [0, 0, 1, 0, 2, 0, 0, 70][number % 8];
    for header in 0..count {
        let value = [Some(&b"00-1"[..]), Some(b""), None][(number + header) % 3];
        push(&mut block, b"traceparent", value);
    }
    block
}

#[test]
fn headers_arrive_with_their_record_and_no_other_whatever_the_compression() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let cluster = MockCluster::new(1).expect("mock cluster");
        cluster.create_topic(TOPIC, 1).expect("topic");
        let properties = [("compression.codec", codec)];
        let settings = ProducerSettings {
            client: client(&cluster.brokers(), &properties),
            ..producer_settings(&cluster.brokers())
        };
        let mut producer = Producer::new(&settings).expect("producer");
        let topic = producer.topic(TOPIC).expect("topic");
        let blocks: Vec<_> = (0..2_000).map(block).collect();
        // Values of every kind of end, and of no bytes at all.
        let value = |number: usize| vec![(number % 3) as u8; number % 300];
        for (number, block) in blocks.iter().enumerate() {
            let value = value(number);
            let headers = HeaderBlock::new(block);
            let record = OutRecord { key: b"k", value: &value, headers };
            until("room", || {
                producer.poll(Duration::ZERO);
                let sent = producer.send_batch(&topic, PartitionId(0), [record]);
                (sent.accepted == 1).then_some(())
            });
        }
        flush(&producer);
        for (number, (offset, bytes, block, _)) in read(&cluster, 2_000).into_iter().enumerate() {
            assert_eq!((offset, bytes), (number as i64, value(number).len()), "{codec}");
            assert_eq!(block, blocks[number], "{codec}: {number}");
        }
    }
}

#[test]
fn headers_that_librdkafka_does_not_read_are_known_to_be_missing() {
    let cluster = MockCluster::new(1).expect("mock cluster");
    cluster.create_topic(TOPIC, 1).expect("topic");
    let mut producer = Producer::new(&producer_settings(&cluster.brokers())).expect("producer");
    let topic = producer.topic(TOPIC).expect("topic");
    let mut many = Vec::new();
    // It reads a hundred thousand.
    (0..100_001).for_each(|_| push(&mut many, b"", None));
    let record = OutRecord { key: b"k", value: b"v", headers: HeaderBlock::new(&many) };
    assert_eq!(producer.send_batch(&topic, PartitionId(0), [record]).accepted, 1);
    flush(&producer);
    let (_, _, block, travelling) = read(&cluster, 1).remove(0);
    assert_eq!((block, travelling.dropped), (Vec::new(), Some(Dropped::Unreadable)));
}
