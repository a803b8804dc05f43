//! The ends of the logs, asked of their leaders.
//!
//! In:  partitions of a topic. Out: the offset after the last record that may be read.
//! Holds: a partition whose leader does not answer holds up no other.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::Offset as Position;

use super::client::Admin;
use crate::{
    ids::{Offset, PartitionId},
    kafka::native::{KafkaError, by_time, partition_list},
};

const ENDS: &str = "ask the partitions' leaders";

/// The ends of the logs, as far as a reader of committed records may read (of all records with
/// `Admin::read_uncommitted`), of those of the partitions whose leaders answer just now: one
/// small question per leader. NOTE: not through the consumer, where it would wait behind a
/// fetch, and cut that short when it is late.
///
/// # Errors
/// `Timeout` or `Retriable` while no broker can be reached.
pub fn log_ends(
    admin: &Admin,
    topic: &str,
    partitions: &[PartitionId],
    timeout: Duration,
) -> Result<Vec<(PartitionId, Offset)>, KafkaError> {
    let list = partition_list(topic, partitions);
    let entries = by_time(&admin.client(), ENDS, list, Position::End, timeout)?;
    let answered = entries.into_iter().filter(|entry| entry.error == 0);
    Ok(answered.map(|entry| (PartitionId(entry.partition), Offset(entry.offset))).collect())
}

/// As [`log_ends`], of every one of the partitions.
///
/// # Errors
/// `Timeout` or `Retriable` while a partition's leader is away.
pub fn all_log_ends(
    admin: &Admin,
    topic: &str,
    partitions: &[PartitionId],
    timeout: Duration,
) -> Result<BTreeMap<PartitionId, Offset>, KafkaError> {
    let ends: BTreeMap<_, _> = log_ends(admin, topic, partitions, timeout)?.into_iter().collect();
    if partitions.iter().all(|partition| ends.contains_key(partition)) {
        Ok(ends)
    } else {
        Err(admin.client().timeout(ENDS, timeout))
    }
}
