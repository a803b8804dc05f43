//! What is wrong with an answer of the brokers.
//!
//! In:  native results and errors. Out: an error that names the topic, group or broker.

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use crate::kafka::native::{ErrorCode, KafkaError, error_text, owned_text};

/// Code and text of a native error; `None` for success.
///
/// # Safety
/// `error` is null or alive.
pub(super) unsafe fn failure(error: *const rd::rd_kafka_error_t) -> Option<(i32, String)> {
    if error.is_null() {
        return None;
    }
    // SAFETY: alive, as the caller vouches, and so is its text.
    unsafe {
        let code = rd::rd_kafka_error_code(error) as i32;
        let text = owned_text(rd::rd_kafka_error_string(error));
        (code != 0).then(|| (code, if text.is_empty() { error_text(code) } else { text }))
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

/// An answer without what was asked for.
pub(super) fn unanswered(operation: &'static str, name: &str) -> KafkaError {
    KafkaError::Fatal {
        operation,
        code: ErrorCode(RDKafkaRespErr::RD_KAFKA_RESP_ERR__BAD_MSG as i32),
        text: format!("the broker's answer does not name {name}"),
    }
}
