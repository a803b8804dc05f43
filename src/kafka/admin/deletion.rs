//! Groups and topics that are deleted, for `logintide state reset`.
//!
//! In:  a name. Out: whether there was one; afterwards there is none.
//! Holds: a group that has members is not deleted, by the broker's own judgement.

use std::{
    ptr,
    time::{Duration, Instant},
};

use rdkafka::{
    bindings::{self as rd, rd_kafka_admin_op_t as op},
    types::RDKafkaRespErr,
};

use super::{
    answers::{failure, first_failure},
    client::Admin,
    options::Options,
    requests::Requests,
    topics::{find_topics, wait_until},
};
use crate::kafka::native::{KafkaError, array, c_string};

const DELETE_GROUP: &str = "delete the group";
const DELETE_TOPIC: &str = "delete the topic";
const GROUP_NOT_FOUND: i32 = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND as i32;

/// Deletes a group without members, with its committed offsets. `false` when there is none.
///
/// # Errors
/// `Timeout` or `Retriable` while the coordinator is away; `Fatal` when the group has members, or
/// when access is denied.
pub fn delete_group(admin: &Admin, group: &str, timeout: Duration) -> Result<bool, KafkaError> {
    let requests = Requests::of(&[group], rd::rd_kafka_DeleteGroup_destroy, |group| {
        let name = c_string("the group", group)?;
        // SAFETY: the name is alive, and is copied.
        Ok(unsafe { rd::rd_kafka_DeleteGroup_new(name.as_ptr()) })
    })?;
    let options = Options::of_coordinator(&admin.client(), op::RD_KAFKA_ADMIN_OP_DELETEGROUPS)?;
    let answer = admin.ask_coordinator(DELETE_GROUP, timeout, |client, queue| {
        let (groups, count, options) = (requests.ptr(), requests.len(), options.ptr());
        // SAFETY: client, options, queue and requests are alive; librdkafka copies what it needs.
        unsafe { rd::rd_kafka_DeleteGroups(client, groups, count, options, queue) };
    })?;
    let mut count = 0;
    // SAFETY: the answer is alive, is this kind of result, and owns the groups with their errors.
    let failed = unsafe {
        let result = rd::rd_kafka_event_DeleteGroups_result(answer.ptr());
        let groups = rd::rd_kafka_DeleteGroups_result_groups(result, &raw mut count);
        let first = array(groups, count).first();
        first.and_then(|group| failure(rd::rd_kafka_group_result_error(*group)))
    };
    match failed {
        None => Ok(true),
        Some((code, _)) if code == GROUP_NOT_FOUND => Ok(false),
        Some((code, text)) => Err(KafkaError::from_code(DELETE_GROUP, code, text)),
    }
}

/// Deletes a topic, and waits until it is gone. `false` when there is none.
///
/// # Errors
/// `Timeout` or `Retriable` while no broker is reachable; `Fatal` with the topic's name when the
/// broker refuses.
pub fn delete_topic(admin: &Admin, topic: &str, timeout: Duration) -> Result<bool, KafkaError> {
    let deadline = Instant::now() + timeout;
    if find_topics(admin, &[topic], timeout)?.iter().all(|info| info.partitions.is_none()) {
        return Ok(false);
    }
    let requests = Requests::of(&[topic], rd::rd_kafka_DeleteTopic_destroy, |topic| {
        let name = c_string("topic", topic)?;
        // SAFETY: the name is alive, and is copied.
        Ok(unsafe { rd::rd_kafka_DeleteTopic_new(name.as_ptr()) })
    })?;
    let answer = admin.ask(DELETE_TOPIC, timeout, |client, queue| {
        // SAFETY: client, queue and requests are alive; librdkafka copies the requests.
        unsafe {
            rd::rd_kafka_DeleteTopics(client, requests.ptr(), requests.len(), ptr::null(), queue);
        }
    })?;
    let mut count = 0;
    // SAFETY: the answer is alive, is this kind of result, and owns the array.
    let results = unsafe {
        let result = rd::rd_kafka_event_DeleteTopics_result(answer.ptr());
        rd::rd_kafka_DeleteTopics_result_topics(result, &raw mut count)
    };
    let missing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    // SAFETY: `results` holds `count` results that live as long as the answer.
    unsafe { first_failure(DELETE_TOPIC, results, count, missing) }?;
    let gone =
        wait_until(admin, DELETE_TOPIC, &[topic], deadline, |info| Ok(info.partitions.is_none()));
    gone.map_err(|error| admin.explained(error, timeout))?;
    Ok(true)
}
