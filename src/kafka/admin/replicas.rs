//! The replicas of topics.
//!
//! In: names. Out: replicas, and what this user may do. Used by `logintide check-config`, and by a
//! run that asks why it cannot read. Holds: nothing is created.

use std::{
    ffi::{CString, c_char},
    time::Duration,
};

use rdkafka::bindings::{self as rd, rd_kafka_admin_op_t as op};

use super::{
    answers::{failure, named, unanswered},
    client::Admin,
    options::Options,
    rights::{Rights, rights},
};
use crate::{
    ids::TopicId,
    kafka::native::{KafkaError, array, c_string, owned_text},
};

const OPERATION: &str = "describe topics";

/// The replicas of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicReplicas {
    /// The topic.
    pub name: String,
    /// What tells it from an earlier or later topic of its name; `None` where the brokers have no
    /// ids (before Kafka 2.8).
    pub id: Option<TopicId>,
    /// Number of partitions.
    pub partitions: usize,
    /// Fewest replicas that a partition has.
    pub replication: usize,
    /// Fewest replicas in sync that a partition has.
    pub in_sync: usize,
    /// Partitions without a leader.
    pub leaderless: usize,
    /// What this user may do with the topic.
    pub rights: Rights,
}

/// Replicas and rights of topics; one that does not exist or may not be seen has its error.
///
/// # Errors
/// `Timeout` or `Retriable` while no broker is reachable.
pub fn describe_topics(
    admin: &Admin,
    names: &[&str],
    timeout: Duration,
) -> Result<Vec<Result<TopicReplicas, KafkaError>>, KafkaError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let texts = c_strings(names)?;
    let mut pointers: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
    let options = Options::new(&admin.client(), op::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout)?;
    let answer = admin.ask(OPERATION, timeout, |client, queue| {
        // SAFETY: names, client, queue and options are alive; librdkafka copies the names, and
        // the collection is destroyed once.
        unsafe {
            let topics =
                rd::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            rd::rd_kafka_DescribeTopics(client, topics, options.ptr(), queue);
            rd::rd_kafka_TopicCollection_destroy(topics);
        }
    })?;
    let mut count = 0;
    // SAFETY: the answer is alive, is this kind of result, and owns the array of topics.
    let found: Vec<_> = unsafe {
        let result = rd::rd_kafka_event_DescribeTopics_result(answer.ptr());
        let topics = rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        array(topics, count).iter().map(|topic| topic_of(*topic)).collect()
    };
    // The order of the answer is the broker's.
    Ok(names
        .iter()
        .map(|name| {
            let of_name = found.iter().find(|(found, _)| found == name);
            of_name.map_or_else(|| Err(unanswered(OPERATION, name)), |(_, topic)| topic.clone())
        })
        .collect())
}

/// # Safety
/// `topic` is alive.
unsafe fn topic_of(
    topic: *const rd::rd_kafka_TopicDescription_t,
) -> (String, Result<TopicReplicas, KafkaError>) {
    // SAFETY: the topic is alive, as the caller vouches, and owns its texts, partitions and nodes.
    unsafe {
        let name = owned_text(rd::rd_kafka_TopicDescription_name(topic));
        let error = failure(rd::rd_kafka_TopicDescription_error(topic));
        if let Some((code, reason)) = error {
            let error = named(OPERATION, &name, code, &reason);
            return (name, Err(error));
        }
        let mut count = 0;
        let partitions = rd::rd_kafka_TopicDescription_partitions(topic, &raw mut count);
        let (mut replication, mut in_sync, mut leaderless) = (usize::MAX, usize::MAX, 0);
        for partition in array(partitions, count) {
            let (mut replicas, mut isr) = (0, 0);
            rd::rd_kafka_TopicPartitionInfo_replicas(*partition, &raw mut replicas);
            rd::rd_kafka_TopicPartitionInfo_isr(*partition, &raw mut isr);
            replication = replication.min(replicas);
            in_sync = in_sync.min(isr);
            let leader = rd::rd_kafka_TopicPartitionInfo_leader(*partition);
            leaderless += usize::from(leader.is_null() || rd::rd_kafka_Node_id(leader) < 0);
        }
        let mut allowed_count = 0;
        let allowed =
            rd::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut allowed_count);
        let rights = rights(allowed, allowed_count);
        let id = id_of(rd::rd_kafka_TopicDescription_topic_id(topic));
        let replicas = TopicReplicas {
            name: name.clone(),
            id,
            partitions: count,
            replication,
            in_sync,
            leaderless,
            rights,
        };
        (name, Ok(replicas))
    }
}

/// # Safety
/// `id` is null or alive.
unsafe fn id_of(id: *const rd::rd_kafka_Uuid_t) -> Option<TopicId> {
    if id.is_null() {
        return None;
    }
    // SAFETY: alive, as the caller vouches.
    let (most, least) = unsafe {
        (rd::rd_kafka_Uuid_most_significant_bits(id), rd::rd_kafka_Uuid_least_significant_bits(id))
    };
    let bits = u128::from(most as u64) << 64 | u128::from(least as u64);
    (bits != 0).then_some(TopicId(bits))
}

fn c_strings(names: &[&str]) -> Result<Vec<CString>, KafkaError> {
    names.iter().map(|name| c_string("the name", name)).collect()
}
