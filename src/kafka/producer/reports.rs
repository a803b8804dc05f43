//! What became of the records that a producer was given.
//!
//! In:  the producer's events: delivery reports, errors, log lines. Out: whether all up to a mark
//! is delivered, the failures, how much is in flight. Owned by the producer.
//! Holds: it counts what was accepted for each partition, and what was delivered; a report gives
//! the memory of its records back in the thread that polls.

use std::{cell::RefCell, sync::Arc, time::Duration};

use rdkafka::bindings as rd;
use tracing::debug;

use super::{
    delivery::{DeliveredBatch, DeliveryFailures},
    progress::{DeliveryProgress, Mark},
};
use crate::{
    ids::PartitionId,
    kafka::native::{Event, NativeClient, Queue, Topic, is_broker_away},
    limits::PRODUCER_SERVE_EVENTS,
};

/// The reports of one producer.
pub(super) struct Reports {
    // NOTE: dropped in this order; the client goes last, with its last handle.
    queue: Queue,
    client: Arc<NativeClient>,
    failures: RefCell<DeliveryFailures>,
    progress: RefCell<DeliveryProgress>,
}

impl Reports {
    pub(super) fn of(client: &Arc<NativeClient>) -> Self {
        Self {
            queue: Queue::main(client),
            client: Arc::clone(client),
            failures: RefCell::default(),
            progress: RefCell::default(),
        }
    }

    pub(super) fn client(&self) -> &NativeClient {
        &self.client
    }

    /// Topics are numbered in the order in which they are added.
    pub(super) fn add_topic(&self, topic: &Topic) {
        self.progress.borrow_mut().add_topic(topic.ptr().addr());
    }

    pub(super) fn accepted(&self, topic: usize, partition: PartitionId, records: usize) {
        self.progress.borrow_mut().accepted(topic, partition, records);
    }

    /// Remembers what was accepted so far for these topics.
    pub(super) fn mark(&self, topics: impl Iterator<Item = usize>) -> Mark {
        self.progress.borrow().mark(topics)
    }

    pub(super) fn have_delivered(&self, mark: &Mark) -> bool {
        self.progress.borrow().have_delivered(mark)
    }

    /// Serves reports, errors and log lines; waits up to `timeout` for the first. Returns the
    /// number of their records.
    pub(super) fn poll(&self, timeout: Duration) -> usize {
        let mut reports = 0;
        let mut wait = timeout;
        for _ in 0..PRODUCER_SERVE_EVENTS {
            let Some(event) = self.queue.poll(wait) else { break };
            wait = Duration::ZERO;
            reports += self.handle(&event);
        }
        reports
    }

    fn handle(&self, event: &Event) -> usize {
        let context = self.client.context();
        if event.serve_log(context) {
            return 0;
        }
        match event.kind() {
            rd::RD_KAFKA_EVENT_DR => {
                let Some(batch) = DeliveredBatch::of(event) else {
                    return self.failures.borrow_mut().add(event);
                };
                if batch.is_confirmed {
                    let DeliveredBatch { topic, partition, records, .. } = batch;
                    self.progress.borrow_mut().delivered(topic.addr(), partition, records);
                } else {
                    self.failures.borrow_mut().add_unconfirmed(&batch);
                }
                return batch.records;
            }
            // A fatal error stays readable with `fatal_error`.
            rd::RD_KAFKA_EVENT_ERROR if is_broker_away(event.error_code()) => {
                context.broker_away(&event.error_text());
            }
            rd::RD_KAFKA_EVENT_ERROR => {
                tracing::error!(target: "librdkafka", "producer: {}", event.error_text());
            }
            kind => debug!(target: "librdkafka", "producer: event {kind} is not used"),
        }
        0
    }

    /// Records that are neither delivered nor reported yet, and events that `poll` has to serve.
    pub(super) fn in_flight(&self) -> usize {
        // SAFETY: the client is alive.
        let count = unsafe { rd::rd_kafka_outq_len(self.client.ptr()) };
        usize::try_from(count).expect("a queue's length is not negative")
    }

    pub(super) fn take_failures(&self) -> DeliveryFailures {
        self.failures.take()
    }

    /// Whether records were thrown away since failures were last taken.
    pub(super) fn has_purged(&self) -> bool {
        self.failures.borrow().purged > 0
    }
}
