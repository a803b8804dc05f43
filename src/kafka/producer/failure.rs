//! What is wrong with a transactional call.
//!
//! In:  an error object of librdkafka. Out: an error whose variant says what to do next.
//! Holds: every error object is destroyed once; fatal is tested before abortable before retriable.

use std::ptr::NonNull;

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use crate::kafka::native::{ErrorCode, KafkaError, owned_text};

/// An error object of librdkafka, with one owner.
pub(super) struct NativeError(NonNull<rd::rd_kafka_error_t>);

impl NativeError {
    /// Takes ownership of what a call returned; null is success.
    pub(super) fn take(error: *mut rd::rd_kafka_error_t) -> Option<Self> {
        NonNull::new(error).map(Self)
    }

    /// What it says.
    pub(super) fn failure(&self) -> Failure {
        let error = self.0.as_ptr();
        // SAFETY: the error is alive, and so is its text.
        unsafe {
            Failure {
                code: rd::rd_kafka_error_code(error) as i32,
                text: owned_text(rd::rd_kafka_error_string(error)),
                is_fatal: rd::rd_kafka_error_is_fatal(error) != 0,
                requires_abort: rd::rd_kafka_error_txn_requires_abort(error) != 0,
                is_retriable: rd::rd_kafka_error_is_retriable(error) != 0,
            }
        }
    }
}

impl Drop for NativeError {
    fn drop(&mut self) {
        // SAFETY: ours since `take`, and not used after this.
        unsafe { rd::rd_kafka_error_destroy(self.0.as_ptr()) };
    }
}

/// What a native error says.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure {
    code: i32,
    text: String,
    is_fatal: bool,
    requires_abort: bool,
    is_retriable: bool,
}

impl Failure {
    /// librdkafka replaces the code of a timed-out call by that of the error behind it, if it knows
    /// it.
    pub(super) fn is_timeout(&self, is_late: bool) -> bool {
        let says_so = self.code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT as i32;
        self.is_retriable && !self.is_fatal && !self.requires_abort && (says_so || is_late)
    }

    /// librdkafka's text.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// The error of `operation`; `of_client` is the client's first fatal one.
    pub(super) fn classify(
        self,
        operation: &'static str,
        of_client: Option<KafkaError>,
    ) -> KafkaError {
        let text = self.text;
        let code = ErrorCode(self.code);
        if self.is_fatal {
            return match KafkaError::from_code(operation, self.code, text.clone()) {
                fenced @ KafkaError::Fenced { .. } => fenced,
                _ => match of_client {
                    Some(KafkaError::Fenced { code, text, .. }) => {
                        KafkaError::Fenced { operation, code, text }
                    }
                    _ => KafkaError::Fatal { operation, code, text },
                },
            };
        }
        if self.requires_abort {
            // The group has replaced this member: another try would only fence whoever it was by.
            let known = KafkaError::from_code(operation, self.code, text.clone());
            if known.is_replaced_member() {
                return known;
            }
            return KafkaError::Abortable { operation, code, text };
        }
        if self.is_retriable {
            return KafkaError::Retriable { operation, code, text };
        }
        KafkaError::Fatal { operation, code, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FENCED: i32 = RDKafkaRespErr::RD_KAFKA_RESP_ERR__FENCED as i32;
    const TIMED_OUT: i32 = RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT as i32;
    const STATE: i32 = RDKafkaRespErr::RD_KAFKA_RESP_ERR__STATE as i32;

    fn failure(code: i32) -> Failure {
        Failure { code, text: "why".into(), ..Failure::default() }
    }

    #[test]
    fn fatal_is_tested_before_abortable_before_retriable() {
        let all = |code| Failure {
            is_fatal: true,
            requires_abort: true,
            is_retriable: true,
            ..failure(code)
        };
        assert!(all(FENCED).classify("test", None).is_fenced());
        assert!(matches!(all(STATE).classify("test", None), KafkaError::Fatal { .. }));
        let abortable = Failure { is_fatal: false, ..all(FENCED) };
        assert!(abortable.classify("test", None).is_abortable());
        let retriable = Failure { requires_abort: false, is_fatal: false, ..all(STATE) };
        assert!(retriable.classify("test", None).is_retriable());
        assert!(failure(STATE).classify("test", None).is_fatal());
    }

    #[test]
    fn a_member_that_the_group_has_replaced_is_fenced_also_where_an_abort_would_do() {
        let replaced = RDKafkaRespErr::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID as i32;
        let abortable = Failure { requires_abort: true, ..failure(replaced) };
        let error = abortable.classify("add offsets to the transaction", None);
        assert!(error.is_fenced() && error.is_replaced_member(), "{error:?}");
    }

    #[test]
    fn a_fatal_error_is_a_fence_when_the_client_was_fenced_before() {
        let of_client = KafkaError::from_code("client", FENCED, "a newer producer".into());
        let fatal = Failure { is_fatal: true, ..failure(STATE) };
        let error = fatal.classify("commit the transaction", Some(of_client));
        assert!(error.is_fenced(), "{error:?}");
        assert!(error.to_string().contains("commit the transaction: a newer producer"), "{error}");
    }

    #[test]
    fn only_a_retriable_error_is_a_timeout() {
        let retriable = |code| Failure { is_retriable: true, ..failure(code) };
        assert!(retriable(TIMED_OUT).is_timeout(false));
        assert!(retriable(STATE).is_timeout(true));
        assert!(!retriable(STATE).is_timeout(false));
        assert!(!failure(TIMED_OUT).is_timeout(true));
        assert!(!Failure { requires_abort: true, ..retriable(TIMED_OUT) }.is_timeout(true));
        assert!(!Failure { is_fatal: true, ..retriable(TIMED_OUT) }.is_timeout(true));
    }
}
