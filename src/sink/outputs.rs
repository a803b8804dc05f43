//! Everything that is to be produced, in order, in front of librdkafka's queue. Owned by the sink.
//!
//! In:  batches of enriched records, rejected records and window records.
//! Out: librdkafka, whole batches at a time; emptied arenas back to the workers.
//! Holds: a record is taken out of here once librdkafka has accepted its copy; order per output
//! partition is the order of arrival. Windows do not wait behind records: an epoch waits for them.

use std::{collections::VecDeque, time::Instant};

use super::{EpochFailure, connection::Connection, rejects};
use crate::{
    batch::{Emptied, OutputBatch, Pool, RejectBatch, Span},
    client::{Client, Clock, RecordProducer},
    error::RunError,
    ids::PartitionId,
    kafka::{KafkaError, OutRecord, Partitioner, ProducerSettings},
    limits,
    topics::{PerOutput, PerTopic, Topic},
    window::WindowRecord,
};

/// What the broker says of an output topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputTopic {
    /// Number of partitions.
    pub partitions: i32,
    /// Bytes that key, value and headers of a record may have together.
    pub record_bytes: usize,
}

/// How the outputs are produced.
#[derive(Debug, Clone)]
pub struct OutputSettings {
    /// The producer's settings.
    pub producer: ProducerSettings,
    /// Topic names.
    pub topics: PerTopic<String>,
    /// What the broker says of the outputs.
    pub facts: PerOutput<OutputTopic>,
}

#[derive(Debug)]
enum Outgoing {
    Processed(OutputBatch, usize),
    Rejected(RejectBatch, usize),
}

/// Window records for one partition of aggregated-usage.
#[derive(Debug)]
struct WindowBatch {
    partition: PartitionId,
    arena: Vec<u8>,
    records: Vec<Span>,
    sent: usize,
}

/// What has to be delivered before an epoch goes on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Awaited {
    /// All that was given here.
    Everything,
    /// The window records.
    Windows,
}

/// What was accepted up to one moment.
pub(super) type Mark<C> = <<C as Client>::Producer as RecordProducer>::Mark;

/// The producing side of the sink.
#[derive(Debug)]
pub(crate) struct Outputs<C: Client> {
    settings: OutputSettings,
    client: C,
    connection: Connection<C>,
    windows: VecDeque<WindowBatch>,
    queue: VecDeque<Outgoing>,
    pool: Pool<Emptied<Span>>,
    truncated: u64,
    /// When librdkafka took the first record that it may still hold back.
    lingers_since: Option<Instant>,
}

impl<C: Client> Outputs<C> {
    pub(crate) fn new(
        client: C,
        settings: OutputSettings,
        pool: Pool<Emptied<Span>>,
    ) -> Result<Self, KafkaError> {
        let connection = Connection::new(&client, &settings)?;
        let (windows, queue) = (VecDeque::new(), VecDeque::new());
        Ok(Self {
            settings,
            client,
            connection,
            windows,
            queue,
            pool,
            truncated: 0,
            lingers_since: None,
        })
    }

    /// The topics have so many partitions now. Asks the brokers through the producer, which takes
    /// no record for a partition that it does not know of.
    pub(crate) fn adopt(&mut self, partitions: PerOutput<i32>) -> Result<(), EpochFailure> {
        for (topic, facts) in self.settings.facts.iter_mut() {
            facts.partitions = partitions[topic];
        }
        for handle in self.connection.handles().values() {
            self.producer().learn_partitions(handle, limits::BROKER_QUERY_TIMEOUT)?;
        }
        Ok(())
    }

    /// Queues enriched records.
    pub(crate) fn processed(&mut self, batch: OutputBatch) {
        self.queue.push_back(Outgoing::Processed(batch, 0));
    }

    /// Queues records for the side topics.
    pub(crate) fn rejected(&mut self, batch: RejectBatch) {
        self.queue.push_back(Outgoing::Rejected(batch, 0));
    }

    /// Queues window records.
    pub(crate) fn windows(&mut self, windows: &[WindowRecord]) {
        let mut per_partition: Vec<Emptied<Span>> = Vec::new();
        let OutputTopic { partitions: count, record_bytes } =
            self.settings.facts[Topic::Aggregated];
        per_partition.resize_with(count as usize, Emptied::default);
        let partitioner = Partitioner::new(count);
        for window in windows {
            let key = window.key();
            let partition = partitioner.partition_of(key.as_bytes());
            let (arena, records) = &mut per_partition[partition.0 as usize];
            let start = arena.len();
            arena.extend_from_slice(key.as_bytes());
            window.encode(arena, record_bytes - key.len());
            records.push(Span::closing(arena, start, key.len()));
        }
        for (number, (arena, records)) in per_partition.into_iter().enumerate() {
            if !records.is_empty() {
                let partition = PartitionId(number as i32);
                self.windows.push_back(WindowBatch { partition, arena, records, sent: 0 });
            }
        }
    }

    /// Hands over as much as librdkafka takes. True when nothing waits here any more.
    pub(crate) fn pump(&mut self) -> Result<bool, EpochFailure> {
        if self.windows.is_empty() && self.queue.is_empty() {
            return Ok(true);
        }
        self.connection.begin()?;
        self.lingers_since.get_or_insert_with(|| self.client.clock().now());
        let (producer, handles) = (self.connection.producer(), self.connection.handles());
        while let Some(batch) = self.windows.front_mut() {
            let records = (batch.arena.as_slice(), batch.records.as_slice());
            let topic = handles[Topic::Aggregated];
            match send_spans(producer, topic, batch.partition, records, &mut batch.sent) {
                Ok(true) => drop(self.windows.pop_front()),
                Ok(false) => return Ok(false),
                Err(error) => return Err(self.connection.failure(error)),
            }
        }
        while let Some(front) = self.queue.front_mut() {
            let sent = match front {
                Outgoing::Processed(batch, sent) => {
                    let records = (batch.arena.as_slice(), batch.records.as_slice());
                    send_spans(producer, handles[Topic::Processed], batch.partition, records, sent)
                }
                Outgoing::Rejected(batch, sent) => {
                    let truncated = &mut self.truncated;
                    rejects::send(producer, handles, &self.settings, batch, sent, truncated)
                }
            };
            match sent {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => return Err(self.connection.failure(error)),
            }
            if let Some(Outgoing::Processed(batch, _)) = self.queue.pop_front() {
                self.pool.give(batch.arena, batch.records);
            }
        }
        Ok(true)
    }

    /// Lets records go that librdkafka holds back, unless there is so much to do that larger
    /// requests are worth the wait.
    pub(super) fn hurry(&mut self) {
        let clock = self.client.clock();
        if self.lingers_since.is_some_and(|since| clock.since(since) >= limits::SINK_LINGER) {
            self.lingers_since = None;
            if self.producer().in_flight() < limits::SINK_LINGER_RECORDS {
                self.producer().hurry();
            }
        }
    }

    /// Whether all that `mark` counts was delivered. The mark is made here, once librdkafka has
    /// taken the windows; without records that wait behind it, that is all there is.
    pub(super) fn have_delivered(&self, what: Awaited, mark: &mut Option<Mark<C>>) -> bool {
        if mark.is_none() && self.windows.is_empty() {
            *mark = Some(self.mark(what));
        }
        mark.as_ref().is_some_and(|mark| self.producer().has_delivered(mark))
    }

    /// Counts what librdkafka has taken.
    pub(super) fn mark(&self, what: Awaited) -> Mark<C> {
        let handles = self.connection.handles();
        match what {
            Awaited::Everything => self.producer().mark(handles.values()),
            Awaited::Windows => self.producer().mark(&[handles[Topic::Aggregated]]),
        }
    }

    /// The producer and its transaction.
    pub(crate) fn connection(&mut self) -> &mut Connection<C> {
        &mut self.connection
    }

    /// Makes clients.
    pub(super) fn client(&self) -> &C {
        &self.client
    }

    /// The producer, for polling and for reports.
    pub(crate) fn producer(&self) -> &C::Producer {
        self.connection.producer()
    }

    /// Dead letters that had to be cut since the last call.
    pub(crate) fn take_truncated(&mut self) -> u64 {
        std::mem::take(&mut self.truncated)
    }

    /// Forgets all that is queued, in flight or in an open transaction. A new producer takes the
    /// old one's place: its sequence numbers have no gaps, whatever became of the old one's
    /// requests, and registering it ends the old one's transaction.
    /// False when another process may have registered the id meanwhile.
    pub(crate) fn discard(&mut self) -> Result<bool, EpochFailure> {
        self.windows.clear();
        self.queue.clear();
        let mut sure = true;
        if !self.connection.is_clean() {
            sure = self.connection.end()?;
            self.connection = Connection::new(&self.client, &self.settings).map_err(|error| {
                EpochFailure::Stop(RunError::Kafka(format!(
                    "a new producer cannot be made: {error}"
                )))
            })?;
        }
        drop(self.producer().take_delivery_failures());
        Ok(sure)
    }
}

/// Sends the rest of a batch. True when all of it was accepted.
fn send_spans<P: RecordProducer>(
    producer: &P,
    topic: P::Topic,
    partition: PartitionId,
    (arena, records): (&[u8], &[Span]),
    sent: &mut usize,
) -> Result<bool, KafkaError> {
    let rest = records[*sent..].iter().map(|span| OutRecord {
        key: span.key(arena).unwrap_or_default(),
        value: span.value(arena),
        headers: span.headers(arena),
    });
    let outcome = producer.send_batch(&topic, partition, rest);
    // Neither can be left out: the caller stops, or rolls back.
    if let Some(error) = outcome.refused.into_iter().next().map(|(_, error)| error) {
        return Err(error);
    }
    *sent += outcome.accepted;
    Ok(*sent == records.len())
}
