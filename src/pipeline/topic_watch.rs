//! Looks at the topics now and then: are they still the same, and how many partitions have they?
//! Main thread.
//!
//! In:  what the brokers say of all five topics, in one question.
//! Out: the newest look, for the source; a line about an output topic that is another one.
//! Holds: a broker that does not answer changes nothing; what is not known stays as it was.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    config::Topics,
    control::Control,
    error::RunError,
    ids::TopicId,
    kafka::{Admin, ClientSettings, KafkaError, TopicReplicas},
    limits,
    topics::{OutputPartitions, SeenTopics},
};

/// A topic as it was seen last.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    id: Option<TopicId>,
    partitions: Option<i32>,
}

/// The watch. See the module's head.
pub(super) struct TopicWatch {
    control: Arc<Control>,
    admin: Admin,
    interval: Duration,
    next: Instant,
    /// The input, then the outputs in the order of `OutputPartitions`.
    topics: [Known; 5],
}

impl TopicWatch {
    pub(super) fn new(
        control: Arc<Control>,
        client: &ClientSettings,
        topics: &Topics,
    ) -> Result<Self, RunError> {
        let admin = Admin::new(client).map_err(super::refused)?;
        let Topics { input, processed, aggregated, dead_letter, late } = topics;
        let names = [input, processed, aggregated, dead_letter, late];
        let topics = names.map(|name| Known { name: name.clone(), id: None, partitions: None });
        let interval = client.metadata_refresh_interval();
        Ok(Self { control, admin, interval, next: Instant::now() + interval, topics })
    }

    /// Looks, if it is time.
    pub(super) fn look(&mut self) {
        if Instant::now() < self.next {
            return;
        }
        let names = self.topics.each_ref().map(|known| known.name.as_str());
        match self.admin.describe_topics(&names, limits::BROKER_QUERY_TIMEOUT) {
            Ok(described) => self.take(described),
            Err(error) => tracing::debug!(%error, "the topics could not be looked at"),
        }
        self.next = Instant::now() + self.interval;
    }

    fn take(&mut self, described: Vec<Result<TopicReplicas, KafkaError>>) {
        for (place, (known, described)) in self.topics.iter_mut().zip(described).enumerate() {
            match described {
                Ok(topic) => known.see(&topic, place > 0),
                Err(error) if error.is_unknown_topic() => tracing::warn!(
                    topic = known.name,
                    "the topic does not exist any more: create it again, or stop this process"
                ),
                Err(error) => tracing::debug!(topic = known.name, %error, "could not be looked at"),
            }
        }
        let [input, outputs @ ..] = &self.topics;
        if let [Some(processed), Some(aggregated), Some(dead_letter), Some(late)] =
            outputs.each_ref().map(|known| known.partitions)
        {
            let outputs = OutputPartitions { processed, aggregated, dead_letter, late };
            self.control.topics().publish(SeenTopics { input: input.id, outputs });
        }
    }
}

impl Known {
    fn see(&mut self, topic: &TopicReplicas, is_output: bool) {
        if let (Some(was), Some(now), true) = (self.id, topic.id, is_output)
            && was != now
        {
            tracing::warn!(
                topic = self.name,
                %was,
                %now,
                "the topic was deleted and created again: what was written to it before is gone; \
                 what follows goes to the new one"
            );
        }
        self.id = topic.id.or(self.id);
        self.partitions = Some(topic.partitions as i32);
    }
}
