//! What every client of librdkafka is made of: raw handles with one owner and a `Drop`, and what
//! goes with them into a call and out of it.
//!
//! Used by the thread that owns the client. In: settings, pointers from librdkafka. Out: safe
//! methods on [`NativeClient`], [`Queue`], [`Event`] and [`Topic`]; errors whose variant names the
//! reaction.
//! Holds: a queue, event or topic keeps its client alive, so `rd_kafka_destroy` runs after all
//! other destructors; librdkafka's functions may be called from any thread. Knows nothing of the
//! wings that use it.

mod allocator;
mod client;
mod codes;
mod config;
mod error;
mod event;
mod ffi;
mod list;
mod log;
mod membership;
mod metadata;
mod mock;
mod offsets;
mod properties;
mod queue;
mod refusal;
mod topic;

#[cfg(feature = "test-support")]
pub use self::mock::MockRequest;
pub use self::{
    allocator::release_freed_pages_after,
    config::{ClientSettings, ConsumerSettings, ProducerSettings, Transactional},
    error::{ErrorCode, KafkaError},
    list::CommitEntry,
    membership::GroupMetadata,
    mock::MockCluster,
    properties::{check_property, property_name, protected_property},
};
pub(in crate::kafka) use self::{
    client::NativeClient,
    codes::{is_broker_away, is_out_of_range, is_unreadable},
    event::Event,
    ffi::{array, bytes, c_string, check, error_text, millis, owned_text},
    list::{commit_list, entries, first_error, list_entries, offset_list, partition_list},
    log::QUESTION,
    membership::not_member,
    metadata::{METADATA, read_metadata},
    offsets::by_time,
    queue::Queue,
    refusal::Refusal,
    topic::Topic,
};
