//! Checks the brokers' internal topics, which hold consumer groups and transactions.
//!
//! Pure. In: the cluster's description of them. Out: why they do not work, each with the remedy.
//! Used by `check-config`, and by a run that waits for a coordinator.

use std::collections::BTreeMap;

use crate::kafka::{KafkaError, TopicReplicas};

/// Settings by name.
pub(crate) type Settings = BTreeMap<String, String>;

/// The value of a setting that is a number.
pub(crate) fn number(settings: &Settings, name: &str) -> Option<i64> {
    settings.get(name)?.parse().ok()
}

/// A topic as the broker describes it.
#[derive(Debug, Clone)]
pub(crate) struct TopicFacts {
    /// `None` when the topic does not exist.
    pub(crate) replicas: Result<Option<TopicReplicas>, KafkaError>,
    /// `None` when the topic does not exist, or this user may not read its settings.
    pub(crate) settings: Option<Settings>,
}

impl TopicFacts {
    /// The topic's replicas, if it exists and may be seen.
    pub(crate) fn seen(&self) -> Option<&TopicReplicas> {
        self.replicas.as_ref().ok()?.as_ref()
    }
}

/// A topic that the brokers create for themselves at its first use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InternalTopic {
    pub(crate) name: &'static str,
    replication: &'static str,
    least: Option<&'static str>,
    /// What needs it.
    user: &'static str,
}

/// The topic of consumer groups and their offsets.
pub(crate) const OFFSETS: InternalTopic = InternalTopic {
    name: "__consumer_offsets",
    replication: "offsets.topic.replication.factor",
    least: None,
    user: "consumer groups",
};

/// The topic of transactions.
pub(crate) const TRANSACTIONS: InternalTopic = InternalTopic {
    name: "__transaction_state",
    replication: "transaction.state.log.replication.factor",
    least: Some("transaction.state.log.min.isr"),
    user: "transactions",
};

impl InternalTopic {
    /// Why it does not work. `broker` has the settings of one broker; `brokers` are running.
    pub(crate) fn problems(
        self,
        topic: &TopicFacts,
        broker: Option<&Settings>,
        brokers: usize,
    ) -> Vec<String> {
        let Self { name, user, .. } = self;
        match &topic.replicas {
            Ok(None) => self.problems_of_creating(broker, brokers),
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
                        "{user} cannot work: {name} has partitions with {} replicas in sync, but \
                         needs {needed} (min.insync.replicas); start the brokers that are down, or \
                         lower it",
                        replicas.in_sync
                    )];
                }
                Vec::new()
            }
            // Many users have no permission to describe the internal topics.
            Err(_) => Vec::new(),
        }
    }

    /// Why the brokers cannot create it.
    fn problems_of_creating(self, broker: Option<&Settings>, brokers: usize) -> Vec<String> {
        let Self { name, user, replication, least } = self;
        let mut problems = Vec::new();
        let factor = broker.and_then(|settings| number(settings, replication));
        if let Some(factor) = factor.filter(|factor| *factor > brokers as i64) {
            problems.push(format!(
                "{user} cannot work: the brokers create {name} with {replication}={factor}, more \
                 than the number of running brokers ({brokers}); start more brokers, or lower the \
                 setting on all of them"
            ));
        }
        let count = self.least_in_sync(broker).filter(|count| *count > brokers as i64);
        if let Some((least, count)) = least.zip(count) {
            problems.push(format!(
                "{user} cannot work: {least}={count}, more than the number of running brokers \
                 ({brokers}); start more brokers, or lower the setting on all of them"
            ));
        }
        problems
    }

    fn least_in_sync(self, broker: Option<&Settings>) -> Option<i64> {
        number(broker?, self.least?)
    }
}
