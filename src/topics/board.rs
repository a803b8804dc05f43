//! What the brokers report about the topics while the process runs.
//!
//! In:  the main thread's checks. Out: each change, once, to the source.
//! Holds: a number of partitions is one that the brokers have named; the source takes the lock only
//! when something has changed.

use std::sync::{
    Mutex, PoisonError,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
};

use super::PerOutput;
use crate::ids::TopicId;

/// What one check of the topics has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenTopics {
    /// The input topic's id; `None` where the brokers do not support ids.
    pub input: Option<TopicId>,
    /// Its partitions.
    pub input_partitions: i32,
    /// The journal's id; `None` where the brokers do not support ids.
    pub journal: Option<TopicId>,
    /// Partitions of each output topic. The journal's are those that it had when it was first seen
    /// with its id.
    pub outputs: PerOutput<i32>,
}

/// The newest findings, shared between the threads.
#[derive(Debug, Default)]
pub struct TopicBoard {
    /// Number of changes.
    version: AtomicU64,
    seen: Mutex<Option<SeenTopics>>,
}

impl TopicBoard {
    /// Publishes findings that differ from the ones before.
    pub fn publish(&self, seen: SeenTopics) {
        let mut newest = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *newest != Some(seen) {
            *newest = Some(seen);
            self.version.fetch_add(1, Release);
        }
    }

    /// The newest findings, if they changed since `version`, which is updated.
    pub fn newer(&self, version: &mut u64) -> Option<SeenTopics> {
        let now = self.version.load(Acquire);
        if now == *version {
            return None;
        }
        *version = now;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Topic, *};

    #[test]
    fn each_change_is_heard_of_once() {
        let board = TopicBoard::default();
        let outputs = PerOutput::of(&Topic::COUNTING[1..], |_| 1);
        let first = SeenTopics { input: None, input_partitions: 1, journal: None, outputs };
        let mut version = 0;
        assert_eq!(board.newer(&mut version), None);
        board.publish(first);
        assert_eq!(board.newer(&mut version), Some(first));
        board.publish(first);
        assert_eq!(board.newer(&mut version), None);
        let mut grown = first;
        grown.outputs[Topic::Processed] = 4;
        board.publish(grown);
        assert_eq!((board.newer(&mut version), board.newer(&mut version)), (Some(grown), None));
    }
}
