//! An embedded mock cluster, for the demo and for tests.
//!
//! In: topics to create. Out: the address of brokers on loopback. Used by the
//! thread that made it.
//! Holds: it ends with its value. It keeps 5 MiB per partition, has no fencing, no `CreateTopics`,
//! and drops offsets that are committed in transactions.

use std::{fmt, ptr::NonNull, sync::Arc, time::Duration};

use rdkafka::{ClientConfig, bindings as rd, types::RDKafkaType};

use super::{
    error::{ErrorCode, KafkaError},
    native::{NativeClient, c_string, check, owned_text},
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

    pub(super) fn ptr(&self) -> *mut rd::rd_kafka_mock_cluster_t {
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

impl Drop for MockCluster {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once, before its client.
        unsafe { rd::rd_kafka_mock_cluster_destroy(self.ptr()) };
    }
}
