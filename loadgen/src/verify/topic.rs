//! Reads a topic from its first record to its end, as `read_committed` readers see it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::args::KafkaArgs;
use crate::client::{self, Reporter};
use crate::progress::Progress;
use crate::stop::Stop;
use crate::voice::Voice;

use super::record::Record;

/// How long one poll waits.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// Records between two looks at the progress.
const LOOK_EVERY: u64 = 4_096;

const SETTINGS: &[(&str, &str)] = &[
    // Never joined and never committed: assigning partitions needs a name.
    ("group.id", "loadgen-verify"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("enable.partition.eof", "true"),
    ("check.crcs", "true"),
    ("fetch.queue.backoff.ms", "10"),
];

/// A topic that is there.
pub(super) struct Topic {
    consumer: BaseConsumer<Reporter>,
    name: String,
    voice: Voice,
    pub(super) partitions: usize,
}

impl Topic {
    /// Looks for the topic.
    pub(super) fn open(kafka: &KafkaArgs, name: &str) -> Result<Self> {
        let consumer: BaseConsumer<Reporter> = client::config(kafka, SETTINGS)
            .create_with_context(Reporter::new(kafka))
            .context("cannot make a Kafka consumer")?;
        let partitions = client::partitions(consumer.client(), name)?
            .ok_or_else(|| anyhow!("topic {name} does not exist"))?;
        Ok(Self { consumer, name: name.to_owned(), voice: kafka.voice, partitions })
    }

    /// Hands every record to `take`; fails when nothing comes for `patience` before the end.
    pub(super) fn read(
        &self,
        patience: Duration,
        stop: &Stop,
        mut take: impl FnMut(&Record<'_>),
    ) -> Result<()> {
        let mut offsets = TopicPartitionList::new();
        for partition in 0..self.partitions {
            offsets.add_partition_offset(&self.name, partition as i32, Offset::Beginning)?;
        }
        self.consumer.assign(&offsets).context("cannot assign partitions")?;
        let mut progress = Progress::new(self.voice, format!("reading {}", self.name), None);
        let mut at_end = HashSet::new();
        let mut taken = 0_u64;
        let mut last = Instant::now();
        while at_end.len() < self.partitions {
            if stop.is_asked() {
                bail!("stopped while reading {}", self.name);
            }
            match self.consumer.poll(POLL_TIMEOUT) {
                Some(Ok(message)) => {
                    at_end.remove(&message.partition());
                    take(&record_of(&message));
                    taken += 1;
                    last = Instant::now();
                    if taken.is_multiple_of(LOOK_EVERY) {
                        progress.set(taken);
                    }
                    continue;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    at_end.insert(partition);
                    last = Instant::now();
                }
                Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_passing) => {}
                Some(Err(error)) => {
                    return Err(error).with_context(|| format!("cannot read {}", self.name));
                }
                None => {}
            }
            if last.elapsed() > patience {
                bail!(
                    "nothing came from {} for {patience:?}, and {} of {} partitions are not at \
                     their end: see --timeout",
                    self.name,
                    self.partitions - at_end.len(),
                    self.partitions
                );
            }
        }
        progress.finish();
        Ok(())
    }
}

/// Errors that the client itself recovers from.
fn is_passing(code: rdkafka::types::RDKafkaErrorCode) -> bool {
    use rdkafka::types::RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
    )
}

fn record_of<'a>(message: &'a BorrowedMessage<'_>) -> Record<'a> {
    let headers = message.headers();
    Record {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
        key: message.key(),
        value: message.payload(),
        headers: headers
            .map(|headers| headers.iter().map(|header| (header.key, header.value)).collect())
            .unwrap_or_default(),
    }
}
