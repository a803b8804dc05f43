//! What a consumer reads: its positions, and what it has fetched.
//!
//! In:  assignments, pauses, logs. Out: records, ends of partitions and errors, in order.
//! Holds: each partition's records come in their order; nothing of a former assignment or of a
//! paused partition is handed out.

use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    time::Duration,
};

use super::{
    log::{OutOfRange, Sent},
    random::Random,
    topics::{Place, Topics},
};

/// Something fetched.
#[derive(Debug, Clone)]
pub(crate) enum Fetched {
    Record(i64, Rc<Sent>),
    End(i64),
    OutOfRange(i64),
    /// There is no such partition any more.
    Missing,
}

/// What is wrong with a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// There is no such partition.
    Missing,
    /// It is not a place in the log any more.
    Truncated,
    /// It stands still until it is assigned again.
    Stuck,
}

#[derive(Debug)]
struct Position {
    next: i64,
    is_paused: bool,
    /// Where its end was reported last.
    end_told: Option<i64>,
    trouble: Option<Trouble>,
    high_watermark: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Reading {
    topic: String,
    uncommitted: bool,
    positions: BTreeMap<i32, Position>,
    queue: VecDeque<(i32, Fetched)>,
}

/// Fetched events that wait at most before more are fetched.
const PREFETCHED: usize = 64;
/// Records of one fetch of a partition.
const FETCHED_RECORDS: usize = 32;

impl Reading {
    pub(crate) fn new(topic: &str, uncommitted: bool) -> Self {
        Self {
            topic: topic.to_owned(),
            uncommitted,
            positions: BTreeMap::new(),
            queue: VecDeque::new(),
        }
    }

    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    pub(crate) fn is_uncommitted(&self) -> bool {
        self.uncommitted
    }

    pub(crate) fn assign(&mut self, starts: impl Iterator<Item = (i32, i64)>) {
        self.queue.clear();
        let position = |next| Position {
            next,
            is_paused: false,
            end_told: None,
            trouble: None,
            high_watermark: None,
        };
        self.positions = starts.map(|(partition, next)| (partition, position(next))).collect();
    }

    pub(crate) fn pause(&mut self, partition: i32) {
        let Some(position) = self.positions.get_mut(&partition) else { return };
        position.is_paused = true;
        let first = self.queue.iter().find_map(|(of, fetched)| match fetched {
            Fetched::Record(offset, _) if *of == partition => Some(*offset),
            _ => None,
        });
        if let Some(first) = first {
            position.next = first;
            position.end_told = None;
        }
        self.queue.retain(|(of, _)| *of != partition);
    }

    pub(crate) fn resume(&mut self, partition: i32) {
        if let Some(position) = self.positions.get_mut(&partition) {
            position.is_paused = false;
        }
    }

    /// A log has lost its end. A client sees by the leader's epoch that its position is of a former
    /// log, also when the log has grown past it by then (KIP-320).
    pub(crate) fn truncated(&mut self, partition: i32, end: i64) {
        let position = self.positions.get_mut(&partition).filter(|it| it.next > end);
        if let Some(position) = position.filter(|it| it.trouble != Some(Trouble::Stuck)) {
            position.trouble = Some(Trouble::Truncated);
        }
    }

    pub(crate) fn high_watermark(&self, partition: i32) -> Option<i64> {
        self.positions.get(&partition)?.high_watermark
    }

    /// Fetches, unless enough waits; each partition at most once, in any order, some not at all.
    pub(crate) fn fetch(
        &mut self,
        topics: &Topics,
        random: &mut Random,
        slow_one_in: u32,
        now: Duration,
    ) {
        if self.queue.len() >= PREFETCHED {
            return;
        }
        let mut partitions: Vec<_> = self.positions.keys().copied().collect();
        while !partitions.is_empty() {
            let partition = partitions.swap_remove(random.below(partitions.len()));
            if !random.one_in(slow_one_in) {
                let most = 1 + random.below(FETCHED_RECORDS);
                self.fetch_from(topics, partition, most, now);
            }
        }
    }

    fn fetch_from(&mut self, topics: &Topics, partition: i32, most: usize, now: Duration) {
        let position = self.positions.get_mut(&partition).expect("assigned");
        if position.is_paused || position.trouble == Some(Trouble::Stuck) {
            return;
        }
        let place = Place::new(&self.topic, partition);
        let Some(log) = topics.log(&place) else {
            if position.trouble.replace(Trouble::Missing) != Some(Trouble::Missing) {
                self.queue.push_back((partition, Fetched::Missing));
            }
            return;
        };
        position.trouble.take_if(|trouble| *trouble == Trouble::Missing);
        if !topics.is_led(&place, now) {
            return;
        }
        let read = if position.trouble == Some(Trouble::Truncated) {
            Err(OutOfRange)
        } else {
            log.read(position.next, self.uncommitted, most)
        };
        match read {
            Err(OutOfRange) => {
                position.trouble = Some(Trouble::Stuck);
                self.queue.push_back((partition, Fetched::OutOfRange(position.next)));
            }
            Ok(batch) => {
                position.high_watermark = Some(log.high_watermark());
                position.next = batch.next;
                let records = batch.records.into_iter();
                self.queue
                    .extend(records.map(|(at, record)| (partition, Fetched::Record(at, record))));
                let is_at_end = position.next == log.end(self.uncommitted);
                if is_at_end && position.end_told != Some(position.next) {
                    position.end_told = Some(position.next);
                    self.queue.push_back((partition, Fetched::End(position.next)));
                }
            }
        }
    }

    pub(crate) fn take(&mut self) -> Option<(i32, Fetched)> {
        self.queue.pop_front()
    }
}
