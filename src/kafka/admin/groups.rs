//! Questions about a consumer group that change nothing.
//!
//! In: a group's name. Out: its members, and what this user may do with it. Used by
//! `logintide check-config`, and by a run that asks why it is given no partitions.
//! Holds: nothing is joined; a group that does not exist is an empty one.

use std::{fmt, time::Duration};

use rdkafka::{
    bindings::{self as rd, rd_kafka_admin_op_t as op},
    types::RDKafkaRespErr,
};

use super::{
    answers::{failure, unanswered},
    client::Admin,
    options::Options,
    rights::{Rights, rights},
};
use crate::{
    ids::PartitionId,
    kafka::native::{KafkaError, array, c_string, owned_text},
    limits::COORDINATOR_QUESTION_LIFE,
};

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupMember {
    /// Its `client.id`.
    pub client_id: String,
    /// Where it runs.
    pub host: String,
    /// Its `group.instance.id`; empty for a dynamic member.
    pub instance_id: String,
    /// What it is assigned: topics and partitions.
    pub assigned: Vec<(String, PartitionId)>,
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupDescription {
    /// `Stable`, `Empty`, `Dead` (no such group), …
    pub state: String,
    /// Whether it has the newer group protocol (`group.protocol=consumer`).
    pub is_new_protocol: bool,
    /// Type of the members' protocol where it is none of consumers, such as `connect`.
    pub foreign_protocol: Option<String>,
    /// Assignment strategy in force; empty without members.
    pub assignor: String,
    /// Who is in it.
    pub members: Vec<GroupMember>,
    /// What this user may do with the group.
    pub rights: Rights,
}

impl fmt::Display for GroupMember {
    /// Name, host and instance id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.client_id, self.host.trim_start_matches('/'))?;
        if self.instance_id.is_empty() {
            return Ok(());
        }
        write!(f, " (instance id {})", self.instance_id)
    }
}

/// Who is in a group. Without being in it.
///
/// # Errors
/// `Timeout` or `Retriable` while the coordinator is away; `is_authorization` when this user
/// may not see it.
pub fn describe_group(
    admin: &Admin,
    group: &str,
    timeout: Duration,
) -> Result<GroupDescription, KafkaError> {
    const OPERATION: &str = "describe the group";
    let name = c_string("the group", group)?;
    let mut names = [name.as_ptr()];
    let kind = op::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let options = Options::new(&admin.client(), kind, COORDINATOR_QUESTION_LIFE)?;
    let answer = admin.ask_coordinator(OPERATION, timeout, |client, queue| {
        // SAFETY: name, client, options and queue are alive; librdkafka copies the name.
        unsafe {
            rd::rd_kafka_DescribeConsumerGroups(
                client,
                names.as_mut_ptr(),
                names.len(),
                options.ptr(),
                queue,
            );
        }
    })?;
    let mut count = 0;
    // SAFETY: the answer is alive, is this kind of result, and owns the array of groups.
    unsafe {
        let result = rd::rd_kafka_event_DescribeConsumerGroups_result(answer.ptr());
        let groups = rd::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        let first = array(groups, count).first();
        first.map_or_else(|| Err(unanswered(OPERATION, group)), |g| group_of(OPERATION, *g))
    }
}

/// # Safety
/// `group` is alive.
unsafe fn group_of(
    operation: &'static str,
    group: *const rd::rd_kafka_ConsumerGroupDescription_t,
) -> Result<GroupDescription, KafkaError> {
    use rd::rd_kafka_consumer_group_type_t::RD_KAFKA_CONSUMER_GROUP_TYPE_CONSUMER as NEW;
    // SAFETY: the group is alive, as the caller vouches, and owns its texts and members.
    unsafe {
        let error = failure(rd::rd_kafka_ConsumerGroupDescription_error(group));
        match error {
            None => {}
            Some((code, _)) if code == GROUP_NOT_FOUND => return Ok(GroupDescription::default()),
            Some((code, reason)) if code == NO_CONSUMERS => {
                let foreign_protocol = Some(in_parentheses(&reason).to_owned());
                return Ok(GroupDescription { foreign_protocol, ..GroupDescription::default() });
            }
            Some((code, reason)) => return Err(KafkaError::from_code(operation, code, reason)),
        }
        let members = 0..rd::rd_kafka_ConsumerGroupDescription_member_count(group);
        let members = members.map(|index| {
            let member = rd::rd_kafka_ConsumerGroupDescription_member(group, index);
            GroupMember {
                client_id: owned_text(rd::rd_kafka_MemberDescription_client_id(member)),
                host: owned_text(rd::rd_kafka_MemberDescription_host(member)),
                instance_id: owned_text(rd::rd_kafka_MemberDescription_group_instance_id(member)),
                assigned: assigned(member),
            }
        });
        let mut count = 0;
        let allowed =
            rd::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count);
        let state = rd::rd_kafka_ConsumerGroupDescription_state(group);
        let assignor = rd::rd_kafka_ConsumerGroupDescription_partition_assignor(group);
        Ok(GroupDescription {
            state: owned_text(rd::rd_kafka_consumer_group_state_name(state)),
            foreign_protocol: None,
            is_new_protocol: rd::rd_kafka_ConsumerGroupDescription_type(group) == NEW,
            assignor: owned_text(assignor),
            members: members.collect(),
            rights: rights(allowed, count),
        })
    }
}

/// # Safety
/// `member` is alive.
unsafe fn assigned(member: *const rd::rd_kafka_MemberDescription_t) -> Vec<(String, PartitionId)> {
    // SAFETY: the member is alive, as the caller vouches, and owns its assignment.
    unsafe {
        let assignment = rd::rd_kafka_MemberDescription_assignment(member);
        let Some(list) = rd::rd_kafka_MemberAssignment_partitions(assignment).as_ref() else {
            return Vec::new();
        };
        let elements = array(list.elems, usize::try_from(list.cnt).unwrap_or_default());
        elements.iter().map(|it| (owned_text(it.topic), PartitionId(it.partition))).collect()
    }
}

const GROUP_NOT_FOUND: i32 = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND as i32;
/// What librdkafka says of a group whose members have another type of protocol.
const NO_CONSUMERS: i32 = RDKafkaRespErr::RD_KAFKA_RESP_ERR__INVALID_ARG as i32;

/// librdkafka names the type at the end: `GroupId g is not a consumer group (connect).`
fn in_parentheses(reason: &str) -> &str {
    let inside = reason.rsplit_once('(').and_then(|(_, rest)| rest.split_once(')'));
    inside.map_or(reason, |(inside, _)| inside)
}
