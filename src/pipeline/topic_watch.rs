//! Checks regularly whether the topics are still the same, and how many partitions they have. Main
//! thread.
//!
//! In:  the brokers' description of all five topics, from one query.
//! Out: the newest findings, for the source; a log line when an output topic was created again.
//! Holds: when no broker answers, or an answer lacks a fact, what is known stays.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    control::Control,
    error::RunError,
    ids::TopicId,
    kafka::{Admin, ClientSettings, KafkaError, TopicReplicas, describe_topics},
    limits,
    topics::{PerOutput, PerTopic, SeenTopics, Topic},
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
    ) -> Result<Self, RunError> {
        let admin = Admin::new(client).map_err(super::refused)?;
        let watched = |topic| {
            let name: &String = &names[topic];
            WatchedTopic { name: name.clone(), id: None, partitions: None }
        };
        let topics = PerTopic::from_fn(watched);
        let interval = client.metadata_refresh_interval();
        Ok(Self { control, admin, interval, next: Instant::now() + interval, topics })
    }

    /// Describes the topics, if it is time.
    pub(super) fn look(&mut self) {
        if Instant::now() < self.next {
            return;
        }
        let names = self.topics.values().each_ref().map(|known| known.name.as_str());
        match describe_topics(&self.admin, &names, limits::BROKER_QUERY_TIMEOUT) {
            Ok(described) => self.take(described),
            Err(error) => tracing::debug!(%error, "cannot describe the topics"),
        }
        self.next = Instant::now() + self.interval;
    }

    fn take(&mut self, described: Vec<Result<TopicReplicas, KafkaError>>) {
        for ((topic, known), described) in self.topics.iter_mut().zip(described) {
            match described {
                Ok(found) => known.see(&found, topic.is_output()),
                Err(error) if error.is_unknown_topic() => tracing::warn!(
                    topic = known.name,
                    "the topic no longer exists: create it again, or stop this process"
                ),
                Err(error) => tracing::debug!(topic = known.name, %error, "cannot describe it"),
            }
        }
        let partitions = |topic| self.topics[topic].partitions.ok_or(topic);
        if let Ok(outputs) = PerOutput::try_from_fn(partitions) {
            let input = self.topics[Topic::Input].id;
            self.control.topics().publish(SeenTopics { input, outputs });
        }
    }
}

impl WatchedTopic {
    fn see(&mut self, topic: &TopicReplicas, is_output: bool) {
        if let (Some(was), Some(now), true) = (self.id, topic.id, is_output)
            && was != now
        {
            tracing::warn!(
                topic = self.name,
                %was,
                %now,
                "the topic was deleted and created again: earlier output in it is lost; further \
                 output goes to the new topic"
            );
        }
        self.id = topic.id.or(self.id);
        self.partitions = Some(topic.partitions as i32);
    }
}
