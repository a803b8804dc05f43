//! The topics of a cluster.
//!
//! In:  names. Out: logs. Holds: an id belongs to one topic for ever; partitions only grow.

use std::{collections::BTreeMap, time::Duration};

use super::log::PartitionLog;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

impl Place {
    pub(crate) fn new(topic: &str, partition: i32) -> Self {
        Self { topic: topic.to_owned(), partition }
    }
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: u128,
    pub(crate) logs: Vec<PartitionLog>,
    /// Until when nobody leads each partition.
    leaderless_until: Vec<Duration>,
    /// Bytes of the largest record that it takes.
    pub(crate) largest_record: usize,
    /// How many partitions it had before, and until when brokers may say so.
    former: Option<(usize, Duration)>,
}

/// Kafka's default of `max.message.bytes`.
const LARGEST_RECORD: usize = 1_048_588;

#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, Topic>,
    created: u128,
}

impl Topics {
    pub(crate) fn create(&mut self, name: &str, partitions: usize) {
        assert!(!self.by_name.contains_key(name), "the topic {name} exists");
        self.created += 1;
        let mut topic = Topic {
            // Spread over all bits, as marks are the first of them.
            id: self.created.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
            logs: Vec::new(),
            leaderless_until: Vec::new(),
            largest_record: LARGEST_RECORD,
            former: None,
        };
        topic.grow(partitions);
        self.by_name.insert(name.to_owned(), topic);
    }

    pub(crate) fn delete(&mut self, name: &str) {
        assert!(self.by_name.remove(name).is_some(), "the topic {name} exists");
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    pub(crate) fn log(&self, place: &Place) -> Option<&PartitionLog> {
        self.get(&place.topic)?.logs.get(place.partition as usize)
    }

    pub(crate) fn log_mut(&mut self, place: &Place) -> Option<&mut PartitionLog> {
        self.get_mut(&place.topic)?.logs.get_mut(place.partition as usize)
    }

    pub(crate) fn partitions(&self, name: &str) -> Option<i32> {
        self.get(name).map(|topic| topic.logs.len() as i32)
    }

    /// Brokers have heard of all partitions.
    pub(crate) fn tell_all(&mut self) {
        self.by_name.values_mut().for_each(|topic| topic.former = None);
    }

    /// Whether somebody leads the partition.
    pub(crate) fn is_led(&self, place: &Place, now: Duration) -> bool {
        let topic = self.get(&place.topic);
        topic
            .and_then(|topic| topic.leaderless_until.get(place.partition as usize))
            .is_some_and(|until| *until <= now)
    }

    pub(crate) fn take_leader(&mut self, place: &Place, until: Duration) {
        let topic = self.get_mut(&place.topic).expect("the topic exists");
        topic.leaderless_until[place.partition as usize] = until;
    }
}

impl Topic {
    /// Adds partitions up to a number of them, which brokers hear of until then at the latest.
    pub(crate) fn grow_until(&mut self, partitions: usize, until: Duration, now: Duration) {
        let known = self.former(now).unwrap_or(self.logs.len());
        self.former = Some((known, until));
        self.grow(partitions);
    }

    /// How many partitions it had before, if brokers may still say so.
    pub(crate) fn former(&self, now: Duration) -> Option<usize> {
        self.former.filter(|(_, until)| now < *until).map(|(partitions, _)| partitions)
    }

    /// Adds partitions up to a number of them.
    pub(crate) fn grow(&mut self, partitions: usize) {
        assert!(partitions >= self.logs.len(), "partitions only grow");
        self.logs.resize_with(partitions, PartitionLog::default);
        self.leaderless_until.resize(partitions, Duration::ZERO);
    }
}
