//! Client settings, and the librdkafka properties they become.
//!
//! In: settings of the product and the user's `-X name=value` pairs. Out: a checked `ClientConfig`.
//! Holds: a property that the epoch protocol or another flag owns cannot be overridden; everything
//! else can. Aliases are folded into one name first, so that two spellings never race.
#![forbid(unsafe_code)]

use std::{str::FromStr, time::Duration};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use super::{
    error::KafkaError,
    properties::{property_name, protected_property},
};
use crate::limits::{
    self, FETCH_RESPONSE_DIVISOR, FETCHED_RECORD_BYTES, PRODUCED_RECORD_BYTES,
    PRODUCER_SOCKET_TIMEOUT, RECONNECT_BACKOFF, TRANSACTION_IDLE_CONNECTION,
};

/// What every client of the process shares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientSettings {
    /// `host:port`, comma separated.
    pub brokers: String,
    /// librdkafka properties from `-X`, in the order given; the last one of a name wins.
    pub properties: Vec<(String, String)>,
}

/// Settings of the one consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// Brokers and user properties.
    pub client: ClientSettings,
    /// Consumer group.
    pub group_id: String,
    /// Static membership; `None` joins as a dynamic member.
    pub instance_id: Option<String>,
    /// The one input topic.
    pub topic: String,
    /// Memory for records that librdkafka has prefetched, in KiB.
    pub fetch_queue_kbytes: usize,
    /// How long the group keeps this member's place while nothing is heard of it.
    pub session_timeout: Duration,
    /// Longest time between two calls of `serve` or `drain` before the group drops this member.
    pub max_poll_interval: Duration,
    /// Whether records of aborted and of open transactions are read too.
    pub reads_uncommitted: bool,
}

/// Settings of the one producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerSettings {
    /// Brokers and user properties.
    pub client: ClientSettings,
    /// Memory for records that wait in the producer, in KiB; beyond it sends are refused as full.
    pub queue_kbytes: usize,
    /// Bytes of the largest batch; a larger record is a batch of its own.
    pub batch_bytes: usize,
    /// How long a record waits for others to share its request.
    pub linger: Duration,
    /// How long librdkafka tries to deliver a record before it reports a failure.
    pub delivery_timeout: Duration,
    /// `None` is the idempotent producer without transactions.
    pub transactional: Option<Transactional>,
}

/// What makes a producer transactional.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transactional {
    /// Transactional id: the broker lets only the newest producer of an id live.
    pub id: String,
    /// Age at which the broker aborts a transaction by itself; never below the delivery timeout.
    pub timeout: Duration,
}

impl Transactional {
    /// That of an instance of a group: others register it once it has gone.
    pub fn of(group: &str, instance: &str, timeout: Duration) -> Self {
        Self { id: format!("{group}-{instance}"), timeout }
    }
}

/// Names that librdkafka takes for the same property: (alias, name used here).
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("metadata.broker.list", "bootstrap.servers"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("linger.ms", "queue.buffering.max.ms"),
    ("retries", "message.send.max.retries"),
    ("sasl.mechanism", "sasl.mechanisms"),
    ("compression.type", "compression.codec"),
    ("request.required.acks", "acks"),
    ("delivery.timeout.ms", "message.timeout.ms"),
];

/// Properties that `-X` may not set, with the remedy that the error names.
pub(super) const PROTECTED: &[(&str, &str)] = &[
    ("bootstrap.servers", "use --brokers"),
    ("group.id", "use --group-id"),
    ("group.instance.id", "use --instance-id"),
    ("session.timeout.ms", "use --session-timeout"),
    ("group.protocol", "the epoch protocol needs the classic, eager group protocol"),
    ("group.protocol.type", "the epoch protocol needs the classic, eager group protocol"),
    ("group.remote.assignor", "the epoch protocol needs the classic, eager group protocol"),
    ("auto.offset.reset", "use --start-from; a gap in the log is never skipped silently"),
    ("enable.auto.commit", "offsets are committed per epoch, after its output"),
    ("auto.commit.enable", "offsets are committed per epoch, after its output"),
    ("enable.auto.offset.store", "offsets are committed per epoch, after its output"),
    ("enable.partition.eof", "idle windows close on end-of-partition events"),
    ("isolation.level", "records of aborted transactions are no input"),
    ("queued.max.messages.kbytes", "use --memory-budget"),
    ("queue.buffering.max.kbytes", "use --memory-budget"),
    ("queue.buffering.max.messages", "use --memory-budget"),
    ("acks", "an epoch is committed only when all replicas have its output"),
    ("enable.idempotence", "without it a retry doubles or reorders output"),
    ("enable.gapless.guarantee", "a failed delivery is rolled back, not fatal"),
    ("transactional.id", "use --delivery and --instance-id"),
    ("delivery.report.only.error", "the sink counts what was delivered by its reports"),
    ("log.queue", "log lines are served with the events"),
    ("test.mock.num.brokers", "every client would get brokers of its own; use the demo"),
];

const CLIENT_ID: &str = "logintide";

impl ConsumerSettings {
    /// Bytes of the largest answer that librdkafka takes, and of the largest zstd batch that it
    /// unpacks, as the user may have set them.
    pub fn receive_limit(&self) -> usize {
        let of_user = self.client.number(RECEIVE_LIMIT);
        let largest_fetch = self.client.number("fetch.max.bytes");
        let needed = largest_fetch.unwrap_or(self.response_bytes()).saturating_add(FRAME_BYTES);
        of_user.unwrap_or(limits::RECEIVE_LIMIT_BYTES.max(needed).min(i32::MAX as usize))
    }

    fn queue_bytes(&self) -> usize {
        self.fetch_queue_kbytes.saturating_mul(1024).min(MAX_INT)
    }

    /// Bytes of batches that are asked for at once; a larger batch comes alone.
    pub fn response_bytes(&self) -> usize {
        (self.queue_bytes() / FETCH_RESPONSE_DIVISOR).max(self.client.largest_message())
    }

    /// The librdkafka configuration.
    ///
    /// # Errors
    /// `Config` when a user property is protected or names a cooperative assignment strategy.
    pub(in crate::kafka) fn to_config(&self) -> Result<ClientConfig, KafkaError> {
        let queue_bytes = self.queue_bytes();
        let isolation = if self.reads_uncommitted { "read_uncommitted" } else { "read_committed" };
        let heartbeat = limits::heartbeat_interval(self.session_timeout);
        let mut base = vec![
            ("group.id", self.group_id.clone()),
            ("enable.auto.commit", "false".into()),
            ("enable.auto.offset.store", "false".into()),
            ("enable.partition.eof", "true".into()),
            ("auto.offset.reset", "error".into()),
            ("isolation.level", isolation.into()),
            ("partition.assignment.strategy", "range,roundrobin".into()),
            // The default of one second is how long a full queue would stall its partition.
            ("fetch.queue.backoff.ms", "10".into()),
            // All partitions share one queue, so both count all of them. Half for payload, half for
            // what comes on top of each record: small records need more of it than of payload.
            ("queued.max.messages.kbytes", (queue_bytes / 2 / 1024).max(1).to_string()),
            ("queued.min.messages", (queue_bytes / 2 / FETCHED_RECORD_BYTES).max(1).to_string()),
            // librdkafka's default of 50 MB is what one response would overshoot the queue by.
            ("fetch.max.bytes", self.response_bytes().to_string()),
            // Also the most that librdkafka unpacks a zstd batch to.
            (RECEIVE_LIMIT, self.receive_limit().to_string()),
            ("session.timeout.ms", self.session_timeout.as_millis().to_string()),
            ("heartbeat.interval.ms", heartbeat.as_millis().to_string()),
            ("max.poll.interval.ms", self.max_poll_interval.as_millis().to_string()),
            (METADATA_REFRESH, limits::METADATA_REFRESH_INTERVAL.as_millis().to_string()),
        ];
        if let Some(id) = &self.instance_id {
            base.push(("group.instance.id", id.clone()));
        }
        let config = self.client.to_config(&base)?;
        let strategy = config.get("partition.assignment.strategy").unwrap_or_default();
        if strategy.contains("cooperative") {
            return Err(KafkaError::Config {
                text: format!(
                    "-X partition.assignment.strategy={strategy}: revokes are handled for all \
                     partitions at once; use range, roundrobin or both"
                ),
            });
        }
        Ok(config)
    }
}

impl ProducerSettings {
    /// How long the broker lets a transaction be open, as the user may have set it; zero where
    /// there are none.
    pub fn transaction_timeout(&self) -> Duration {
        let Some(transactional) = &self.transactional else { return Duration::ZERO };
        let of_user = self.client.number(TRANSACTION_TIMEOUT);
        of_user.map_or(transactional.timeout, Duration::from_millis)
    }

    /// The librdkafka configuration.
    ///
    /// # Errors
    /// `Config` when a user property is protected, or when a record could outlive its transaction.
    pub(in crate::kafka) fn to_config(&self) -> Result<ClientConfig, KafkaError> {
        let queue_bytes = self.queue_kbytes.saturating_mul(1024).min(MAX_INT);
        let payload_bytes = queue_bytes / 3 * 2;
        let records = (queue_bytes - payload_bytes) / PRODUCED_RECORD_BYTES;
        let mut base = vec![
            ("acks", "all".into()),
            ("enable.idempotence", "true".into()),
            ("delivery.report.only.error", "false".into()),
            // As Java clients place keys, for the topics where librdkafka chooses the partition.
            ("partitioner", "murmur2_random".into()),
            ("queue.buffering.max.kbytes", (payload_bytes / 1024).max(1).to_string()),
            // What comes on top of each record, which the bytes do not count.
            ("queue.buffering.max.messages", records.max(1).to_string()),
            ("batch.size", self.batch_bytes.to_string()),
            ("queue.buffering.max.ms", millis_text(self.linger)),
            ("message.timeout.ms", self.delivery_timeout.as_millis().to_string()),
            // A topic that grows is written to as a whole.
            (METADATA_REFRESH, limits::METADATA_REFRESH_INTERVAL.as_millis().to_string()),
        ];
        let Some(transactional) = &self.transactional else {
            return self.client.to_config(&base);
        };
        base.push(("transactional.id", transactional.id.clone()));
        // librdkafka wants it below the transaction's.
        let socket_timeout = PRODUCER_SOCKET_TIMEOUT.min(self.transaction_timeout() / 2);
        base.push(("socket.timeout.ms", socket_timeout.as_millis().to_string()));
        base.push((TRANSACTION_TIMEOUT, transactional.timeout.as_millis().to_string()));
        base.push(("connections.max.idle.ms", TRANSACTION_IDLE_CONNECTION.as_millis().to_string()));
        let config = self.client.to_config(&base)?;
        check_delivery_within_transaction(&config)?;
        Ok(config)
    }
}

const RECEIVE_LIMIT: &str = "receive.message.max.bytes";
/// What librdkafka wants it to be above `fetch.max.bytes`.
const FRAME_BYTES: usize = 512;
const METADATA_REFRESH: &str = "topic.metadata.refresh.interval.ms";
const TRANSACTION_TIMEOUT: &str = "transaction.timeout.ms";

/// librdkafka refuses it as well, but names no value.
fn check_delivery_within_transaction(config: &ClientConfig) -> Result<(), KafkaError> {
    const DELIVERY_TIMEOUT: &str = "message.timeout.ms";
    let text_of = |name| config.get(name).unwrap_or_default();
    let (delivery, transaction) = (text_of(DELIVERY_TIMEOUT), text_of(TRANSACTION_TIMEOUT));
    let (Ok(delivery_ms), Ok(transaction_ms)) =
        (delivery.parse::<u64>(), transaction.parse::<u64>())
    else {
        // Not numbers: librdkafka says so, with the name and the range.
        return Ok(());
    };
    // 0 is librdkafka's "for ever".
    if delivery_ms == 0 || delivery_ms > transaction_ms {
        return Err(KafkaError::Config {
            text: format!(
                "{DELIVERY_TIMEOUT}={delivery} (0 is no limit) is above \
                 {TRANSACTION_TIMEOUT}={transaction}: a record could outlive its transaction; \
                 lower -X {DELIVERY_TIMEOUT} or raise -X {TRANSACTION_TIMEOUT}"
            ),
        });
    }
    Ok(())
}

/// Largest value of librdkafka's integer properties of sizes.
const MAX_INT: usize = i32::MAX as usize - 512;
/// librdkafka's default of `message.max.bytes`; `fetch.max.bytes` may not be smaller.
const DEFAULT_MESSAGE_BYTES: usize = 1_000_000;

/// Milliseconds with a fraction; `queue.buffering.max.ms` takes one.
fn millis_text(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64() * 1000.0)
}

impl ClientSettings {
    /// `base` overridden by the user's properties.
    ///
    /// # Errors
    /// `Config` when a user property is protected.
    pub(in crate::kafka) fn to_config(
        &self,
        base: &[(&str, String)],
    ) -> Result<ClientConfig, KafkaError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", CLIENT_ID)
            .set("reconnect.backoff.ms", RECONNECT_BACKOFF.as_millis().to_string())
            // Nobody asked for it, and a client that ends waits up to a second for its last push.
            .set("enable.metrics.push", "false");
        for (name, value) in base {
            config.set(*name, value);
        }
        for (name, value) in &self.properties {
            config.set(user_property(name, value)?, value);
        }
        config.set_log_level(log_level());
        Ok(config)
    }

    /// How often a client asks for the topics' metadata.
    pub fn metadata_refresh_interval(&self) -> Duration {
        let of_user = self.number(METADATA_REFRESH).filter(|ms| *ms > 0);
        of_user.map_or(limits::METADATA_REFRESH_INTERVAL, Duration::from_millis)
    }

    /// For a client that reads no records: a small `receive.message.max.bytes` of the user's is
    /// refused beside librdkafka's own `fetch.max.bytes`.
    ///
    /// # Errors
    /// As [`Self::to_config`].
    pub(in crate::kafka) fn to_question_config(
        &self,
        more: &[(&str, String)],
    ) -> Result<ClientConfig, KafkaError> {
        let fetch_bytes = self.largest_message().to_string();
        let base =
            [("isolation.level", "read_committed".to_owned()), ("fetch.max.bytes", fetch_bytes)];
        self.to_config(&[&base[..], more].concat())
    }

    /// Whether the user has set a property, in whichever spelling.
    pub(in crate::kafka) fn has(&self, name: &str) -> bool {
        self.properties.iter().any(|(known, _)| property_name(known) == name)
    }

    /// `message.max.bytes`, as the user set it.
    fn largest_message(&self) -> usize {
        self.number("message.max.bytes").unwrap_or(DEFAULT_MESSAGE_BYTES)
    }

    /// A property of the user that is a number and has one spelling.
    fn number<N: FromStr>(&self, name: &str) -> Option<N> {
        let mut of_user = self.properties.iter().rev().filter(|(known, _)| known == name);
        of_user.next().and_then(|(_, value)| value.parse().ok())
    }
}

/// The one spelling of a user property.
fn user_property<'a>(name: &'a str, value: &str) -> Result<&'a str, KafkaError> {
    match protected_property(name) {
        None => Ok(property_name(name)),
        Some(remedy) => Err(KafkaError::Config {
            text: format!("-X {name}={value}: this property cannot be set; {remedy}"),
        }),
    }
}

/// librdkafka's debug lines (`-X debug=…`) are made only when someone listens.
fn log_level() -> RDKafkaLogLevel {
    if tracing::enabled!(target: "librdkafka", tracing::Level::DEBUG) {
        RDKafkaLogLevel::Debug
    } else {
        RDKafkaLogLevel::Info
    }
}

#[cfg(test)]
mod tests;
