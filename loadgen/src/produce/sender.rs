//! The producer of `loadgen produce`: it delivers each record once or reports the failure.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::{
    Outcome,
    args::{Compression, KafkaArgs, ProduceArgs},
    client::{self, Reporter},
};

/// Timeout of a transactional call.
const TRANSACTION_TIMEOUT: Duration = Duration::from_mins(1);

/// Longest wait for deliveries at the end; librdkafka itself fails a record after five minutes.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(330);

/// Settings for throughput: large batches, and a queue that bridges a short outage of a broker.
const SETTINGS: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("delivery.report.only.error", "true"),
    ("queue.buffering.max.messages", "1000000"),
    ("queue.buffering.max.kbytes", "262144"),
    ("batch.num.messages", "10000"),
    ("linger.ms", "5"),
];

/// Sends records to one topic.
pub(super) struct Sender {
    producer: BaseProducer<Reporter>,
    topic: String,
}

impl Sender {
    /// A producer with the settings of the flags; transactions are initialised.
    pub(super) fn new(args: &ProduceArgs) -> Result<Self> {
        let compression = match args.compression {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        };
        let id = format!("loadgen-{}-{}", args.topic, std::process::id());
        let mut settings = vec![("compression.codec", compression)];
        if args.transactional {
            settings.push(("transactional.id", &id));
        }
        let sender = Self::with(&args.kafka, &args.topic, &settings)?;
        if args.transactional {
            sender
                .producer
                .init_transactions(TRANSACTION_TIMEOUT)
                .context("cannot start transactions")?;
        }
        Ok(sender)
    }

    /// A producer without compression and transactions.
    pub(super) fn plain(kafka: &KafkaArgs, topic: &str) -> Result<Self> {
        Self::with(kafka, topic, &[])
    }

    fn with(kafka: &KafkaArgs, topic: &str, more: &[(&str, &str)]) -> Result<Self> {
        let producer = client::config(kafka, &[SETTINGS, more].concat())
            .create_with_context(Reporter::new(kafka))
            .context("cannot create a Kafka producer")?;
        Ok(Self { producer, topic: topic.to_owned() })
    }

    /// Passes a record to the producer; waits while its queue is full.
    pub(super) fn send(
        &self,
        partition: i32,
        key: &[u8],
        value: Option<&[u8]>,
        time_ms: Option<i64>,
    ) -> Result<()> {
        let mut record = BaseRecord::to(&self.topic).partition(partition).key(key);
        record.payload = value;
        record.timestamp = time_ms;
        loop {
            record = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => record,
                Err((error, _)) => return Err(error).context("cannot send"),
            };
            self.producer.poll(Duration::from_millis(10));
        }
    }

    /// Handles the delivery reports that have arrived.
    pub(super) fn serve(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Whether a record could not be delivered.
    pub(super) fn has_failed(&self) -> bool {
        self.producer.context().failures().0 > 0
    }

    /// Begins a transaction.
    pub(super) fn begin(&self) -> Result<()> {
        self.producer.begin_transaction().context("cannot begin a transaction")
    }

    /// Commits or aborts the transaction. All its records are in the log either way.
    pub(super) fn end(&self, is_aborted: bool) -> Result<()> {
        self.flush()?;
        if is_aborted {
            self.producer.abort_transaction(TRANSACTION_TIMEOUT).context("cannot abort")
        } else {
            self.producer.commit_transaction(TRANSACTION_TIMEOUT).context("cannot commit")
        }
    }

    /// Waits until every record is delivered or has failed. It polls, because `flush` waits in
    /// steps of 100 ms.
    pub(super) fn flush(&self) -> Result<()> {
        let deadline = Instant::now() + FLUSH_TIMEOUT;
        while self.producer.in_flight_count() > 0 {
            if Instant::now() > deadline {
                bail!("{} records are still not delivered", self.producer.in_flight_count());
            }
            self.producer.poll(Duration::from_millis(1));
        }
        Ok(())
    }

    /// `Fine` if every record was delivered; otherwise an error with the first reason.
    pub(super) fn outcome(&self) -> Result<Outcome> {
        match self.producer.context().failures() {
            (0, _) => Ok(Outcome::Fine),
            (count, reason) => {
                bail!("{count} records not delivered; the first: {}", reason.unwrap_or_default())
            }
        }
    }
}
