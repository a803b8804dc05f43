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

/// Room for librdkafka's words about a configuration.
const ERROR_TEXT_BYTES: usize = 512;

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
        // No configuration means the client's defaults.
        Self::made(client, name, ptr::null_mut())
    }

    /// A topic whose records are compressed by this codec, whatever the client's is.
    ///
    /// # Errors
    /// `Config` for an impossible name, or a codec that librdkafka does not know.
    pub(in crate::kafka) fn compressed(
        client: &Arc<NativeClient>,
        name: &str,
        codec: &str,
    ) -> Result<Self, KafkaError> {
        let c_codec = c_string("the codec", codec)?;
        let mut text = [0; ERROR_TEXT_BYTES];
        // SAFETY: the client is alive; what comes back is a copy that is ours.
        let config = unsafe { rd::rd_kafka_default_topic_conf_dup(client.ptr()) };
        // SAFETY: all of it is alive; librdkafka copies the strings, and writes no more than the
        // buffer holds.
        let result = unsafe {
            rd::rd_kafka_topic_conf_set(
                config,
                c"compression.codec".as_ptr(),
                c_codec.as_ptr(),
                text.as_mut_ptr(),
                text.len(),
            )
        };
        if result != rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
            // SAFETY: made above, and given to nobody.
            unsafe { rd::rd_kafka_topic_conf_destroy(config) };
            return Err(KafkaError::Config {
                text: format!("topic {name:?}: compression.codec={codec} is unknown"),
            });
        }
        Self::made(client, name, config)
    }

    /// `config` is null or a configuration that this takes over.
    fn made(
        client: &Arc<NativeClient>,
        name: &str,
        config: *mut rd::rd_kafka_topic_conf_t,
    ) -> Result<Self, KafkaError> {
        let c_name = c_string("topic", name)?;
        // SAFETY: client and name are alive; the configuration is librdkafka's from here on.
        let ptr = unsafe { rd::rd_kafka_topic_new(client.ptr(), c_name.as_ptr(), config) };
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
