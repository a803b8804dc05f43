//! Judges the topics. Pure: in facts, out findings.

use super::{Fetch, facts::Facts, findings::Findings};
use crate::{
    config::RunConfig,
    kafka::{Operation, TopicReplicas},
    limits,
    pipeline::{
        internal_topics::{Settings, TopicFacts, number},
        journal_topic,
        topic_settings::{MESSAGE_MAX, largest_sent},
    },
    topics::{Compaction, Topic, Written},
};

/// Judges all topics.
pub(super) fn judge(config: &RunConfig, facts: &Facts, findings: &mut Findings) {
    let input = &facts.topics[Topic::Input];
    for (topic, found) in facts.topics.iter() {
        let mut judge = Judge { config, topic, findings };
        match &found.replicas {
            Err(error) => judge.unseen(&error.to_string(), error.is_authorization()),
            Ok(None) => judge.missing(facts),
            Ok(Some(replicas)) => {
                judge.replicas(replicas, found.settings.as_ref());
                judge.rights(replicas);
                if let Some(settings) = &found.settings {
                    judge.settings(settings, input);
                }
            }
        }
    }
}

/// A batch of the input that is larger than the largest answer cannot be read.
pub(super) fn judge_largest_batch(
    config: &RunConfig,
    facts: &Facts,
    fetch: Fetch,
    findings: &mut Findings,
) {
    let limit = fetch.receive_limit;
    let largest = facts.topics[Topic::Input].settings.as_ref().and_then(|s| number(s, MAX_MESSAGE));
    let needed = largest.and_then(|largest| usize::try_from(largest).ok()).unwrap_or_default()
        + limits::RECORD_OVERHEAD_BYTES;
    if needed > limit {
        let name = named(config, Topic::Input);
        findings.hint(format!(
            "{name}: {MAX_MESSAGE}={} allows batches above -X \
             receive.message.max.bytes={limit}, which could not be read; raise that to {needed}, \
             and the memory limit with it",
            needed - limits::RECORD_OVERHEAD_BYTES
        ));
    }
}

struct Judge<'a> {
    config: &'a RunConfig,
    topic: Topic,
    findings: &'a mut Findings,
}

impl Judge<'_> {
    fn problem(&mut self, what: &str) {
        self.findings.problem(format!("{}: {what}", named(self.config, self.topic)));
    }

    fn hint(&mut self, what: &str) {
        self.findings.hint(format!("{}: {what}", named(self.config, self.topic)));
    }

    fn unseen(&mut self, error: &str, is_authorization: bool) {
        let remedy = if is_authorization {
            "allow this user Describe on it, or name another topic"
        } else {
            "see the broker's log"
        };
        self.problem(&format!("{error}; {remedy}"));
    }

    fn missing(&mut self, facts: &Facts) {
        if !self.config.create_topics {
            let remedy = "name another, or let `run` do it with --create-topics";
            let create = if self.topic == Topic::Journal {
                let input = facts.topics[Topic::Input].seen();
                let input = input.map_or(limits::NEW_TOPIC_PARTITIONS, |t| t.partitions as i32);
                let (brokers, name) = (&self.config.brokers, &self.config.topics[self.topic]);
                let command = journal_topic::creation(brokers, name, input);
                format!(" by {command}")
            } else {
                String::new()
            };
            self.problem(&format!("does not exist; create it{create}, {remedy}"));
        } else if facts.cluster.rights.lacks(Operation::Create) {
            self.hint(
                "does not exist, and this user has no right to Create on the cluster; unless an \
                 ACL for topics of this name allows it, --create-topics fails: create it by hand",
            );
        }
    }

    fn replicas(&mut self, replicas: &TopicReplicas, settings: Option<&Settings>) {
        let TopicReplicas { replication, in_sync, leaderless, partitions, .. } = *replicas;
        if leaderless > 0 {
            self.problem(&format!(
                "{leaderless} of {partitions} partitions have no leader; start the brokers that \
                 hold them"
            ));
        }
        if !self.topic.is_output() {
            return;
        }
        let least = settings.and_then(|s| number(s, "min.insync.replicas")).unwrap_or(1) as usize;
        if least > replication {
            self.problem(&format!(
                "min.insync.replicas={least} is above its {replication} replicas, so every write \
                 is refused; lower the setting to {replication}, or add replicas"
            ));
        } else if least > in_sync {
            self.problem(&format!(
                "only {in_sync} replicas are in sync and min.insync.replicas={least}, so writes \
                 are refused; start the brokers that are away"
            ));
        } else if replication > 1 && least < 2 {
            self.hint(&format!(
                "min.insync.replicas={least} with {replication} replicas: a record that only one \
                 broker has counts as written; set it to {}",
                replication - 1
            ));
        }
    }

    fn rights(&mut self, replicas: &TopicReplicas) {
        let (is_written, is_read) = (self.topic.is_output(), self.topic.spec().is_read);
        for (operation, is_done) in [(Operation::Write, is_written), (Operation::Read, is_read)] {
            if is_done && replicas.rights.lacks(operation) {
                let name = operation.name();
                self.problem(&format!(
                    "this user may not {name} it; add an ACL that allows {name}"
                ));
            }
        }
    }

    fn settings(&mut self, settings: &Settings, input: &TopicFacts) {
        self.size(settings, input);
        self.cleanup(settings);
        if self.topic == Topic::Processed && time_is_append(settings) {
            self.hint(
                "message.timestamp.type=LogAppendTime: its records' time is the broker's, not the \
                 processor's; both are about now, so nothing is to be done unless readers care",
            );
        }
    }

    /// Kafka refuses what is above a topic's `max.message.bytes`; side records are cut instead.
    fn size(&mut self, settings: &Settings, input: &TopicFacts) {
        let Some(largest) = number(settings, MAX_MESSAGE) else { return };
        if let Written::Made { record_bytes: needed } = self.topic.spec().written {
            let sent = largest_sent(self.config);
            for (name, bytes) in [
                (MAX_MESSAGE.to_owned(), largest),
                (format!("-X {MESSAGE_MAX}"), i64::try_from(sent).unwrap_or(i64::MAX)),
            ] {
                if bytes < needed as i64 {
                    self.problem(&format!(
                        "{name}={bytes} is below {needed}, which its largest record needs; raise it"
                    ));
                }
            }
        }
        let of_input = input.settings.as_ref().and_then(|settings| number(settings, MAX_MESSAGE));
        if let Some(of_input) =
            of_input.filter(|of_input| self.topic.is_side_topic() && largest < *of_input)
        {
            self.hint(&format!(
                "{MAX_MESSAGE}={largest} is below the input topic's {of_input}: larger records are \
                 cut, and a cut dead letter cannot be redriven; raise it to {}, and -X \
                 message.max.bytes with it",
                of_input + limits::RECORD_OVERHEAD_BYTES as i64
            ));
        }
    }

    fn cleanup(&mut self, settings: &Settings) {
        let Some(policy) = settings.get("cleanup.policy") else { return };
        let compacted = policy.contains("compact");
        match self.topic.spec().compaction {
            Compaction::Needed => {
                let (brokers, name) = (&self.config.brokers, &self.config.topics[self.topic]);
                if let Some(what) = journal_topic::problem(brokers, name, settings) {
                    self.problem(&what);
                } else if let Some(what) = journal_topic::excess(brokers, name, settings) {
                    self.hint(&what);
                }
            }
            Compaction::Helps(how) if !compacted => self.hint(&format!(
                "cleanup.policy={policy}: with compact {how}; set it if readers start at the \
                 beginning"
            )),
            Compaction::Risks(how) if compacted => {
                self.hint(&format!("cleanup.policy={policy} {how}; set it to delete"));
            }
            Compaction::Breaks(how) if compacted => {
                self.problem(&format!("cleanup.policy={policy} {how}; set it to delete"));
            }
            _ => {}
        }
    }
}

fn named(config: &RunConfig, topic: Topic) -> String {
    format!("topic {} ({})", config.topics[topic], topic.flag())
}

const MAX_MESSAGE: &str = "max.message.bytes";

fn time_is_append(settings: &Settings) -> bool {
    settings.get("message.timestamp.type").is_some_and(|kind| kind == "LogAppendTime")
}
