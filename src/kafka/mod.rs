//! A thin, safe, fast wrapper over librdkafka: all of the crate's `unsafe`, its only use of
//! rdkafka.
//!
//! The consumer lives in the source thread and the producer in the sink thread; a `Committer` lets
//! the sink commit through the source's consumer. In: native events and messages. Out: borrowed
//! records, recorded rebalance events, errors whose variant names the reaction.
//! Holds: every native handle keeps its client alive, so none outlives it; no panic crosses C; no
//! callback assigns or unassigns by itself, except while the consumer closes.
//! Four wings: `native` has the handles; `consumer`, `producer` and `admin` build on it, and know
//! nothing of each other.
#![expect(unsafe_code, reason = "the crate's one place for calls into librdkafka")]

mod admin;
mod consumer;
mod native;
mod producer;

pub use admin::{
    Admin, ClusterDescription, GroupDescription, GroupMember, NewTopic, Operation, Rights,
    TopicInfo, TopicReplicas, UnreachableBroker, all_log_ends, broker_config, cluster_id,
    commit_metadata, create_topics, delete_group, delete_topic, describe_cluster, describe_group,
    describe_topics, find_topics, find_unreachable_brokers, log_ends, topic_config,
    unreachable_brokers,
};
pub use consumer::{
    CommittedOffset, Committer, Consumer, DrainEvent, Flow, Headers, RebalanceEvent, Record,
    group_remedy,
};
#[cfg(feature = "test-support")]
pub use native::MockRequest;
pub use native::{
    ClientSettings, CommitEntry, ConsumerSettings, ErrorCode, GroupMetadata, KafkaError,
    MockCluster, ProducerSettings, Transactional, check_property, property_name,
    protected_property, release_freed_pages_after,
};
pub use producer::{
    DeliveryFailure, DeliveryFailures, Mark, OutRecord, Partitioner, Producer, SendError,
    SendOutcome, TopicHandle, Transactions,
};

/// Version of the linked librdkafka, for example `2.12.1`.
pub fn librdkafka_version() -> String {
    rdkafka::util::get_rdkafka_version().1
}
