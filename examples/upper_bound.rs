//! The most that a processor on librdkafka can do here: reads a topic, writes each record with more
//! bytes to another one, commits, with logintide's own calls and settings, and looks into no
//! record. With `--tape` simd-json also builds the tape of each value, and nobody looks at it.
//!
//! What logintide does beyond that is its own: rules, keys, counting, windows, a store. It ends at
//! the end of the input. `cargo xtask bench pairs` runs it beside logintide and a copy.

use std::{
    error::Error,
    hint::black_box,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use logintide::{
    batch::{Emptied, Pool, Span},
    ids::{Offset, PartitionId},
    kafka::{
        self, ClientSettings, CommitEntry, Committer, Consumer, ConsumerSettings, DrainEvent, Flow,
        Mark, OutRecord, Producer, ProducerSettings, RebalanceEvent, Record, TopicHandle,
        Transactional,
    },
    limits::{self, Timing},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Batches between the two threads, so that reading goes on while a transaction is committed.
const CHANNEL_BATCHES: usize = 256;

/// Behind each value: as much as logintide appends to an event of loadgen's seven fields.
const MORE: [u8; 118] = [b' '; 118];

/// Longest wait for a call that the broker answers.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Parser, Debug)]
struct Options {
    /// Brokers, host:port
    #[arg(long)]
    brokers: String,
    /// Topic to read, from its beginning to its end
    #[arg(long)]
    from: String,
    /// Topic to write, with as many partitions; a record keeps its partition
    #[arg(long)]
    to: String,
    /// Consumer group, a new one
    #[arg(long)]
    group_id: String,
    /// Let simd-json build each value's tape
    #[arg(long)]
    tape: bool,
    /// A transaction every 500 ms instead of commits of offsets alone
    #[arg(long)]
    transactions: bool,
}

/// Records of one partition, on their way out.
struct Batch {
    partition: PartitionId,
    arena: Vec<u8>,
    records: Vec<Span>,
    next: Offset,
}

fn main() -> Outcome<()> {
    let options = Options::parse();
    kafka::release_freed_pages_after(limits::FREED_PAGES_KEPT);
    let client = ClientSettings { brokers: options.brokers.clone(), properties: Vec::new() };
    let timing = Timing::of(limits::SESSION_TIMEOUT, COMMIT_INTERVAL);
    let consumer = Consumer::new(&ConsumerSettings {
        client: client.clone(),
        group_id: options.group_id.clone(),
        instance_id: None,
        topic: options.from.clone(),
        fetch_queue_kbytes: limits::FETCH_QUEUE_BYTES / 1024,
        session_timeout: timing.session(),
        max_poll_interval: timing.max_poll(),
        reads_uncommitted: false,
    })?;
    let mut producer = Producer::new(&ProducerSettings {
        client,
        queue_kbytes: limits::PRODUCER_QUEUE_BYTES / 1024,
        batch_bytes: limits::MESSAGE_MAX_BYTES,
        linger: limits::PRODUCER_LINGER,
        delivery_timeout: timing.delivery(),
        transactional: options
            .transactions
            .then(|| Transactional { id: options.group_id.clone(), timeout: timing.transaction() }),
    })?;
    if options.transactions {
        producer.transactions().init(CALL_TIMEOUT)?;
    }
    let topic = producer.topic(&options.to)?;
    let pool = Pool::new(limits::OUTPUT_BATCH_BYTES, Arc::default());
    let (to_writer, batches) = bounded(CHANNEL_BATCHES);
    let writer = Writer {
        committer: consumer.committer(),
        producer,
        topic,
        from: options.from.clone(),
        transactions: options.transactions,
        pool: pool.clone(),
        next: Vec::new(),
        awaited: None,
        in_transaction: false,
    };
    let writer = thread::Builder::new().name("sink".into()).spawn(move || writer.run(&batches))?;
    let reader = Reader::new(&options, pool, to_writer);
    let copied = reader.run(consumer, &|| writer.is_finished())?;
    writer.join().expect("the writer does not panic")?;
    println!("copied {copied} records");
    Ok(())
}

/// Reads, appends, hands over.
struct Reader {
    tape: Option<(Vec<u8>, simd_json::Buffers)>,
    pool: Pool<Emptied<Span>>,
    to_writer: Sender<Batch>,
    open: Vec<Batch>,
    at_end: Vec<bool>,
    copied: u64,
}

impl Reader {
    fn new(options: &Options, pool: Pool<Emptied<Span>>, to_writer: Sender<Batch>) -> Self {
        Self {
            tape: options.tape.then(Default::default),
            pool,
            to_writer,
            open: Vec::new(),
            at_end: Vec::new(),
            copied: 0,
        }
    }

    /// Reads to the end, then keeps the membership until the writer has committed with it.
    fn run(mut self, mut consumer: Consumer, has_written: &dyn Fn() -> bool) -> Outcome<u64> {
        consumer.subscribe()?;
        while self.at_end.is_empty() || self.at_end.contains(&false) {
            self.serve(&mut consumer)?;
            let mut trouble = None;
            let drained = consumer.drain(Duration::from_millis(5), |event| {
                match self.take(event) {
                    Ok(()) => return Flow::Continue,
                    Err(error) => trouble = Some(error),
                }
                Flow::Stop
            });
            if let Some(error) = trouble {
                return Err(error);
            }
            if drained == 0 {
                (0..self.open.len()).try_for_each(|number| self.hand_over(number))?;
            }
        }
        (0..self.open.len()).try_for_each(|number| self.hand_over(number))?;
        let copied = self.copied;
        drop(self);
        while !has_written() {
            consumer.serve(Duration::from_millis(10), &mut |_| {})?;
        }
        Ok(copied)
    }

    fn serve(&mut self, consumer: &mut Consumer) -> Outcome<()> {
        consumer.serve(Duration::ZERO, &mut |_| {})?;
        match consumer.next_rebalance() {
            None => Ok(()),
            Some(RebalanceEvent::Assigned(partitions)) => {
                let starts: Vec<_> = partitions.iter().map(|id| (*id, Offset(0))).collect();
                self.at_end = vec![false; partitions.len()];
                self.open = partitions.iter().map(|id| self.empty(*id)).collect();
                Ok(consumer.assign(&starts)?)
            }
            Some(other) => Err(format!("the group has changed: {other:?}").into()),
        }
    }

    fn empty(&self, partition: PartitionId) -> Batch {
        let (arena, records) = self.pool.take();
        Batch { partition, arena, records, next: Offset(0) }
    }

    fn take(&mut self, event: DrainEvent<'_>) -> Outcome<()> {
        match event {
            DrainEvent::Record(record) => self.append(&record),
            DrainEvent::EndOfPartition { partition, .. } => {
                self.at_end[partition.0 as usize] = true;
                Ok(())
            }
            DrainEvent::Error { error, .. } => Err(error.into()),
        }
    }

    fn append(&mut self, record: &Record<'_>) -> Outcome<()> {
        let number = record.partition.0 as usize;
        let (key, value) = (record.key.unwrap_or_default(), record.value.unwrap_or_default());
        if let Some((copy, buffers)) = &mut self.tape {
            copy.clear();
            copy.extend_from_slice(value);
            black_box(simd_json::to_tape_with_buffers(copy, buffers)?.0.len());
        }
        let batch = &mut self.open[number];
        let start = batch.arena.len();
        for part in [key, value, &MORE] {
            batch.arena.extend_from_slice(part);
        }
        batch.records.push(Span::closing(&batch.arena, start, key.len()));
        batch.next = Offset(record.offset + 1);
        self.copied += 1;
        let is_full = batch.records.len() >= limits::OUTPUT_BATCH_RECORDS
            || batch.arena.len() >= limits::OUTPUT_BATCH_BYTES;
        if is_full { self.hand_over(number) } else { Ok(()) }
    }

    fn hand_over(&mut self, number: usize) -> Outcome<()> {
        if self.open[number].records.is_empty() {
            return Ok(());
        }
        let empty = self.empty(self.open[number].partition);
        let batch = std::mem::replace(&mut self.open[number], empty);
        self.to_writer.send(batch).map_err(|_| "the writer has ended".into())
    }
}

/// Writes and commits.
struct Writer {
    committer: Committer,
    producer: Producer,
    topic: TopicHandle,
    from: String,
    transactions: bool,
    pool: Pool<Emptied<Span>>,
    /// The next offset of each partition that was written since the last commit began.
    next: Vec<Option<Offset>>,
    /// A commit that waits for its deliveries.
    awaited: Option<(Mark, Vec<CommitEntry>)>,
    in_transaction: bool,
}

impl Writer {
    fn run(mut self, batches: &Receiver<Batch>) -> Outcome<()> {
        let mut last_commit = Instant::now();
        loop {
            match batches.recv_timeout(Duration::from_millis(1)) {
                Ok(batch) => self.write(batch)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.poll(Duration::ZERO)?;
            if self.awaited.is_none() && last_commit.elapsed() >= COMMIT_INTERVAL {
                last_commit = Instant::now();
                self.begin_commit();
            }
            // In a transaction nothing more may be written before it ends.
            self.commit_delivered(self.transactions)?;
        }
        self.commit_delivered(true)?;
        self.begin_commit();
        self.commit_delivered(true)
    }

    fn write(&mut self, batch: Batch) -> Outcome<()> {
        if self.transactions && !self.in_transaction {
            self.producer.transactions().begin()?;
            self.in_transaction = true;
        }
        let Batch { partition, arena, records, next } = batch;
        let mut sent = 0;
        while sent < records.len() {
            let rest = records[sent..].iter().map(|span| OutRecord {
                key: span.key(&arena).unwrap_or_default(),
                value: span.value(&arena),
                headers: span.headers(&arena),
            });
            let outcome = self.producer.send_batch(&self.topic, partition, rest);
            if let Some((_, error)) = outcome.refused.into_iter().next() {
                return Err(error.into());
            }
            sent += outcome.accepted;
            if outcome.full {
                self.poll(Duration::from_millis(1))?;
                self.commit_delivered(false)?;
            }
        }
        self.pool.give(arena, records);
        let number = partition.0 as usize;
        if self.next.len() <= number {
            self.next.resize(number + 1, None);
        }
        self.next[number] = Some(next);
        Ok(())
    }

    fn poll(&self, timeout: Duration) -> Outcome<()> {
        self.producer.poll(timeout);
        let failures = self.producer.take_delivery_failures();
        match failures.first {
            None => Ok(()),
            Some(first) => Err(format!("records were not delivered: {}", first.error).into()),
        }
    }

    fn begin_commit(&mut self) {
        let offsets: Vec<_> = (0..)
            .map(PartitionId)
            .zip(&mut self.next)
            .filter_map(|(id, next)| next.take().map(|next| (id, next, String::new())))
            .collect();
        if !offsets.is_empty() {
            self.awaited = Some((self.producer.mark(&[self.topic]), offsets));
        }
    }

    /// Commits what is delivered of what a commit waits for; waits for it where `wait` says so.
    fn commit_delivered(&mut self, wait: bool) -> Outcome<()> {
        let Some((mark, offsets)) = self.awaited.take() else { return Ok(()) };
        while !self.producer.has_delivered(&mark) {
            if !wait {
                self.awaited = Some((mark, offsets));
                return Ok(());
            }
            self.poll(Duration::from_millis(1))?;
        }
        if self.transactions {
            let group = self.committer.group_metadata()?;
            self.producer.transactions().send_offsets(
                &self.from,
                &offsets,
                &group,
                CALL_TIMEOUT,
            )?;
            self.producer.transactions().commit(CALL_TIMEOUT)?;
            self.in_transaction = false;
        } else {
            self.committer.commit(&offsets, CALL_TIMEOUT)?;
        }
        Ok(())
    }
}
