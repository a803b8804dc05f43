//! The journal's topic: how it is created, and which settings would lose what it holds.
//!
//! Pure. In: names, numbers and settings. Out: a topic to create, or what is wrong with the one
//! that is there. Used by a run before it starts, and by `check-config`.
//! Holds: whatever is wrong comes with the command that puts it right.

use super::internal_topics::Settings;
use crate::{kafka::NewTopic, limits};

const CLEANUP_POLICY: &str = "cleanup.policy";
const COMPACT: &str = "compact";

/// The settings of a journal that is created.
fn settings() -> [(&'static str, String); 6] {
    [
        (CLEANUP_POLICY, COMPACT.to_owned()),
        // Records stay as they were sent.
        ("compression.type", "producer".to_owned()),
        ("segment.bytes", limits::JOURNAL_SEGMENT_BYTES.to_string()),
        ("segment.ms", limits::JOURNAL_SEGMENT_MAX_AGE.as_millis().to_string()),
        ("max.compaction.lag.ms", limits::JOURNAL_COMPACTION_LAG.as_millis().to_string()),
        ("delete.retention.ms", limits::JOURNAL_DELETE_RETENTION.as_millis().to_string()),
    ]
}

/// Partitions of the journal of an input that has so many.
fn partitions(input: i32) -> i32 {
    input.min(limits::JOURNAL_PARTITIONS_MAX)
}

/// The journal of an input that has so many partitions; -1 replicas leave them to the broker.
pub(super) fn new_topic(name: &str, input: i32, replication: i32) -> NewTopic {
    NewTopic {
        name: name.to_owned(),
        partitions: partitions(input),
        replication,
        config: settings().map(|(name, value)| (name.to_owned(), value)).into(),
    }
}

/// The command that creates a journal.
pub(crate) fn creation(brokers: &str, name: &str, input: i32) -> String {
    let partitions = partitions(input);
    let settings = settings().map(|(name, value)| format!(" --config {name}={value}")).concat();
    format!(
        "kafka-topics.sh --bootstrap-server {brokers} --create --topic {name} --partitions \
         {partitions}{settings}"
    )
}

/// Why a topic with these settings cannot be the journal.
pub(crate) fn problem(brokers: &str, name: &str, settings: &Settings) -> Option<String> {
    let policy = settings.get(CLEANUP_POLICY).filter(|policy| *policy != COMPACT)?;
    Some(format!(
        "with {CLEANUP_POLICY}={policy} it deletes the group's state, or keeps all that is \
         outdated; run: kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics \
         --entity-name {name} --add-config {CLEANUP_POLICY}={COMPACT}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_policy(policy: &str) -> Settings {
        [(CLEANUP_POLICY.to_owned(), policy.to_owned())].into()
    }

    #[test]
    fn only_a_compacted_topic_keeps_the_state() {
        assert_eq!(problem("b:9092", "g-journal", &with_policy("compact")), None);
        for policy in ["delete", "compact,delete", "delete,compact", ""] {
            let text = problem("b:9092", "g-journal", &with_policy(policy)).expect(policy);
            assert!(text.starts_with(&format!("with cleanup.policy={policy} it ")), "{text}");
            let command = "kafka-configs.sh --bootstrap-server b:9092 --alter --entity-type topics \
                           --entity-name g-journal --add-config cleanup.policy=compact";
            assert!(text.ends_with(command), "{text}");
        }
        // A broker that does not say is believed to have what is right.
        assert_eq!(problem("b:9092", "g-journal", &Settings::new()), None);
    }

    #[test]
    fn it_has_as_many_partitions_as_the_input_and_at_most_eight() {
        for (input, expected) in [(1, 1), (7, 7), (8, 8), (256, 8)] {
            assert_eq!(new_topic("j", input, -1).partitions, expected);
            let command = creation("b:9092", "j", input);
            assert!(command.contains(&format!(" --partitions {expected} ")), "{command}");
        }
    }

    #[test]
    fn the_command_creates_what_a_run_creates() {
        let topic = new_topic("j", 3, 2);
        assert_eq!(topic.replication, 2);
        let command = creation("b:9092", "j", 3);
        assert!(command.contains("--config cleanup.policy=compact --config "), "{command}");
        assert!(command.contains("--config segment.bytes=67108864 --config segment.ms=600000 "));
        assert!(topic.config.iter().all(|(k, v)| command.contains(&format!("{k}={v}"))));
    }
}
