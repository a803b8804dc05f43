//! Checks regularly whether the topics are still the same, and how many partitions they have. Main
//! thread.
//!
//! In:  the brokers' description of all topics, from one query.
//! Out: the newest findings, for the source; a log line when an output topic was created again.
//! Holds: when no broker answers, or an answer lacks a fact, what is known stays.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::broker::BrokerFacts;
use crate::{
    control::Control,
    error::RunError,
    ids::TopicId,
    kafka::{Admin, ClientSettings, KafkaError, TopicReplicas, describe_topics},
    limits,
    topics::{PerTopic, SeenTopics, Topic},
};

/// A topic as it was described last.
#[derive(Debug, Clone)]
struct WatchedTopic {
    name: String,
    id: Option<TopicId>,
    partitions: Option<i32>,
}

/// Watches the input and the output topics.
pub(super) struct TopicWatch {
    control: Arc<Control>,
    admin: Admin,
    interval: Duration,
    next: Instant,
    topics: PerTopic<WatchedTopic>,
}

impl TopicWatch {
    pub(super) fn new(
        control: Arc<Control>,
        client: &ClientSettings,
        names: &PerTopic<String>,
        facts: &BrokerFacts,
    ) -> Result<Self, RunError> {
        let admin = Admin::new(client).map_err(super::refused)?;
        let mut topics =
            names.map(|_, name| WatchedTopic { name: name.clone(), id: None, partitions: None });
        let journal = &mut topics[Topic::Journal];
        journal.id = facts.journal_id;
        journal.partitions = Some(facts.outputs[Topic::Journal].partitions);
        let interval = client.metadata_refresh_interval();
        Ok(Self { control, admin, interval, next: Instant::now() + interval, topics })
    }

    /// Describes the topics, if it is time.
    pub(super) fn look(&mut self) {
        if Instant::now() < self.next {
            return;
        }
        let names: Vec<_> = self.topics.values().map(|known| known.name.as_str()).collect();
        match describe_topics(&self.admin, &names, limits::BROKER_QUERY_TIMEOUT) {
            Ok(described) => self.take(described),
            Err(error) => tracing::debug!(%error, "cannot describe the topics"),
        }
        self.next = Instant::now() + self.interval;
    }

    fn take(&mut self, described: Vec<Result<TopicReplicas, KafkaError>>) {
        for ((topic, known), described) in self.topics.iter_mut().zip(described) {
            match described {
                Ok(found) => known.see(topic, &found),
                Err(error) if error.is_unknown_topic() => tracing::warn!(
                    topic = known.name,
                    "the topic no longer exists: create it again, or stop this process"
                ),
                Err(error) => tracing::debug!(topic = known.name, %error, "cannot describe it"),
            }
        }
        let partitions = |topic, known: &WatchedTopic| known.partitions.ok_or(topic);
        if let Ok(partitions) = self.topics.try_map(partitions) {
            let (input_partitions, outputs) = (partitions[Topic::Input], partitions.outputs());
            let (input, journal) = (self.topics[Topic::Input].id, self.topics[Topic::Journal].id);
            let seen = SeenTopics { input, input_partitions, journal, outputs };
            self.control.topics().publish(seen);
        }
    }
}

impl WatchedTopic {
    fn see(&mut self, topic: Topic, found: &TopicReplicas) {
        let is_new = matches!((self.id, found.id), (Some(was), Some(now)) if was != now);
        if is_new && topic.is_output() {
            tracing::warn!(
                topic = self.name,
                was = self.id.map(tracing::field::display),
                now = found.id.map(tracing::field::display),
                "the topic was deleted and created again: earlier output in it is lost; further \
                 output goes to the new topic"
            );
        }
        // The streams of a journal stay in the partitions that it was begun with.
        if topic != Topic::Journal || is_new || self.partitions.is_none() {
            self.partitions = Some(found.partitions as i32);
        }
        self.id = found.id.or(self.id);
    }
}
