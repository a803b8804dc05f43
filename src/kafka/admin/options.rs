//! Options of the admin client's questions.
//!
//! Holds: every question has a timeout; one that may say this user's rights asks for them.

use std::{ffi::c_char, ptr::NonNull, time::Duration};

use rdkafka::bindings::{self as rd, rd_kafka_admin_op_t as op};

use super::{answers::failure, requests::ERROR_TEXT_BYTES};
use crate::{
    kafka::native::{KafkaError, NativeClient, check, millis},
    limits::COORDINATOR_QUESTION_LIFE,
};

/// Options of a question.
pub(super) struct Options(NonNull<rd::rd_kafka_AdminOptions_t>);

const OPERATION: &str = "describe";

impl Options {
    /// Of a question that asks for this user's rights too.
    pub(super) fn new(
        client: &NativeClient,
        kind: op,
        timeout: Duration,
    ) -> Result<Self, KafkaError> {
        let options = Self::with_timeout(client, kind, timeout)?;
        // SAFETY: the options are alive; the returned error is ours to destroy.
        let refused = unsafe {
            let error =
                rd::rd_kafka_AdminOptions_set_include_authorized_operations(options.ptr(), 1);
            let refused = failure(error);
            if !error.is_null() {
                rd::rd_kafka_error_destroy(error);
            }
            refused
        };
        match refused {
            None => Ok(options),
            Some((code, text)) => Err(KafkaError::from_code(OPERATION, code, text)),
        }
    }

    /// Of a question to a coordinator, see [`super::client::Admin::ask_coordinator`].
    pub(super) fn of_coordinator(client: &NativeClient, kind: op) -> Result<Self, KafkaError> {
        Self::with_timeout(client, kind, COORDINATOR_QUESTION_LIFE)
    }

    fn with_timeout(
        client: &NativeClient,
        kind: op,
        timeout: Duration,
    ) -> Result<Self, KafkaError> {
        // SAFETY: the client is alive; the returned options are ours.
        let native = unsafe { rd::rd_kafka_AdminOptions_new(client.ptr(), kind) };
        let options = Self(NonNull::new(native).expect("every kind of question has options"));
        let mut text: [c_char; ERROR_TEXT_BYTES] = [0; ERROR_TEXT_BYTES];
        // librdkafka refuses zero.
        let timeout_ms = millis(timeout).max(1);
        // SAFETY: options and buffer are alive.
        let code = unsafe {
            rd::rd_kafka_AdminOptions_set_request_timeout(
                options.ptr(),
                timeout_ms,
                text.as_mut_ptr(),
                text.len(),
            )
        };
        check(OPERATION, code)?;
        Ok(options)
    }

    pub(super) fn ptr(&self) -> *mut rd::rd_kafka_AdminOptions_t {
        self.0.as_ptr()
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: ours since `with_timeout`, and destroyed once.
        unsafe { rd::rd_kafka_AdminOptions_destroy(self.ptr()) };
    }
}
