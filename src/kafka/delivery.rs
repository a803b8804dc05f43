//! Deliveries, as the producer's reports tell them.
//!
//! In: native delivery reports. Out: batches that were delivered; counts and the first failure
//! since they were last taken. Runs in the sink thread.
//! Holds: a report of a purged record is no failure and is counted apart.

use std::ffi::CStr;

use rdkafka::bindings as rd;
use rdkafka::types::RDKafkaRespErr;

use super::error::KafkaError;
use super::native::{Event, error_text};
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

/// Records of one partition that were delivered together.
pub(super) struct DeliveredBatch {
    pub(super) topic: *mut rd::rd_kafka_topic_t,
    pub(super) partition: PartitionId,
    pub(super) records: usize,
}

impl DeliveredBatch {
    /// What a report without an error is about; `None` where there is one. librdkafka makes such a
    /// report of one request's records for one partition, so the first speaks for all.
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
        Some(Self { topic: first.rkt, partition: PartitionId(first.partition), records })
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

    fn add_report(&mut self, message: &rd::rd_kafka_message_t) {
        match message.err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__PURGE_QUEUE
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR__PURGE_INFLIGHT => self.purged += 1,
            code => {
                self.count += 1;
                if self.first.is_none() {
                    let code = code as i32;
                    self.first = Some(DeliveryFailure {
                        topic: topic_name(message),
                        partition: PartitionId(message.partition),
                        error: KafkaError::from_code("deliver", code, error_text(code)),
                    });
                }
            }
        }
    }
}

fn topic_name(message: &rd::rd_kafka_message_t) -> String {
    if message.rkt.is_null() {
        return String::new();
    }
    // SAFETY: a report's topic lives as long as its event, and its name as long as the topic.
    let name = unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(message.rkt)) };
    name.to_string_lossy().into_owned()
}
