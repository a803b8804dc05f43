//! Questions of the consumer about offsets: committed, in the log, by time.
//!
//! In: partitions of the input topic. Out: the broker's answer within a timeout, or what the last
//! fetch said. Runs in the source thread. Holds: an error of any partition is an error of the call.

use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::admin::Admin;
use super::committer::CommittedOffset;
use super::consumer::Consumer;
use super::error::KafkaError;
use super::list::{list_entries, offset_list, partition_list};
use super::native::{NativeClient, error_text, millis};
use crate::ids::{Offset, PartitionId};

/// What the consumer's group has committed for these partitions.
pub(super) fn committed(
    client: &NativeClient,
    topic: &str,
    partitions: &[PartitionId],
    timeout: Duration,
) -> Result<Vec<CommittedOffset>, KafkaError> {
    const OPERATION: &str = "read committed offsets";
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let list = partition_list(topic, partitions);
    let ms = millis(timeout);
    // SAFETY: client and list are alive; the call fills in the list before it returns.
    let code = unsafe { rd::rd_kafka_committed(client.ptr(), list.ptr(), ms) };
    if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(client.query_error(OPERATION, code, timeout));
    }
    first_error(OPERATION, &list)?;
    Ok(list_entries(&list)
        .into_iter()
        .map(|entry| CommittedOffset {
            partition: PartitionId(entry.partition),
            offset: (entry.offset >= 0).then_some(Offset(entry.offset)),
            metadata: entry.metadata,
        })
        .collect())
}

impl Consumer {
    /// What the group has committed for these partitions.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while the broker or the coordinator is away.
    pub fn committed(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>, KafkaError> {
        committed(&self.client, &self.topic, partitions, timeout)
    }

    /// First offset in the log, and the offset after its last record.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while the broker is away.
    pub fn watermarks(
        &self,
        partition: PartitionId,
        timeout: Duration,
    ) -> Result<(Offset, Offset), KafkaError> {
        let (low, high) = self.client.watermarks(&self.topic, partition.0, timeout)?;
        Ok((Offset(low), Offset(high)))
    }

    /// The first offset whose Kafka timestamp is `timestamp_ms` or later; the end of the log when
    /// there is none.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while the broker is away.
    pub fn offset_for_time(
        &self,
        partitions: &[PartitionId],
        timestamp_ms: i64,
        timeout: Duration,
    ) -> Result<Vec<(PartitionId, Offset)>, KafkaError> {
        const OPERATION: &str = "look up offsets by time";
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        // The call takes the time in place of the offset.
        let time = Offset(timestamp_ms.max(0));
        let list = offset_list(&self.topic, partitions.iter().map(|id| (*id, time)))?;
        let ms = millis(timeout);
        // SAFETY: client and list are alive; the call fills in the list before it returns.
        let code = unsafe { rd::rd_kafka_offsets_for_times(self.client.ptr(), list.ptr(), ms) };
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(self.client.query_error(OPERATION, code, timeout));
        }
        first_error(OPERATION, &list)?;
        let mut found = Vec::with_capacity(partitions.len());
        for entry in list_entries(&list) {
            let partition = PartitionId(entry.partition);
            let offset = if entry.offset >= 0 {
                Offset(entry.offset)
            } else {
                self.watermarks(partition, timeout)?.1
            };
            found.push((partition, offset));
        }
        Ok(found)
    }

    /// The end of the log as the last fetch saw it, without asking; `None` before the first fetch.
    pub fn cached_log_end(&self, partition: PartitionId) -> Option<Offset> {
        let (mut low, mut high) = (-1, -1);
        // SAFETY: client and name are alive; both results are written before the call returns.
        let code = unsafe {
            rd::rd_kafka_get_watermark_offsets(
                self.client.ptr(),
                self.c_topic.as_ptr(),
                partition.0,
                &raw mut low,
                &raw mut high,
            )
        };
        let known = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0;
        known.then_some(Offset(high))
    }
}

impl Admin {
    /// The ends of the logs, as far as a reader of committed records may read, of those of the
    /// partitions whose leaders answer just now: one small question per leader. NOTE: not through
    /// the consumer, where it would wait behind a fetch, and cut that short when it is late.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while no broker can be reached.
    pub fn ends(
        &self,
        topic: &str,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<(PartitionId, Offset)>, KafkaError> {
        const OPERATION: &str = "ask the partitions' leaders";
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            // The broker takes it in the place of a time.
            let end = list.add_partition(topic, partition.0).set_offset(rdkafka::Offset::End);
            end.expect("the end is an offset that librdkafka knows");
        }
        let ms = millis(timeout);
        // SAFETY: client and list are alive; the call fills in the list before it returns.
        let code = unsafe { rd::rd_kafka_offsets_for_times(self.client.ptr(), list.ptr(), ms) };
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(self.client.query_error(OPERATION, code, timeout));
        }
        let answered = list_entries(&list).into_iter().filter(|entry| entry.error == 0);
        Ok(answered.map(|entry| (PartitionId(entry.partition), Offset(entry.offset))).collect())
    }
}

/// The first error that a call left in a line of its list.
pub(super) fn first_error(
    operation: &'static str,
    list: &TopicPartitionList,
) -> Result<(), KafkaError> {
    match list_entries(list).into_iter().find(|entry| entry.error != 0) {
        None => Ok(()),
        Some(entry) => Err(KafkaError::from_code(
            operation,
            entry.error,
            format!("partition {}: {}", entry.partition, error_text(entry.error)),
        )),
    }
}
