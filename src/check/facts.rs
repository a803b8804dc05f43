//! Asks the broker everything that `check-config` judges.
//!
//! In:  the configuration, a client, a deadline. Out: [`Facts`], or that no broker answers.
//! Holds: no query changes anything; a query that this user may not make leaves a gap in the facts,
//! which `unseen` names.

use std::time::{Duration, Instant};

use crate::{
    config::RunConfig,
    ids::PartitionId,
    kafka::{
        Admin, ClusterDescription, CommittedOffset, Consumer, GroupDescription, KafkaError,
        broker_config, cluster_id, describe_cluster, describe_group, describe_topics, log_ends,
        topic_config,
    },
    limits,
    pipeline::internal_topics::{OFFSETS, Settings, TRANSACTIONS, TopicFacts},
    topics::{PerTopic, Topic},
};

/// The answers of the broker.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) cluster_id: String,
    pub(super) cluster: ClusterDescription,
    /// Settings of one broker; `None`: they may not be read.
    pub(super) broker: Option<Settings>,
    pub(super) topics: PerTopic<TopicFacts>,
    pub(super) offsets_topic: TopicFacts,
    pub(super) transactions_topic: TopicFacts,
    /// An error that is final: it may not be seen.
    pub(super) group: Result<GroupDescription, KafkaError>,
    /// What the group has committed for the input; empty without one.
    pub(super) committed: Vec<CommittedOffset>,
    /// Ends of the input's partitions.
    pub(super) ends: Vec<(PartitionId, crate::ids::Offset)>,
    /// Queries that this user may not make, with the broker's error.
    pub(super) unseen: Vec<String>,
}

/// The time left for all queries together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout)
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Queries until there is an answer or the time is over.
    fn within<T>(
        self,
        mut ask: impl FnMut(Duration) -> Result<T, KafkaError>,
    ) -> Result<T, KafkaError> {
        loop {
            match ask(self.left()) {
                Err(error) if error.is_retriable() && self.left() > limits::BROKER_RETRY_PAUSE => {
                    std::thread::sleep(limits::BROKER_RETRY_PAUSE);
                }
                answer => return answer,
            }
        }
    }
}

/// Queries the broker. The consumer is in no group and joins no group.
pub(super) fn ask(
    config: &RunConfig,
    admin: &Admin,
    consumer: &Consumer,
    deadline: Deadline,
) -> Result<Facts, KafkaError> {
    let cluster_id = deadline.within(|left| cluster_id(admin, left))?.unwrap_or_default();
    let mut asked = Asked { admin, deadline, unseen: Vec::new() };
    let cluster = deadline.within(|left| describe_cluster(admin, left))?;
    let broker = asked.allowed(broker_config)?;
    let names = config.topics.values().map(String::as_str);
    let names: Vec<_> = names.chain([OFFSETS.name, TRANSACTIONS.name]).collect();
    let mut topics = asked.topics(&names)?;
    let transactions_topic = topics.pop().expect("one answer per name");
    let offsets_topic = topics.pop().expect("one answer per name");
    let topics = config.topics.with_values(topics);
    // NOTE: without the offsets' topic there are no groups, and a question about one creates it.
    let has_groups = !matches!(offsets_topic.replicas, Ok(None));
    let group = if has_groups {
        asked.final_answer(|admin, left| describe_group(admin, &config.group_id, left))?
    } else {
        Ok(GroupDescription::default())
    };
    let input_partitions = topics[Topic::Input].seen().map_or(0, |input| input.partitions as i32);
    let partitions: Vec<_> = (0..input_partitions).map(PartitionId).collect();
    let (committed, ends) = if has_groups && group.is_ok() && !partitions.is_empty() {
        let committed = asked.allowed(|_, left| consumer.committed(&partitions, left))?;
        let input = config.topics[Topic::Input].as_str();
        let ends = asked.allowed(|admin, left| log_ends(admin, input, &partitions, left))?;
        (committed.unwrap_or_default(), ends.unwrap_or_default())
    } else {
        (Vec::new(), Vec::new())
    };
    let unseen = asked.unseen;
    Ok(Facts {
        cluster_id,
        cluster,
        broker,
        topics,
        offsets_topic,
        transactions_topic,
        group,
        committed,
        ends,
        unseen,
    })
}

struct Asked<'a> {
    admin: &'a Admin,
    deadline: Deadline,
    unseen: Vec<String>,
}

impl Asked<'_> {
    /// The answer; `None` where the broker refuses the query.
    fn allowed<T>(
        &mut self,
        ask: impl FnMut(&Admin, Duration) -> Result<T, KafkaError>,
    ) -> Result<Option<T>, KafkaError> {
        let answer = self.final_answer(ask)?;
        Ok(answer.map_err(|error| self.unseen.push(error.to_string())).ok())
    }

    /// The answer, also where it is a refusal.
    fn final_answer<T>(
        &self,
        mut ask: impl FnMut(&Admin, Duration) -> Result<T, KafkaError>,
    ) -> Result<Result<T, KafkaError>, KafkaError> {
        match self.deadline.within(|left| ask(self.admin, left)) {
            Err(error) if error.is_retriable() => Err(error),
            answer => Ok(answer),
        }
    }

    fn topics(&mut self, names: &[&str]) -> Result<Vec<TopicFacts>, KafkaError> {
        let described = self.deadline.within(|left| describe_topics(self.admin, names, left))?;
        let mut topics = Vec::with_capacity(names.len());
        for (name, replicas) in names.iter().zip(described) {
            let replicas = match replicas {
                Err(error) if error.is_unknown_topic() => Ok(None),
                other => other.map(Some),
            };
            let settings = match replicas {
                Ok(Some(_)) => self.allowed(|admin, left| topic_config(admin, &[name], left))?,
                _ => None,
            };
            topics.push(TopicFacts { replicas, settings: settings.and_then(|mut all| all.pop()) });
        }
        Ok(topics)
    }
}
