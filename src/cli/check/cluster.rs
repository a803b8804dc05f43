//! Judges what the cluster, the group and transactions need. Pure: in facts, out findings.

use super::{
    facts::{Facts, OFFSETS_TOPIC, Settings, TRANSACTIONS_TOPIC, TopicFacts},
    findings::Findings,
    topics::number,
};
use crate::{
    config::{Delivery, RunConfig},
    kafka::{GroupDescription, GroupMember, Operation},
};

/// What the run would be to the broker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    /// `transaction.timeout.ms`.
    pub(super) transaction_timeout_ms: i64,
    /// The configured instance id, else the one in the state folder.
    pub(super) instance_id: Option<&'a str>,
    /// The state folder has been used, and nobody uses it now.
    pub(super) has_stopped: bool,
}

/// Judges all of it.
pub(super) fn judge(config: &RunConfig, facts: &Facts, own: Own<'_>, findings: &mut Findings) {
    let brokers = facts.cluster.brokers as i64;
    let settings = facts.broker.as_ref();
    internal(OFFSETS, &facts.offsets_topic, settings, brokers, findings);
    if config.delivery == Delivery::ExactlyOnce {
        internal(TRANSACTIONS, &facts.transactions_topic, settings, brokers, findings);
        if let Some(settings) = settings {
            transaction_timeout(settings, own.transaction_timeout_ms, findings);
        }
    }
    match &facts.group {
        None => {}
        Some(group) => judge_group(config, group, own, findings),
    }
    for unseen in &facts.unseen {
        findings.hint(format!(
            "not everything could be asked: {unseen}; allow this user Describe and \
             DescribeConfigs, or have somebody run the check who may"
        ));
    }
}

/// A topic that the brokers make for themselves at the first use.
#[derive(Debug, Clone, Copy)]
struct Internal {
    topic: &'static str,
    replication: &'static str,
    least: Option<&'static str>,
    /// Who cannot do without it.
    user: &'static str,
}

const OFFSETS: Internal = Internal {
    topic: OFFSETS_TOPIC,
    replication: "offsets.topic.replication.factor",
    least: None,
    user: "consumer groups",
};

const TRANSACTIONS: Internal = Internal {
    topic: TRANSACTIONS_TOPIC,
    replication: "transaction.state.log.replication.factor",
    least: Some("transaction.state.log.min.isr"),
    user: "--delivery exactly-once",
};

fn internal(
    internal: Internal,
    topic: &TopicFacts,
    broker: Option<&Settings>,
    brokers: i64,
    findings: &mut Findings,
) {
    let Internal { topic: name, replication, least, user } = internal;
    let of_broker = |setting: &str| broker.and_then(|settings| number(settings, setting));
    let wanted = least.and_then(|least| Some((least, of_broker(least)?)));
    match &topic.replicas {
        Ok(None) => {
            if let Some(factor) = of_broker(replication).filter(|factor| *factor > brokers) {
                findings.problem(format!(
                    "{user} cannot work: the brokers make {name} with {replication}={factor}, and \
                     {brokers} live; start more brokers, or lower the setting on all of them"
                ));
            }
            if let Some((least, count)) = wanted.filter(|(_, count)| *count > brokers) {
                findings.problem(format!(
                    "{user} cannot work: {least}={count}, and {brokers} brokers live; start more \
                     brokers, or lower the setting on all of them"
                ));
            }
        }
        Ok(Some(replicas)) => {
            let of_topic = topic.settings.as_ref().and_then(|s| number(s, "min.insync.replicas"));
            let needed = of_topic.or(wanted.map(|(_, count)| count)).unwrap_or(1);
            if replicas.leaderless > 0 {
                findings.problem(format!(
                    "{user} cannot work: {} partitions of {name} have no leader; start the \
                     brokers that hold them",
                    replicas.leaderless
                ));
            } else if (replicas.in_sync as i64) < needed {
                findings.problem(format!(
                    "{user} cannot work: {name} has partitions with {} replicas in sync and needs \
                     {needed} (min.insync.replicas); start the brokers that are away, or lower it",
                    replicas.in_sync
                ));
            }
        }
        // Many users may not see the brokers' own topics.
        Err(_) => {}
    }
}

fn transaction_timeout(broker: &Settings, own_ms: i64, findings: &mut Findings) {
    const LONGEST: &str = "transaction.max.timeout.ms";
    if let Some(longest) = number(broker, LONGEST).filter(|longest| *longest < own_ms) {
        findings.problem(format!(
            "--delivery exactly-once: transaction.timeout.ms={own_ms} is above the brokers' \
             {LONGEST}={longest}, so the producer is refused; raise it there, or set \
             -X transaction.timeout.ms={longest} and -X message.timeout.ms to at most that"
        ));
    }
}

fn judge_group(
    config: &RunConfig,
    group: &GroupDescription,
    own: Own<'_>,
    findings: &mut Findings,
) {
    let name = &config.group_id;
    if group.rights.lacks(Operation::Read) {
        findings.problem(format!(
            "group {name} (--group-id): this user may not Read it, so it cannot join; add an ACL \
             that allows Read"
        ));
    }
    if group.members.is_empty() {
        return;
    }
    let same = |member: &&GroupMember| own.instance_id == Some(member.instance_id.as_str());
    if let Some(member) = group.members.iter().find(same).filter(|_| own.has_stopped) {
        findings.hint(format!(
            "group {name} (--group-id): {} has this instance id; a process that has just stopped \
             is listed until its session ends (45 s), one that runs elsewhere would be stopped",
            who(member)
        ));
    } else if let Some(member) = group.members.iter().find(same) {
        findings.problem(format!(
            "group {name} (--group-id): {} has this instance id and would be stopped by the run; \
             stop it before, or give this one another --instance-id and --state-dir",
            who(member)
        ));
    }
    let others: Vec<String> = group.members.iter().filter(|m| !same(m)).map(who).collect();
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

fn who(member: &GroupMember) -> String {
    let host = member.host.trim_start_matches('/');
    if member.instance_id.is_empty() {
        format!("{} on {host}", member.client_id)
    } else {
        format!("{} on {host} (instance id {})", member.client_id, member.instance_id)
    }
}
