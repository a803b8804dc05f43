//! Questions about topics and the cluster that change nothing.
//!
//! In: names. Out: replicas, and what this user may do. Used by `logintide check-config`, and by a
//! run that asks why it cannot read. Holds: nothing is created or registered.

use std::{
    ffi::{CString, c_char},
    time::Duration,
};

use rdkafka::{
    bindings::{self as rd, rd_kafka_admin_op_t as op},
    types::RDKafkaRespErr,
};

use super::{client::Admin, options::Options, requests::named};
use crate::{
    ids::TopicId,
    kafka::native::{ErrorCode, KafkaError, array, c_string, error_text, owned_text},
};

/// What an ACL can allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Consume, or join a group.
    Read,
    /// Produce.
    Write,
    /// Create topics.
    Create,
    /// See that it exists.
    Describe,
    /// Read settings.
    DescribeConfigs,
}

impl Operation {
    /// Its name in ACLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Create => "Create",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
        }
    }
}

/// What this user may do with one topic, group or cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights(Option<Vec<Operation>>);

impl Rights {
    /// What the broker has listed; `None` where it does not tell.
    #[cfg(test)]
    pub(crate) fn new(allowed: Option<Vec<Operation>>) -> Self {
        Self(allowed)
    }

    /// True only when the broker has said so.
    pub fn lacks(&self, operation: Operation) -> bool {
        self.0.as_ref().is_some_and(|allowed| !allowed.contains(&operation))
    }
}

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

/// The cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    /// Brokers that are up.
    pub brokers: usize,
    /// What this user may do with the cluster.
    pub rights: Rights,
}

impl Admin {
    /// Replicas and rights of topics; one that does not exist or may not be seen has its error.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while no broker is reachable.
    pub fn describe_topics(
        &self,
        names: &[&str],
        timeout: Duration,
    ) -> Result<Vec<Result<TopicReplicas, KafkaError>>, KafkaError> {
        const OPERATION: &str = "describe topics";
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let texts = c_strings(names)?;
        let mut pointers: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        let options = Options::new(&self.client, op::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout)?;
        let answer = self.ask(OPERATION, timeout, |client, queue| {
            // SAFETY: names, client, queue and options are alive; librdkafka copies the names, and
            // the collection is destroyed once.
            unsafe {
                let topics = rd::rd_kafka_TopicCollection_of_topic_names(
                    pointers.as_mut_ptr(),
                    pointers.len(),
                );
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

    /// How many brokers are up, and what this user may do.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while no broker is reachable.
    pub fn describe_cluster(&self, timeout: Duration) -> Result<ClusterDescription, KafkaError> {
        let options = Options::new(&self.client, op::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER, timeout)?;
        let answer = self.ask("describe the cluster", timeout, |client, queue| {
            // SAFETY: client, options and queue are alive.
            unsafe { rd::rd_kafka_DescribeCluster(client, options.ptr(), queue) };
        })?;
        let (mut brokers, mut count) = (0, 0);
        // SAFETY: the answer is alive, is this kind of result, and owns both arrays.
        unsafe {
            let result = rd::rd_kafka_event_DescribeCluster_result(answer.ptr());
            rd::rd_kafka_DescribeCluster_result_nodes(result, &raw mut brokers);
            let allowed =
                rd::rd_kafka_DescribeCluster_result_authorized_operations(result, &raw mut count);
            Ok(ClusterDescription { brokers, rights: rights(allowed, count) })
        }
    }
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
            let error = named("describe topics", &name, code, &reason);
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

/// Code and text of a native error; `None` for success.
///
/// # Safety
/// `error` is null or alive.
pub(super) unsafe fn failure(error: *const rd::rd_kafka_error_t) -> Option<(i32, String)> {
    if error.is_null() {
        return None;
    }
    // SAFETY: alive, as the caller vouches, and so is its text.
    unsafe {
        let code = rd::rd_kafka_error_code(error) as i32;
        let text = owned_text(rd::rd_kafka_error_string(error));
        (code != 0).then(|| (code, if text.is_empty() { error_text(code) } else { text }))
    }
}

/// # Safety
/// `allowed` is null or points to `count` operations.
pub(super) unsafe fn rights(allowed: *const rd::rd_kafka_AclOperation_t, count: usize) -> Rights {
    use rd::rd_kafka_AclOperation_t as acl;
    if allowed.is_null() {
        return Rights(None);
    }
    // SAFETY: as the caller vouches. NOTE: read as numbers, so that one that this version of
    // librdkafka does not know is no invalid enum.
    let numbers = unsafe { std::slice::from_raw_parts(allowed.cast::<u32>(), count) };
    let known = [
        (acl::RD_KAFKA_ACL_OPERATION_READ, Operation::Read),
        (acl::RD_KAFKA_ACL_OPERATION_WRITE, Operation::Write),
        (acl::RD_KAFKA_ACL_OPERATION_CREATE, Operation::Create),
        (acl::RD_KAFKA_ACL_OPERATION_DESCRIBE, Operation::Describe),
        (acl::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS, Operation::DescribeConfigs),
    ];
    let listed = known.into_iter().filter(|(native, _)| numbers.contains(&(*native as u32)));
    Rights(Some(listed.map(|(_, operation)| operation).collect()))
}

fn c_strings(names: &[&str]) -> Result<Vec<CString>, KafkaError> {
    names.iter().map(|name| c_string("the name", name)).collect()
}

pub(super) fn unanswered(operation: &'static str, name: &str) -> KafkaError {
    KafkaError::Fatal {
        operation,
        code: ErrorCode(RDKafkaRespErr::RD_KAFKA_RESP_ERR__BAD_MSG as i32),
        text: format!("the broker's answer does not name {name}"),
    }
}
