//! Judges what the cluster, the group and transactions need. Pure: in facts, out findings.

use std::time::Duration;

use super::{facts::Facts, findings::Findings};
use crate::{
    config::RunConfig,
    kafka::{GroupDescription, GroupMember, KafkaError, Operation},
    pipeline::{
        internal_topics::{InternalTopic, OFFSETS, Settings, TRANSACTIONS, TopicFacts, number},
        markers,
    },
};

/// The run as the broker would see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    /// `transaction.timeout.ms`.
    pub(super) transaction_timeout_ms: i64,
    /// The state folder has been used, and no process uses it now.
    pub(super) has_stopped: bool,
}

/// Judges the cluster, the group and the transactions.
pub(super) fn judge(config: &RunConfig, facts: &Facts, own: Own, findings: &mut Findings) {
    let settings = facts.broker.as_ref();
    let mut internal = |topic: InternalTopic, of_topic: &TopicFacts| {
        for problem in topic.problems(of_topic, settings, facts.cluster.brokers) {
            findings.problem(problem);
        }
    };
    internal(OFFSETS, &facts.offsets_topic);
    internal(TRANSACTIONS, &facts.transactions_topic);
    if let Some(settings) = settings {
        transaction_timeout(settings, own.transaction_timeout_ms, findings);
        session_timeout(settings, config.timing.session(), findings);
    }
    match &facts.group {
        Ok(group) => {
            judge_group(config, group, own, findings);
            group_size(config, group, settings, findings);
        }
        Err(error) => unseen_group(config, error, findings),
    }
    too_many_markers(config, facts, findings);
    for unseen in &facts.unseen {
        findings.hint(format!(
            "not everything could be asked: {unseen}; allow this user Describe and \
             DescribeConfigs, or run the check as a user with that right"
        ));
    }
}

fn too_many_markers(config: &RunConfig, facts: &Facts, findings: &mut Findings) {
    let partitions = facts.topics.map(|_, topic| topic.seen().map_or(0, |found| found.partitions));
    let instances = facts.group.as_ref().map_or(1, |group| group.members.len());
    if let Some(hint) = markers::hint(config, &partitions, facts.cluster.brokers, instances) {
        findings.hint(hint);
    }
}

fn transaction_timeout(broker: &Settings, own_ms: i64, findings: &mut Findings) {
    const LONGEST: &str = "transaction.max.timeout.ms";
    if let Some(longest) = number(broker, LONGEST).filter(|longest| *longest < own_ms) {
        findings.problem(format!(
            "transactions cannot work: transaction.timeout.ms={own_ms} is above the brokers' \
             {LONGEST}={longest}, so the producer is refused; raise it there, shorten \
             --session-timeout to a third of that or --commit-interval to a quarter, or set \
             -X transaction.timeout.ms={longest}"
        ));
    }
}

/// The brokers refuse a member whose session timeout is outside their limits.
fn session_timeout(broker: &Settings, session: Duration, findings: &mut Findings) {
    const SHORTEST: &str = "group.min.session.timeout.ms";
    const LONGEST: &str = "group.max.session.timeout.ms";
    let own_ms = session.as_millis() as i64;
    let (shortest, longest) = (number(broker, SHORTEST), number(broker, LONGEST));
    let (bound, limit) = match (shortest, longest) {
        (Some(shortest), _) if own_ms < shortest => (SHORTEST, shortest),
        (_, Some(longest)) if own_ms > longest => (LONGEST, longest),
        _ => return,
    };
    let side = if bound == SHORTEST { "below" } else { "above" };
    findings.problem(format!(
        "--session-timeout {session:?} is {side} the brokers' {bound}={limit}, so the run cannot \
         join its group; set --session-timeout {limit}ms, or change it there"
    ));
}

/// The brokers refuse a member beyond the largest group. NOTE: this includes a member that returns
/// with its instance id while its former session lasts.
fn group_size(
    config: &RunConfig,
    group: &GroupDescription,
    broker: Option<&Settings>,
    findings: &mut Findings,
) {
    const MOST: &str = "group.max.size";
    let members = group.members.len();
    let most = broker.and_then(|settings| number(settings, MOST));
    if let Some(most) = most.filter(|most| members as i64 >= *most) {
        findings.problem(format!(
            "group {} (--group-id): {members} are in it and the brokers' {MOST}={most}, so \
             the run cannot join; stop one, name another group, or raise the setting",
            config.group_id
        ));
    }
}

/// A run asks who is in its group, to tell which instances have gone.
fn unseen_group(config: &RunConfig, error: &KafkaError, findings: &mut Findings) {
    let name = &config.group_id;
    if error.is_authorization() {
        findings.problem(format!(
            "group {name} (--group-id): this user may not Describe it, so a run can neither join \
             it nor see which instances are in it; add an ACL that allows Read, which includes \
             Describe"
        ));
    } else {
        findings.hint(format!(
            "group {name} (--group-id): it could not be asked for: {error}; see the broker's log"
        ));
    }
}

fn judge_group(config: &RunConfig, group: &GroupDescription, own: Own, findings: &mut Findings) {
    let name = &config.group_id;
    if group.rights.lacks(Operation::Read) {
        findings.problem(format!(
            "group {name} (--group-id): this user may not Read it, so it cannot join; add an ACL \
             that allows Read"
        ));
    }
    if let Some(protocol) = &group.foreign_protocol {
        findings.problem(format!(
            "group {name} (--group-id): clients of another kind use it (protocol {protocol}), so \
             the run cannot join while one of them is in it; name another group"
        ));
    }
    if group.members.is_empty() {
        return;
    }
    let same = |member: &&GroupMember| config.instance_id.as_str() == member.instance_id;
    if let Some(member) = group.members.iter().find(same).filter(|_| own.has_stopped) {
        findings.hint(format!(
            "group {name} (--group-id): {member} has this instance id; a process that has just \
             stopped is listed until its session ends ({:?}), one that runs elsewhere would be \
             stopped",
            config.timing.session()
        ));
    } else if let Some(member) = group.members.iter().find(same) {
        findings.problem(format!(
            "group {name} (--group-id): {member} has this instance id and would be stopped by the \
             run; stop it before, or give this one another --instance-id and --state-dir"
        ));
    }
    let others: Vec<String> =
        group.members.iter().filter(|m| !same(m)).map(GroupMember::to_string).collect();
    if !others.is_empty() {
        findings.problem(format!(
            "group {name} (--group-id): in use by {}; the run would share the partitions with \
             them, and windows say \"complete\": false; stop them, or name another group",
            others.join(", ")
        ));
    }
    if group.is_new_protocol {
        findings.problem(format!(
            "group {name} (--group-id): its members use group.protocol=consumer, the run the \
             classic protocol, which the broker may refuse; stop them, or name another group"
        ));
    } else if !["", "range", "roundrobin"].contains(&group.assignor.as_str()) {
        findings.problem(format!(
            "group {name} (--group-id): its members assign by {}, the run by range or roundrobin, \
             so it cannot join them; stop them, or name another group",
            group.assignor
        ));
    }
}
