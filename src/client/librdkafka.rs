//! The traits on librdkafka: each call goes to the method of the same name.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{Client, Clock, OffsetCommitter, Questions, RecordConsumer, RecordProducer};
use crate::{
    clock,
    headers::HeaderBlock,
    ids::{Offset, PartitionId},
    kafka::{
        Admin, ClientSettings, CommitEntry, CommittedOffset, Committer, Consumer, ConsumerSettings,
        DeliveryFailures, DrainEvent, Flow, GroupDescription, GroupMetadata, KafkaError, Mark,
        OutRecord, Producer, ProducerSettings, RebalanceEvent, SendError, SendOutcome, TopicHandle,
        TopicInfo, TopicReplicas, all_log_ends, broker_config, commit_metadata, describe_group,
        describe_topics, find_topics, log_ends,
    },
};

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn now_us(&self) -> i64 {
        clock::now_us()
    }

    fn receive<T>(&self, from: &Receiver<T>, timeout: Duration) -> Result<T, RecvTimeoutError> {
        from.recv_timeout(timeout)
    }
}

/// Real clusters, and the machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Librdkafka(SystemClock);

impl Client for Librdkafka {
    type Clock = SystemClock;
    type Consumer = Consumer;
    type Committer = Committer;
    type Membership = GroupMetadata;
    type Producer = Producer;
    type Admin = Admin;

    fn clock(&self) -> &SystemClock {
        &self.0
    }

    fn consumer(&self, settings: &ConsumerSettings) -> Result<Consumer, KafkaError> {
        Consumer::new(settings)
    }

    fn producer(&self, settings: &ProducerSettings) -> Result<Producer, KafkaError> {
        Producer::new(settings)
    }

    fn uncommitted(&self, settings: &ClientSettings) -> Result<Admin, KafkaError> {
        Admin::read_uncommitted(settings)
    }
}

impl RecordConsumer for Consumer {
    type Committer = Committer;

    fn subscribe(&self) -> Result<(), KafkaError> {
        Consumer::subscribe(self)
    }

    fn serve(
        &mut self,
        timeout: Duration,
        on_event: &mut dyn FnMut(DrainEvent<'_>),
    ) -> Result<(), KafkaError> {
        Consumer::serve(self, timeout, on_event)
    }

    fn next_rebalance(&mut self) -> Option<RebalanceEvent> {
        Consumer::next_rebalance(self)
    }

    fn assign(&mut self, partitions: &[(PartitionId, Offset)]) -> Result<(), KafkaError> {
        Consumer::assign(self, partitions)
    }

    fn unassign(&mut self) -> Result<(), KafkaError> {
        Consumer::unassign(self)
    }

    fn pause(&mut self, partitions: &[PartitionId]) -> Result<(), KafkaError> {
        Consumer::pause(self, partitions)
    }

    fn resume(&mut self, partitions: &[PartitionId]) -> Result<(), KafkaError> {
        Consumer::resume(self, partitions)
    }

    fn drain<F: FnMut(DrainEvent<'_>) -> Flow>(&mut self, timeout: Duration, on_event: F) -> usize {
        Consumer::drain(self, timeout, on_event)
    }

    fn committed(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>, KafkaError> {
        Consumer::committed(self, partitions, timeout)
    }

    fn logs(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<BTreeMap<PartitionId, (Offset, Offset)>, KafkaError> {
        Consumer::logs(self, partitions, timeout)
    }

    fn offset_for_time(
        &self,
        partitions: &[PartitionId],
        timestamp_ms: i64,
        timeout: Duration,
    ) -> Result<Vec<(PartitionId, Offset)>, KafkaError> {
        Consumer::offset_for_time(self, partitions, timestamp_ms, timeout)
    }

    fn cached_log_end(&self, partition: PartitionId) -> Option<Offset> {
        Consumer::cached_log_end(self, partition)
    }

    fn renew(&mut self, settings: &ConsumerSettings) -> Result<(), KafkaError> {
        Consumer::renew(self, settings)
    }

    fn committer(&self) -> Committer {
        Consumer::committer(self)
    }

    fn close(self) {
        Consumer::close(self);
    }

    fn leave(self) {
        Consumer::leave(self);
    }
}

impl OffsetCommitter for Committer {
    type Membership = GroupMetadata;

    fn commit(&self, entries: &[CommitEntry], timeout: Duration) -> Result<(), KafkaError> {
        Committer::commit(self, entries, timeout)
    }

    fn committed(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>, KafkaError> {
        Committer::committed(self, partitions, timeout)
    }

    fn group_metadata(&self) -> Result<GroupMetadata, KafkaError> {
        Committer::group_metadata(self)
    }
}

impl RecordProducer for Producer {
    type Membership = GroupMetadata;
    type Topic = TopicHandle;
    type Mark = Mark;

    fn topic(&mut self, name: &str) -> Result<TopicHandle, KafkaError> {
        Producer::topic(self, name)
    }

    fn compressed_topic(&mut self, name: &str) -> Result<TopicHandle, KafkaError> {
        Producer::compressed_topic(self, name)
    }

    fn learn_partitions(&self, topic: &TopicHandle, timeout: Duration) -> Result<(), KafkaError> {
        Producer::learn_partitions(self, topic, timeout)
    }

    fn send_batch<'a>(
        &self,
        topic: &TopicHandle,
        partition: PartitionId,
        records: impl IntoIterator<Item = OutRecord<'a>>,
    ) -> SendOutcome {
        Producer::send_batch(self, topic, partition, records)
    }

    fn send_with_headers(
        &self,
        topic: &TopicHandle,
        partition: Option<PartitionId>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: HeaderBlock<'_>,
    ) -> Result<(), SendError> {
        Producer::send_with_headers(self, topic, partition, key, value, headers)
    }

    fn mark(&self, topics: &[TopicHandle]) -> Mark {
        Producer::mark(self, topics)
    }

    fn has_delivered(&self, mark: &Mark) -> bool {
        Producer::has_delivered(self, mark)
    }

    fn hurry(&self) {
        Producer::hurry(self);
    }

    fn poll(&self, timeout: Duration) -> usize {
        Producer::poll(self, timeout)
    }

    fn in_flight(&self) -> usize {
        Producer::in_flight(self)
    }

    fn take_delivery_failures(&self) -> DeliveryFailures {
        Producer::take_delivery_failures(self)
    }

    fn fatal_error(&self) -> Option<KafkaError> {
        Producer::fatal_error(self)
    }

    fn purge(&self) {
        Producer::purge(self);
    }

    fn init_transactions(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.transactions().init(timeout)
    }

    fn begin_transaction(&self) -> Result<(), KafkaError> {
        self.transactions().begin()
    }

    fn hints_at_failed_transaction(&self) -> bool {
        self.transactions().hints_at_failure()
    }

    fn failed_transaction(&self) -> Option<KafkaError> {
        self.transactions().failure()
    }

    fn send_offsets(
        &self,
        topic: &str,
        entries: &[CommitEntry],
        membership: &GroupMetadata,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        self.transactions().send_offsets(topic, entries, membership, timeout)
    }

    fn commit_transaction(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.transactions().commit(timeout)
    }

    fn abort_transaction(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.transactions().abort(timeout)
    }
}

impl Questions for Admin {
    fn topics(&self, names: &[&str], timeout: Duration) -> Result<Vec<TopicInfo>, KafkaError> {
        find_topics(self, names, timeout)
    }

    fn describe_topics(
        &self,
        names: &[&str],
        timeout: Duration,
    ) -> Result<Vec<Result<TopicReplicas, KafkaError>>, KafkaError> {
        describe_topics(self, names, timeout)
    }

    fn ends(
        &self,
        topic: &str,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<(PartitionId, Offset)>, KafkaError> {
        log_ends(self, topic, partitions, timeout)
    }

    fn all_ends(
        &self,
        topic: &str,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<BTreeMap<PartitionId, Offset>, KafkaError> {
        all_log_ends(self, topic, partitions, timeout)
    }

    fn describe_group(
        &self,
        group: &str,
        timeout: Duration,
    ) -> Result<GroupDescription, KafkaError> {
        describe_group(self, group, timeout)
    }

    fn commit_metadata(&self, group: &str, timeout: Duration) -> Result<Vec<String>, KafkaError> {
        commit_metadata(self, group, timeout)
    }

    fn broker_config(&self, timeout: Duration) -> Result<BTreeMap<String, String>, KafkaError> {
        broker_config(self, timeout)
    }
}
