//! Reads a topic from its first record to its end, as a `read_committed` reader.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::{BorrowedMessage, Headers as _, Message as _},
};

use super::record::Record;
use crate::{
    args::KafkaArgs,
    client::{self, Reporter},
    messages::MessageOutput,
    progress::RunProgress,
    settled,
    stop::Stop,
};

/// Timeout of one poll.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// Records between two updates of the progress.
const LOOK_EVERY: u64 = 4_096;

const SETTINGS: &[(&str, &str)] = &[
    // The group is never joined and nothing is committed; assigning partitions needs a name.
    ("group.id", "loadgen-verify"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
    ("check.crcs", "true"),
    ("fetch.queue.backoff.ms", "10"),
    // A fetch that finds nothing reports a topic's end, and all later requests on the same
    // connection wait for its answer: with the default, for half a second each time.
    ("fetch.wait.max.ms", "10"),
];

/// An existing topic.
pub(super) struct Topic {
    consumer: BaseConsumer<Reporter>,
    /// A consumer that sees open transactions as well; it is only used to query ends.
    everything: BaseConsumer<Reporter>,
    name: String,
    messages: MessageOutput,
    pub(super) partitions: usize,
}

impl Topic {
    /// Finds the topic.
    pub(super) fn open(kafka: &KafkaArgs, name: &str) -> Result<Self> {
        let reader = |isolation| {
            client::config(kafka, SETTINGS)
                .set("isolation.level", isolation)
                .create_with_context(Reporter::new(kafka))
                .context("cannot create a Kafka consumer")
        };
        let consumer: BaseConsumer<Reporter> = reader("read_committed")?;
        let everything = reader("read_uncommitted")?;
        let partitions = client::partitions(consumer.client(), name)?
            .ok_or_else(|| anyhow!("topic {name} does not exist"))?;
        Ok(Self {
            consumer,
            everything,
            name: name.to_owned(),
            messages: kafka.messages,
            partitions,
        })
    }

    /// Passes every record to `take`; fails when nothing arrives for `patience` before the end.
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
        self.wait_for_ends(patience, stop)?;
        self.consumer.assign(&offsets).context("cannot assign partitions")?;
        let mut progress = RunProgress::new(self.messages, format!("reading {}", self.name), None);
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

impl Topic {
    /// Waits until all records in the topic can be read. A commit is answered before every
    /// partition has its marker; until then its records are beyond the end for a `read_committed`
    /// reader.
    fn wait_for_ends(&self, patience: Duration, stop: &Stop) -> Result<()> {
        let began = Instant::now();
        let written = self.ends(&self.everything)?;
        loop {
            let seen = self.ends(&self.consumer)?;
            let hidden = (0..self.partitions).find(|p| seen[*p] < written[*p]);
            let Some(partition) = hidden else { return Ok(()) };
            if began.elapsed() > patience {
                let count = written[partition] - seen[partition];
                self.messages.warn(&format!(
                    "{}: an open transaction hides {count} offsets of partition {partition}; what \
                     is behind it counts as missing",
                    self.name
                ));
                return Ok(());
            }
            if stop.is_asked() {
                bail!("stopped while waiting for transactions in {}", self.name);
            }
            std::thread::sleep(POLL_TIMEOUT);
        }
    }

    /// The end of each partition for this reader.
    fn ends(&self, reader: &BaseConsumer<Reporter>) -> Result<Vec<i64>> {
        settled::ends(reader, &self.name, self.partitions)
    }
}

/// Whether the client recovers from this error by itself.
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
