//! Helpers of the Kafka client's tests, for the mock cluster and for a real broker.

#![allow(dead_code, reason = "two test programs use different parts of it")]

use std::time::Duration;

use logintide::{
    client::{ScanEnd, ScanEvent, ScanRange, ShortLog, SystemClock, TopicScan},
    ids::{Offset, PartitionId},
    kafka::{
        ClientSettings, Consumer, ConsumerSettings, DrainEvent, Flow, KafkaError, OutRecord,
        Producer, ProducerSettings, RebalanceEvent, TopicHandle, Transactional,
    },
};
pub(crate) use testkit::until;

/// Far beyond what any step takes; only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// One turn of a test's poll loop.
pub(crate) const TURN: Duration = Duration::from_millis(20);

pub(crate) fn client(brokers: &str, properties: &[(&str, &str)]) -> ClientSettings {
    ClientSettings {
        brokers: brokers.to_owned(),
        properties: properties.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
    }
}

pub(crate) fn consumer_settings(brokers: &str, topic: &str, group: &str) -> ConsumerSettings {
    ConsumerSettings {
        client: client(brokers, &[]),
        group_id: group.to_owned(),
        instance_id: None,
        topic: topic.to_owned(),
        fetch_queue_kbytes: 8 * 1024,
        session_timeout: Duration::from_secs(10),
        max_poll_interval: Duration::from_mins(5),
        reads_uncommitted: false,
    }
}

pub(crate) fn producer_settings(brokers: &str) -> ProducerSettings {
    ProducerSettings {
        client: client(brokers, &[]),
        queue_kbytes: 16 * 1024,
        batch_bytes: 1_000_000,
        linger: Duration::from_millis(2),
        delivery_timeout: Duration::from_mins(1),
        transactional: None,
    }
}

/// Settings of a transactional producer whose transactions the broker ends after `timeout`.
pub(crate) fn transactional_settings(
    brokers: &str,
    id: &str,
    timeout: Duration,
) -> ProducerSettings {
    ProducerSettings {
        delivery_timeout: timeout,
        transactional: Some(Transactional { id: id.to_owned(), timeout }),
        ..producer_settings(brokers)
    }
}

/// A transactional producer that has taken its id over.
pub(crate) fn transactional(
    brokers: &str,
    topic: &str,
    id: &str,
    timeout: Duration,
) -> (Producer, TopicHandle) {
    let settings = transactional_settings(brokers, id, timeout);
    let mut producer = Producer::new(&settings).expect("producer");
    let handle = producer.topic(topic).expect("topic");
    producer.transactions().init(PATIENCE).expect("init transactions");
    (producer, handle)
}

/// What a drain saw, copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Record { partition: i32, offset: i64, value: Option<String> },
    End { partition: i32, offset: i64 },
    Error { partition: Option<i32>, error: KafkaError },
}

impl Seen {
    pub(crate) fn of(event: &DrainEvent<'_>) -> Self {
        match event {
            DrainEvent::Record(record) => Self::Record {
                partition: record.partition.0,
                offset: record.offset,
                value: record.value.map(|v| String::from_utf8_lossy(v).into_owned()),
            },
            DrainEvent::EndOfPartition { partition, offset } => {
                Self::End { partition: partition.0, offset: offset.0 }
            }
            DrainEvent::Error { partition, error } => {
                Self::Error { partition: partition.map(|p| p.0), error: error.clone() }
            }
        }
    }

    pub(crate) fn value(&self) -> Option<&str> {
        match self {
            Self::Record { value, .. } => value.as_deref(),
            _ => None,
        }
    }
}

/// Serves the group; nothing but rebalance events is expected there.
pub(crate) fn serve(consumer: &mut Consumer) {
    consumer
        .serve(Duration::ZERO, &mut |event| panic!("on the group's queue: {:?}", Seen::of(&event)))
        .expect("the client works");
}

/// Serves until the group has decided something.
pub(crate) fn next_rebalance(consumer: &mut Consumer) -> RebalanceEvent {
    until("a rebalance event", || {
        serve(consumer);
        consumer.drain(TURN, |event| panic!("while unassigned: {:?}", Seen::of(&event)));
        consumer.next_rebalance()
    })
}

/// Joins the group and takes what it offers, from offset 0.
pub(crate) fn join(consumer: &mut Consumer) -> Vec<PartitionId> {
    consumer.subscribe().expect("subscribe");
    match next_rebalance(consumer) {
        RebalanceEvent::Assigned(partitions) => {
            consumer.assign(&from_start(&partitions)).expect("assign");
            partitions
        }
        other => panic!("{other:?} instead of an assignment"),
    }
}

pub(crate) fn from_start(partitions: &[PartitionId]) -> Vec<(PartitionId, Offset)> {
    partitions.iter().map(|p| (*p, Offset(0))).collect()
}

/// Drains until `enough` says so; takes no event more.
pub(crate) fn take_until(
    consumer: &mut Consumer,
    mut enough: impl FnMut(&[Seen]) -> bool,
) -> Vec<Seen> {
    let mut seen = Vec::new();
    until("more events", || {
        serve(consumer);
        if enough(&seen) {
            return Some(());
        }
        consumer.drain(TURN, |event| {
            seen.push(Seen::of(&event));
            if enough(&seen) { Flow::Stop } else { Flow::Continue }
        });
        enough(&seen).then_some(())
    });
    seen
}

/// The next `count` records, without the end-of-partition events between them.
pub(crate) fn take_records(consumer: &mut Consumer, count: usize) -> Vec<Seen> {
    let records = |seen: &[Seen]| seen.iter().filter(|s| matches!(s, Seen::Record { .. })).count();
    let mut seen = take_until(consumer, |seen| records(seen) >= count);
    assert!(!seen.iter().any(|s| matches!(s, Seen::Error { .. })), "{seen:?}");
    seen.retain(|s| matches!(s, Seen::Record { .. }));
    seen
}

/// Drains until the partition's end at `offset`; the values of its records, in order.
pub(crate) fn values_to_end(consumer: &mut Consumer, partition: i32, offset: i64) -> Vec<String> {
    let end = Seen::End { partition, offset };
    let seen = take_until(consumer, |seen| seen.last() == Some(&end));
    values_of(&seen, partition)
}

/// The values of a partition's records, in order.
pub(crate) fn values_of(seen: &[Seen], of: i32) -> Vec<String> {
    let mine =
        seen.iter().filter(|s| matches!(s, Seen::Record { partition, .. } if *partition == of));
    mine.filter_map(Seen::value).map(str::to_owned).collect()
}

/// Begins to scan ranges: partition, first offset, and the one behind the last.
pub(crate) fn begin_scan(
    settings: &ConsumerSettings,
    ranges: &[(i32, i64, i64)],
    short_log: ShortLog,
) -> TopicScan {
    let range = |(partition, from, until): &(i32, i64, i64)| ScanRange {
        partition: PartitionId(*partition),
        from: Offset(*from),
        until: Offset(*until),
    };
    let ranges: Vec<_> = ranges.iter().map(range).collect();
    let consumer = Consumer::new(settings).expect("consumer");
    TopicScan::begin(consumer, &ranges, short_log).expect("begins")
}

/// What a scan tells within `patience`, at most `most` events, and how it ends. The end of a range
/// has no offset.
pub(crate) fn scanned(
    scan: &mut TopicScan,
    patience: Duration,
    most: usize,
) -> (Vec<Seen>, ScanEnd) {
    let mut seen = Vec::new();
    let end = scan.run(&SystemClock, patience, |event| {
        seen.push(match event {
            ScanEvent::Record(record) => Seen::of(&DrainEvent::Record(record)),
            ScanEvent::EndOfRange { partition } => Seen::End { partition: partition.0, offset: -1 },
            ScanEvent::Error(error) => Seen::Error { partition: None, error },
            ScanEvent::ClientError(_) | ScanEvent::Turn { .. } => return Flow::Continue,
        });
        if seen.len() >= most { Flow::Stop } else { Flow::Continue }
    });
    (seen, end.expect("the client works"))
}

/// Values that say their own position.
pub(crate) fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("value-{n}")).collect()
}

/// Sends values to a partition with an ordinary producer and waits until they are delivered.
pub(crate) fn produce(brokers: &str, topic: &str, partition: i32, values: &[String]) {
    let mut producer = Producer::new(&producer_settings(brokers)).expect("producer");
    let handle = producer.topic(topic).expect("topic");
    send_all(&producer, handle, partition, values);
    flush(&producer);
    assert_eq!(producer.take_delivery_failures().count, 0);
}

/// Offers all values, again after a full queue.
pub(crate) fn send_all(producer: &Producer, topic: TopicHandle, partition: i32, values: &[String]) {
    let mut sent = 0;
    until("all records accepted", || {
        let rest = values[sent..].iter().map(|v| OutRecord {
            key: b"key",
            value: v.as_bytes(),
            ..OutRecord::default()
        });
        let outcome = producer.send_batch(&topic, PartitionId(partition), rest);
        assert_eq!(outcome.refused, []);
        sent += outcome.settled();
        producer.poll(Duration::from_millis(1));
        (sent == values.len()).then_some(())
    });
}

/// Waits until nothing is in flight.
pub(crate) fn flush(producer: &Producer) {
    until("nothing in flight", || {
        producer.poll(Duration::from_millis(1));
        (producer.in_flight() == 0).then_some(())
    });
}

/// Runs a step on a thread of its own, so that a hang fails the test instead of stopping it.
pub(crate) fn within_patience<T: Send + 'static>(
    what: &str,
    step: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, result) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || done.send(step()).is_ok());
    match result.recv_timeout(PATIENCE) {
        Ok(value) => value,
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("still waiting: {what}"),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
            thread.join().expect("no panic while waiting");
            unreachable!("a finished step has sent its result")
        }
    }
}
