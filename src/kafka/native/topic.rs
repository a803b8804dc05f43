//! A topic of one client, for sends and questions.
//!
//! In: a client and a name. Out: the topic's pointer.
//! Holds: a topic keeps its client alive and is destroyed once.

use std::{
    ptr::{self, NonNull},
    sync::Arc,
};

use rdkafka::bindings as rd;

use super::{
    client::NativeClient,
    error::KafkaError,
    ffi::{c_string, error_text},
};

/// A topic of one client: saves looking its name up on every send.
pub(in crate::kafka) struct Topic {
    ptr: NonNull<rd::rd_kafka_topic_t>,
    _client: Arc<NativeClient>,
}

// SAFETY: librdkafka's topics are locked inside and may be used from any thread.
unsafe impl Send for Topic {}

impl Topic {
    /// # Errors
    /// `Config` for an impossible name.
    pub(in crate::kafka) fn new(
        client: &Arc<NativeClient>,
        name: &str,
    ) -> Result<Self, KafkaError> {
        let c_name = c_string("topic", name)?;
        // SAFETY: client and name are alive; no configuration means the client's defaults.
        let ptr = unsafe { rd::rd_kafka_topic_new(client.ptr(), c_name.as_ptr(), ptr::null_mut()) };
        let Some(ptr) = NonNull::new(ptr) else {
            // SAFETY: reads this thread's last error.
            let code = unsafe { rd::rd_kafka_last_error() };
            return Err(KafkaError::Config {
                text: format!("topic {name:?}: {}; choose another name", error_text(code as i32)),
            });
        };
        Ok(Self { ptr, _client: Arc::clone(client) })
    }

    pub(in crate::kafka) fn ptr(&self) -> *mut rd::rd_kafka_topic_t {
        self.ptr.as_ptr()
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: this is our one reference; the client outlives it through `_client`.
        unsafe { rd::rd_kafka_topic_destroy(self.ptr()) };
    }
}
