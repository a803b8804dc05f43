//! The producer of `loadgen produce`: one record in, delivered once or reported.

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

/// How long a transactional call may take.
const TRANSACTION_TIMEOUT: Duration = Duration::from_mins(1);

/// How long everything sent may take to be delivered at the end; librdkafka itself gives a record
/// up after five minutes.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(330);

/// Large batches, one send in flight per partition after the other, and room for a broker's hiccup.
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
    /// A producer as the flags want it, its transactions initialised.
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
            .context("cannot make a Kafka producer")?;
        Ok(Self { producer, topic: topic.to_owned() })
    }

    /// Hands a record to the producer; waits for room when its queue is full.
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

    /// Handles delivery reports that are there.
    pub(super) fn serve(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// True once a record was given up.
    pub(super) fn has_failed(&self) -> bool {
        self.producer.context().failures().0 > 0
    }

    /// Begins a transaction.
    pub(super) fn begin(&self) -> Result<()> {
        self.producer.begin_transaction().context("cannot begin a transaction")
    }

    /// Ends the transaction, with all its records in the log either way.
    pub(super) fn end(&self, is_aborted: bool) -> Result<()> {
        self.flush()?;
        if is_aborted {
            self.producer.abort_transaction(TRANSACTION_TIMEOUT).context("cannot abort")
        } else {
            self.producer.commit_transaction(TRANSACTION_TIMEOUT).context("cannot commit")
        }
    }

    /// Waits until everything is delivered or given up. Polls: `flush` would wait in steps of
    /// 100 ms.
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

    /// Fine, unless a record was given up; then the first reason is printed.
    pub(super) fn outcome(&self) -> Result<Outcome> {
        match self.producer.context().failures() {
            (0, _) => Ok(Outcome::Fine),
            (count, reason) => {
                bail!("{count} records not delivered; the first: {}", reason.unwrap_or_default())
            }
        }
    }
}
