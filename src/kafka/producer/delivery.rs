//! Deliveries, as the producer's reports tell them.
//!
//! In: native delivery reports. Out: batches that were delivered; counts and the first failure
//! since they were last taken. Runs in the sink thread.
//! Holds: a report of a purged record is no failure and is counted apart. A record counts as
//! delivered only when its broker has told its offset.

use std::{ffi::CStr, fmt};

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use crate::{
    ids::PartitionId,
    kafka::native::{ErrorCode, Event, KafkaError, error_text, owned_text},
};

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

impl fmt::Display for DeliveryFailure {
    /// Where to, why, and the remedy if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to {} partition {}: {}", self.topic, self.partition, self.error)?;
        self.remedy().map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}

impl DeliveryFailure {
    /// What has to be changed before the topic takes such a record; `None` where trying again may
    /// help. Codes and their causes: Kafka's `LogValidator` and `ReplicaManager`.
    pub fn remedy(&self) -> Option<String> {
        use RDKafkaRespErr as E;
        let topic = &self.topic;
        Some(match RDKafkaRespErr::try_from(self.error.code()?.0).ok()? {
            E::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE
            | E::RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE
            | E::RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE => format!(
                "raise max.message.bytes of topic {topic} (and segment.bytes where it is smaller)"
            ),
            E::RD_KAFKA_RESP_ERR_INVALID_RECORD => format!(
                "a compacted topic refuses records without a key: set cleanup.policy=delete for \
                 topic {topic}"
            ),
            E::RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP => format!(
                "set the clocks of this machine and the brokers right, or widen \
                 message.timestamp.before.max.ms and message.timestamp.after.max.ms of topic {topic}"
            ),
            E::RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE
            | E::RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT => format!(
                "choose another -X compression.codec, or raise message.format.version of topic \
                 {topic}"
            ),
            E::RD_KAFKA_RESP_ERR_POLICY_VIOLATION => format!(
                "a policy of the brokers forbids it: ask whoever runs them to allow records to \
                 topic {topic}"
            ),
            E::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
                format!("add an ACL that allows this user to Write topic {topic}")
            }
            _ => return None,
        })
    }
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
                // SAFETY: the message is alive, and so is its text.
                let said = unsafe { owned_text(rd::rd_kafka_message_produce_errstr(message)) };
                let text = if said.is_empty() { error_text(code as i32) } else { said };
                KafkaError::from_code(OPERATION, code as i32, text)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: RDKafkaRespErr) -> DeliveryFailure {
        DeliveryFailure {
            topic: "out".to_owned(),
            partition: PartitionId(0),
            error: KafkaError::from_native(OPERATION, code),
        }
    }

    #[test]
    fn what_a_topic_never_takes_has_a_remedy_of_its_own() {
        use RDKafkaRespErr as E;
        for (code, part) in [
            (E::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "raise max.message.bytes of topic out"),
            (E::RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, "segment.bytes"),
            (E::RD_KAFKA_RESP_ERR_INVALID_RECORD, "cleanup.policy=delete for topic out"),
            (E::RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, "message.timestamp.before.max.ms"),
            (E::RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, "-X compression.codec"),
            (E::RD_KAFKA_RESP_ERR_POLICY_VIOLATION, "policy"),
            (E::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "ACL that allows this user to Write"),
        ] {
            let text = failure(code).to_string();
            assert!(text.contains("to out partition 0: ") && text.contains(part), "{text}");
            assert!(failure(code).remedy().is_some(), "{code:?}");
        }
        for code in [E::RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, E::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS]
        {
            assert_eq!(failure(code).remedy(), None, "trying again may help");
        }
    }
}
