//! Records of one producer on their way, and what became of them.
//!
//! In:  accepted records. Out: runs to deliver, reports, counts.
//! Holds: each partition's records leave in order; every record is reported once; a report is
//! counted when the application polls.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use logintide::{
    ids::PartitionId,
    kafka::{DeliveryFailure, DeliveryFailures},
};

use super::{
    code::{Code, error},
    log::Sent,
    topics::Place,
};

#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) record: Sent,
    pub(crate) since: Duration,
    /// It is in the log, but the answer was lost.
    pub(crate) is_written: bool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Accepted since the producer was made, and delivered as far as was polled.
    accepted: u64,
    delivered: u64,
    /// Somebody is on the way to deliver from it.
    is_served: bool,
}

/// What became of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    Failed(Code),
    Purged,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queues: BTreeMap<Place, Queue>,
    waiting_bytes: usize,
    /// Written, but their answers are on the way.
    unanswered: BTreeMap<u64, (Place, usize)>,
    answers: u64,
    reports: VecDeque<(Place, usize, Fate)>,
    failures: DeliveryFailures,
}

/// What was accepted for some topics up to one moment.
#[derive(Debug, Default)]
pub(crate) struct SimMark(Vec<(Place, u64)>);

impl Outbox {
    /// Takes a record. True: its partition's queue is to be served.
    pub(crate) fn accept(&mut self, place: Place, record: Sent, now: Duration) -> bool {
        self.waiting_bytes += record.bytes();
        let queue = self.queues.entry(place).or_default();
        queue.accepted += 1;
        queue.waiting.push_back(Waiting { record, since: now, is_written: false });
        !std::mem::replace(&mut queue.is_served, true)
    }

    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    pub(crate) fn has_waiting(&self, place: &Place) -> bool {
        self.queues.get(place).is_some_and(|queue| !queue.waiting.is_empty())
    }

    /// The first of a partition's records, at most so many, still here.
    pub(crate) fn front(&mut self, place: &Place, most: usize) -> Vec<&mut Waiting> {
        let queue = self.queues.get_mut(place);
        queue.map(|queue| queue.waiting.iter_mut().take(most).collect()).unwrap_or_default()
    }

    /// Nobody serves the queue any more.
    pub(crate) fn rest(&mut self, place: &Place) {
        if let Some(queue) = self.queues.get_mut(place) {
            queue.is_served = false;
        }
    }

    fn remove_front(&mut self, place: &Place, count: usize) -> usize {
        let Some(queue) = self.queues.get_mut(place) else { return 0 };
        let count = count.min(queue.waiting.len());
        self.waiting_bytes -=
            queue.waiting.drain(..count).map(|waiting| waiting.record.bytes()).sum::<usize>();
        count
    }

    /// The first records are in the log; the number of the answer that is on its way.
    pub(crate) fn written(&mut self, place: &Place, count: usize) -> u64 {
        let count = self.remove_front(place, count);
        self.answers += 1;
        self.unanswered.insert(self.answers, (place.clone(), count));
        self.answers
    }

    /// An answer has come; a purge may have been before it.
    pub(crate) fn answered(&mut self, answer: u64) {
        if let Some((place, count)) = self.unanswered.remove(&answer) {
            self.reports.push_back((place, count, Fate::Delivered));
        }
    }

    /// The first records cannot be delivered.
    pub(crate) fn failed(&mut self, place: &Place, count: usize, code: Code) {
        let count = self.remove_front(place, count);
        self.reports.push_back((place.clone(), count, Fate::Failed(code)));
    }

    /// Throws everything away that is not reported. Returns what may be on its way to the broker.
    pub(crate) fn purge(&mut self) -> Vec<(Place, Vec<Sent>)> {
        let mut left = Vec::new();
        for (place, queue) in &mut self.queues {
            let waiting = std::mem::take(&mut queue.waiting);
            if waiting.is_empty() {
                continue;
            }
            self.reports.push_back((place.clone(), waiting.len(), Fate::Purged));
            let unwritten = waiting.into_iter().filter(|waiting| !waiting.is_written);
            left.push((place.clone(), unwritten.map(|waiting| waiting.record).collect()));
        }
        for (place, count) in std::mem::take(&mut self.unanswered).into_values() {
            self.reports.push_back((place, count, Fate::Purged));
        }
        self.waiting_bytes = 0;
        left
    }

    /// Counts the reports that are here. Returns the number of their records.
    pub(crate) fn poll(&mut self) -> usize {
        let mut polled = 0;
        while let Some((place, count, fate)) = self.reports.pop_front() {
            polled += count;
            match fate {
                Fate::Delivered => {
                    let queue = self.queues.get_mut(&place).expect("records were accepted");
                    queue.delivered += count as u64;
                }
                Fate::Purged => self.failures.purged += count as u64,
                Fate::Failed(code) => {
                    self.failures.count += count as u64;
                    self.failures.first.get_or_insert_with(|| DeliveryFailure {
                        topic: place.topic.clone(),
                        partition: PartitionId(place.partition),
                        error: error("deliver", code),
                    });
                }
            }
        }
        polled
    }

    /// Records without a report, and reports that nobody has polled.
    pub(crate) fn in_flight(&self) -> usize {
        let waiting: usize = self.queues.values().map(|queue| queue.waiting.len()).sum();
        let unanswered: usize = self.unanswered.values().map(|(_, count)| count).sum();
        let reported: usize = self.reports.iter().map(|(_, count, _)| count).sum();
        waiting + unanswered + reported
    }

    pub(crate) fn has_purged(&self) -> bool {
        self.failures.purged > 0
    }

    pub(crate) fn take_failures(&mut self) -> DeliveryFailures {
        std::mem::take(&mut self.failures)
    }

    pub(crate) fn mark(&self, topics: &[&str]) -> SimMark {
        let of = self.queues.iter().filter(|(place, _)| topics.contains(&place.topic.as_str()));
        SimMark(of.map(|(place, queue)| (place.clone(), queue.accepted)).collect())
    }

    pub(crate) fn has_delivered(&self, mark: &SimMark) -> bool {
        mark.0.iter().all(|(place, accepted)| self.queues[place].delivered >= *accepted)
    }
}
