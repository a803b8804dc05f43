//! Native requests of the admin client, and what their results say.
//!
//! In: descriptions of topics. Out: arrays of native requests that are freed together; the first
//! failure among the results. Holds: a request is freed exactly once, also when a later one fails.

use std::ffi::{c_char, c_int};

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use super::client::NewTopic;
use crate::kafka::native::{KafkaError, c_string, check, error_text, owned_text};

/// Size of the buffers that librdkafka writes the reason of a refused argument to.
pub(super) const ERROR_TEXT_BYTES: usize = 256;

/// # Errors
/// `Config` when name, numbers or configuration are impossible.
pub(super) fn new_topic(topic: &NewTopic) -> Result<*mut rd::rd_kafka_NewTopic_t, KafkaError> {
    let name = c_string("topic", &topic.name)?;
    let mut text = [0; ERROR_TEXT_BYTES];
    // SAFETY: name and buffer are alive; the name is copied.
    let native = unsafe {
        rd::rd_kafka_NewTopic_new(
            name.as_ptr(),
            topic.partitions as c_int,
            topic.replication as c_int,
            text.as_mut_ptr(),
            text.len(),
        )
    };
    if native.is_null() {
        return Err(refused(&topic.name, &text));
    }
    for (key, value) in &topic.config {
        let (key, value) = (c_string("topic setting", key)?, c_string("topic setting", value)?);
        // SAFETY: all three are alive; librdkafka copies the strings.
        let code =
            unsafe { rd::rd_kafka_NewTopic_set_config(native, key.as_ptr(), value.as_ptr()) };
        if let Err(error) = check("describe a topic", code) {
            // SAFETY: made above, and given to nobody.
            unsafe { rd::rd_kafka_NewTopic_destroy(native) };
            return Err(error);
        }
    }
    Ok(native)
}

fn refused(topic: &str, text: &[c_char]) -> KafkaError {
    // SAFETY: librdkafka has written a terminated text into the zeroed buffer.
    let reason = unsafe { owned_text(text.as_ptr()) };
    KafkaError::Config { text: format!("topic {topic:?}: {reason}") }
}

/// Native requests, destroyed together.
pub(super) struct Requests<T> {
    native: Vec<*mut T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Requests<T> {
    pub(super) fn of<A>(
        arguments: &[A],
        destroy: unsafe extern "C" fn(*mut T),
        make: impl Fn(&A) -> Result<*mut T, KafkaError>,
    ) -> Result<Self, KafkaError> {
        let mut requests = Self { native: Vec::with_capacity(arguments.len()), destroy };
        for argument in arguments {
            requests.native.push(make(argument)?);
        }
        Ok(requests)
    }

    pub(super) fn ptr(&self) -> *mut *mut T {
        self.native.as_ptr().cast_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.native.len()
    }
}

impl<T> Drop for Requests<T> {
    fn drop(&mut self) {
        for request in &self.native {
            // SAFETY: made by the constructor that belongs to `destroy`, and destroyed once.
            unsafe { (self.destroy)(*request) };
        }
    }
}

/// The first result that is neither success nor `harmless`.
///
/// # Safety
/// `results` holds `count` live results.
pub(super) unsafe fn first_failure(
    operation: &'static str,
    results: *mut *const rd::rd_kafka_topic_result_t,
    count: usize,
    harmless: RDKafkaRespErr,
) -> Result<(), KafkaError> {
    if results.is_null() || count == 0 {
        return Ok(());
    }
    // SAFETY: as the caller vouches.
    for result in unsafe { std::slice::from_raw_parts(results, count) } {
        // SAFETY: the result is alive, and so are its strings.
        let (code, name, reason) = unsafe {
            (
                rd::rd_kafka_topic_result_error(*result),
                owned_text(rd::rd_kafka_topic_result_name(*result)),
                owned_text(rd::rd_kafka_topic_result_error_string(*result)),
            )
        };
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && code != harmless {
            return Err(named(operation, &name, code as i32, &reason));
        }
    }
    Ok(())
}

/// An error that names its topic.
pub(super) fn named(operation: &'static str, topic: &str, code: i32, reason: &str) -> KafkaError {
    let known = error_text(code);
    let reason = if reason.is_empty() { &known } else { reason };
    KafkaError::from_code(operation, code, format!("topic {topic}: {reason}"))
}
