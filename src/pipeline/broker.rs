//! Checks before the threads start that a broker answers and that all topics exist. Main thread.
//!
//! In:  the run's configuration.
//! Out: cluster id and partition counts.
//! Holds: while no broker answers it retries, with a log line every few seconds; an error about
//! missing topics names all of them.

use std::{collections::BTreeMap, time::Instant};

use super::client_settings;
use crate::{
    config::RunConfig,
    control::Control,
    error::RunError,
    kafka::{
        Admin, KafkaError, MockCluster, NewTopic, UnreachableBroker, cluster_id, create_topics,
        find_topics, find_unreachable_brokers, topic_config, unreachable_brokers,
    },
    limits,
    sink::OutputTopic,
    topics::{Compaction, PerOutput, PerTopic, Topic, Written},
};

/// What the brokers answered.
#[derive(Debug)]
pub(super) struct BrokerFacts {
    pub(super) cluster_id: String,
    pub(super) input_partitions: i32,
    pub(super) outputs: PerOutput<OutputTopic>,
    /// Bytes of the largest batch that all output topics accept.
    pub(super) batch_bytes: usize,
}

/// Waits for the brokers, and creates missing topics if the configuration says so. `None` when a
/// stop came first.
pub(super) fn prepare(
    config: &RunConfig,
    admin: &Admin,
    control: &Control,
) -> Result<Option<BrokerFacts>, RunError> {
    let mut retries = RetryLog { since: Instant::now(), logged: None };
    loop {
        if control.stopping() {
            return Ok(None);
        }
        match ask(config, admin) {
            Ok(facts) => {
                control.health().set_broker_away(false);
                if let Ok(facts) = &facts {
                    warn_of_unreachable(admin, facts);
                }
                return facts.map(Some);
            }
            Err(error) if error.is_retriable() => {
                control.health().set_broker_away(true);
                match admin.refused() {
                    Some((lasted, why)) if lasted >= limits::REFUSAL_PATIENCE => {
                        return Err(RunError::Refused(why));
                    }
                    // A broker refuses, which librdkafka has logged; it may accept the next
                    // attempt.
                    Some(_) => {}
                    None => retries.log(config, &error),
                }
                std::thread::sleep(limits::BROKER_RETRY_PAUSE);
            }
            Err(error) => return Err(RunError::Kafka(error.to_string())),
        }
    }
}

/// Logs retries, at most one line per `REPEATED_LOG_INTERVAL`.
struct RetryLog {
    since: Instant,
    logged: Option<Instant>,
}

impl RetryLog {
    fn log(&mut self, config: &RunConfig, error: &KafkaError) {
        if self.logged.is_some_and(|at| at.elapsed() < limits::REPEATED_LOG_INTERVAL) {
            return;
        }
        let waited_s = self.since.elapsed().as_secs();
        let brokers = &config.brokers;
        let client = client_settings(config);
        match find_unreachable_brokers(&client, limits::BROKER_QUERY_TIMEOUT) {
            Ok(unreachable) if unreachable.is_empty() => tracing::warn!(
                %error,
                waited_s,
                "a broker answers at {brokers} (--brokers), but this query failed; retrying"
            ),
            Ok(unreachable) => tracing::warn!(
                waited_s,
                "a broker answers at {brokers} (--brokers), but {}; retrying",
                UnreachableBroker::explain_all(&unreachable)
            ),
            Err(_) => tracing::warn!(
                %error,
                waited_s,
                "no broker answers at {brokers} (--brokers); retrying"
            ),
        }
        self.logged = Some(Instant::now());
    }
}

/// Warns of brokers that are out of reach: the others have answered, but the partitions that these
/// lead would wait.
fn warn_of_unreachable(admin: &Admin, facts: &BrokerFacts) {
    if MockCluster::has_id(&facts.cluster_id) {
        return;
    }
    let unreachable = unreachable_brokers(admin, limits::BROKER_QUERY_TIMEOUT).unwrap_or_default();
    if !unreachable.is_empty() {
        tracing::warn!(
            "{}; until then the partitions that it leads are not read",
            UnreachableBroker::explain_all(&unreachable)
        );
    }
}

fn ask(config: &RunConfig, admin: &Admin) -> Result<Result<BrokerFacts, RunError>, KafkaError> {
    let timeout = limits::BROKER_QUERY_TIMEOUT;
    // A cluster without an id gets the empty one; the state cannot tell it from other clusters.
    let cluster_id = cluster_id(admin, timeout)?.unwrap_or_default();
    let names = PerTopic::from_fn(|topic| config.topics[topic].as_str());
    let mut counts = counts(admin, &names)?;
    let missing: Vec<&str> =
        names.iter().filter_map(|(topic, name)| counts[topic].is_none().then_some(*name)).collect();
    if !missing.is_empty() && config.create_topics {
        match create(config, admin, &missing, counts[Topic::Input]) {
            Err(error) if !error.is_retriable() => {
                return Ok(Err(RunError::Refused(format!(
                    "{error}; change --partitions or --replication, or create the topics as a user \
                     that may"
                ))));
            }
            created => created?,
        }
        counts = self::counts(admin, &names)?;
    }
    let Ok(partitions) = PerTopic::try_from_fn(|topic| counts[topic].ok_or(topic)) else {
        if config.create_topics {
            return Err(KafkaError::Timeout {
                operation: "create topics",
                waited: timeout,
                text: "the new topics are not visible yet".to_owned(),
            });
        }
        return Ok(Err(RunError::Refused(format!(
            "topics missing on {}: {}; create them, or add --create-topics",
            config.brokers,
            missing.join(", ")
        ))));
    };
    let largest = largest_records(config, admin, &cluster_id)?;
    for (topic, largest) in largest.iter() {
        if let Written::Made { record_bytes } = topic.spec().written
            && *largest < record_bytes
        {
            return Ok(Err(RunError::Refused(format!(
                "topic {}: max.message.bytes={largest} is too small for the largest output \
                 record; set it to at least {record_bytes}",
                names[topic]
            ))));
        }
    }
    let outputs = PerOutput::from_fn(|topic| OutputTopic {
        partitions: partitions[topic],
        record_bytes: largest[topic].saturating_sub(limits::RECORD_OVERHEAD_BYTES),
    });
    let batch_bytes = largest.values().iter().min().copied().expect("there are output topics");
    let input_partitions = partitions[Topic::Input];
    Ok(Ok(BrokerFacts { cluster_id, input_partitions, outputs, batch_bytes }))
}

/// The largest record batch, bytes, that each output topic accepts and the client sends.
fn largest_records(
    config: &RunConfig,
    admin: &Admin,
    cluster_id: &str,
) -> Result<PerOutput<usize>, KafkaError> {
    let of_client = config.client_properties.iter().rev().find(|(name, _)| name == MESSAGE_MAX);
    let of_client = of_client.and_then(|(_, bytes)| bytes.parse().ok());
    let of_client = of_client.unwrap_or(limits::MESSAGE_MAX_BYTES);
    if MockCluster::has_id(cluster_id) {
        return Ok(PerOutput::from_fn(|_| of_client));
    }
    let names = PerOutput::from_fn(|topic| config.topics[topic].as_str());
    let settings = match topic_config(admin, names.values(), limits::BROKER_QUERY_TIMEOUT) {
        Ok(settings) => PerOutput::from_values(settings),
        Err(error) if error.is_authorization() => {
            tracing::info!(
                %error,
                "no permission to read the topics' settings (ACL DescribeConfigs): Kafka's default \
                 limits are assumed"
            );
            return Ok(PerOutput::from_fn(|_| of_client));
        }
        Err(error) => return Err(error),
    };
    let of_topic = |settings: &BTreeMap<String, String>| {
        settings.get("max.message.bytes").and_then(|bytes| bytes.parse().ok())
    };
    Ok(PerOutput::from_fn(|topic| {
        warn_of_compaction(topic, names[topic], &settings[topic]);
        of_topic(&settings[topic]).map_or(of_client, |n: usize| n.min(of_client))
    }))
}

/// Warns of a compacted side topic. A rejected record may have no key; a compacted topic refuses
/// such a record, which ends the run.
fn warn_of_compaction(topic: Topic, name: &str, settings: &BTreeMap<String, String>) {
    let policy = settings.get("cleanup.policy").filter(|policy| policy.contains("compact"));
    if let Some(policy) = policy
        && let Compaction::Breaks(how) = topic.spec().compaction
        && topic.is_side_topic()
    {
        tracing::warn!("topic {name}: with cleanup.policy={policy} it {how}; set it to delete");
    }
}

/// librdkafka's limit for a record.
const MESSAGE_MAX: &str = "message.max.bytes";

fn counts(admin: &Admin, names: &PerTopic<&str>) -> Result<PerTopic<Option<i32>>, KafkaError> {
    let found = find_topics(admin, names.values(), limits::BROKER_QUERY_TIMEOUT)?;
    Ok(PerTopic::from_values(found.into_iter().map(|topic| topic.partitions).collect()))
}

/// Creates topics; `input` is the number of the input's partitions, if it exists.
fn create(
    config: &RunConfig,
    admin: &Admin,
    missing: &[&str],
    input: Option<i32>,
) -> Result<(), KafkaError> {
    let partitions = config.new_topic_partitions.or(input).unwrap_or(limits::NEW_TOPIC_PARTITIONS);
    let new: Vec<NewTopic> = missing
        .iter()
        .map(|name| NewTopic {
            name: (*name).to_owned(),
            partitions,
            // -1: the broker's default.
            replication: config.new_topic_replication.unwrap_or(-1),
            config: Vec::new(),
        })
        .collect();
    create_topics(admin, &new, limits::BROKER_QUERY_TIMEOUT)?;
    tracing::info!(topics = missing.join(", "), partitions, "topics created");
    Ok(())
}
