//! The cluster's metadata: topics with their partitions, and brokers.
//!
//! In:  the name of a topic, or none. Out: what a broker says, within a timeout.
//! Holds: a consumer's question creates no topic; the client that asks takes the answer in as well.

use std::time::Duration;

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use super::{client::Admin, requests::named};
use crate::kafka::native::{KafkaError, METADATA, Topic, read_metadata};

impl Admin {
    /// Partitions of a topic, `None` when it is missing or no topic was named.
    pub(super) fn metadata(
        &self,
        topic: Option<&str>,
        timeout: Duration,
    ) -> Result<Option<i32>, KafkaError> {
        let (partitions, code) = self.read_metadata(topic, timeout, |metadata| {
            if topic.is_none() || metadata.topic_cnt < 1 {
                return (0, RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
            }
            // SAFETY: metadata with a topic has an array of at least one.
            unsafe { ((*metadata.topics).partition_cnt, (*metadata.topics).err) }
        })?;
        match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR if partitions > 0 => Ok(Some(partitions)),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC => Ok(None),
            code => Err(named(METADATA, topic.unwrap_or_default(), code as i32, "")),
        }
    }

    pub(super) fn read_metadata<T>(
        &self,
        topic: Option<&str>,
        timeout: Duration,
        read: impl FnOnce(&rd::rd_kafka_metadata) -> T,
    ) -> Result<T, KafkaError> {
        let native = topic.map(|name| Topic::new(&self.client, name)).transpose()?;
        read_metadata(&self.client, native.as_ref(), timeout, read)
    }
}
