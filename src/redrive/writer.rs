//! Sends batches back into the input topic, each with its progress in one transaction.
//!
//! Holds: the transactional id has a character that no instance id may have, so it is never a
//! processor's; a second redrive of the group ends the first. The progress
//! that Kafka has always describes exactly the records that were sent, also after an error.

use super::{
    RedriveConfig,
    scan::{Batch, Outgoing},
};
use crate::{
    client::patiently,
    error::RunError,
    failpoint::{self, Point},
    headers::HeaderBlock,
    kafka::{
        CommitEntry, DeliveryFailure, GroupMetadata, KafkaError, Producer, ProducerSettings,
        SendError, TopicHandle, Transactional,
    },
    limits,
};

/// Why a batch was not sent.
#[derive(Debug, thiserror::Error)]
enum SendFailure {
    #[error(transparent)]
    Call(#[from] KafkaError),
    #[error("a record was not delivered {0}")]
    Delivery(DeliveryFailure),
}

/// A producer whose transactional id is registered.
pub(super) struct Writer {
    topic: TopicHandle,
    producer: Producer,
    group: GroupMetadata,
    dead_letter_topic: String,
}

impl Writer {
    /// Registers the id: that ends what an earlier redrive has left open.
    pub(super) fn new(config: &RedriveConfig, batch_bytes: usize) -> Result<Self, KafkaError> {
        let settings = ProducerSettings {
            client: config.client.clone(),
            queue_kbytes: limits::PRODUCER_QUEUE_BYTES / 1024,
            batch_bytes,
            linger: limits::PRODUCER_LINGER,
            delivery_timeout: limits::REDRIVE_DELIVERY_TIMEOUT,
            transactional: Some(Transactional {
                id: format!("{}:redrive", config.group_id),
                timeout: limits::REDRIVE_TRANSACTION_TIMEOUT,
            }),
        };
        let mut producer = Producer::new(&settings)?;
        let topic = producer.topic(&config.input_topic)?;
        let group = GroupMetadata::without_members(&config.progress_group())?;
        patiently(|| producer.transactions().init(limits::TRANSACTION_CALL_TIMEOUT))?;
        let dead_letter_topic = config.dead_letter_topic.clone();
        Ok(Self { topic, producer, group, dead_letter_topic })
    }

    /// Sends the batch and commits the progress, both or neither.
    pub(super) fn send(&self, batch: &Batch, progress: &[CommitEntry]) -> Result<(), RunError> {
        self.transact(batch, progress).map_err(|error| {
            // A courtesy to readers; the next start ends it as well.
            drop(self.producer.transactions().abort(limits::ABORT_TIMEOUT));
            RunError::Kafka(format!(
                "{error}; start again: it goes on behind what was committed, and sends nothing \
                 twice"
            ))
        })
    }

    fn transact(&self, batch: &Batch, progress: &[CommitEntry]) -> Result<(), SendFailure> {
        self.producer.transactions().begin()?;
        failpoint::reached(Point::FirstOutput);
        for record in &batch.records {
            self.offer(record)?;
        }
        failpoint::reached(Point::LastOutput);
        self.delivered()?;
        failpoint::reached(Point::Delivered);
        let timeout = limits::REDRIVE_DELIVERY_TIMEOUT;
        self.producer.transactions().send_offsets(
            &self.dead_letter_topic,
            progress,
            &self.group,
            timeout,
        )?;
        failpoint::reached(Point::OffsetsSent);
        if failpoint::is_set(Point::Committing) {
            // Long enough for the request to leave, too short for its answer to be waited for.
            drop(self.producer.transactions().commit(limits::SINK_DRAIN_POLL));
            failpoint::kill(Point::Committing);
        }
        patiently(|| self.producer.transactions().commit(limits::TRANSACTION_CALL_TIMEOUT))?;
        failpoint::reached(Point::Committed);
        Ok(())
    }

    fn offer(&self, record: &Outgoing) -> Result<(), KafkaError> {
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let headers = HeaderBlock::new(&record.headers);
        loop {
            match self.producer.send_with_headers(&self.topic, None, key, value, headers) {
                Ok(()) => return Ok(()),
                Err(SendError::Full) => drop(self.producer.poll(limits::SINK_DRAIN_POLL)),
                Err(SendError::Refused(error)) => return Err(error),
            }
        }
    }

    /// Waits until the broker has every record.
    fn delivered(&self) -> Result<(), SendFailure> {
        while self.producer.in_flight() > 0 {
            self.producer.poll(limits::SINK_DRAIN_POLL);
        }
        let failures = self.producer.take_delivery_failures();
        failures.first.map_or(Ok(()), |first| Err(SendFailure::Delivery(first)))
    }
}
