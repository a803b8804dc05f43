//! Asks the cluster why nothing is read, through a client of its own. Main thread.
//!
//! In:  what the process waits for. Out: that no broker answers; or the cause with its remedy, and
//! whether a restart of this process could help.
//! Holds: no query changes anything; each has `BROKER_QUERY_TIMEOUT`; after one without an answer,
//! those that would fail as well are skipped.

use super::internal_topics::{InternalTopic, OFFSETS, TRANSACTIONS, TopicFacts};
use crate::{
    ids::InstanceId,
    kafka::{
        Admin, ClientSettings, GroupDescription, GroupMember, KafkaError, TopicReplicas,
        UnreachableBroker, broker_config, cluster_id, describe_cluster, describe_group,
        describe_topics, find_topics, find_unreachable_brokers,
    },
    limits::BROKER_QUERY_TIMEOUT,
    metrics::Waiting,
};

/// The reason of a wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Diagnosis {
    /// No broker answers. If a bootstrap address does, the text names the brokers that it lists and
    /// that are out of reach.
    BrokerAway(Option<String>),
    Cause(Cause),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// What is wrong, and what to do.
    pub(super) text: String,
    /// Whether the cluster shows no fault, so that the fault is probably in this process.
    pub(super) restart_helps: bool,
}

impl Cause {
    fn of_cluster(text: impl Into<String>) -> Self {
        Self { text: text.into(), restart_helps: false }
    }

    fn of_process(text: impl Into<String>) -> Self {
        Self { text: text.into(), restart_helps: true }
    }
}

/// The queries about a run's wait.
#[derive(Debug)]
pub(super) struct Questions {
    pub(super) client: ClientSettings,
    pub(super) input: String,
    pub(super) group: String,
    /// This process's instance id.
    pub(super) instance: InstanceId,
}

impl Questions {
    /// Why the process waits.
    pub(super) fn why(&self, waiting: Waiting) -> Diagnosis {
        self.ask(waiting).unwrap_or_else(|error| {
            if error.is_retriable() {
                Diagnosis::BrokerAway(self.unreachable())
            } else {
                // A refusal is also an answer.
                Diagnosis::Cause(Cause::of_cluster(format!("the brokers refuse a query: {error}")))
            }
        })
    }

    /// Names the brokers that a bootstrap address lists and that are out of reach.
    pub(super) fn unreachable(&self) -> Option<String> {
        // NOTE: this needs another client than the one whose query was not answered.
        let brokers = find_unreachable_brokers(&self.client, BROKER_QUERY_TIMEOUT).ok()?;
        (!brokers.is_empty()).then(|| UnreachableBroker::explain_all(&brokers))
    }

    fn ask(&self, waiting: Waiting) -> Result<Diagnosis, KafkaError> {
        let admin = Admin::for_question(&self.client)?;
        cluster_id(&admin, BROKER_QUERY_TIMEOUT)?;
        Ok(Diagnosis::Cause(match waiting {
            Waiting::Assignment => self.of_assignment(&admin),
            Waiting::Registration => self.of_registration(&admin),
            Waiting::Offsets => self.of_offsets(&admin),
            Waiting::Standby => self.of_standby(&admin),
            Waiting::State => Cause::of_process(
                "the journal is read (--journal-topic); what an open transaction of another process \
                 hides there is waited for, see the log",
            ),
            Waiting::Workers | Waiting::Nothing => {
                Cause::of_process("the process does not wait for a broker")
            }
        }))
    }

    fn of_assignment(&self, admin: &Admin) -> Cause {
        let input = &self.input;
        let found = find_topics(admin, &[input], BROKER_QUERY_TIMEOUT).unwrap_or_default();
        if found.iter().any(|topic| topic.partitions.is_none()) {
            return Cause::of_cluster(format!(
                "topic {input} (--input-topic) no longer exists, or this user has lost the \
                 permission to describe it; create it, or grant Read"
            ));
        }
        match describe_group(admin, &self.group, BROKER_QUERY_TIMEOUT) {
            Ok(group) => of_group(&group, &self.group, self.instance.as_str()),
            Err(error) => self.coordinator(admin, OFFSETS, &error),
        }
    }

    fn of_offsets(&self, admin: &Admin) -> Cause {
        if let Err(error) = describe_group(admin, &self.group, BROKER_QUERY_TIMEOUT) {
            return self.coordinator(admin, OFFSETS, &error);
        }
        if let Some(text) = self.unreachable() {
            return Cause::of_cluster(text);
        }
        if let Ok(topics) = described(admin, &[&self.input])
            && let Some(leaderless) = leaderless(&topics)
        {
            return leaderless;
        }
        Cause::of_process("the coordinator and all leaders answer; see the log for what failed")
    }

    fn of_registration(&self, admin: &Admin) -> Cause {
        let problem = internal_problem(admin, TRANSACTIONS);
        let problem = problem.or_else(|| self.unreachable().map(Cause::of_cluster));
        problem.unwrap_or_else(|| {
            Cause::of_process(
                "the transaction coordinator does not answer, or has not ended an earlier \
                 transaction yet; see the brokers' logs",
            )
        })
    }

    /// The group's coordinator did not answer.
    fn coordinator(&self, admin: &Admin, topic: InternalTopic, error: &KafkaError) -> Cause {
        if !error.is_retriable() {
            return Cause::of_cluster(format!("cannot describe the group: {error}"));
        }
        // Asked first: while a broker is out of reach, other queries are not answered either.
        let problem = self.unreachable().map(Cause::of_cluster);
        problem.or_else(|| internal_problem(admin, topic)).unwrap_or_else(|| {
            Cause::of_cluster(format!(
                "no broker is the group's coordinator: {error}; check topic {} and the logs of the \
                 brokers",
                topic.name
            ))
        })
    }

    fn of_standby(&self, admin: &Admin) -> Cause {
        let group = describe_group(admin, &self.group, BROKER_QUERY_TIMEOUT).unwrap_or_default();
        let others = others(&group, self.instance.as_str());
        let who = if others.is_empty() { "unknown".to_owned() } else { others };
        Cause::of_cluster(format!(
            "the members of group {} (--group-id) are {who}; this one takes over when one of them ends",
            self.group
        ))
    }
}

/// The cause that the group's description shows.
fn of_group(group: &GroupDescription, name: &str, instance: &str) -> Cause {
    let others = others(group, instance);
    if group.state.ends_with("Rebalance") && !others.is_empty() {
        return Cause::of_cluster(format!(
            "group {name} (--group-id) is in a rebalance and waits until each of its members has \
             joined again: {others}; the group waits for one that hangs until its \
             max.poll.interval.ms is over (5 minutes by default), and for one that is dead until \
             its session times out; stop the one that hangs"
        ));
    }
    let state = if group.state.is_empty() { "empty" } else { &group.state };
    Cause::of_process(format!(
        "the coordinator answers, and group {name} (--group-id) is {state}; see the log for \
         whether joining it failed"
    ))
}

/// Members other than this process.
fn others(group: &GroupDescription, instance: &str) -> String {
    let others = group.members.iter().filter(|member| member.instance_id != instance);
    others.map(GroupMember::to_string).collect::<Vec<_>>().join(", ")
}

/// What is wrong with an internal topic.
fn internal_problem(admin: &Admin, topic: InternalTopic) -> Option<Cause> {
    let replicas = described(admin, &[topic.name]).ok()?.pop()?;
    let facts = TopicFacts { replicas, settings: None };
    let brokers = describe_cluster(admin, BROKER_QUERY_TIMEOUT).ok()?.brokers;
    let settings = broker_config(admin, BROKER_QUERY_TIMEOUT).ok();
    let problems = topic.problems(&facts, settings.as_ref(), brokers);
    (!problems.is_empty()).then(|| Cause::of_cluster(problems.join("; ")))
}

type Described = Result<Option<TopicReplicas>, KafkaError>;

/// Describes topics; `None` for one that does not exist.
fn described(admin: &Admin, names: &[&str]) -> Result<Vec<Described>, KafkaError> {
    let topics = describe_topics(admin, names, BROKER_QUERY_TIMEOUT)?;
    let missing_as_none = |topic: Result<TopicReplicas, KafkaError>| match topic {
        Err(error) if error.is_unknown_topic() => Ok(None),
        other => other.map(Some),
    };
    Ok(topics.into_iter().map(missing_as_none).collect())
}

fn leaderless(topics: &[Described]) -> Option<Cause> {
    let mut found = topics.iter().filter_map(|topic| topic.as_ref().ok()?.as_ref());
    let topic = found.find(|topic| topic.leaderless > 0)?;
    Some(Cause::of_cluster(format!(
        "{} of {} partitions of {} have no leader; start the brokers that hold them",
        topic.leaderless, topic.partitions, topic.name
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(state: &str, instances: &[&str]) -> GroupDescription {
        let members = instances.iter().map(|id| GroupMember {
            client_id: "logintide".into(),
            host: "/10.0.0.7".into(),
            instance_id: (*id).into(),
            assigned: Vec::new(),
        });
        GroupDescription { state: state.into(), members: members.collect(), ..Default::default() }
    }

    #[test]
    fn a_member_that_does_not_join_again_is_named_and_no_restart_helps() {
        let rebalancing = group("PreparingRebalance", &["one", "two"]);
        let cause = of_group(&rebalancing, "g", "one");
        assert!(!cause.restart_helps);
        assert!(cause.text.contains("again: logintide on 10.0.0.7 (instance id two); the group"));
    }

    #[test]
    fn a_sound_group_that_does_not_take_this_process_is_left_to_a_restart() {
        for (state, members) in
            [("Stable", &["two"][..]), ("PreparingRebalance", &["one"]), ("", &[])]
        {
            let cause = of_group(&group(state, members), "g", "one");
            assert!(cause.restart_helps, "{state}: {cause:?}");
        }
    }
}
