//! An embedded mock cluster, for the demo and for tests.
//!
//! In: topics to create; of a test, what is to go wrong. Out: the address of brokers on loopback.
//! Used by the thread that made it.
//! Holds: it ends with its value. It keeps 5 MiB per partition, has no fencing, no `CreateTopics`,
//! and drops offsets that are committed in transactions.

use std::{fmt, ptr::NonNull, sync::Arc, time::Duration};

use rdkafka::{ClientConfig, bindings as rd, types::RDKafkaType};

use super::{
    client::NativeClient,
    error::{ErrorCode, KafkaError},
    ffi::{c_string, check, owned_text},
};

/// A running mock cluster.
pub struct MockCluster {
    cluster: NonNull<rd::rd_kafka_mock_cluster_t>,
    /// Owns the cluster's memory and log; dropped after it.
    _client: Arc<NativeClient>,
}

// SAFETY: the cluster runs in a thread of its own, and its functions send it messages.
unsafe impl Send for MockCluster {}

impl fmt::Debug for MockCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockCluster").field("brokers", &self.brokers()).finish()
    }
}

/// A kind of request whose next answers can be spoilt; the value is Kafka's API key.
#[cfg(feature = "test-support")]
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
#[cfg(feature = "test-support")]
const ALL_BROKERS: i32 = -1;

/// The cluster's thread answers a call first and empties its wake-up pipe after that; a call that
/// comes between would wait for a second. This is some hundred times what it needs.
const MOCK_CALL_PAUSE: Duration = Duration::from_millis(5);

impl MockCluster {
    /// Starts `brokers` brokers. Members of a group are offered partitions at once, not after the
    /// three seconds that an ordinary broker waits for others to join.
    ///
    /// # Errors
    /// `Fatal` when they cannot listen.
    pub fn new(brokers: i32) -> Result<Self, KafkaError> {
        let config = ClientConfig::new();
        let client = NativeClient::new(&config, RDKafkaType::RD_KAFKA_PRODUCER, 0, "mock")?;
        // SAFETY: the client is alive, and outlives the cluster.
        let cluster = unsafe { rd::rd_kafka_mock_cluster_new(client.ptr(), brokers) };
        let Some(cluster) = NonNull::new(cluster) else {
            return Err(KafkaError::Fatal {
                operation: "start a mock cluster",
                code: ErrorCode(rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__FAIL as i32),
                text: "no listener on loopback".to_owned(),
            });
        };
        let cluster = Self { cluster, _client: client };
        // SAFETY: the cluster is alive.
        unsafe { rd::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster.ptr(), 0) };
        Ok(cluster)
    }

    fn ptr(&self) -> *mut rd::rd_kafka_mock_cluster_t {
        self.cluster.as_ptr()
    }

    /// The brokers' addresses, as a client takes them.
    pub fn brokers(&self) -> String {
        // SAFETY: the cluster is alive, and the string lives as long as it.
        unsafe { owned_text(rd::rd_kafka_mock_cluster_bootstraps(self.ptr())) }
    }

    /// Whether a cluster with this id is a mock: it leaves questions about settings unanswered.
    pub fn has_id(cluster_id: &str) -> bool {
        cluster_id.starts_with("mockCluster")
    }

    /// Creates a topic with one replica.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        let name = c_string("topic", name)?;
        std::thread::sleep(MOCK_CALL_PAUSE);
        // SAFETY: cluster and name are alive; the name is copied.
        check("create a mock topic", unsafe {
            rd::rd_kafka_mock_topic_create(self.ptr(), name.as_ptr(), partitions, 1)
        })
    }
}

/// What a test does to it: answers that fail, brokers that are down or slow.
#[cfg(feature = "test-support")]
impl MockCluster {
    /// Answers the next requests of a kind with these errors, one each.
    ///
    /// # Panics
    /// When librdkafka does not know a code.
    pub fn fail_next(&self, request: MockRequest, errors: &[ErrorCode]) {
        let native =
            |code: &ErrorCode| rd::rd_kafka_resp_err_t::try_from(code.0).expect("a known code");
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
            rd::rd_kafka_mock_broker_set_rtt(self.ptr(), ALL_BROKERS, super::ffi::millis(delay))
        })
    }
}

impl Drop for MockCluster {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once, before its client.
        unsafe { rd::rd_kafka_mock_cluster_destroy(self.ptr()) };
    }
}
