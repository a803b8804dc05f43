//! The group consumer. Lives and dies in the source thread.
//!
//! In: group, error and rebalance events, and fetched records. Out: recorded rebalance events,
//! drained records, answers to questions about offsets.
//! Holds: nothing here assigns or unassigns before the source says so, except while closing;
//! every assigned partition's records go to the one data queue, in order; the last handle of the
//! client is dropped with the consumer.
//!
//! NOTE: librdkafka forgets where a partition's queue is forwarded to when the partition stops
//! being fetched, which happens after `rd_kafka_assign` has returned. So `assign` forwards before
//! the call (nothing may land on the group's queue, where it would overtake or be overtaken), then
//! waits until librdkafka's main thread has gone past the stop, and forwards again.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::CString,
    fmt,
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    bindings as rd,
    topic_partition_list::TopicPartitionList,
    types::{RDKafkaRespErr, RDKafkaType},
};
use tracing::debug;

use super::{
    close::unassign,
    committer::{Committer, Gate},
    drain::{DrainEvent, Flow, drain, event_of},
};
use crate::{
    ids::{Offset, PartitionId},
    kafka::native::{
        ConsumerSettings, Event, KafkaError, NativeClient, Queue, c_string, check, first_error,
        is_broker_away, list_entries, offset_list, partition_list,
    },
    limits::CONSUMER_SERVE_EVENTS,
};

/// What the group decided, as recorded by `serve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RebalanceEvent {
    /// These partitions are offered: answer with `assign` (an empty list declines).
    Assigned(Vec<PartitionId>),
    /// These partitions, all that are owned, are asked back: finish, then answer with `unassign`.
    Revoked(Vec<PartitionId>),
    /// These partitions are already someone else's: roll back, then answer with `unassign`.
    Lost(Vec<PartitionId>),
    /// The rebalance failed; whatever was owned is lost: roll back, then `unassign`.
    Failed(String),
}

/// A rebalance event that neither `assign` nor `unassign` has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Partitions are offered; only `assign` is an answer.
    Offer,
    /// Partitions are asked back or gone; only `unassign` is an answer.
    Recall,
}

/// The group consumer. See the module's head.
pub struct Consumer {
    // NOTE: dropped in this order; the client goes last, with its last handle.
    data: Queue,
    pub(super) group: Queue,
    pub(super) gate: Gate,
    pub(super) client: Arc<NativeClient>,
    pub(super) topic: String,
    pub(super) c_topic: CString,
    rebalances: VecDeque<RebalanceEvent>,
    /// The rebalance that the group waits for an answer to.
    pub(super) unanswered: Option<Unanswered>,
    /// Start offset of every assigned partition.
    assigned: BTreeMap<PartitionId, Offset>,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("topic", &self.topic)
            .field("assigned", &self.assigned)
            .finish_non_exhaustive()
    }
}

impl Consumer {
    /// Creates the client. It joins the group with [`Self::subscribe`].
    ///
    /// # Errors
    /// `Config` when a property is protected or refused by librdkafka.
    pub fn new(settings: &ConsumerSettings) -> Result<Self, KafkaError> {
        let config = settings.to_config()?;
        let c_topic = c_string("topic", &settings.topic)?;
        let events = rd::RD_KAFKA_EVENT_REBALANCE
            | rd::RD_KAFKA_EVENT_OFFSET_COMMIT
            | rd::RD_KAFKA_EVENT_STATS
            | rd::RD_KAFKA_EVENT_ERROR;
        let kind = RDKafkaType::RD_KAFKA_CONSUMER;
        let client = NativeClient::new(&config, kind, events, "consumer")?;
        Ok(Self {
            data: Queue::new(&client),
            group: Queue::group(&client)?,
            gate: Gate::open(&client),
            client,
            topic: settings.topic.clone(),
            c_topic,
            rebalances: VecDeque::new(),
            unanswered: None,
            assigned: BTreeMap::new(),
        })
    }

    /// Joins the group. What follows arrives through [`Self::serve`].
    pub fn subscribe(&self) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_topic_unassigned(&self.topic);
        // SAFETY: client and list are alive; librdkafka copies the list.
        check("subscribe", unsafe { rd::rd_kafka_subscribe(self.client.ptr(), list.ptr()) })
    }

    /// Serves group, error and rebalance events; waits up to `timeout` for the first one only.
    /// A record that arrives here is handed to `on_event` like a drained one.
    ///
    /// # Errors
    /// `Fenced` or `Fatal` when the client is beyond repair. Brokers that are away are logged.
    pub fn serve(
        &mut self,
        timeout: Duration,
        on_event: &mut dyn FnMut(DrainEvent<'_>),
    ) -> Result<(), KafkaError> {
        let mut wait = timeout;
        for _ in 0..CONSUMER_SERVE_EVENTS {
            let Some(event) = self.group.poll(wait) else { break };
            wait = Duration::ZERO;
            self.handle(&event, on_event)?;
        }
        Ok(())
    }

    fn handle(
        &mut self,
        event: &Event,
        on_event: &mut dyn FnMut(DrainEvent<'_>),
    ) -> Result<(), KafkaError> {
        if event.serve_log(self.client.context()) {
            return Ok(());
        }
        match event.kind() {
            rd::RD_KAFKA_EVENT_REBALANCE => self.record_rebalance(event),
            rd::RD_KAFKA_EVENT_FETCH => {
                // SAFETY: the event is alive and keeps its message alive; the borrowed record ends
                // with the closure's call.
                let message = unsafe { rd::rd_kafka_event_message_next(event.ptr()) };
                if !message.is_null() {
                    // SAFETY: as above.
                    on_event(unsafe { event_of(message) });
                }
            }
            rd::RD_KAFKA_EVENT_ERROR => return self.handle_error(event, on_event),
            kind => debug!(target: "librdkafka", "consumer: event {kind} is not used"),
        }
        Ok(())
    }

    fn handle_error(
        &self,
        event: &Event,
        on_event: &mut dyn FnMut(DrainEvent<'_>),
    ) -> Result<(), KafkaError> {
        let (code, text) = (event.error_code(), event.error_text());
        if event.is_fatal() {
            let unnamed = || KafkaError::from_code("consume", code, text.clone());
            return Err(self.client.fatal_error().unwrap_or_else(unnamed));
        }
        if is_broker_away(code) {
            self.client.context().broker_away(&text);
            return Ok(());
        }
        let (partition, offset) = match event.partition_and_offset() {
            Some((partition, offset)) => (Some(partition), offset),
            None => (None, -1),
        };
        on_event(DrainEvent::from_error(partition, offset, code, text));
        Ok(())
    }

    fn record_rebalance(&mut self, event: &Event) {
        // NOTE: before anything else: an unassign resets it.
        // SAFETY: the client is alive.
        let lost = unsafe { rd::rd_kafka_assignment_lost(self.client.ptr()) } != 0;
        let code = event.error_code();
        let partitions =
            event.partitions().into_iter().map(|entry| PartitionId(entry.partition)).collect();
        let is_offer = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS as i32;
        self.unanswered = Some(if is_offer { Unanswered::Offer } else { Unanswered::Recall });
        let recorded = if is_offer {
            RebalanceEvent::Assigned(partitions)
        } else if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS as i32 {
            RebalanceEvent::Failed(event.error_text())
        } else if lost {
            RebalanceEvent::Lost(partitions)
        } else {
            RebalanceEvent::Revoked(partitions)
        };
        self.rebalances.push_back(recorded);
    }

    /// The oldest rebalance event that `serve` has recorded and nobody has taken.
    pub fn next_rebalance(&mut self) -> Option<RebalanceEvent> {
        self.rebalances.pop_front()
    }

    /// Reads exactly these partitions from these offsets on. Nothing of a former assignment is
    /// delivered afterwards, and nothing is paused.
    pub fn assign(&mut self, partitions: &[(PartitionId, Offset)]) -> Result<(), KafkaError> {
        let list = offset_list(&self.topic, partitions.iter().copied())?;
        let paused: Vec<_> = self.assigned.keys().copied().collect();
        self.resume(&paused)?;
        self.forward(partitions);
        // SAFETY: client and list are alive; librdkafka copies the list.
        check("assign", unsafe { rd::rd_kafka_assign(self.client.ptr(), list.ptr()) })?;
        self.pass_main_thread()?;
        self.forward(partitions);
        self.assigned = partitions.iter().copied().collect();
        self.unanswered = self.unanswered.filter(|open| *open == Unanswered::Recall);
        Ok(())
    }

    /// Reads nothing. Also the answer to `Revoked`, `Lost` and `Failed`.
    pub fn unassign(&mut self) -> Result<(), KafkaError> {
        if self.unanswered == Some(Unanswered::Offer) {
            // librdkafka takes only an assignment as the answer to an offered one.
            return self.assign(&[]);
        }
        let paused: Vec<_> = self.assigned.keys().copied().collect();
        self.resume(&paused)?;
        unassign(&self.client)?;
        self.assigned.clear();
        self.unanswered = None;
        Ok(())
    }

    fn forward(&self, partitions: &[(PartitionId, Offset)]) {
        for (partition, _) in partitions {
            // The handle may go: the forwarding stays with the partition.
            Queue::of_partition(&self.client, &self.c_topic, partition.0).forward_to(&self.data);
        }
    }

    /// Returns when librdkafka's main thread has handled what was queued before this call.
    fn pass_main_thread(&self) -> Result<(), KafkaError> {
        let mut list = std::ptr::null_mut();
        // SAFETY: the client is alive; on success the list is ours to destroy.
        unsafe {
            check("assign", rd::rd_kafka_assignment(self.client.ptr(), &raw mut list))?;
            rd::rd_kafka_topic_partition_list_destroy(list);
        }
        Ok(())
    }

    /// Stops fetching and delivering these partitions; what was prefetched is fetched again later.
    pub fn pause(&mut self, partitions: &[PartitionId]) -> Result<(), KafkaError> {
        self.each_partition("pause", rd::rd_kafka_pause_partitions, partitions)
    }

    /// Goes on with paused partitions, at the first record that was not delivered.
    pub fn resume(&mut self, partitions: &[PartitionId]) -> Result<(), KafkaError> {
        self.each_partition("resume", rd::rd_kafka_resume_partitions, partitions)
    }

    fn each_partition(
        &self,
        operation: &'static str,
        call: unsafe extern "C" fn(
            *mut rd::rd_kafka_t,
            *mut rd::rd_kafka_topic_partition_list_t,
        ) -> RDKafkaRespErr,
        partitions: &[PartitionId],
    ) -> Result<(), KafkaError> {
        if partitions.is_empty() {
            return Ok(());
        }
        let list = partition_list(&self.topic, partitions);
        // SAFETY: client and list are alive; the call fills in an error per partition.
        check(operation, unsafe { call(self.client.ptr(), list.ptr()) })?;
        first_error(operation, &list_entries(&list))
    }

    /// Takes fetched records until `on_event` says `Stop`, none is left, or none came within
    /// `timeout`. Returns how many events it took. A panic in `on_event` comes out of this call.
    pub fn drain<F: FnMut(DrainEvent<'_>) -> Flow>(
        &mut self,
        timeout: Duration,
        on_event: F,
    ) -> usize {
        drain(&self.data, timeout, on_event)
    }

    /// A handle that commits from another thread while this consumer lives.
    pub fn committer(&self) -> Committer {
        Committer::new(self.gate.clone(), &self.topic)
    }

    /// Leaves the group and ends the client, within `CONSUMER_CLOSE_DEADLINE` plus the timeout of
    /// a running commit. Dropping does the same.
    pub fn close(self) {
        drop(self);
    }
}
