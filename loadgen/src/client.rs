//! Kafka for all commands: client settings, topics, reports of errors.
//!
//! Holds: a broker that is away is reported, at most every few seconds; nothing here retries for
//! ever.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use futures_executor::block_on;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::{Client, ClientContext, DefaultClientContext},
    config::{ClientConfig, FromClientConfig as _, RDKafkaLogLevel},
    consumer::ConsumerContext,
    error::KafkaError,
    producer::{DeliveryResult, ProducerContext},
    types::RDKafkaErrorCode,
};

use crate::{
    args::{CreateArgs, KafkaArgs},
    messages::MessageOutput,
};

/// Timeout of a query about topics.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a created topic may take to have leaders.
const CREATION_TIMEOUT: Duration = Duration::from_secs(15);

/// Time between two reports of a client's errors.
const REPORT_INTERVAL: Duration = Duration::from_secs(3);

/// Serves a client's errors and delivery reports.
pub(crate) struct Reporter {
    messages: MessageOutput,
    failed: AtomicU64,
    first_failure: Mutex<Option<String>>,
    last_report: Mutex<Option<Instant>>,
}

impl Reporter {
    /// Reports errors to the output that `kafka` names.
    pub(crate) fn new(kafka: &KafkaArgs) -> Self {
        Self {
            messages: kafka.messages,
            failed: AtomicU64::new(0),
            first_failure: Mutex::default(),
            last_report: Mutex::default(),
        }
    }

    /// Number of records that were not delivered, and the reason of the first.
    pub(crate) fn failures(&self) -> (u64, Option<String>) {
        let first = self.first_failure.lock().expect("no panic while it is held").clone();
        (self.failed.load(Ordering::Relaxed), first)
    }
}

impl ClientContext for Reporter {
    fn log(&self, level: RDKafkaLogLevel, _facility: &str, message: &str) {
        if (level as i32) <= RDKafkaLogLevel::Critical as i32 {
            self.messages.warn(message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition is not an error; the reader gets it as well.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        let mut last = self.last_report.lock().expect("no panic while it is held");
        if last.is_none_or(|last| last.elapsed() >= REPORT_INTERVAL) {
            *last = Some(Instant::now());
            self.messages.warn(&format!("Kafka: {error}: {reason}"));
        }
    }
}

impl ConsumerContext for Reporter {}

impl ProducerContext for Reporter {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failed.fetch_add(1, Ordering::Relaxed);
            let mut first = self.first_failure.lock().expect("no panic while it is held");
            first.get_or_insert_with(|| error.to_string());
        }
    }
}

/// Settings of a client: the brokers, the command's own properties, then the user's.
pub(crate) fn config(kafka: &KafkaArgs, own: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &kafka.brokers).set("client.id", "loadgen");
    for (name, value) in own {
        config.set(*name, *value);
    }
    for (name, value) in &kafka.properties {
        config.set(name, value);
    }
    config
}

/// Creates a topic if it is missing and the flags say so. Returns its number of partitions.
pub(crate) fn open_topic(kafka: &KafkaArgs, topic: &str, create: &CreateArgs) -> Result<usize> {
    let admin = admin(kafka)?;
    let Some(partitions) = create.create_topic else {
        return partitions(admin.inner(), topic)?
            .ok_or_else(|| anyhow!("topic {topic} does not exist; use --create-topic"));
    };
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(create.replication));
    for (name, value) in &create.topic_config {
        new = new.set(name, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(CREATION_TIMEOUT));
    let results = block_on(admin.create_topics([&new], &options))
        .with_context(|| format!("cannot create topic {topic} at {}", kafka.brokers))?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => bail!("cannot create topic {topic}: {code}"),
        }
    }
    let deadline = Instant::now() + CREATION_TIMEOUT;
    loop {
        if let Some(found) = self::partitions(admin.inner(), topic)?
            && have_leaders(admin.inner(), topic, found)
        {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("topic {topic} was created but has no leaders yet; try again");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Number of partitions of a topic; `None` if it does not exist or a partition has no leader.
pub(crate) fn partitions<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
) -> Result<Option<usize>> {
    let metadata = client
        .fetch_metadata(Some(topic), ANSWER_TIMEOUT)
        .context("no broker answers; check --brokers")?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    Ok(found.and_then(|found| {
        let has_leaders = found.partitions().iter().all(|partition| partition.leader() >= 0);
        let is_ready = found.error().is_none() && has_leaders && !found.partitions().is_empty();
        is_ready.then(|| found.partitions().len())
    }))
}

/// Whether all leaders know that they lead. The metadata name a leader before it knows; until then
/// it refuses records, and may accept records that were sent after the refused ones.
fn have_leaders<C: ClientContext>(client: &Client<C>, topic: &str, partitions: usize) -> bool {
    let answers = |number| client.fetch_watermarks(topic, number as i32, ANSWER_TIMEOUT).is_ok();
    (0..partitions).all(answers)
}

#[cfg(test)]
pub(crate) fn delete_topics(kafka: &KafkaArgs, topics: &[&str]) -> Result<()> {
    let options = AdminOptions::new().operation_timeout(Some(CREATION_TIMEOUT));
    for result in block_on(admin(kafka)?.delete_topics(topics, &options))? {
        result.map_err(|(topic, code)| anyhow!("cannot delete topic {topic}: {code}"))?;
    }
    Ok(())
}

fn admin(kafka: &KafkaArgs) -> Result<AdminClient<DefaultClientContext>> {
    AdminClient::from_config(&config(kafka, &[])).context("cannot create a Kafka client")
}
