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
    collections::BTreeMap,
    ffi::CString,
    fmt, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    bindings as rd,
    topic_partition_list::TopicPartitionList,
    types::{RDKafkaRespErr, RDKafkaType},
};
use tracing::{debug, warn};

use super::{
    close::{leave_group, unassign},
    committer::{CommittedOffset, Committer, Gate},
    drain::{DrainEvent, Flow, drain, event_of},
    offsets,
    rebalance::{RebalanceEvent, Rebalances},
};
use crate::{
    ids::{Offset, PartitionId},
    kafka::native::{
        ConsumerSettings, Event, GroupMetadata, KafkaError, NativeClient, Queue, c_string, check,
        first_error, is_broker_away, list_entries, offset_list, partition_list,
    },
    limits::{CONSUMER_CLOSE_DEADLINE, CONSUMER_CLOSE_POLL, CONSUMER_SERVE_EVENTS},
};

/// The group consumer. See the module's head.
pub struct Consumer {
    // NOTE: dropped in this order; the client goes last, with its last handle.
    data: Queue,
    group: Queue,
    gate: Gate,
    client: Arc<NativeClient>,
    topic: String,
    c_topic: CString,
    rebalances: Rebalances,
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
            rebalances: Rebalances::default(),
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
            rd::RD_KAFKA_EVENT_REBALANCE => self.rebalances.record(&self.client, event),
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

    /// The oldest rebalance event that `serve` has recorded and nobody has taken.
    pub fn next_rebalance(&mut self) -> Option<RebalanceEvent> {
        self.rebalances.pop()
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
        self.rebalances.assigned();
        Ok(())
    }

    /// Reads nothing. Also the answer to `Revoked`, `Lost` and `Failed`.
    pub fn unassign(&mut self) -> Result<(), KafkaError> {
        if self.rebalances.is_offer() {
            // librdkafka takes only an assignment as the answer to an offered one.
            return self.assign(&[]);
        }
        let paused: Vec<_> = self.assigned.keys().copied().collect();
        self.resume(&paused)?;
        unassign(&self.client)?;
        self.assigned.clear();
        self.rebalances.unassigned();
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

    /// What the group has committed for these partitions.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while the broker or the coordinator is away.
    pub fn committed(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>, KafkaError> {
        offsets::committed(&self.client, &self.topic, partitions, timeout)
    }

    /// Of each partition the first offset in the log, and the offset after the last record that
    /// may be read.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while a partition's leader is away.
    pub fn logs(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<BTreeMap<PartitionId, (Offset, Offset)>, KafkaError> {
        offsets::logs(&self.client, &self.topic, partitions, timeout)
    }

    /// The first offset whose Kafka timestamp is `timestamp_ms` or later; the end of the log when
    /// there is none.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while a partition's leader is away.
    pub fn offset_for_time(
        &self,
        partitions: &[PartitionId],
        timestamp_ms: i64,
        timeout: Duration,
    ) -> Result<Vec<(PartitionId, Offset)>, KafkaError> {
        offsets::offset_for_time(&self.client, &self.topic, partitions, timestamp_ms, timeout)
    }

    /// The end of the log, records of open transactions included, as the last fetch saw it; without
    /// asking. `None` before the first fetch, and after one that failed.
    pub fn cached_log_end(&self, partition: PartitionId) -> Option<Offset> {
        offsets::cached_log_end(&self.client, &self.c_topic, partition)
    }

    /// A handle that commits from another thread while this consumer lives.
    pub fn committer(&self) -> Committer {
        Committer::new(self.gate.clone(), &self.topic)
    }

    /// Begins anew with a new client, in place of one that is beyond repair: nothing is assigned,
    /// and the group is joined with `subscribe`. Committers go on with the new client; the old one
    /// is closed before.
    ///
    /// # Errors
    /// As [`Self::new`]; the old client is kept then.
    pub fn renew(&mut self, settings: &ConsumerSettings) -> Result<(), KafkaError> {
        let mut old = Self::new(settings)?;
        mem::swap(self, &mut old);
        let gate = old.gate.clone();
        drop(old);
        gate.reopen(&self.client);
        self.gate = gate;
        Ok(())
    }

    /// Ends the client, within `CONSUMER_CLOSE_DEADLINE` plus the timeout of a running commit. A
    /// dynamic member leaves the group; a static one keeps its place for a session. Dropping does
    /// the same.
    pub fn close(self) {
        drop(self);
    }

    /// As [`Self::close`], and a static member leaves the group too. It takes up to a
    /// `CONSUMER_CLOSE_DEADLINE` longer, where the group cannot be left at once.
    pub fn leave(mut self) {
        let deadline = Instant::now() + CONSUMER_CLOSE_DEADLINE;
        if let Err(error) = self.give_up_place(deadline) {
            warn!(%error, "the group was not left; this instance's place is kept for a session");
        }
    }

    /// Returns when librdkafka has sent that the member leaves, or is none.
    ///
    /// NOTE: librdkafka sends nothing for a static member once it closes: `rd_kafka_unsubscribe`
    /// has to have had its effect before. That is when the member's id is gone, after the group's
    /// request to give back what is assigned was answered.
    fn give_up_place(&mut self, deadline: Instant) -> Result<(), KafkaError> {
        const OPERATION: &str = "leave the group";
        if self.rebalances.is_unanswered() {
            self.unassign()?;
        }
        // SAFETY: the client is alive.
        check(OPERATION, unsafe { rd::rd_kafka_unsubscribe(self.client.ptr()) })?;
        while GroupMetadata::of(&self.client, OPERATION).is_ok() {
            if Instant::now() >= deadline {
                return Err(self.client.timeout(OPERATION, CONSUMER_CLOSE_DEADLINE));
            }
            self.serve(CONSUMER_CLOSE_POLL, &mut |_| {})?;
            while self.next_rebalance().is_some() {
                self.unassign()?;
            }
        }
        Ok(())
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.gate.close();
        let deadline = Instant::now() + CONSUMER_CLOSE_DEADLINE;
        if !leave_group(&self.client, &self.group, self.rebalances.is_unanswered(), deadline) {
            warn!(
                "the group was not left within {} s; its partitions are given to others after \
                 the session timeout",
                CONSUMER_CLOSE_DEADLINE.as_secs()
            );
            self.client.abandon();
        }
        debug_assert_eq!(Arc::strong_count(&self.client), 3, "data queue, group queue, this");
    }
}
