//! Questions of the consumer about offsets: committed, in the log, by time.
//!
//! In: partitions of the input topic. Out: the broker's answer within a timeout, or what the last
//! fetch said. Runs in the source thread. Holds: an error of any partition is an error of the call.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{Offset as Position, bindings as rd, types::RDKafkaRespErr};

use super::{client::Consumer, committer::CommittedOffset};
use crate::{
    ids::{Offset, PartitionId},
    kafka::native::{
        KafkaError, NativeClient, by_time, first_error, list_entries, millis, partition_list,
    },
};

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
    let entries = list_entries(&list);
    first_error(OPERATION, &entries)?;
    Ok(entries
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
        const OPERATION: &str = "look up the ends of the log";
        let lows = self.at(OPERATION, partitions, Position::Beginning, timeout)?;
        let highs = self.at(OPERATION, partitions, Position::End, timeout)?;
        let both = |(partition, low)| Some((partition, (low, *highs.get(&partition)?)));
        Ok(lows.into_iter().filter_map(both).collect())
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
        const OPERATION: &str = "look up offsets by time";
        let time = Position::Offset(timestamp_ms.max(0));
        let mut found = self.at(OPERATION, partitions, time, timeout)?;
        if found.values().any(|offset| offset.0 < 0) {
            let ends = self.at(OPERATION, partitions, Position::End, timeout)?;
            for (partition, offset) in found.iter_mut().filter(|(_, offset)| offset.0 < 0) {
                *offset = *ends.get(partition).unwrap_or(offset);
            }
        }
        Ok(found.into_iter().collect())
    }

    /// The first offset of each partition that is of this time or later, negative where there is
    /// none.
    fn at(
        &self,
        operation: &'static str,
        partitions: &[PartitionId],
        time: Position,
        timeout: Duration,
    ) -> Result<BTreeMap<PartitionId, Offset>, KafkaError> {
        let list = partition_list(&self.topic, partitions);
        let entries = by_time(&self.client, operation, list, time, timeout)?;
        first_error(operation, &entries)?;
        let entries = entries.into_iter();
        Ok(entries.map(|entry| (PartitionId(entry.partition), Offset(entry.offset))).collect())
    }

    /// The end of the log, records of open transactions included, as the last fetch saw it; without
    /// asking. `None` before the first fetch, and after one that failed.
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
