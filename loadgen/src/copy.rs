//! `loadgen copy`: copies a topic record by record, as a baseline for faster programs.
//!
//! In:  one topic, read by a consumer group with `poll`, record by record.
//! Out: the same keys and values in another topic, sent record by record; a report of the cost.
//! Holds: offsets are committed after everything read before is delivered (at least once), or in
//! the transaction that delivers it (exactly once).

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Message as _},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::{
    Failure, Outcome,
    args::CopyArgs,
    client::{self, Reporter},
    progress::RunProgress,
    stop::Stop,
    usage::Usage,
};

/// How long one poll waits for a record.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);

/// Timeout of delivery and of transactional calls.
const DELIVERY_TIMEOUT: Duration = Duration::from_mins(1);

/// Records between two readings of the clock.
const LOOK_EVERY: u64 = 256;

const PRODUCER: &[(&str, &str)] = &[
    ("acks", "all"),
    ("enable.idempotence", "true"),
    ("partitioner", "murmur2_random"),
    ("linger.ms", "5"),
    ("batch.num.messages", "10000"),
    ("queue.buffering.max.messages", "500000"),
    ("queue.buffering.max.kbytes", "262144"),
    ("delivery.report.only.error", "true"),
];

const CONSUMER: &[(&str, &str)] = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "earliest"),
    ("isolation.level", "read_committed"),
    ("enable.partition.eof", "true"),
    // The default of a second would stall a consumer that is faster than its fetches.
    ("fetch.queue.backoff.ms", "10"),
];

/// Runs the command.
pub(crate) fn run(args: &CopyArgs, stop: &Stop) -> Result<Outcome, Failure> {
    if args.from == args.to {
        return Err(Failure::Usage("--from and --to: name two different topics".to_owned()));
    }
    Ok(copy(args, stop)?)
}

fn copy(args: &CopyArgs, stop: &Stop) -> Result<Outcome> {
    client::open_topic(&args.kafka, &args.to, &args.create)?;
    let mut pipe = Copier::new(args)?;
    let interval = Duration::try_from(args.commit_interval).context("--commit-interval")?;
    let mut progress =
        RunProgress::new(args.kafka.messages, format!("copying {}", args.from), None);
    let (mut before, mut started) = (Usage::now(), None);
    let (mut copied, mut bytes) = (0_u64, 0_u64);
    let mut last_commit = Instant::now();

    while !(stop.is_asked() || args.exit_at_end && pipe.is_at_end()?) {
        if let Some(message) = pipe.next()? {
            if started.is_none() {
                started = Some(Instant::now());
                before = Usage::now();
            }
            bytes += message.payload_len() as u64;
            copied += 1;
            if !copied.is_multiple_of(LOOK_EVERY) {
                continue;
            }
        }
        pipe.producer.poll(Duration::ZERO);
        if last_commit.elapsed() >= interval {
            pipe.commit()?;
            last_commit = Instant::now();
            progress.set(copied);
        }
    }
    pipe.commit()?;
    progress.finish();
    let seconds = started.map_or(0.0, |started| started.elapsed().as_secs_f64());
    report(args, copied, bytes, seconds, &before);
    Ok(Outcome::Fine)
}

fn report(args: &CopyArgs, copied: u64, bytes: u64, seconds: f64, before: &Usage) {
    let usage = Usage::now();
    let cpu_s = usage.cpu_since(before);
    let (events, per_s) = (copied.max(1) as f64, copied as f64 / seconds.max(1e-9));
    println!("copied {copied} records from {} to {} in {seconds:.2} s", args.from, args.to);
    println!("rate {per_s:.0}/s, {:.1} MB/s", bytes as f64 / 1e6 / seconds.max(1e-9));
    println!("processor time {cpu_s:.2} s, {:.2} µs per record", cpu_s * 1e6 / events);
    println!("memory at most {:.0} MiB", usage.max_resident_mib());
}

/// A consumer, a producer, and the offsets to commit.
struct Copier {
    consumer: BaseConsumer<Reporter>,
    producer: BaseProducer<Reporter>,
    from: String,
    to: String,
    has_transactions: bool,
    in_transaction: bool,
    /// Next offset to read of each partition; `None` when nothing was read since the last commit.
    next: Vec<Option<i64>>,
    at_end: HashSet<i32>,
}

impl Copier {
    fn new(args: &CopyArgs) -> Result<Self> {
        let mut own = CONSUMER.to_vec();
        own.push(("group.id", &args.group_id));
        let consumer: BaseConsumer<Reporter> = client::config(&args.kafka, &own)
            .create_with_context(Reporter::new(&args.kafka))
            .context("cannot create a Kafka consumer")?;
        let Some(partitions) = client::partitions(consumer.client(), &args.from)? else {
            bail!("topic {} does not exist", args.from);
        };
        let id = format!("loadgen-copy-{}", args.group_id);
        let mut own = PRODUCER.to_vec();
        if args.transactions {
            own.push(("transactional.id", &id));
        }
        let producer: BaseProducer<Reporter> = client::config(&args.kafka, &own)
            .create_with_context(Reporter::new(&args.kafka))
            .context("cannot create a Kafka producer")?;
        if args.transactions {
            producer.init_transactions(DELIVERY_TIMEOUT).context("cannot start transactions")?;
        }
        consumer.subscribe(&[&args.from]).context("cannot subscribe")?;
        Ok(Self {
            consumer,
            producer,
            from: args.from.clone(),
            to: args.to.clone(),
            has_transactions: args.transactions,
            in_transaction: false,
            next: vec![None; partitions],
            at_end: HashSet::new(),
        })
    }

    /// Reads one record and passes it to the producer.
    fn next(&mut self) -> Result<Option<BorrowedMessage<'_>>> {
        let message = match self.consumer.poll(POLL_TIMEOUT) {
            None => return Ok(None),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.at_end.insert(partition);
                return Ok(None);
            }
            Some(Err(error)) => return Err(error).context("cannot read"),
            Some(Ok(message)) => message,
        };
        self.at_end.remove(&message.partition());
        if self.has_transactions && !self.in_transaction {
            self.producer.begin_transaction().context("cannot begin a transaction")?;
            self.in_transaction = true;
        }
        send(&self.producer, &self.to, &message)?;
        let partition = message.partition() as usize;
        if self.next.len() <= partition {
            self.next.resize(partition + 1, None);
        }
        self.next[partition] = Some(message.offset() + 1);
        Ok(Some(message))
    }

    fn is_at_end(&self) -> Result<bool> {
        if self.at_end.is_empty() {
            return Ok(false);
        }
        Ok(self.consumer.assignment()?.count() == self.at_end.len())
    }

    /// Waits until everything is delivered, then commits what was read.
    fn commit(&mut self) -> Result<()> {
        let deadline = Instant::now() + DELIVERY_TIMEOUT;
        while self.producer.in_flight_count() > 0 {
            if Instant::now() > deadline {
                bail!("{} records are not delivered", self.producer.in_flight_count());
            }
            self.producer.poll(Duration::from_millis(1));
        }
        if let (1.., reason) = self.producer.context().failures() {
            bail!("records were not delivered: {}", reason.unwrap_or_default());
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in (0..).zip(&mut self.next) {
            if let Some(next) = next.take() {
                offsets.add_partition_offset(&self.from, partition, Offset::Offset(next))?;
            }
        }
        if offsets.count() == 0 {
            return Ok(());
        }
        if self.has_transactions {
            let group =
                self.consumer.group_metadata().context("the consumer has left its group")?;
            self.producer.send_offsets_to_transaction(&offsets, &group, DELIVERY_TIMEOUT)?;
            self.producer.commit_transaction(DELIVERY_TIMEOUT).context("cannot commit")?;
            self.in_transaction = false;
        } else {
            self.consumer.commit(&offsets, CommitMode::Sync).context("cannot commit")?;
        }
        Ok(())
    }
}

fn send(producer: &BaseProducer<Reporter>, to: &str, message: &BorrowedMessage<'_>) -> Result<()> {
    let mut record = BaseRecord::<[u8], [u8]>::to(to);
    record.key = message.key();
    record.payload = message.payload();
    loop {
        record = match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => record,
            Err((error, _)) => return Err(error).context("cannot send"),
        };
        producer.poll(Duration::from_millis(10));
    }
}
