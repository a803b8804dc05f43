//! At-least-once: enriched events leave outside the transaction, and need not wait for it. Owned by
//! the sink thread.
//!
//! In:  batches of enriched records. Out: librdkafka; emptied arenas back to the workers.
//! Holds: what was given here for an epoch is delivered before that epoch is committed.

use std::collections::VecDeque;

use crate::{
    batch::{Emptied, OutputBatch, Pool, Span},
    client::{Client, RecordProducer},
    failpoint::{self, Fault},
    kafka::{DeliveryFailures, KafkaError, ProducerSettings},
};

use super::outputs::send_spans;

/// What was accepted up to one moment.
type Mark<C> = <<C as Client>::Producer as RecordProducer>::Mark;

/// A producer without transactions.
#[derive(Debug)]
pub(super) struct Ahead<C: Client> {
    // NOTE: the handle before the producer it belongs to, so that it is dropped first.
    topic: <C::Producer as RecordProducer>::Topic,
    producer: C::Producer,
    queue: VecDeque<(OutputBatch, usize)>,
}

impl<C: Client> Ahead<C> {
    pub(super) fn new(
        client: &C,
        settings: &ProducerSettings,
        topic: &str,
    ) -> Result<Self, KafkaError> {
        let mut producer = client.producer(settings)?;
        Ok(Self { topic: producer.topic(topic)?, producer, queue: VecDeque::new() })
    }

    pub(super) fn producer(&self) -> &C::Producer {
        &self.producer
    }

    pub(super) fn topic(&self) -> &<C::Producer as RecordProducer>::Topic {
        &self.topic
    }

    /// Queues enriched records.
    pub(super) fn take(&mut self, batch: OutputBatch) {
        self.queue.push_back((batch, 0));
    }

    /// Whether nothing waits here.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Hands over as much as librdkafka takes. True when nothing waits here any more.
    pub(super) fn pump(&mut self, pool: &Pool<Emptied<Span>>) -> Result<bool, KafkaError> {
        while let Some((batch, sent)) = self.queue.front_mut() {
            let records = (batch.arena.as_slice(), batch.records.as_slice());
            if !send_spans(&self.producer, self.topic, batch.partition, records, sent)? {
                return Ok(false);
            }
            if let Some((batch, _)) = self.queue.pop_front() {
                pool.give(batch.arena, batch.records);
            }
        }
        Ok(true)
    }

    /// Counts what librdkafka has taken.
    pub(super) fn mark(&self) -> Mark<C> {
        self.producer.mark(&[self.topic])
    }

    /// Whether nothing is in flight, all was delivered, and the producer works: it can go on as it
    /// is.
    pub(super) fn is_clean(&self) -> bool {
        self.producer.in_flight() == 0
            && (self.producer.has_delivered(&self.mark())
                || failpoint::is_planted(Fault::ProducerKept))
            && self.producer.fatal_error().is_none()
    }

    /// Drops what waits here, and what could not be delivered.
    pub(super) fn clear(&mut self) -> DeliveryFailures {
        self.queue.clear();
        self.producer.take_delivery_failures()
    }
}

impl<C: Client> Drop for Ahead<C> {
    fn drop(&mut self) {
        self.producer.purge();
    }
}
