//! Checks before the threads start that a broker answers and that all topics exist. Main thread.
//!
//! In:  the run's configuration.
//! Out: cluster id and partition counts.
//! Holds: while no broker answers it retries, with a log line every few seconds; an error about
//! missing topics names all of them.

use std::time::Instant;

use super::{client_settings, journal_topic, markers, topic_settings::TopicSettings};
use crate::{
    config::RunConfig,
    control::Control,
    error::RunError,
    ids::TopicId,
    kafka::{
        Admin, KafkaError, MockCluster, NewTopic, UnreachableBroker, cluster_id, create_topics,
        describe_cluster, describe_topics, find_topics, find_unreachable_brokers,
        unreachable_brokers,
    },
    limits,
    sink::OutputTopic,
    topics::{PerOutput, PerTopic, Topic},
};

/// What the brokers answered.
#[derive(Debug)]
pub(super) struct BrokerFacts {
    pub(super) cluster_id: String,
    pub(super) input_partitions: i32,
    pub(super) outputs: PerOutput<OutputTopic>,
    /// Tells the journal from an earlier or later topic of its name; `None` where the brokers have
    /// no ids.
    pub(super) journal_id: Option<TopicId>,
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
                    warn_of_markers(config, admin, facts);
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

fn warn_of_markers(config: &RunConfig, admin: &Admin, facts: &BrokerFacts) {
    if MockCluster::has_id(&facts.cluster_id) {
        return;
    }
    let Ok(cluster) = describe_cluster(admin, limits::BROKER_QUERY_TIMEOUT) else { return };
    let partitions = config.topics.map(|topic, _| match topic {
        Topic::Input => facts.input_partitions as usize,
        output => facts.outputs[output].partitions as usize,
    });
    if let Some(hint) = markers::hint(config, &partitions, cluster.brokers, 1) {
        tracing::warn!("{hint}");
    }
}

fn ask(config: &RunConfig, admin: &Admin) -> Result<Result<BrokerFacts, RunError>, KafkaError> {
    let timeout = limits::BROKER_QUERY_TIMEOUT;
    // A cluster without an id gets the empty one; the state cannot tell it from other clusters.
    let cluster_id = cluster_id(admin, timeout)?.unwrap_or_default();
    let names = config.topics.map(|_, name| name.as_str());
    let mut counts = counts(admin, &names)?;
    let missing: Vec<&str> =
        names.iter().filter_map(|(topic, name)| counts[topic].is_none().then_some(*name)).collect();
    if !missing.is_empty() && config.create_topics {
        match create(config, admin, &counts) {
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
    let Ok(partitions) = counts.try_map(|topic, count| count.ok_or(topic)) else {
        if config.create_topics {
            return Err(KafkaError::Timeout {
                operation: "create topics",
                waited: timeout,
                text: "the new topics are not visible yet".to_owned(),
            });
        }
        return Ok(Err(missing_topics(config, &missing, &counts)));
    };
    let settings = TopicSettings::read(config, admin, &cluster_id)?;
    if let Some(problem) = settings.problem() {
        return Ok(Err(RunError::Refused(problem)));
    }
    settings.warn_of_compaction();
    let largest = settings.largest();
    let outputs = largest.map(|topic, largest| OutputTopic {
        partitions: partitions[topic],
        record_bytes: largest.saturating_sub(limits::RECORD_OVERHEAD_BYTES),
    });
    let batch_bytes = largest.values().min().copied().expect("there are output topics");
    let input_partitions = partitions[Topic::Input];
    let journal_id = journal_id(config, admin, &cluster_id)?;
    Ok(Ok(BrokerFacts { cluster_id, input_partitions, outputs, journal_id, batch_bytes }))
}

/// The error about topics that are missing and may not be created.
fn missing_topics(
    config: &RunConfig,
    missing: &[&str],
    counts: &PerTopic<Option<i32>>,
) -> RunError {
    let names = missing.join(", ");
    let mut text = format!(
        "topics missing on {}: {names}; create them, or add --create-topics",
        config.brokers
    );
    if counts[Topic::Journal].is_none() {
        let input = input_partitions(config, counts);
        let command =
            journal_topic::creation(&config.brokers, &config.topics[Topic::Journal], input);
        text = format!("{text}. The journal has settings of its own: {command}");
    }
    RunError::Refused(text)
}

/// The journal's id; `None` where the brokers have no ids.
fn journal_id(
    config: &RunConfig,
    admin: &Admin,
    cluster_id: &str,
) -> Result<Option<TopicId>, KafkaError> {
    if MockCluster::has_id(cluster_id) {
        return Ok(None);
    }
    let names = [config.topics[Topic::Journal].as_str()];
    let described = describe_topics(admin, &names, limits::BROKER_QUERY_TIMEOUT)?;
    described.into_iter().next().expect("one answer per name").map(|topic| topic.id)
}

fn counts(admin: &Admin, names: &PerTopic<&str>) -> Result<PerTopic<Option<i32>>, KafkaError> {
    let asked: Vec<_> = names.values().copied().collect();
    let found = find_topics(admin, &asked, limits::BROKER_QUERY_TIMEOUT)?;
    Ok(names.with_values(found.into_iter().map(|topic| topic.partitions).collect()))
}

/// The input's partitions, also of one that is to be created.
fn input_partitions(config: &RunConfig, counts: &PerTopic<Option<i32>>) -> i32 {
    let of_new = config.new_topic_partitions.unwrap_or(limits::NEW_TOPIC_PARTITIONS);
    counts[Topic::Input].unwrap_or(of_new)
}

/// Creates the topics that are missing.
fn create(
    config: &RunConfig,
    admin: &Admin,
    counts: &PerTopic<Option<i32>>,
) -> Result<(), KafkaError> {
    let input = input_partitions(config, counts);
    let partitions = config.new_topic_partitions.unwrap_or(input);
    // -1: the broker's default.
    let replication = config.new_topic_replication.unwrap_or(-1);
    let missing = counts.iter().filter(|(_, count)| count.is_none());
    let new: Vec<NewTopic> = missing
        .map(|(topic, _)| match (topic, &config.topics[topic]) {
            (Topic::Journal, name) => journal_topic::new_topic(name, input, replication),
            (_, name) => {
                NewTopic { name: name.clone(), partitions, replication, config: Vec::new() }
            }
        })
        .collect();
    create_topics(admin, &new, limits::BROKER_QUERY_TIMEOUT)?;
    for NewTopic { name, partitions, .. } in &new {
        tracing::info!(topic = name, partitions, "topic created");
    }
    Ok(())
}
