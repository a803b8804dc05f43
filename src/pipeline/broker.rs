//! What must stand on the broker before the threads start: reachable, topics there. Main thread.
//!
//! In:  the run's configuration.
//! Out: cluster id and partition counts.
//! Holds: a broker that is away is waited for, with a clear line every few seconds; a missing
//! topic is named, together with all others that are missing.

use std::time::Instant;

use crate::{
    config::RunConfig,
    control::Control,
    error::RunError,
    kafka::{Admin, KafkaError, NewTopic},
    limits,
    sink::OutputPartitions,
};

/// What the broker said.
#[derive(Debug)]
pub(super) struct BrokerFacts {
    pub(super) cluster_id: String,
    pub(super) input_partitions: i32,
    pub(super) outputs: OutputPartitions,
}

/// Waits for the broker, creates missing topics if asked to. `None` when a stop came first.
pub(super) fn prepare(
    config: &RunConfig,
    admin: &Admin,
    control: &Control,
) -> Result<Option<BrokerFacts>, RunError> {
    let mut waiting = Waiting { since: Instant::now(), said: None };
    loop {
        if control.stopping() {
            return Ok(None);
        }
        match ask(config, admin) {
            Ok(facts) => {
                control.health().set_broker_away(false);
                return facts.map(Some);
            }
            Err(error) if error.is_retriable() => {
                control.health().set_broker_away(true);
                waiting.say(&config.brokers, &error);
                std::thread::sleep(limits::BROKER_RETRY_PAUSE);
            }
            Err(error) => return Err(RunError::Kafka(error.to_string())),
        }
    }
}

struct Waiting {
    since: Instant,
    said: Option<Instant>,
}

impl Waiting {
    fn say(&mut self, brokers: &str, error: &KafkaError) {
        if self.said.is_none_or(|said| said.elapsed() >= limits::TROUBLE_LOG_INTERVAL) {
            self.said = Some(Instant::now());
            tracing::warn!(
                %error,
                waited_s = self.since.elapsed().as_secs(),
                "no broker answers at {brokers} (--brokers); trying on"
            );
        }
    }
}

fn ask(config: &RunConfig, admin: &Admin) -> Result<Result<BrokerFacts, RunError>, KafkaError> {
    let timeout = limits::BROKER_QUERY_TIMEOUT;
    // A cluster without an id has the empty one: then the state cannot tell it from others.
    let cluster_id = admin.cluster_id(timeout)?.unwrap_or_default();
    let topics = &config.topics;
    let names =
        [&topics.input, &topics.processed, &topics.aggregated, &topics.dead_letter, &topics.late];
    let names = names.map(String::as_str);
    let mut counts = counts(admin, &names)?;
    let missing: Vec<&str> =
        names.iter().zip(&counts).filter(|(_, n)| n.is_none()).map(|(name, _)| *name).collect();
    if !missing.is_empty() && config.create_topics {
        create(admin, &missing, counts[0])?;
        counts = self::counts(admin, &names)?;
    }
    let [Some(input), Some(processed), Some(aggregated), Some(dead_letter), Some(late)] = counts
    else {
        if config.create_topics {
            return Err(KafkaError::Timeout {
                operation: "create topics",
                waited: timeout,
                text: "the new topics are not visible yet".to_owned(),
            });
        }
        return Ok(Err(RunError::Refused(format!(
            "topics missing on {}: {}; create them, or let logintide do it with --create-topics",
            config.brokers,
            missing.join(", ")
        ))));
    };
    let outputs = OutputPartitions { processed, aggregated, dead_letter, late };
    Ok(Ok(BrokerFacts { cluster_id, input_partitions: input, outputs }))
}

fn counts(admin: &Admin, names: &[&str; 5]) -> Result<[Option<i32>; 5], KafkaError> {
    let found = admin.topics(names, limits::BROKER_QUERY_TIMEOUT)?;
    Ok(names.map(|name| {
        found.iter().find(|topic| topic.name == name).and_then(|topic| topic.partitions)
    }))
}

fn create(admin: &Admin, missing: &[&str], input: Option<i32>) -> Result<(), KafkaError> {
    let partitions = input.unwrap_or(limits::NEW_TOPIC_PARTITIONS);
    let new: Vec<NewTopic> = missing
        .iter()
        .map(|name| NewTopic {
            name: (*name).to_owned(),
            partitions,
            // -1: the broker's default.
            replication: -1,
            config: Vec::new(),
        })
        .collect();
    admin.create_topics(&new, limits::BROKER_QUERY_TIMEOUT)?;
    tracing::info!(topics = missing.join(", "), partitions, "topics created");
    Ok(())
}
