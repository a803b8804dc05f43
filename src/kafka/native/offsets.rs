//! Offsets in the log by time: the question behind every look at a log's beginning and end.
//!
//! In:  a client, partitions, a time or an end of the log. Out: a line per partition.
//! Holds: an error of a partition is in its line, one of the call is the call's.

use std::time::Duration;

use rdkafka::{
    Offset as Position, bindings as rd, topic_partition_list::TopicPartitionList,
    types::RDKafkaRespErr,
};

use super::{
    client::NativeClient,
    error::KafkaError,
    ffi::millis,
    list::{PartitionEntry, list_entries},
};

/// The first offset of each partition that is of this time or later: one question to each leader.
/// An error of a partition is in its line.
pub(in crate::kafka) fn by_time(
    client: &NativeClient,
    operation: &'static str,
    mut list: TopicPartitionList,
    time: Position,
    timeout: Duration,
) -> Result<Vec<PartitionEntry>, KafkaError> {
    if list.count() == 0 {
        return Ok(Vec::new());
    }
    // The call, and the broker, take a time in the place of the offset; or one of its two ends.
    list.set_all_offsets(time).map_err(|error| KafkaError::Config { text: error.to_string() })?;
    let ms = millis(timeout);
    // SAFETY: client and list are alive; the call fills in the list before it returns.
    let code = unsafe { rd::rd_kafka_offsets_for_times(client.ptr(), list.ptr(), ms) };
    if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(client.query_error(operation, code, timeout));
    }
    Ok(list_entries(&list))
}
