//! Which topics there are, and how many partitions they have.
//!
//! In:  names. Out: what the cluster knows of each, within a timeout for all of them.
//! Holds: asking for a topic never creates it.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use rdkafka::types::RDKafkaRespErr;

use super::{answers::named, client::Admin};
use crate::{
    kafka::native::{KafkaError, METADATA},
    limits::TOPIC_VISIBLE_POLL,
};

/// A topic as the cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Number of partitions; `None` when the topic does not exist.
    pub partitions: Option<i32>,
}

/// What the cluster knows of these topics, in the same order.
///
/// # Errors
/// `Timeout` or `Retriable` while no broker is reachable; `Fatal` when access is denied.
pub fn find_topics(
    admin: &Admin,
    names: &[&str],
    timeout: Duration,
) -> Result<Vec<TopicInfo>, KafkaError> {
    let deadline = Instant::now() + timeout;
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let left = deadline.saturating_duration_since(Instant::now());
        let partitions = partition_count(admin, name, left);
        let partitions = partitions.map_err(|error| admin.explained(error, timeout))?;
        found.push(TopicInfo { name: (*name).to_owned(), partitions });
    }
    admin.serve_events();
    Ok(found)
}

/// Asks for topics until something holds for each of them.
pub(super) fn wait_until(
    admin: &Admin,
    operation: &'static str,
    names: &[&str],
    deadline: Instant,
    is_done: impl Fn(&TopicInfo) -> Result<bool, KafkaError>,
) -> Result<(), KafkaError> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut waits = false;
        for info in find_topics(admin, names, left)? {
            waits |= !is_done(&info)?;
        }
        if !waits {
            return Ok(());
        }
        if left.is_zero() {
            return Err(admin.client().timeout(operation, Duration::ZERO));
        }
        sleep(TOPIC_VISIBLE_POLL);
    }
}

/// Partitions of a topic; `None` when it is missing.
fn partition_count(
    admin: &Admin,
    topic: &str,
    timeout: Duration,
) -> Result<Option<i32>, KafkaError> {
    let (partitions, code) = admin.read_metadata(Some(topic), timeout, |metadata| {
        if metadata.topic_cnt < 1 {
            return (0, RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
        }
        // SAFETY: metadata with a topic has an array of at least one.
        unsafe { ((*metadata.topics).partition_cnt, (*metadata.topics).err) }
    })?;
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR if partitions > 0 => Ok(Some(partitions)),
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        | RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC => Ok(None),
        code => Err(named(METADATA, topic, code as i32, "")),
    }
}
