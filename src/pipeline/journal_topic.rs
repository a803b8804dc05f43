//! The journal's topic: how it is created, and which settings would lose what it holds.
//!
//! Pure. In: names, numbers and settings. Out: a topic to create, or what is wrong with the one
//! that is there. Used by a run before it starts, and by `check-config`.
//! Holds: whatever is wrong comes with the command that puts it right.

use super::internal_topics::{Settings, number};
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
    let command = change(brokers, name, &format!("{CLEANUP_POLICY}={COMPACT}"));
    Some(format!(
        "with {CLEANUP_POLICY}={policy} it deletes the group's state, or keeps all that is \
         outdated; run: {command}"
    ))
}

/// Why a journal with these settings takes more disk than one that a run creates.
pub(crate) fn excess(brokers: &str, name: &str, settings: &Settings) -> Option<String> {
    let bounds = [
        ("segment.ms", limits::JOURNAL_SEGMENT_MAX_AGE),
        ("max.compaction.lag.ms", limits::JOURNAL_COMPACTION_LAG),
    ];
    let (mut found, mut better) = (Vec::new(), Vec::new());
    for (setting, bound) in bounds {
        let bound_ms = bound.as_millis();
        if let Some(ms) = number(settings, setting).filter(|ms| i128::from(*ms) > bound_ms as i128)
        {
            found.push(format!("{setting}={ms}"));
            better.push(format!("{setting}={bound_ms}"));
        }
    }
    let command = change(brokers, name, &better.join(","));
    (!found.is_empty()).then(|| {
        format!(
            "with {} the brokers keep outdated records for long; to save disk, run: {command}",
            found.join(" and ")
        )
    })
}

/// The command that changes settings of a topic.
fn change(brokers: &str, name: &str, settings: &str) -> String {
    format!(
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name \
         {name} --add-config {settings}"
    )
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
    fn a_journal_that_is_cleaned_seldom_is_told_what_a_run_sets() {
        let of = |settings: &[(&str, &str)]| -> Settings {
            settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let created = super::settings().map(|(k, v)| (k.to_owned(), v)).into();
        assert_eq!(excess("b:9092", "j", &created), None);
        let usual = [("segment.ms", "604800000"), ("max.compaction.lag.ms", "9223372036854775807")];
        let text = excess("b:9092", "j", &of(&usual)).expect("a hint");
        assert!(text.starts_with("with segment.ms=604800000 and max.compaction.lag.ms=92233"));
        assert!(text.ends_with("--add-config segment.ms=600000,max.compaction.lag.ms=1800000"));
        let text = excess("b:9092", "j", &of(&usual[..1])).expect("a hint");
        assert!(text.ends_with("--add-config segment.ms=600000"), "{text}");
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
