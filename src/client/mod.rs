//! What the source and the sink ask of Kafka and of the clock, as traits.
//!
//! In:  settings. Out: clients that answer for a real cluster, or for a simulated one.
//! Holds: [`Librdkafka`] is the only implementation in the program; its calls go to a type of
//! `kafka/`, whose documentation holds for all. Dispatch is static: the record path pays nothing.

mod librdkafka;
mod ranges;
mod scan;
mod settled;

use std::{
    collections::BTreeMap,
    fmt::Debug,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};

pub use self::{
    librdkafka::{Librdkafka, SystemClock},
    ranges::{ScanRange, ShortLog},
    scan::{ScanEnd, ScanEvent, TopicScan},
    settled::{NoFirstAnswer, SettledLogs, first_answer, no_answer, patiently, settled_logs},
};
use crate::{
    headers::HeaderBlock,
    ids::{Offset, PartitionId},
    kafka::{
        ClientSettings, CommitEntry, CommittedOffset, ConsumerSettings, DeliveryFailures,
        DrainEvent, Flow, GroupDescription, KafkaError, OutRecord, ProducerSettings,
        RebalanceEvent, SendError, SendOutcome, TopicInfo, TopicReplicas,
    },
};

/// Time as a process sees it.
pub trait Clock: Clone + Debug {
    /// The monotonic clock.
    fn now(&self) -> Instant;

    /// The wall clock, microseconds since the Unix epoch.
    fn now_us(&self) -> i64;

    /// The wall clock, milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64 {
        self.now_us() / 1000
    }

    /// Waits for a message, at most for `timeout`.
    ///
    /// # Errors
    /// `Timeout` when none came, `Disconnected` when none can come any more.
    fn receive<T>(&self, from: &Receiver<T>, timeout: Duration) -> Result<T, RecvTimeoutError>;

    /// Time that has passed since an earlier `now`.
    fn since(&self, earlier: Instant) -> Duration {
        self.now().saturating_duration_since(earlier)
    }
}

/// A way to Kafka: makes clients, and has the time by which they wait.
pub trait Client: Clone + Debug {
    /// The clock of this process.
    type Clock: Clock;
    /// Reads, in a group or outside of one.
    type Consumer: RecordConsumer<Committer = Self::Committer>;
    /// Commits through a consumer's membership.
    type Committer: OffsetCommitter<Membership = Self::Membership>;
    /// A consumer's place in its group at one moment.
    type Membership: Debug;
    /// Writes.
    type Producer: RecordProducer<Membership = Self::Membership>;
    /// Asks about topics.
    type Admin: Questions;

    /// The clock.
    fn clock(&self) -> &Self::Clock;

    /// A consumer that has not joined its group.
    ///
    /// # Errors
    /// `Config` when a setting is refused.
    fn consumer(&self, settings: &ConsumerSettings) -> Result<Self::Consumer, KafkaError>;

    /// A producer that has not registered its transactional id.
    ///
    /// # Errors
    /// `Config` when a setting is refused.
    fn producer(&self, settings: &ProducerSettings) -> Result<Self::Producer, KafkaError>;

    /// A client whose `ends` are those of all records, in transactions that are open or not.
    ///
    /// # Errors
    /// `Config` when a setting is refused.
    fn uncommitted(&self, settings: &ClientSettings) -> Result<Self::Admin, KafkaError>;
}

/// See [`kafka::Consumer`](crate::kafka::Consumer).
pub trait RecordConsumer: Debug {
    /// Commits through this membership.
    type Committer;

    /// See [`kafka::Consumer::subscribe`](crate::kafka::Consumer::subscribe).
    fn subscribe(&self) -> Result<(), KafkaError>;

    /// See [`kafka::Consumer::serve`](crate::kafka::Consumer::serve).
    fn serve(
        &mut self,
        timeout: Duration,
        on_event: &mut dyn FnMut(DrainEvent<'_>),
    ) -> Result<(), KafkaError>;

    /// See [`kafka::Consumer::next_rebalance`](crate::kafka::Consumer::next_rebalance).
    fn next_rebalance(&mut self) -> Option<RebalanceEvent>;

    /// See [`kafka::Consumer::assign`](crate::kafka::Consumer::assign).
    fn assign(&mut self, partitions: &[(PartitionId, Offset)]) -> Result<(), KafkaError>;

    /// See [`kafka::Consumer::unassign`](crate::kafka::Consumer::unassign).
    fn unassign(&mut self) -> Result<(), KafkaError>;

    /// See [`kafka::Consumer::pause`](crate::kafka::Consumer::pause).
    fn pause(&mut self, partitions: &[PartitionId]) -> Result<(), KafkaError>;

    /// See [`kafka::Consumer::resume`](crate::kafka::Consumer::resume).
    fn resume(&mut self, partitions: &[PartitionId]) -> Result<(), KafkaError>;

    /// See [`kafka::Consumer::drain`](crate::kafka::Consumer::drain).
    fn drain<F: FnMut(DrainEvent<'_>) -> Flow>(&mut self, timeout: Duration, on_event: F) -> usize;

    /// See [`kafka::Consumer::committed`](crate::kafka::Consumer::committed).
    fn committed(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>, KafkaError>;

    /// See [`kafka::Consumer::logs`](crate::kafka::Consumer::logs).
    fn logs(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<BTreeMap<PartitionId, (Offset, Offset)>, KafkaError>;

    /// See [`kafka::Consumer::offset_for_time`](crate::kafka::Consumer::offset_for_time).
    fn offset_for_time(
        &self,
        partitions: &[PartitionId],
        timestamp_ms: i64,
        timeout: Duration,
    ) -> Result<Vec<(PartitionId, Offset)>, KafkaError>;

    /// See [`kafka::Consumer::cached_log_end`](crate::kafka::Consumer::cached_log_end).
    fn cached_log_end(&self, partition: PartitionId) -> Option<Offset>;

    /// See [`kafka::Consumer::renew`](crate::kafka::Consumer::renew).
    fn renew(&mut self, settings: &ConsumerSettings) -> Result<(), KafkaError>;

    /// See [`kafka::Consumer::committer`](crate::kafka::Consumer::committer).
    fn committer(&self) -> Self::Committer;

    /// See [`kafka::Consumer::close`](crate::kafka::Consumer::close).
    fn close(self);

    /// See [`kafka::Consumer::leave`](crate::kafka::Consumer::leave).
    fn leave(self);
}

/// See [`kafka::Committer`](crate::kafka::Committer).
pub trait OffsetCommitter: Debug {
    /// The consumer's place in its group.
    type Membership;

    /// See [`kafka::Committer::commit`](crate::kafka::Committer::commit).
    fn commit(&self, entries: &[CommitEntry], timeout: Duration) -> Result<(), KafkaError>;

    /// See [`kafka::Committer::committed`](crate::kafka::Committer::committed).
    fn committed(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>, KafkaError>;

    /// See [`kafka::Committer::group_metadata`](crate::kafka::Committer::group_metadata).
    fn group_metadata(&self) -> Result<Self::Membership, KafkaError>;
}

/// See [`kafka::Producer`](crate::kafka::Producer).
pub trait RecordProducer: Debug {
    /// A consumer's place in its group.
    type Membership;
    /// A topic of this producer.
    type Topic: Copy + Debug;
    /// What was accepted up to one moment.
    type Mark: Debug;

    /// See [`kafka::Producer::topic`](crate::kafka::Producer::topic).
    fn topic(&mut self, name: &str) -> Result<Self::Topic, KafkaError>;

    /// See [`kafka::Producer::compressed_topic`](crate::kafka::Producer::compressed_topic).
    fn compressed_topic(&mut self, name: &str) -> Result<Self::Topic, KafkaError> {
        self.topic(name)
    }

    /// See [`kafka::Producer::learn_partitions`](crate::kafka::Producer::learn_partitions).
    fn learn_partitions(&self, topic: &Self::Topic, timeout: Duration) -> Result<(), KafkaError>;

    /// See [`kafka::Producer::send_batch`](crate::kafka::Producer::send_batch).
    fn send_batch<'a>(
        &self,
        topic: &Self::Topic,
        partition: PartitionId,
        records: impl IntoIterator<Item = OutRecord<'a>>,
    ) -> SendOutcome;

    /// See [`kafka::Producer::send_with_headers`](crate::kafka::Producer::send_with_headers).
    fn send_with_headers(
        &self,
        topic: &Self::Topic,
        partition: Option<PartitionId>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: HeaderBlock<'_>,
    ) -> Result<(), SendError>;

    /// See [`kafka::Producer::mark`](crate::kafka::Producer::mark).
    fn mark(&self, topics: &[Self::Topic]) -> Self::Mark;

    /// See [`kafka::Producer::has_delivered`](crate::kafka::Producer::has_delivered).
    fn has_delivered(&self, mark: &Self::Mark) -> bool;

    /// See [`kafka::Producer::hurry`](crate::kafka::Producer::hurry).
    fn hurry(&self);

    /// See [`kafka::Producer::poll`](crate::kafka::Producer::poll).
    fn poll(&self, timeout: Duration) -> usize;

    /// See [`kafka::Producer::in_flight`](crate::kafka::Producer::in_flight).
    fn in_flight(&self) -> usize;

    /// See `kafka::Producer::take_delivery_failures`.
    fn take_delivery_failures(&self) -> DeliveryFailures;

    /// See [`kafka::Producer::fatal_error`](crate::kafka::Producer::fatal_error).
    fn fatal_error(&self) -> Option<KafkaError>;

    /// See [`kafka::Producer::purge`](crate::kafka::Producer::purge).
    fn purge(&self);

    /// See [`kafka::Transactions::init`](crate::kafka::Transactions::init).
    fn init_transactions(&self, timeout: Duration) -> Result<(), KafkaError>;

    /// See [`kafka::Transactions::begin`](crate::kafka::Transactions::begin).
    fn begin_transaction(&self) -> Result<(), KafkaError>;

    /// See [`kafka::Transactions::hints_at_failure`](crate::kafka::Transactions::hints_at_failure).
    fn hints_at_failed_transaction(&self) -> bool;

    /// See [`kafka::Transactions::failure`](crate::kafka::Transactions::failure).
    fn failed_transaction(&self) -> Option<KafkaError>;

    /// See [`kafka::Transactions::send_offsets`](crate::kafka::Transactions::send_offsets).
    fn send_offsets(
        &self,
        topic: &str,
        entries: &[CommitEntry],
        membership: &Self::Membership,
        timeout: Duration,
    ) -> Result<(), KafkaError>;

    /// See [`kafka::Transactions::commit`](crate::kafka::Transactions::commit).
    fn commit_transaction(&self, timeout: Duration) -> Result<(), KafkaError>;

    /// See [`kafka::Transactions::abort`](crate::kafka::Transactions::abort).
    fn abort_transaction(&self, timeout: Duration) -> Result<(), KafkaError>;
}

/// See [`kafka::Admin`](crate::kafka::Admin).
pub trait Questions: Debug {
    /// See [`kafka::find_topics`](crate::kafka::find_topics).
    fn topics(&self, names: &[&str], timeout: Duration) -> Result<Vec<TopicInfo>, KafkaError>;

    /// See [`kafka::describe_topics`](crate::kafka::describe_topics).
    fn describe_topics(
        &self,
        names: &[&str],
        timeout: Duration,
    ) -> Result<Vec<Result<TopicReplicas, KafkaError>>, KafkaError>;

    /// See [`kafka::log_ends`](crate::kafka::log_ends).
    fn ends(
        &self,
        topic: &str,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<(PartitionId, Offset)>, KafkaError>;

    /// See [`kafka::all_log_ends`](crate::kafka::all_log_ends).
    fn all_ends(
        &self,
        topic: &str,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<BTreeMap<PartitionId, Offset>, KafkaError>;

    /// See [`kafka::describe_group`](crate::kafka::describe_group).
    fn describe_group(
        &self,
        group: &str,
        timeout: Duration,
    ) -> Result<GroupDescription, KafkaError>;

    /// See [`kafka::commit_metadata`](crate::kafka::commit_metadata).
    fn commit_metadata(&self, group: &str, timeout: Duration) -> Result<Vec<String>, KafkaError>;

    /// See [`kafka::broker_config`](crate::kafka::broker_config).
    fn broker_config(&self, timeout: Duration) -> Result<BTreeMap<String, String>, KafkaError>;
}
