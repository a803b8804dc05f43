//! Native partition lists, in and out.
//!
//! In: partitions with offsets and metadata, for a call. Out: what librdkafka wrote into a list.
//! Used by the threads that own the clients. Holds: nothing borrowed survives the call.

use rdkafka::{Offset as Position, bindings as rd, topic_partition_list::TopicPartitionList};

use super::{
    error::KafkaError,
    ffi::{bytes, error_text},
};
use crate::ids::{Offset, PartitionId};

/// What is committed for one partition.
pub type CommitEntry = (PartitionId, Offset, String);

/// A list of partitions of one topic without offsets.
pub(in crate::kafka) fn partition_list(
    topic: &str,
    partitions: &[PartitionId],
) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(topic, partition.0);
    }
    list
}

/// A list of partitions of one topic, each with the next offset to read.
///
/// # Errors
/// `Config` for a negative offset.
pub(in crate::kafka) fn offset_list(
    topic: &str,
    offsets: impl IntoIterator<Item = (PartitionId, Offset)>,
) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        set_offset(&mut list.add_partition(topic, partition.0), partition, offset)?;
    }
    Ok(list)
}

/// A list of what is committed for partitions of one topic.
///
/// # Errors
/// `Config` for a negative offset.
pub(in crate::kafka) fn commit_list(
    topic: &str,
    entries: &[CommitEntry],
) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(entries.len());
    for (partition, offset, metadata) in entries {
        let mut line = list.add_partition(topic, partition.0);
        set_offset(&mut line, *partition, *offset)?;
        line.set_metadata(metadata);
    }
    Ok(list)
}

/// Sets the offset of one line.
///
/// # Errors
/// `Config` for a negative offset.
fn set_offset(
    line: &mut rdkafka::topic_partition_list::TopicPartitionListElem<'_>,
    partition: PartitionId,
    offset: Offset,
) -> Result<(), KafkaError> {
    line.set_offset(Position::Offset(offset.0)).map_err(|_| KafkaError::Config {
        text: format!("partition {partition}: {offset} is no offset; offsets begin at 0"),
    })
}

/// One line of a native partition list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kafka) struct PartitionEntry {
    pub(in crate::kafka) partition: i32,
    /// As librdkafka has it: negative values are symbolic.
    pub(in crate::kafka) offset: i64,
    pub(in crate::kafka) metadata: String,
    /// librdkafka's code; 0 is none.
    pub(in crate::kafka) error: i32,
}

/// Copies a native list.
///
/// # Safety
/// `list` is null or points to a list that lives through the call.
pub(in crate::kafka) unsafe fn entries(
    list: *const rd::rd_kafka_topic_partition_list_t,
) -> Vec<PartitionEntry> {
    // SAFETY: null or alive, as the caller vouches.
    let Some(list) = (unsafe { list.as_ref() }) else { return Vec::new() };
    let count = usize::try_from(list.cnt).unwrap_or(0);
    if count == 0 {
        return Vec::new();
    }
    // SAFETY: `elems` holds `cnt` initialised entries while the list lives.
    let elements = unsafe { std::slice::from_raw_parts(list.elems, count) };
    elements
        .iter()
        .map(|element| PartitionEntry {
            partition: element.partition,
            offset: element.offset,
            // SAFETY: pointer and size describe one allocation of the entry.
            metadata: unsafe { bytes(element.metadata.cast(), element.metadata_size) }
                .map(|metadata| String::from_utf8_lossy(metadata).into_owned())
                .unwrap_or_default(),
            error: element.err as i32,
        })
        .collect()
}

/// The lines of a list that a call has filled in.
pub(in crate::kafka) fn list_entries(list: &TopicPartitionList) -> Vec<PartitionEntry> {
    // SAFETY: the list is alive and borrowed.
    unsafe { entries(list.ptr()) }
}

/// The first error that a call left in a line of its list.
pub(in crate::kafka) fn first_error(
    operation: &'static str,
    entries: &[PartitionEntry],
) -> Result<(), KafkaError> {
    match entries.iter().find(|entry| entry.error != 0) {
        None => Ok(()),
        Some(entry) => Err(KafkaError::from_code(
            operation,
            entry.error,
            format!("partition {}: {}", entry.partition, error_text(entry.error)),
        )),
    }
}
