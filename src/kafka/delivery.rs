//! Deliveries, as the producer's reports tell them.
//!
//! In: native delivery reports. Out: batches that were delivered; counts and the first failure
//! since they were last taken. Runs in the sink thread.
//! Holds: a report of a purged record is no failure and is counted apart. A record counts as
//! delivered only when its broker has told its offset.

use std::ffi::CStr;

use rdkafka::bindings as rd;
use rdkafka::types::RDKafkaRespErr;

use super::error::{ErrorCode, KafkaError};
use super::native::Event;
use crate::ids::PartitionId;

/// One record that was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFailure {
    /// The record's topic.
    pub topic: String,
    /// The record's partition; negative when none was chosen yet.
    pub partition: PartitionId,
    /// Why.
    pub error: KafkaError,
}

/// Failures since the last call of `take_delivery_failures`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFailures {
    /// Records that were not delivered, or of which that is unknown.
    pub count: u64,
    /// The first of them.
    pub first: Option<DeliveryFailure>,
    /// Records that `purge` threw away.
    pub purged: u64,
}

const OPERATION: &str = "deliver";

/// Records of one partition that librdkafka calls delivered, together.
pub(super) struct DeliveredBatch {
    pub(super) topic: *mut rd::rd_kafka_topic_t,
    pub(super) partition: PartitionId,
    pub(super) records: usize,
    /// The broker has told their offsets. Without: librdkafka takes refused records, and such whose
    /// answer never came, for delivered when a later request of their partition succeeds. A broker
    /// that knows nothing of the producer yet accepts any sequence number, so that may be wrong:
    /// the leader of a new partition refuses the first requests until it knows that it leads.
    /// See librdkafka's `rd_kafka_dr_implicit_ack`, and Kafka's pull request 23234.
    pub(super) is_confirmed: bool,
}

impl DeliveredBatch {
    /// What a report without an error is about; `None` where there is one. librdkafka makes such a
    /// report of one request's records for one partition, or of all whose offsets nobody told, so
    /// the first speaks for all.
    pub(super) fn of(event: &Event) -> Option<Self> {
        if event.error_code() != 0 {
            return None;
        }
        // SAFETY: the event is alive and owns the messages it counts and iterates over; the count
        // is of those that the iteration has not passed.
        let (records, first) = unsafe {
            let records = rd::rd_kafka_event_message_count(event.ptr());
            (records, rd::rd_kafka_event_message_next(event.ptr()).as_ref())
        };
        let first = first.expect("a report has records");
        Some(Self {
            topic: first.rkt,
            partition: PartitionId(first.partition),
            records,
            is_confirmed: first.offset >= 0,
        })
    }
}

impl DeliveryFailures {
    /// Adds the reports of one event. Returns how many there were.
    pub(super) fn add(&mut self, event: &Event) -> usize {
        let mut reports = 0;
        loop {
            // SAFETY: the event is alive and owns the messages it iterates over.
            let message = unsafe { rd::rd_kafka_event_message_next(event.ptr()).as_ref() };
            let Some(message) = message else { return reports };
            reports += 1;
            self.add_report(message);
        }
    }

    /// Adds records of which nobody knows whether the broker has them.
    pub(super) fn add_unconfirmed(&mut self, batch: &DeliveredBatch) {
        self.add_failed(batch.records, batch.topic, batch.partition, || KafkaError::Retriable {
            operation: OPERATION,
            code: ErrorCode(RDKafkaRespErr::RD_KAFKA_RESP_ERR__NO_OFFSET as i32),
            text: "the broker has answered for later records only".to_owned(),
        });
    }

    fn add_report(&mut self, message: &rd::rd_kafka_message_t) {
        match message.err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__PURGE_QUEUE
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR__PURGE_INFLIGHT => self.purged += 1,
            code => self.add_failed(1, message.rkt, PartitionId(message.partition), || {
                KafkaError::from_native(OPERATION, code)
            }),
        }
    }

    fn add_failed(
        &mut self,
        records: usize,
        topic: *mut rd::rd_kafka_topic_t,
        partition: PartitionId,
        error: impl FnOnce() -> KafkaError,
    ) {
        self.count += records as u64;
        self.first.get_or_insert_with(|| DeliveryFailure {
            topic: topic_name(topic),
            partition,
            error: error(),
        });
    }
}

/// The name of a report's topic; empty when it has none.
fn topic_name(topic: *mut rd::rd_kafka_topic_t) -> String {
    if topic.is_null() {
        return String::new();
    }
    // SAFETY: a report's topic lives as long as its event, and its name as long as the topic.
    let name = unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(topic)) };
    name.to_string_lossy().into_owned()
}
