//! Writes a journal, as a sink will: one owner of all streams at a time, one transaction an epoch.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use logintide::{
    client::{Client, Clock, RecordProducer},
    ids::{Epoch, EventTimeMs, Incarnation, InstanceId, Offset, PartitionId, TopicId, WindowStart},
    journal::{Chain, Identity, JournalCommit, Moment, Stream, Writer, Written},
    kafka::{ClientSettings, OutRecord, ProducerSettings, Transactional},
    replica::{FollowRequest, Followed},
    window::Partial,
};

use super::{
    INPUT_PARTITIONS, JOURNAL, PARTITIONS, WINDOW_MS,
    state::{State, streams},
};
use crate::{
    kafka::{SimClient, SimKafka},
    script::stage::PATIENCE,
};

type SimProducer = <SimClient as Client>::Producer;
type SimTopic = <SimProducer as RecordProducer>::Topic;

/// Broker-side age at which a transaction is aborted.
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(30);

/// How an epoch's transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Commit,
    Abort,
    /// Nothing more is heard of its process.
    Open,
    /// So many of its chunks are committed.
    Torn(usize),
}

/// The group's one owner, and what was committed.
pub(crate) struct Author {
    pub(crate) kafka: SimKafka,
    client: SimClient,
    producer: SimProducer,
    topic: SimTopic,
    writer: Writer,
    /// What the owner has written, committed or not.
    state: State,
    /// What every stream's last whole committed record says.
    pub(crate) truth: State,
    pub(crate) commits: BTreeMap<PartitionId, JournalCommit>,
    epoch: Epoch,
    instances: usize,
    /// Counts of one change: an event, or so many that a snapshot has several chunks.
    pub(crate) event: Arc<Partial>,
}

/// One event.
fn event() -> Arc<Partial> {
    let mut partial = Partial::new();
    partial.count(["DE", "web", "1"].into(), "somebody");
    Arc::new(partial)
}

/// Counts that take some 200 KB, as those of a window with a thousand names in each dimension.
pub(crate) static MANY: LazyLock<Arc<Partial>> = LazyLock::new(|| {
    let mut partial = Partial::new();
    for number in 0..6_000 {
        let name = format!("{}-{:0>50}", number % 1_000, "");
        partial.count([name.as_str(), &name, &name].into(), &number.to_string());
    }
    Arc::new(partial)
});

impl Author {
    /// A new journal with its identity.
    pub(crate) fn new(kafka: &SimKafka) -> Self {
        kafka.create_topic(JOURNAL, PARTITIONS as usize);
        let author = Self::of(kafka);
        author.append_identity();
        author
    }

    /// The first owner of a journal that exists.
    pub(crate) fn of(kafka: &SimKafka) -> Self {
        let (client, producer, topic) = producer(kafka, 0);
        let mut author = Self {
            kafka: kafka.clone(),
            client,
            producer,
            topic,
            writer: writer(0),
            state: State::default(),
            truth: State::default(),
            commits: BTreeMap::new(),
            epoch: Epoch(0),
            instances: 0,
            event: event(),
        };
        for stream in streams() {
            author.writer.take_over(stream, &Chain::default(), Offset(0), 0);
        }
        author
    }

    /// Writes whose journal it is.
    pub(crate) fn append_identity(&self) {
        let identity = identity();
        self.kafka.append(JOURNAL, 0, &Identity::key(), &identity.encode());
    }

    /// One more that takes itself for the owner.
    pub(crate) fn another(&self, followed: &Followed) -> Self {
        let (client, producer, topic) = producer(&self.kafka, self.instances + 1);
        let mut author = Self {
            kafka: self.kafka.clone(),
            client,
            producer,
            topic,
            writer: writer(0),
            state: State::default(),
            truth: State::default(),
            commits: self.commits.clone(),
            epoch: self.epoch,
            instances: self.instances + 1,
            event: Arc::clone(&self.event),
        };
        author.take_over(followed);
        author
    }

    /// Another process owns everything, as it has followed the journal.
    pub(crate) fn take_over(&mut self, followed: &Followed) {
        self.instances += 1;
        (self.client, self.producer, self.topic) = producer(&self.kafka, self.instances);
        self.writer = writer(self.instances);
        self.state = State::of(followed);
        for stream in streams() {
            let unseen = Chain::default();
            let chain = followed.chains.get(&stream).unwrap_or(&unseen);
            let seen = chain.applied_by().map_or(Epoch(0), |(epoch, _)| epoch);
            self.epoch = self.epoch.max(seen);
            let p = if let Stream::Partition(p) = stream { p } else { PartitionId(0) };
            let restore_from = self.commits.get(&p).map_or(Offset(0), |commit| commit.restore_from);
            self.writer.take_over(stream, chain, restore_from, self.now_ms());
        }
    }

    fn now_ms(&self) -> i64 {
        self.client.clock().now_ms()
    }

    /// One epoch that changes these windows, by their numbers, in these partitions.
    pub(crate) fn epoch(&mut self, partitions: &[i32], windows: &[i64], end: End) {
        self.epoch = self.epoch.next();
        let starts: Vec<_> = windows.iter().map(|at| WindowStart(at * WINDOW_MS)).collect();
        let positions = (0..PARTITIONS as i32).map(|p| (PartitionId(p), Offset(self.ends(p).0)));
        let (epoch, now_ms) = (self.epoch, self.now_ms());
        let moment = Moment { epoch, now_ms, positions: positions.collect() };
        let mut records = self.writer.begin(moment);
        let mut sent = Vec::new();
        for stream in streams() {
            let is_changed = match stream {
                Stream::Partition(p) => partitions.contains(&p.0),
                Stream::Merger => !partitions.is_empty(),
            };
            let starts = if is_changed { starts.as_slice() } else { &[] };
            self.state.change(stream, starts, &self.event);
            let written = records.write(stream, |kind| self.state.content(stream, kind, starts));
            sent.push((stream, written));
        }
        let commits = records.finish();
        self.send(&sent, end);
        if end == End::Commit {
            self.commits = commits.into_iter().map(|(p, commit)| (p, commit.metadata)).collect();
        }
    }

    /// The merger forgets all windows before this one, which its next epoch says.
    pub(crate) fn forget(&mut self, window: i64) {
        self.state.forget(EventTimeMs(window * WINDOW_MS));
    }

    fn send(&mut self, sent: &[(Stream, Written)], end: End) {
        self.producer.begin_transaction().expect("begin");
        let mut left = if let End::Torn(chunks) = end { chunks } else { usize::MAX };
        let mut whole = Vec::new();
        for (stream, Written { partition, chunks }) in sent {
            let taken = left.min(chunks.len());
            left -= taken;
            for (key, value) in &chunks[..taken] {
                let record = OutRecord { key, value, ..OutRecord::default() };
                let outcome = self.producer.send_batch(&self.topic, *partition, [record]);
                assert_eq!(outcome.accepted, 1, "{outcome:?}");
                while self.producer.in_flight() > 0 {
                    self.producer.poll(Duration::ZERO);
                    self.kafka.pass(Duration::from_millis(1));
                }
            }
            if taken == chunks.len() {
                whole.push(*stream);
            }
        }
        match end {
            End::Commit | End::Torn(_) => {
                self.producer.commit_transaction(PATIENCE).expect("commit");
                for stream in whole {
                    self.truth.streams.insert(stream, self.state.streams[&stream].clone());
                }
            }
            End::Abort => self.producer.abort_transaction(PATIENCE).expect("abort"),
            End::Open => self.kafka.kill(self.client.process()),
        }
    }

    /// Last stable offset and high watermark of a journal partition.
    pub(crate) fn ends(&self, partition: i32) -> (i64, i64) {
        self.kafka.with(|cluster| {
            let topic = cluster.topics.get(JOURNAL).expect("the journal exists");
            let log = &topic.logs[partition as usize];
            (log.last_stable_offset(), log.high_watermark())
        })
    }

    /// What a sink would ask for now, of a replica that begins at its position.
    pub(crate) fn request(&self, incarnation: u64) -> FollowRequest {
        let id = self.kafka.with(|cluster| cluster.topics.get(JOURNAL).map(|topic| topic.id));
        let until = (0..PARTITIONS as i32).map(|p| (PartitionId(p), Offset(self.ends(p).1)));
        FollowRequest {
            incarnation: Incarnation(incarnation),
            journal: id.map(TopicId),
            until: until.collect(),
            begin: BTreeMap::new(),
        }
    }
}

pub(crate) fn identity() -> Identity {
    Identity {
        cluster_id: "cluster".to_owned(),
        group_id: "group".to_owned(),
        topic: "user-login".to_owned(),
        topic_id: None,
        window_size_ms: WINDOW_MS,
        journal_partitions: PARTITIONS,
        first_partitions: INPUT_PARTITIONS as u32,
    }
}

fn instance(number: usize) -> InstanceId {
    InstanceId::parse(&format!("instance-{number}")).expect("valid")
}

fn writer(number: usize) -> Writer {
    Writer::new(instance(number), None, PARTITIONS)
}

fn producer(kafka: &SimKafka, number: usize) -> (SimClient, SimProducer, SimTopic) {
    let client = kafka.process();
    let settings = ProducerSettings {
        client: ClientSettings { brokers: "simulated".to_owned(), properties: Vec::new() },
        queue_kbytes: 16 * 1024,
        batch_bytes: 1_000_000,
        linger: Duration::from_millis(2),
        delivery_timeout: TRANSACTION_TIMEOUT,
        transactional: Some(Transactional {
            id: format!("author-{number}"),
            timeout: TRANSACTION_TIMEOUT,
        }),
    };
    let mut producer = client.producer(&settings).expect("a producer");
    let topic = producer.topic(JOURNAL).expect("a topic");
    producer.learn_partitions(&topic, PATIENCE).expect("partitions");
    producer.init_transactions(PATIENCE).expect("init transactions");
    (client, producer, topic)
}
