//! Where a script is played, and its clients.

use std::time::Duration;

use logintide::{
    client::{Client, Clock, RecordConsumer, RecordProducer},
    ids::{Offset, PartitionId},
    kafka::{
        ClientSettings, CommitEntry, ConsumerSettings, DrainEvent, Flow, KafkaError, OutRecord,
        ProducerSettings, RebalanceEvent, Transactional,
    },
};

/// A cluster, simulated or real.
pub(crate) trait Stage {
    type Client: Client;

    /// A client of a new process.
    fn client(&self) -> Self::Client;

    fn brokers(&self) -> String;

    /// A name that nobody has used.
    fn new_name(&self) -> String;

    fn create_topic(&self, name: &str, partitions: i32);

    fn delete_topic(&self, name: &str);

    fn add_partitions(&self, name: &str, partitions: i32);

    /// Lets time pass.
    fn pass(&self, time: Duration);
}

/// Far beyond what any step takes.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// One turn of a loop.
const TURN: Duration = Duration::from_millis(20);
/// Brokers allow no shorter one.
pub(crate) const SESSION: Duration = Duration::from_secs(6);

pub(crate) type ConsumerOf<S> = <<S as Stage>::Client as Client>::Consumer;
pub(crate) type ProducerOf<S> = <<S as Stage>::Client as Client>::Producer;
pub(crate) type TopicOf<S> = <ProducerOf<S> as RecordProducer>::Topic;

/// A producer with its topic.
pub(crate) struct Writer<S: Stage> {
    pub(crate) producer: ProducerOf<S>,
    pub(crate) topic: TopicOf<S>,
}

/// A script that is being played, with a topic of its own.
pub(crate) struct Play<S: Stage> {
    pub(crate) stage: S,
    pub(crate) topic: String,
    notes: Vec<String>,
}

impl<S: Stage> Play<S> {
    pub(crate) fn new(stage: S) -> Self {
        let topic = stage.new_name();
        stage.create_topic(&topic, 2);
        Self { stage, topic, notes: Vec::new() }
    }

    pub(crate) fn note(&mut self, line: impl Into<String>) {
        self.notes.push(line.into());
    }

    /// Notes how a call ended.
    pub(crate) fn note_result<T>(&mut self, what: &str, result: &Result<T, KafkaError>) {
        let how = result.as_ref().err().map_or_else(|| "ok".to_owned(), kind);
        self.note(format!("{what}: {how}"));
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Tries until something is there.
    pub(crate) fn until<T>(&self, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
        let client = self.stage.client();
        let began = client.clock().now();
        loop {
            if let Some(found) = attempt() {
                return found;
            }
            assert!(client.clock().since(began) < PATIENCE, "still waiting: {what}");
            self.stage.pass(TURN);
        }
    }

    fn settings(&self, properties: &[(&str, &str)]) -> ClientSettings {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ClientSettings {
            brokers: self.stage.brokers(),
            properties: properties.iter().map(owned).collect(),
        }
    }

    /// Settings of a consumer of the topic; the group has its name.
    pub(crate) fn consumer_settings(&self, instance: Option<&str>) -> ConsumerSettings {
        let properties = [
            ("heartbeat.interval.ms", "500"),
            ("fetch.wait.max.ms", "50"),
            ("topic.metadata.refresh.interval.ms", "1000"),
            // A topic that was deleted is not taken for one that nobody has heard of yet.
            ("topic.metadata.propagation.max.ms", "1000"),
        ];
        ConsumerSettings {
            client: self.settings(&properties),
            group_id: self.topic.clone(),
            instance_id: instance.map(str::to_owned),
            topic: self.topic.clone(),
            fetch_queue_kbytes: 8 * 1024,
            session_timeout: SESSION,
            max_poll_interval: Duration::from_mins(5),
            reads_uncommitted: false,
        }
    }

    pub(crate) fn consumer(&self, instance: Option<&str>) -> ConsumerOf<S> {
        let settings = self.consumer_settings(instance);
        self.stage.client().consumer(&settings).expect("a consumer")
    }

    /// Settings of a producer; its transactional id begins with the topic's name.
    pub(crate) fn producer_settings(
        &self,
        id: Option<&str>,
        timeout: Duration,
    ) -> ProducerSettings {
        let transactional = |id| Transactional { id: format!("{}-{id}", self.topic), timeout };
        ProducerSettings {
            client: self.settings(&[]),
            queue_kbytes: 16 * 1024,
            batch_bytes: 1_000_000,
            linger: Duration::from_millis(2),
            delivery_timeout: timeout,
            transactional: id.map(transactional),
        }
    }

    /// A writer to the topic; with an id it is transactional and has registered it.
    pub(crate) fn writer(&self, id: Option<&str>, timeout: Duration) -> Writer<S> {
        self.writer_of(&self.stage.client(), id, timeout)
    }

    /// A writer of one process.
    pub(crate) fn writer_of(
        &self,
        client: &S::Client,
        id: Option<&str>,
        timeout: Duration,
    ) -> Writer<S> {
        let settings = self.producer_settings(id, timeout);
        let mut producer = client.producer(&settings).expect("a producer");
        let topic = producer.topic(&self.topic).expect("a topic");
        producer.learn_partitions(&topic, PATIENCE).expect("partitions");
        if id.is_some() {
            producer.init_transactions(PATIENCE).expect("init transactions");
        }
        Writer { producer, topic }
    }

    /// Sends values to a partition, and polls until all are reported.
    pub(crate) fn send(&self, writer: &Writer<S>, partition: i32, values: &[&str]) {
        let records = values.iter().map(|value| OutRecord {
            key: value.as_bytes(),
            value: value.as_bytes(),
            ..OutRecord::default()
        });
        let outcome = writer.producer.send_batch(&writer.topic, PartitionId(partition), records);
        assert_eq!(outcome.accepted, values.len(), "{outcome:?}");
        self.flush(writer);
    }

    pub(crate) fn flush(&self, writer: &Writer<S>) {
        self.until("the reports", || {
            writer.producer.poll(Duration::ZERO);
            (writer.producer.in_flight() == 0).then_some(())
        });
    }

    /// Commits a transaction of these values.
    pub(crate) fn commit(&self, writer: &Writer<S>, partition: i32, values: &[&str]) {
        writer.producer.begin_transaction().expect("begin");
        self.send(writer, partition, values);
        writer.producer.commit_transaction(PATIENCE).expect("commit");
    }

    /// What a consumer is given of partition 0 from an offset to the end of the partition.
    pub(crate) fn read(&self, from: i64, uncommitted: bool) -> String {
        let mut settings = self.consumer_settings(None);
        settings.reads_uncommitted = uncommitted;
        let mut consumer = self.stage.client().consumer(&settings).expect("a consumer");
        consumer.assign(&[(PartitionId(0), Offset(from))]).expect("assign");
        self.read_on(&mut consumer)
    }

    /// What a consumer is given up to the end of a partition, or to an error.
    pub(crate) fn read_on(&self, consumer: &mut ConsumerOf<S>) -> String {
        let mut seen = Vec::new();
        self.until("the end of the partition", || {
            let mut is_over = false;
            consumer.drain(Duration::ZERO, |event| {
                is_over = !matches!(event, DrainEvent::Record(_));
                seen.push(shown(&event));
                if is_over { Flow::Stop } else { Flow::Continue }
            });
            is_over.then_some(())
        });
        seen.join(" ")
    }

    /// Serves a member until the group has decided something.
    pub(crate) fn rebalance(&self, consumer: &mut ConsumerOf<S>) -> RebalanceEvent {
        self.until("a rebalance event", || {
            consumer.serve(Duration::ZERO, &mut |_| {}).expect("a client that works");
            consumer.drain(Duration::ZERO, |_| Flow::Continue);
            consumer.next_rebalance()
        })
    }

    /// Takes what the group offers, from offset 0.
    pub(crate) fn take_offer(&self, consumer: &mut ConsumerOf<S>) -> String {
        let event = self.rebalance(consumer);
        if let RebalanceEvent::Assigned(partitions) = &event {
            let starts: Vec<_> = partitions.iter().map(|it| (*it, Offset(0))).collect();
            consumer.assign(&starts).expect("assign");
        }
        named(&event)
    }

    /// Joins and takes what the group offers.
    pub(crate) fn join(&self, consumer: &mut ConsumerOf<S>) -> String {
        consumer.subscribe().expect("subscribe");
        self.take_offer(consumer)
    }
}

/// What a consumer's group has committed of partition 0.
pub(crate) fn committed_of(consumer: &impl RecordConsumer) -> String {
    let committed = consumer.committed(&[PartitionId(0)], PATIENCE).expect("committed");
    let offset = committed[0].offset.map_or_else(|| "none".to_owned(), |it| it.to_string());
    format!("{offset} {:?}", committed[0].metadata)
}

/// An offset of partition 0.
pub(crate) fn entry(offset: i64, metadata: &str) -> [CommitEntry; 1] {
    [(PartitionId(0), Offset(offset), metadata.to_owned())]
}

/// A rebalance event with its partitions in order.
pub(crate) fn named(event: &RebalanceEvent) -> String {
    let (name, partitions) = match event {
        RebalanceEvent::Assigned(partitions) => ("assigned", partitions),
        RebalanceEvent::Revoked(partitions) => ("revoked", partitions),
        RebalanceEvent::Lost(partitions) => ("lost", partitions),
        RebalanceEvent::Failed(text) => return format!("failed {text}"),
    };
    let mut partitions: Vec<_> = partitions.iter().map(|it| it.0).collect();
    partitions.sort_unstable();
    format!("{name} {partitions:?}")
}

fn shown(event: &DrainEvent<'_>) -> String {
    match event {
        DrainEvent::Record(record) => {
            let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            format!("{}={value}", record.offset)
        }
        DrainEvent::EndOfPartition { offset, .. } => format!("end {offset}"),
        DrainEvent::Error { error, .. } => kind(error),
    }
}

/// The variant of an error, and its code.
pub(crate) fn kind(error: &KafkaError) -> String {
    let variant = match error {
        KafkaError::Retriable { .. } => "Retriable",
        KafkaError::Abortable { .. } => "Abortable",
        KafkaError::Fenced { .. } => "Fenced",
        KafkaError::NotMember { .. } => "NotMember",
        KafkaError::Refused { .. } => "Refused",
        KafkaError::OffsetOutOfRange { position, .. } => return format!("OutOfRange {position}"),
        KafkaError::Unreadable { .. } => "Unreadable",
        KafkaError::AnswerTooLarge { .. } => "AnswerTooLarge",
        KafkaError::Timeout { .. } => "Timeout",
        KafkaError::Config { .. } => "Config",
        KafkaError::Fatal { .. } => "Fatal",
    };
    error.code().map_or_else(|| variant.to_owned(), |code| format!("{variant} {code}"))
}
