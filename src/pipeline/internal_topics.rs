//! Judges the topics that the brokers make for themselves: groups and transactions live in them.
//!
//! Pure. In: what the cluster says of them. Out: why they do not work, each with the remedy. Used by
//! `check-config`, and by a run that waits for a coordinator.

use std::collections::BTreeMap;

use crate::kafka::{KafkaError, TopicReplicas};

/// Settings by name.
pub(crate) type Settings = BTreeMap<String, String>;

/// A setting that is a number.
pub(crate) fn number(settings: &Settings, name: &str) -> Option<i64> {
    settings.get(name)?.parse().ok()
}

/// A topic as the broker describes it.
#[derive(Debug, Clone)]
pub(crate) struct TopicFacts {
    /// `None`: it does not exist.
    pub(crate) replicas: Result<Option<TopicReplicas>, KafkaError>,
    /// `None`: it does not exist, or its settings may not be read.
    pub(crate) settings: Option<Settings>,
}

/// A topic that the brokers make for themselves at the first use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InternalTopic {
    /// Its name.
    pub(crate) name: &'static str,
    replication: &'static str,
    least: Option<&'static str>,
    /// Who cannot do without it.
    user: &'static str,
}

/// Where groups and their offsets live.
pub(crate) const OFFSETS: InternalTopic = InternalTopic {
    name: "__consumer_offsets",
    replication: "offsets.topic.replication.factor",
    least: None,
    user: "consumer groups",
};

/// Where transactions live.
pub(crate) const TRANSACTIONS: InternalTopic = InternalTopic {
    name: "__transaction_state",
    replication: "transaction.state.log.replication.factor",
    least: Some("transaction.state.log.min.isr"),
    user: "--delivery exactly-once",
};

impl InternalTopic {
    /// What keeps it from working. `broker` has the settings of one broker; `brokers` are up.
    pub(crate) fn problems(
        self,
        topic: &TopicFacts,
        broker: Option<&Settings>,
        brokers: usize,
    ) -> Vec<String> {
        let Self { name, user, .. } = self;
        match &topic.replicas {
            Ok(None) => self.problems_of_making(broker, brokers),
            Ok(Some(replicas)) => {
                let of_topic = topic.settings.as_ref();
                let of_topic = of_topic.and_then(|s| number(s, "min.insync.replicas"));
                let needed = of_topic.or(self.least_in_sync(broker)).unwrap_or(1);
                if replicas.leaderless > 0 {
                    return vec![format!(
                        "{user} cannot work: {} partitions of {name} have no leader; start the \
                         brokers that hold them",
                        replicas.leaderless
                    )];
                }
                if (replicas.in_sync as i64) < needed {
                    return vec![format!(
                        "{user} cannot work: {name} has partitions with {} replicas in sync and \
                         needs {needed} (min.insync.replicas); start the brokers that are away, \
                         or lower it",
                        replicas.in_sync
                    )];
                }
                Vec::new()
            }
            // Many users may not see the brokers' own topics.
            Err(_) => Vec::new(),
        }
    }

    /// Why it cannot be made.
    fn problems_of_making(self, broker: Option<&Settings>, brokers: usize) -> Vec<String> {
        let Self { name, user, replication, least } = self;
        let mut problems = Vec::new();
        let factor = broker.and_then(|settings| number(settings, replication));
        if let Some(factor) = factor.filter(|factor| *factor > brokers as i64) {
            problems.push(format!(
                "{user} cannot work: the brokers make {name} with {replication}={factor}, and \
                 {brokers} live; start more brokers, or lower the setting on all of them"
            ));
        }
        let count = self.least_in_sync(broker).filter(|count| *count > brokers as i64);
        if let Some((least, count)) = least.zip(count) {
            problems.push(format!(
                "{user} cannot work: {least}={count}, and {brokers} brokers live; start more \
                 brokers, or lower the setting on all of them"
            ));
        }
        problems
    }

    fn least_in_sync(self, broker: Option<&Settings>) -> Option<i64> {
        number(broker?, self.least?)
    }
}
