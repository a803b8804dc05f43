//! The records of a topic as a reader of committed records sees them.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use logintide::{
    ids::{Offset, PartitionId},
    kafka::{Admin, Consumer, DrainEvent, Flow, Record, log_ends},
};
use testkit::brokers;

use crate::client::support::{PATIENCE, consumer_settings, until};

/// What `of` takes of each record. A commit is answered before every partition has its mark, so
/// that records come into sight a little later: no transaction may be open any more.
pub(crate) fn committed<T>(
    topic: &str,
    partitions: i32,
    of: impl FnMut(&Record<'_>) -> T,
) -> Vec<T> {
    let settings = consumer_settings(&brokers(), topic, "nobody");
    let everything = Admin::read_uncommitted(&settings.client).expect("client");
    let consumer = Consumer::new(&settings).expect("consumer");
    let all: Vec<_> = (0..partitions).map(PartitionId).collect();
    until("the end of every transaction", || {
        let written = log_ends(&everything, topic, &all, PATIENCE).expect("ends");
        let seen = consumer.logs(&all, PATIENCE).expect("logs");
        written.iter().all(|(partition, end)| seen[partition].1 >= *end).then_some(())
    });
    in_sight(topic, partitions, of)
}

/// The same at the moment.
pub(crate) fn in_sight<T>(
    topic: &str,
    partitions: i32,
    mut of: impl FnMut(&Record<'_>) -> T,
) -> Vec<T> {
    let settings = consumer_settings(&brokers(), topic, "nobody");
    let mut consumer = Consumer::new(&settings).expect("consumer");
    let mut left: BTreeSet<i32> = (0..partitions).collect();
    let starts: Vec<_> = left.iter().map(|p| (PartitionId(*p), Offset(0))).collect();
    consumer.assign(&starts).expect("assigns");
    let mut records = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while !left.is_empty() {
        assert!(Instant::now() < deadline, "no end of {topic}");
        consumer.drain(Duration::from_millis(100), |event| {
            match event {
                DrainEvent::Record(record) => records.push(of(&record)),
                DrainEvent::EndOfPartition { partition, .. } => {
                    left.remove(&partition.0);
                }
                DrainEvent::Error { error, .. } => panic!("{error}"),
            }
            Flow::Continue
        });
        consumer.serve(Duration::ZERO, &mut |_| {}).expect("serves");
    }
    records
}
