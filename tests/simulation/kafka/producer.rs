//! A producer of the simulation.

use std::{cell::RefCell, fmt, rc::Rc, time::Duration};

use logintide::{
    client::RecordProducer,
    headers::HeaderBlock,
    ids::PartitionId,
    kafka::{CommitEntry, DeliveryFailures, KafkaError, OutRecord, SendError, SendOutcome},
};

use super::{
    admin::unanswered,
    agenda::{Event, ProducerId},
    calls,
    client::SimMembership,
    cluster::{Cluster, Failed},
    code::{self, Code, FATAL, MSG_SIZE_TOO_LARGE, UNKNOWN_PARTITION},
    delivering,
    log::Sent,
    outbox::SimMark,
    process::ProcessId,
    producing::{ProducerPhase, Producing},
    topics::Place,
};

pub(crate) struct SimProducer {
    cluster: Rc<RefCell<Cluster>>,
    process: ProcessId,
    id: ProducerId,
    topics: Vec<String>,
}

/// A topic of one producer, for its sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SimTopic(usize);

impl fmt::Debug for SimProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimProducer").field("id", &self.id).finish_non_exhaustive()
    }
}

const SEND: &str = "send";
/// librdkafka's default of `message.max.bytes`.
const LARGEST_MESSAGE: usize = 1_000_000;

impl SimProducer {
    pub(super) fn new(cluster: Rc<RefCell<Cluster>>, process: ProcessId, id: ProducerId) -> Self {
        Self { cluster, process, id, topics: Vec::new() }
    }

    /// Looks at the producer; `None` when its process was killed.
    fn with<T>(&self, look: impl FnOnce(&mut Producing) -> T) -> Option<T> {
        self.cluster.borrow_mut().producers.get_mut(&self.id).map(look)
    }

    /// Makes a call that asks brokers. Nobody answers a process that was killed.
    fn call(
        &self,
        operation: &'static str,
        timeout: Duration,
        call: impl FnOnce(&mut Cluster, ProducerId) -> Result<(), KafkaError>,
    ) -> Result<(), KafkaError> {
        let mut cluster = self.cluster.borrow_mut();
        if !cluster.producers.contains_key(&self.id) {
            return Err(unanswered(operation, timeout, Failed::Timeout(None)));
        }
        call(&mut cluster, self.id)
    }

    fn send(&self, topic: SimTopic, partition: PartitionId, record: Sent) -> Result<(), SendError> {
        let mut cluster = self.cluster.borrow_mut();
        let now = cluster.now();
        let name = &self.topics[topic.0];
        let refused = |code: Code| Err(SendError::Refused(code::error(SEND, code)));
        let hears = cluster.processes[self.process].hears();
        let counted = cluster.topics.partitions(name);
        let Some(producing) = cluster.producers.get_mut(&self.id) else { return refused(FATAL) };
        if let Some(code) = producing.refusal() {
            return refused(code);
        }
        if record.bytes() > LARGEST_MESSAGE {
            return refused(MSG_SIZE_TOO_LARGE);
        }
        if let Some((count, since)) = producing.known.get_mut(name) {
            if hears && *since + producing.metadata_refresh <= now {
                (*count, *since) = (counted.unwrap_or(*count), now);
            }
            if partition.0 >= *count {
                return refused(UNKNOWN_PARTITION);
            }
        }
        if !producing.has_room() {
            return Err(SendError::Full);
        }
        let place = Place::new(name, partition.0);
        let linger = producing.linger;
        if producing.outbox.accept(place.clone(), record, now) {
            let delay = linger + cluster.latency();
            cluster.after(delay, Event::Produce { producer: self.id, place });
        }
        Ok(())
    }

    /// The record as it is sent now.
    fn sent(&self, key: Option<&[u8]>, value: Option<&[u8]>, headers: HeaderBlock<'_>) -> Sent {
        Sent {
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: headers.as_bytes().to_vec(),
            timestamp_ms: self.cluster.borrow().now_ms(),
        }
    }
}

impl Drop for SimProducer {
    fn drop(&mut self) {
        let mut cluster = self.cluster.borrow_mut();
        if let Some(mut producing) = cluster.producers.remove(&self.id) {
            let left = producing.outbox.purge();
            delivering::scatter(&mut cluster, producing.identity.as_ref(), left);
        }
    }
}

impl RecordProducer for SimProducer {
    type Membership = SimMembership;
    type Topic = SimTopic;
    type Mark = SimMark;

    fn topic(&mut self, name: &str) -> Result<SimTopic, KafkaError> {
        if let Some(index) = self.topics.iter().position(|known| known == name) {
            return Ok(SimTopic(index));
        }
        self.topics.push(name.to_owned());
        let mut cluster = self.cluster.borrow_mut();
        if cluster.processes[self.process].hears() {
            calls::learn_partitions(&mut cluster, self.id, name);
        }
        Ok(SimTopic(self.topics.len() - 1))
    }

    fn learn_partitions(&self, topic: &SimTopic, timeout: Duration) -> Result<(), KafkaError> {
        const OPERATION: &str = "read metadata";
        let name = &self.topics[topic.0];
        self.call(OPERATION, timeout, |cluster, id| {
            let answer = cluster.ask(self.process, timeout, |cluster| {
                calls::learn_partitions(cluster, id, name);
                Ok(())
            });
            answer.map_err(|failed| unanswered(OPERATION, timeout, failed))
        })
    }

    fn send_batch<'a>(
        &self,
        topic: &SimTopic,
        partition: PartitionId,
        records: impl IntoIterator<Item = OutRecord<'a>>,
    ) -> SendOutcome {
        let mut outcome = SendOutcome::default();
        for OutRecord { key, value, headers } in records {
            match self.send(*topic, partition, self.sent(Some(key), Some(value), headers)) {
                Ok(()) => outcome.accepted += 1,
                Err(SendError::Full) => {
                    outcome.full = true;
                    break;
                }
                Err(SendError::Refused(error)) => {
                    let only_this_record = error.is_refused();
                    outcome.refused.push((outcome.settled(), error));
                    if !only_this_record {
                        break;
                    }
                }
            }
        }
        outcome
    }

    fn send_with_headers(
        &self,
        topic: &SimTopic,
        partition: Option<PartitionId>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: HeaderBlock<'_>,
    ) -> Result<(), SendError> {
        let record = self.sent(key, value, headers);
        let partition = partition.unwrap_or_else(|| {
            let mut cluster = self.cluster.borrow_mut();
            let count = cluster.topics.partitions(&self.topics[topic.0]).unwrap_or(1);
            // Which one a key has does not matter here; the same key has the same.
            let place = match key {
                Some(key) => key.iter().map(|byte| usize::from(*byte)).sum(),
                None => cluster.random.below(count as usize),
            };
            PartitionId((place % count as usize) as i32)
        });
        self.send(*topic, partition, record)
    }

    fn mark(&self, topics: &[SimTopic]) -> SimMark {
        let names: Vec<_> = topics.iter().map(|topic| self.topics[topic.0].as_str()).collect();
        self.with(|producing| producing.outbox.mark(&names)).unwrap_or_default()
    }

    fn has_delivered(&self, mark: &SimMark) -> bool {
        self.with(|producing| producing.outbox.has_delivered(mark)).unwrap_or(false)
    }

    /// Nothing waits for long here.
    fn hurry(&self) {}

    fn poll(&self, timeout: Duration) -> usize {
        let poll = || self.with(|producing| producing.outbox.poll()).unwrap_or(0);
        let polled = poll();
        if polled > 0 || timeout.is_zero() {
            return polled;
        }
        self.cluster.borrow_mut().idle(timeout);
        poll()
    }

    fn in_flight(&self) -> usize {
        self.with(|producing| producing.outbox.in_flight()).unwrap_or(0)
    }

    fn take_delivery_failures(&self) -> DeliveryFailures {
        self.with(|producing| producing.outbox.take_failures()).unwrap_or_default()
    }

    fn fatal_error(&self) -> Option<KafkaError> {
        self.with(|producing| producing.fatal_error())?
    }

    fn purge(&self) {
        let mut cluster = self.cluster.borrow_mut();
        let Some(producing) = cluster.producers.get_mut(&self.id) else { return };
        producing.undelivered += producing.outbox.in_flight();
        let (identity, left) = (producing.identity.clone(), producing.outbox.purge());
        delivering::scatter(&mut cluster, identity.as_ref(), left);
    }

    fn init_transactions(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.call("init transactions", timeout, |cluster, id| {
            calls::init_transactions(cluster, id, timeout)
        })
    }

    fn begin_transaction(&self) -> Result<(), KafkaError> {
        let begin = |producing: &mut Producing| {
            producing.check("begin a transaction", &[ProducerPhase::Ready])?;
            producing.phase = ProducerPhase::Open;
            producing.parts.clear();
            producing.undelivered = 0;
            Ok(())
        };
        self.with(begin).unwrap_or(Ok(()))
    }

    fn hints_at_failed_transaction(&self) -> bool {
        let hint = |producing: &mut Producing| {
            std::mem::take(&mut producing.hint) || producing.outbox.has_purged()
        };
        self.with(hint).unwrap_or(false)
    }

    fn failed_transaction(&self) -> Option<KafkaError> {
        let failure = |producing: &mut Producing| match producing.phase {
            ProducerPhase::Failed(_) | ProducerPhase::Fatal(_) => {
                Some(producing.failure("begin a transaction"))
            }
            _ => None,
        };
        self.with(failure)?
    }

    fn send_offsets(
        &self,
        topic: &str,
        entries: &[CommitEntry],
        membership: &SimMembership,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        self.call("add offsets to the transaction", timeout, |cluster, id| {
            calls::send_offsets(cluster, id, topic, entries, membership, timeout)
        })
    }

    fn commit_transaction(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.call("commit the transaction", timeout, |cluster, id| {
            calls::commit_transaction(cluster, id, timeout)
        })
    }

    fn abort_transaction(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.call("abort the transaction", timeout, |cluster, id| {
            calls::abort_transaction(cluster, id, timeout)
        })
    }
}
