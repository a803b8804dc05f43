//! Topics that do not exist yet.
//!
//! In:  descriptions of topics. Out: topics whose leaders answer.
//! Holds: a topic that exists already is left as it is.

use std::{
    ffi::{c_char, c_int},
    ptr,
    time::{Duration, Instant},
};

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use super::{
    answers::first_failure,
    client::Admin,
    ends::log_ends,
    requests::{ERROR_TEXT_BYTES, Requests},
    topics::wait_until,
};
use crate::{
    ids::PartitionId,
    kafka::native::{KafkaError, c_string, check, owned_text},
};

const OPERATION: &str = "create topics";

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions; -1 leaves it to the broker.
    pub partitions: i32,
    /// Copies of each partition; -1 leaves it to the broker.
    pub replication: i32,
    /// Topic configuration, for example `cleanup.policy`.
    pub config: Vec<(String, String)>,
}

/// Creates topics and waits until their leaders answer. One that exists already is left as it
/// is.
///
/// # Errors
/// `Timeout` or `Retriable` while no broker is reachable; `Fatal` with the topic's name when
/// the broker refuses.
pub fn create_topics(
    admin: &Admin,
    topics: &[NewTopic],
    timeout: Duration,
) -> Result<(), KafkaError> {
    if topics.is_empty() {
        return Ok(());
    }
    let deadline = Instant::now() + timeout;
    let requests = Requests::of(topics, rd::rd_kafka_NewTopic_destroy, new_topic)?;
    let answer = admin.ask(OPERATION, timeout, |client, queue| {
        // SAFETY: client, queue and requests are alive; librdkafka copies the requests.
        unsafe {
            rd::rd_kafka_CreateTopics(client, requests.ptr(), requests.len(), ptr::null(), queue);
        }
    })?;
    let mut count = 0;
    // SAFETY: the answer is alive, is this kind of result, and owns the array.
    let results = unsafe {
        let result = rd::rd_kafka_event_CreateTopics_result(answer.ptr());
        rd::rd_kafka_CreateTopics_result_topics(result, &raw mut count)
    };
    let exists = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
    // SAFETY: `results` holds `count` results that live as long as the answer.
    unsafe { first_failure(OPERATION, results, count, exists) }?;
    let names: Vec<_> = topics.iter().map(|topic| topic.name.as_str()).collect();
    let led = wait_until(admin, OPERATION, &names, deadline, |info| {
        info.partitions.map_or(Ok(false), |seen| all_lead(admin, &info.name, seen, deadline))
    });
    led.map_err(|error| admin.explained(error, timeout))
}

/// Whether all partitions' leaders know that they lead. Metadata name a leader before it does,
/// and until then it refuses records.
fn all_lead(
    admin: &Admin,
    topic: &str,
    partitions: i32,
    deadline: Instant,
) -> Result<bool, KafkaError> {
    let partitions: Vec<_> = (0..partitions).map(PartitionId).collect();
    let left = deadline.saturating_duration_since(Instant::now());
    match log_ends(admin, topic, &partitions, left) {
        Ok(ends) => Ok(ends.len() == partitions.len()),
        Err(error) if error.is_retriable() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The native description of a topic.
///
/// # Errors
/// `Config` when name, numbers or configuration are impossible.
fn new_topic(topic: &NewTopic) -> Result<*mut rd::rd_kafka_NewTopic_t, KafkaError> {
    let name = c_string("topic", &topic.name)?;
    let mut text = [0; ERROR_TEXT_BYTES];
    // SAFETY: name and buffer are alive; the name is copied.
    let native = unsafe {
        rd::rd_kafka_NewTopic_new(
            name.as_ptr(),
            topic.partitions as c_int,
            topic.replication as c_int,
            text.as_mut_ptr(),
            text.len(),
        )
    };
    if native.is_null() {
        return Err(refused(&topic.name, &text));
    }
    for (key, value) in &topic.config {
        let (key, value) = (c_string("topic setting", key)?, c_string("topic setting", value)?);
        // SAFETY: all three are alive; librdkafka copies the strings.
        let code =
            unsafe { rd::rd_kafka_NewTopic_set_config(native, key.as_ptr(), value.as_ptr()) };
        if let Err(error) = check("describe a topic", code) {
            // SAFETY: made above, and given to nobody.
            unsafe { rd::rd_kafka_NewTopic_destroy(native) };
            return Err(error);
        }
    }
    Ok(native)
}

fn refused(topic: &str, text: &[c_char]) -> KafkaError {
    // SAFETY: librdkafka has written a terminated text into the zeroed buffer.
    let reason = unsafe { owned_text(text.as_ptr()) };
    KafkaError::Config { text: format!("topic {topic:?}: {reason}") }
}
