//! Questions of the consumer about offsets: committed, in the log, by time.
//!
//! In: partitions of the input topic. Out: the broker's answer within a timeout, or what the last
//! fetch said. Runs in the source thread. Holds: an error of any partition is an error of the call.

use std::{collections::BTreeMap, ffi::CStr, time::Duration};

use rdkafka::{Offset as Position, bindings as rd, types::RDKafkaRespErr};

use super::committer::CommittedOffset;
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

/// The beginning and the end of each partition's log.
pub(super) fn logs(
    client: &NativeClient,
    topic: &str,
    partitions: &[PartitionId],
    timeout: Duration,
) -> Result<BTreeMap<PartitionId, (Offset, Offset)>, KafkaError> {
    const OPERATION: &str = "look up the ends of the log";
    let lows = at(client, topic, OPERATION, partitions, Position::Beginning, timeout)?;
    let highs = at(client, topic, OPERATION, partitions, Position::End, timeout)?;
    let both = |(partition, low)| Some((partition, (low, *highs.get(&partition)?)));
    Ok(lows.into_iter().filter_map(both).collect())
}

/// The first offset of each partition that is of this time or later; the end where there is none.
pub(super) fn offset_for_time(
    client: &NativeClient,
    topic: &str,
    partitions: &[PartitionId],
    timestamp_ms: i64,
    timeout: Duration,
) -> Result<Vec<(PartitionId, Offset)>, KafkaError> {
    const OPERATION: &str = "look up offsets by time";
    let time = Position::Offset(timestamp_ms.max(0));
    let mut found = at(client, topic, OPERATION, partitions, time, timeout)?;
    if found.values().any(|offset| offset.0 < 0) {
        let ends = at(client, topic, OPERATION, partitions, Position::End, timeout)?;
        for (partition, offset) in found.iter_mut().filter(|(_, offset)| offset.0 < 0) {
            *offset = *ends.get(partition).unwrap_or(offset);
        }
    }
    Ok(found.into_iter().collect())
}

/// The first offset of each partition that is of this time or later, negative where there is
/// none.
fn at(
    client: &NativeClient,
    topic: &str,
    operation: &'static str,
    partitions: &[PartitionId],
    time: Position,
    timeout: Duration,
) -> Result<BTreeMap<PartitionId, Offset>, KafkaError> {
    let list = partition_list(topic, partitions);
    let entries = by_time(client, operation, list, time, timeout)?;
    first_error(operation, &entries)?;
    let entries = entries.into_iter();
    Ok(entries.map(|entry| (PartitionId(entry.partition), Offset(entry.offset))).collect())
}

/// The end of the log as the last fetch saw it.
pub(super) fn cached_log_end(
    client: &NativeClient,
    topic: &CStr,
    partition: PartitionId,
) -> Option<Offset> {
    let (mut low, mut high) = (-1, -1);
    // SAFETY: client and name are alive; both results are written before the call returns.
    let code = unsafe {
        rd::rd_kafka_get_watermark_offsets(
            client.ptr(),
            topic.as_ptr(),
            partition.0,
            &raw mut low,
            &raw mut high,
        )
    };
    let known = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0;
    known.then_some(Offset(high))
}
