//! What the output topics' settings allow. Main thread, before the others start.
//!
//! In:  the topics' settings, and what the client sends at most.
//! Out: the largest record of each topic, or why a topic cannot be used.
//! Holds: what this user may not read is assumed to be right, which is said.

use super::{
    internal_topics::{Settings, number},
    journal_topic,
};
use crate::{
    config::RunConfig,
    kafka::{Admin, KafkaError, MockCluster, topic_config},
    limits,
    topics::{Compaction, PerOutput, Topic, Written},
};

/// librdkafka's limit for a record.
pub(crate) const MESSAGE_MAX: &str = "message.max.bytes";

/// The output topics' settings; `None` where they cannot be read.
pub(super) struct TopicSettings<'a> {
    config: &'a RunConfig,
    settings: Option<PerOutput<Settings>>,
}

impl<'a> TopicSettings<'a> {
    /// Asks for them.
    pub(super) fn read(
        config: &'a RunConfig,
        admin: &Admin,
        cluster_id: &str,
    ) -> Result<Self, KafkaError> {
        if MockCluster::has_id(cluster_id) {
            return Ok(Self { config, settings: None });
        }
        let names = config.topics.map(|_, name| name.as_str()).outputs();
        let asked: Vec<_> = names.values().copied().collect();
        let settings = match topic_config(admin, &asked, limits::BROKER_QUERY_TIMEOUT) {
            Ok(settings) => Some(names.with_values(settings)),
            Err(error) if error.is_authorization() => {
                tracing::info!(
                    %error,
                    "no permission to read the topics' settings (ACL DescribeConfigs): Kafka's \
                     default limits are assumed, and that {} is compacted",
                    names[Topic::Journal]
                );
                None
            }
            Err(error) => return Err(error),
        };
        Ok(Self { config, settings })
    }

    /// Why the first topic that is wrong cannot be used.
    pub(super) fn problem(&self) -> Option<String> {
        let journal = &self.config.topics[Topic::Journal];
        let settings = self.settings.as_ref().map(|settings| &settings[Topic::Journal]);
        let of_journal = settings
            .and_then(|settings| journal_topic::problem(&self.config.brokers, journal, settings))
            .map(|what| format!("topic {journal}: {what}"));
        of_journal.or_else(|| {
            let mut outputs = self.config.topics.topics().filter(|topic| topic.is_output());
            outputs.find_map(|topic| self.too_small(topic))
        })
    }

    /// Why a topic takes no record of the size that is needed.
    fn too_small(&self, topic: Topic) -> Option<String> {
        let Written::Made { record_bytes } = topic.spec().written else { return None };
        let name = &self.config.topics[topic];
        let remedy = format!("for the largest record; set it to at least {record_bytes}");
        match (self.of_topic(topic), largest_sent(self.config)) {
            (Some(largest), _) if largest < record_bytes => {
                Some(format!("topic {name}: max.message.bytes={largest} is too small {remedy}"))
            }
            (_, largest) if largest < record_bytes => {
                Some(format!("topic {name}: -X {MESSAGE_MAX}={largest} is too small {remedy}"))
            }
            _ => None,
        }
    }

    /// The largest batch of a record, bytes, that each topic accepts and the client sends.
    pub(super) fn largest(&self) -> PerOutput<usize> {
        let of_client = largest_sent(self.config);
        let outputs = self.config.topics.map(|_, _| ()).outputs();
        outputs.map(|topic, ()| self.of_topic(topic).map_or(of_client, |n| n.min(of_client)))
    }

    /// Warns of compacted side topics. A rejected record may have no key; a compacted topic refuses
    /// such a record, which ends the run.
    pub(super) fn warn_of_compaction(&self) {
        for (topic, settings) in self.settings.iter().flat_map(PerOutput::iter) {
            let policy = settings.get("cleanup.policy").filter(|policy| policy.contains("compact"));
            if let Some(policy) = policy
                && let Compaction::Breaks(how) = topic.spec().compaction
                && topic.is_side_topic()
            {
                let name = &self.config.topics[topic];
                tracing::warn!(
                    "topic {name}: with cleanup.policy={policy} it {how}; set it to delete"
                );
            }
        }
    }

    fn of_topic(&self, topic: Topic) -> Option<usize> {
        let largest = number(&self.settings.as_ref()?[topic], "max.message.bytes")?;
        usize::try_from(largest).ok()
    }
}

/// The largest record, bytes, that the client sends.
pub(crate) fn largest_sent(config: &RunConfig) -> usize {
    let mut properties = config.client_properties.iter().rev();
    let given = properties.find(|(name, _)| name == MESSAGE_MAX);
    given.and_then(|(_, bytes)| bytes.parse().ok()).unwrap_or(limits::MESSAGE_MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    fn config(arguments: &[&str]) -> RunConfig {
        settings::of_line(&[&["logintide", "run", "--brokers", "b:9092"], arguments].concat())
    }

    /// The journal with one setting that differs from the usual ones.
    fn with(name: &str, value: &str) -> PerOutput<Settings> {
        let mut all = config(&[])
            .topics
            .map(|_, _| Settings::from([("max.message.bytes".to_owned(), "1048588".to_owned())]));
        all[Topic::Journal].insert("cleanup.policy".to_owned(), "compact".to_owned());
        all[Topic::Journal].insert(name.to_owned(), value.to_owned());
        all
    }

    fn problem(config: &RunConfig, settings: Option<PerOutput<Settings>>) -> Option<String> {
        TopicSettings { config, settings }.problem()
    }

    #[test]
    fn a_journal_that_deletes_is_refused_with_the_command() {
        let text = problem(&config(&[]), Some(with("cleanup.policy", "compact,delete")));
        let text = text.expect("a problem");
        assert!(text.starts_with("topic logintide-journal: with cleanup.policy=compact,delete"));
        assert!(text.contains("kafka-configs.sh --bootstrap-server b:9092"), "{text}");
        assert_eq!(problem(&config(&[]), Some(with("cleanup.policy", "compact"))), None);
        assert_eq!(problem(&config(&[]), None), None, "what cannot be read is right");
    }

    #[test]
    fn a_topic_or_a_client_that_takes_no_chunk_is_named() {
        let text = problem(&config(&[]), Some(with("max.message.bytes", "524288")));
        let expected = "topic logintide-journal: max.message.bytes=524288 is too small for the \
                        largest record; set it to at least 525824";
        assert_eq!(text.as_deref(), Some(expected));
        let small = config(&["-X", "message.max.bytes=300000"]);
        for settings in [None, Some(with("max.message.bytes", "1000000"))] {
            let text = problem(&small, settings).expect("a problem");
            assert!(
                text.starts_with("topic logintide-journal: -X message.max.bytes=300000 is too"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_record_has_to_fit_the_topic_and_the_client() {
        let config = config(&["-X", "message.max.bytes=900000"]);
        let settings = with("max.message.bytes", "600000");
        let largest = TopicSettings { config: &config, settings: Some(settings) }.largest();
        assert_eq!((largest[Topic::Journal], largest[Topic::Late]), (600_000, 900_000));
    }
}
