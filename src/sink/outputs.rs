//! Everything that is to be produced, in order, in front of librdkafka's queue. Owned by the sink.
//!
//! In:  batches of enriched records and rejected records; window records, journal records.
//! Out: librdkafka, whole batches at a time; emptied arenas back to the workers.
//! Holds: a record is taken out of here once librdkafka has accepted its copy; order per output
//! partition is the order of arrival. Windows do not wait behind records: an epoch waits for them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{EpochFailure, ahead::Ahead, connection::Connection, rejects};
use crate::{
    batch::{Emptied, OutputBatch, Pool, RejectBatch, Span},
    client::{Client, Clock, RecordProducer},
    error::RunError,
    headers::HeaderBlock,
    ids::PartitionId,
    journal::Written,
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
    /// Settings of the producer that has the transactions.
    pub producer: ProducerSettings,
    /// Settings of the producer of enriched events, where those are not part of the transaction.
    pub ahead: Option<ProducerSettings>,
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

/// What has to be delivered before an epoch is committed.
#[derive(Debug)]
pub(super) struct Awaited<C: Client> {
    /// Of what goes ahead; made when the epoch is complete, before anything of the next one.
    ahead: Option<Mark<C>>,
    /// Of the rest; made once librdkafka has taken all of it.
    rest: Option<Mark<C>>,
}

/// What was accepted up to one moment.
type Mark<C> = <<C as Client>::Producer as RecordProducer>::Mark;

/// The producing side of the sink.
#[derive(Debug)]
pub(crate) struct Outputs<C: Client> {
    settings: OutputSettings,
    client: C,
    connection: Connection<C>,
    /// At-least-once: the producer of enriched events. All others go into the transaction, which is
    /// opened once the epoch is complete.
    ahead: Option<Ahead<C>>,
    /// Whether the open epoch is complete.
    is_complete: bool,
    windows: VecDeque<WindowBatch>,
    queue: VecDeque<Outgoing>,
    journal: VecDeque<(Written, usize)>,
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
        let ahead = ahead(&client, &settings)?;
        Ok(Self {
            settings,
            client,
            connection,
            ahead,
            is_complete: false,
            windows: VecDeque::new(),
            queue: VecDeque::new(),
            journal: VecDeque::new(),
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
        let timeout = limits::BROKER_QUERY_TIMEOUT;
        for handle in self.connection.handles().values() {
            self.connection.producer().learn_partitions(handle, timeout)?;
        }
        if let Some(ahead) = &self.ahead {
            ahead.producer().learn_partitions(ahead.topic(), timeout)?;
        }
        Ok(())
    }

    /// Queues enriched records.
    pub(crate) fn processed(&mut self, batch: OutputBatch) {
        match &mut self.ahead {
            Some(ahead) => ahead.take(batch),
            None => self.queue.push_back(Outgoing::Processed(batch, 0)),
        }
    }

    /// Whether enriched events go outside the transaction.
    pub(super) fn sends_ahead(&self) -> bool {
        self.ahead.is_some()
    }

    /// Queues records for the side topics.
    pub(crate) fn rejected(&mut self, batch: RejectBatch) {
        self.queue.push_back(Outgoing::Rejected(batch, 0));
    }

    /// Queues window records.
    pub(crate) fn windows(&mut self, windows: &[WindowRecord]) {
        if windows.is_empty() {
            return;
        }
        let OutputTopic { partitions: count, record_bytes } =
            self.settings.facts[Topic::Aggregated];
        let mut per_partition = vec![Emptied::<Span>::default(); count as usize];
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

    /// Queues a record of the journal.
    pub(super) fn journal(&mut self, record: Written) {
        self.journal.push_back((record, 0));
    }

    /// The open epoch is complete: from here on what waits for the transaction goes into it.
    /// Returns what has to be delivered before the commit.
    pub(super) fn complete(&mut self) -> Awaited<C> {
        self.is_complete = true;
        Awaited { ahead: self.ahead.as_ref().map(Ahead::mark), rest: None }
    }

    /// The epoch is finished.
    pub(super) fn finish(&mut self) {
        self.is_complete = false;
    }

    /// Hands over as much as librdkafka takes. True when nothing that may be sent waits here any
    /// more.
    pub(crate) fn pump(&mut self) -> Result<bool, EpochFailure> {
        let ahead = match &mut self.ahead {
            Some(ahead) => {
                if !ahead.is_empty() {
                    self.lingers_since.get_or_insert_with(|| self.client.clock().now());
                }
                ahead.pump(&self.pool)?
            }
            None => true,
        };
        let may_open = self.ahead.is_none() || self.is_complete;
        Ok(if may_open { self.pump_transaction()? } else { true } && ahead)
    }

    fn waits(&self) -> bool {
        !(self.windows.is_empty() && self.queue.is_empty() && self.journal.is_empty())
    }

    fn pump_transaction(&mut self) -> Result<bool, EpochFailure> {
        if !self.waits() {
            return Ok(true);
        }
        if !self.connection.make_ready()? {
            return Ok(false);
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
                    send_spans(producer, handles[batch.topic], batch.partition, records, sent)
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
        while let Some((record, sent)) = self.journal.front_mut() {
            match send_journal(producer, handles[Topic::Journal], record, sent) {
                Ok(true) => drop(self.journal.pop_front()),
                Ok(false) => return Ok(false),
                Err(error) => return Err(self.connection.failure(error)),
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
            for producer in self.producers() {
                if producer.in_flight() < limits::SINK_LINGER_RECORDS {
                    producer.hurry();
                }
            }
        }
    }

    /// Whether all that an epoch awaits was delivered.
    pub(super) fn have_delivered(&self, awaited: &mut Awaited<C>) -> bool {
        if awaited.rest.is_none() && !self.waits() {
            awaited.rest = Some(self.connection.mark());
        }
        let is_delivered = |mark: &Mark<C>| self.connection.producer().has_delivered(mark);
        let is_ahead = match (&self.ahead, &awaited.ahead) {
            (Some(ahead), Some(mark)) => ahead.producer().has_delivered(mark),
            _ => true,
        };
        is_ahead && awaited.rest.as_ref().is_some_and(is_delivered)
    }

    /// The producer and its transaction.
    pub(crate) fn connection(&mut self) -> &mut Connection<C> {
        &mut self.connection
    }

    /// Every producer.
    pub(super) fn producers(&self) -> impl Iterator<Item = &C::Producer> {
        let ahead = self.ahead.as_ref().map(Ahead::producer);
        ahead.into_iter().chain([self.connection.producer()])
    }

    /// Serves the producers' events, waiting for the first at most so long.
    pub(super) fn poll(&self) {
        for producer in self.producers() {
            producer.poll(Duration::ZERO);
        }
    }

    /// Records whose delivery is not reported.
    pub(super) fn in_flight(&self) -> usize {
        self.producers().map(RecordProducer::in_flight).sum()
    }

    /// Dead letters that had to be cut since the last call.
    pub(crate) fn take_truncated(&mut self) -> u64 {
        std::mem::take(&mut self.truncated)
    }

    /// Forgets all that is queued, in flight or in an open transaction. A new producer takes the
    /// old one's place: its sequence numbers have no gaps, whatever became of the old one's
    /// requests, and registering it ends the old one's transaction.
    pub(crate) fn discard(&mut self) -> Result<(), EpochFailure> {
        self.windows.clear();
        self.queue.clear();
        self.journal.clear();
        self.is_complete = false;
        if let Some(ahead) = &mut self.ahead {
            drop(ahead.clear());
            if !ahead.is_clean() {
                self.ahead =
                    self::ahead(&self.client, &self.settings).map_err(|error| not_made(&error))?;
            }
        }
        if !self.connection.is_clean() {
            self.connection.end();
            self.renew()?;
        }
        drop(self.connection.producer().take_delivery_failures());
        Ok(())
    }

    /// A new producer takes the place of the one that has the transactions. Nothing is open.
    pub(super) fn renew(&mut self) -> Result<(), EpochFailure> {
        self.connection =
            Connection::new(&self.client, &self.settings).map_err(|error| not_made(&error))?;
        Ok(())
    }
}

fn ahead<C: Client>(client: &C, settings: &OutputSettings) -> Result<Option<Ahead<C>>, KafkaError> {
    let made = |producer| Ahead::new(client, producer, &settings.topics[Topic::Processed]);
    settings.ahead.as_ref().map(made).transpose()
}

fn not_made(error: &KafkaError) -> EpochFailure {
    EpochFailure::Stop(RunError::Kafka(format!("a new producer cannot be made: {error}")))
}

/// Sends the rest of a journal record's chunks. True when all were accepted.
fn send_journal<P: RecordProducer>(
    producer: &P,
    topic: P::Topic,
    record: &Written,
    sent: &mut usize,
) -> Result<bool, KafkaError> {
    let rest = record.chunks[*sent..].iter().map(|(key, value)| OutRecord {
        key,
        value,
        headers: HeaderBlock::default(),
    });
    let outcome = producer.send_batch(&topic, record.partition, rest);
    if let Some(error) = outcome.refused.into_iter().next().map(|(_, error)| error) {
        return Err(error);
    }
    *sent += outcome.accepted;
    Ok(*sent == record.chunks.len())
}

/// Sends the rest of a batch. True when all of it was accepted.
pub(super) fn send_spans<P: RecordProducer>(
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
