//! What a group has committed, asked without being in it.
//!
//! In:  a group's name. Out: the metadata of its commits, of all topics. Used at a takeover, to
//! learn who has committed.
//! Holds: what an open transaction would commit is not waited for; the commit before it is
//! answered.

use std::{ptr, time::Duration};

use rdkafka::bindings::{self as rd, rd_kafka_admin_op_t as op};

use super::{
    answers::{failure, unanswered},
    client::Admin,
    options::Options,
    requests::Requests,
};
use crate::kafka::native::{KafkaError, array, c_string, entries};

/// The metadata of everything that a group has committed; empty for a group that does not exist.
///
/// # Errors
/// `Timeout` or `Retriable` while the coordinator is away; `is_authorization` when this user may
/// not see the group.
pub fn commit_metadata(
    admin: &Admin,
    group: &str,
    timeout: Duration,
) -> Result<Vec<String>, KafkaError> {
    const OPERATION: &str = "list the group's offsets";
    let requests =
        Requests::of(&[group], rd::rd_kafka_ListConsumerGroupOffsets_destroy, |group| {
            let name = c_string("the group", group)?;
            // SAFETY: the name is alive, and is copied. No list of partitions is all of them.
            Ok(unsafe { rd::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), ptr::null()) })
        })?;
    let kind = op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
    let options = Options::of_coordinator(&admin.client(), kind)?;
    let answer = admin.ask_coordinator(OPERATION, timeout, |client, queue| {
        let (groups, count, options) = (requests.ptr(), requests.len(), options.ptr());
        // SAFETY: client, options, queue and requests are alive; librdkafka copies what it needs.
        unsafe { rd::rd_kafka_ListConsumerGroupOffsets(client, groups, count, options, queue) };
    })?;
    let mut count = 0;
    // SAFETY: the answer is alive, is this kind of result, and owns the groups with their errors
    // and partitions.
    let found = unsafe {
        let result = rd::rd_kafka_event_ListConsumerGroupOffsets_result(answer.ptr());
        let groups = rd::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count);
        let Some(of_group) = array(groups, count).first() else {
            return Err(unanswered(OPERATION, group));
        };
        if let Some((code, text)) = failure(rd::rd_kafka_group_result_error(*of_group)) {
            return Err(KafkaError::from_code(OPERATION, code, text));
        }
        entries(rd::rd_kafka_group_result_partitions(*of_group))
    };
    Ok(found.into_iter().map(|entry| entry.metadata).collect())
}
