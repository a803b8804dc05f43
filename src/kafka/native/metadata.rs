//! The cluster's metadata: topics with their partitions, and brokers.
//!
//! In:  a topic, or none. Out: what a broker says, within a timeout.
//! Holds: a consumer's question creates no topic; the client that asks takes the answer in as well.

use std::{ptr, time::Duration};

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use super::{client::NativeClient, error::KafkaError, ffi::millis, topic::Topic};

/// The operation in errors.
pub(in crate::kafka) const METADATA: &str = "read metadata";

/// Asks a broker for the metadata of one topic, or of none; the client takes them in as well.
pub(in crate::kafka) fn read_metadata<T>(
    client: &NativeClient,
    topic: Option<&Topic>,
    timeout: Duration,
    read: impl FnOnce(&rd::rd_kafka_metadata) -> T,
) -> Result<T, KafkaError> {
    let mut metadata: *const rd::rd_kafka_metadata = ptr::null();
    // SAFETY: client and topic are alive; on success the metadata is ours to destroy.
    let code = unsafe {
        rd::rd_kafka_metadata(
            client.ptr(),
            0,
            topic.map_or(ptr::null_mut(), Topic::ptr),
            &raw mut metadata,
            millis(timeout),
        )
    };
    if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(client.query_error(METADATA, code, timeout));
    }
    // SAFETY: metadata and the arrays inside it live until it is destroyed, here.
    unsafe {
        let value = read(&*metadata);
        rd::rd_kafka_metadata_destroy(metadata);
        Ok(value)
    }
}
