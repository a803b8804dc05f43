//! The cluster as a whole.
//!
//! Out: its id, how many brokers are up, and what this user may do.

use std::time::{Duration, Instant};

use rdkafka::bindings::{self as rd, rd_kafka_admin_op_t as op};

use super::{
    client::Admin,
    options::Options,
    rights::{Rights, rights},
};
use crate::kafka::native::{KafkaError, millis, owned_text};

/// The cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    /// Brokers that are up.
    pub brokers: usize,
    /// What this user may do with the cluster.
    pub rights: Rights,
}

/// The cluster's own identifier; `None` when the brokers do not have one.
///
/// # Errors
/// `Timeout` while no broker is reachable.
pub fn cluster_id(admin: &Admin, timeout: Duration) -> Result<Option<String>, KafkaError> {
    let deadline = Instant::now() + timeout;
    // Metadata carries it; a cluster without one is told apart from one that is away.
    admin.read_metadata(None, timeout, |_| ()).map_err(|error| admin.explained(error, timeout))?;
    let left = deadline.saturating_duration_since(Instant::now());
    // SAFETY: the client is alive; the returned string is ours to free.
    unsafe {
        let id = rd::rd_kafka_clusterid(admin.client().ptr(), millis(left));
        if id.is_null() {
            return Ok(None);
        }
        let text = owned_text(id);
        rd::rd_kafka_mem_free(admin.client().ptr(), id.cast());
        Ok(Some(text))
    }
}

/// How many brokers are up, and what this user may do.
///
/// # Errors
/// `Timeout` or `Retriable` while no broker is reachable.
pub fn describe_cluster(
    admin: &Admin,
    timeout: Duration,
) -> Result<ClusterDescription, KafkaError> {
    let options = Options::new(&admin.client(), op::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER, timeout)?;
    let answer = admin.ask("describe the cluster", timeout, |client, queue| {
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
