//! What a test does to a mock cluster: answers that fail, brokers that are down or slow.
//!
//! In: what is to go wrong. Used by the thread that made the cluster.

use std::time::Duration;

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use super::{
    error::{ErrorCode, KafkaError},
    mock::MockCluster,
    native::{check, millis},
};

/// A kind of request whose next answers can be spoilt; the value is Kafka's API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum MockRequest {
    /// Records to a partition.
    Produce = 0,
    /// A producer id, asked for by `init_transactions`.
    InitProducerId = 22,
    /// Partitions join the transaction.
    AddPartitionsToTxn = 24,
    /// The group's offsets join the transaction.
    AddOffsetsToTxn = 25,
    /// Commit or abort.
    EndTxn = 26,
    /// Offsets, sent to the group's coordinator.
    TxnOffsetCommit = 28,
}

/// Every broker of the cluster.
const ALL_BROKERS: i32 = -1;

impl MockCluster {
    /// Answers the next requests of a kind with these errors, one each.
    ///
    /// # Panics
    /// When librdkafka does not know a code.
    pub fn fail_next(&self, request: MockRequest, errors: &[ErrorCode]) {
        let native = |code: &ErrorCode| RDKafkaRespErr::try_from(code.0).expect("a known code");
        let errors: Vec<_> = errors.iter().map(native).collect();
        // SAFETY: cluster and array are alive; the array is copied.
        unsafe {
            rd::rd_kafka_mock_push_request_errors_array(
                self.ptr(),
                request as i16,
                errors.len(),
                errors.as_ptr(),
            );
        }
    }

    /// Closes all brokers' connections and refuses new ones.
    pub fn take_down(&self) -> Result<(), KafkaError> {
        // SAFETY: the cluster is alive.
        check("take mock brokers down", unsafe {
            rd::rd_kafka_mock_broker_set_down(self.ptr(), ALL_BROKERS)
        })
    }

    /// Accepts connections again.
    pub fn bring_up(&self) -> Result<(), KafkaError> {
        // SAFETY: the cluster is alive.
        check("bring mock brokers up", unsafe {
            rd::rd_kafka_mock_broker_set_up(self.ptr(), ALL_BROKERS)
        })
    }

    /// Delays every answer of all brokers.
    pub fn set_round_trip(&self, delay: Duration) -> Result<(), KafkaError> {
        // SAFETY: the cluster is alive.
        check("delay mock answers", unsafe {
            rd::rd_kafka_mock_broker_set_rtt(self.ptr(), ALL_BROKERS, millis(delay))
        })
    }
}
