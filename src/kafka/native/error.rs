//! Errors of the Kafka client: the variant names what the caller has to do.
//!
//! In: librdkafka's codes and texts. Out: [`KafkaError`]. Pure; used by every thread.
//! Holds: fatal is tested first, then fenced, lost membership, refused records and retriable;
//! whatever is unknown is fatal, because nothing is known to make it go away.
#![forbid(unsafe_code)]

use std::{fmt, time::Duration};

use rdkafka::types::RDKafkaRespErr as Native;
use thiserror::Error;

use super::codes::{Reaction, reaction};
use crate::ids::PartitionId;

/// librdkafka's number for an error; shown by its name, for example `MSG_SIZE_TOO_LARGE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i32);

impl ErrorCode {
    /// librdkafka's constant without its prefix; a leading underscore marks errors that arise in
    /// the client.
    pub fn name(self) -> String {
        super::ffi::error_name(self.0)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// What went wrong, by reaction.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KafkaError {
    /// Try the same call again after a pause.
    #[error("{operation}: {text} ({code})")]
    Retriable {
        /// The call that failed.
        operation: &'static str,
        /// librdkafka's code.
        code: ErrorCode,
        /// librdkafka's text.
        text: String,
    },
    /// The open transaction must be aborted; the producer stays usable.
    #[error("{operation}: {text} ({code}); the transaction must be aborted")]
    Abortable {
        /// The call that failed.
        operation: &'static str,
        /// librdkafka's code.
        code: ErrorCode,
        /// librdkafka's text.
        text: String,
    },
    /// Another process uses the same instance id or transactional id: stop. A producer sees the
    /// same when a transaction outlived its timeout; `transactions` says what can be told apart.
    #[error("{operation}: {text} ({code}); another process runs with the same instance id{}",
        or_too_old(*.code))]
    Fenced {
        /// The call that failed.
        operation: &'static str,
        /// librdkafka's code.
        code: ErrorCode,
        /// librdkafka's text.
        text: String,
    },
    /// The group went on without this member: its partitions are lost, nothing was committed.
    /// Roll back; the next rebalance events say what is owned.
    #[error("{operation}: {text} ({code}); this member's partitions were given to others")]
    NotMember {
        /// The call that failed.
        operation: &'static str,
        /// librdkafka's code.
        code: ErrorCode,
        /// librdkafka's text.
        text: String,
    },
    /// This record can never be sent (too large, invalid). Others can.
    #[error("{operation}: the record is refused: {text} ({code})")]
    Refused {
        /// The call that failed.
        operation: &'static str,
        /// librdkafka's code.
        code: ErrorCode,
        /// librdkafka's text.
        text: String,
    },
    /// The position no longer exists in the log: a gap. The partition stands still until it is
    /// assigned again at an offset that exists.
    #[error("partition {partition}: the position {position} is not in the log any more: {text}")]
    OffsetOutOfRange {
        /// The partition that stands still.
        partition: PartitionId,
        /// The offset that was asked for; negative when librdkafka does not say.
        position: i64,
        /// librdkafka's text.
        text: String,
    },
    /// What was fetched at this offset cannot be read: damaged, or larger than this client unpacks.
    /// librdkafka fetches it again, so one such error proves nothing.
    #[error("partition {partition}, offset {offset}: {text} ({code})")]
    Unreadable {
        /// Where it was fetched.
        partition: PartitionId,
        /// What librdkafka names: the first offset of a batch, or the one that was asked for.
        offset: i64,
        /// librdkafka's code.
        code: ErrorCode,
        /// librdkafka's text.
        text: String,
    },
    /// An answer is larger than this client takes; librdkafka does not say to which question. The
    /// connection is closed, and the question is asked again.
    #[error("{text}")]
    AnswerTooLarge {
        /// librdkafka's text, which names both sizes.
        text: String,
    },
    /// No broker answered in time; whether the operation took effect is unknown.
    #[error("{operation}: no answer within {} ms{}", waited.as_millis(), because(.text))]
    Timeout {
        /// The call that was not answered.
        operation: &'static str,
        /// How long it waited.
        waited: Duration,
        /// The last error with a broker, or empty.
        text: String,
    },
    /// A setting is wrong; the text names it and the remedy.
    #[error("{text}")]
    Config {
        /// Names the setting, the value and the remedy.
        text: String,
    },
    /// Nothing makes this go away: stop.
    #[error("{operation}: {text} ({code})")]
    Fatal {
        /// The call that failed.
        operation: &'static str,
        /// librdkafka's code.
        code: ErrorCode,
        /// librdkafka's text.
        text: String,
    },
}

fn because(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" (last error: {text})") }
}

/// The transactional producer's fences have another possible cause.
fn or_too_old(code: ErrorCode) -> &'static str {
    if code.0 == Native::RD_KAFKA_RESP_ERR__FENCED as i32 {
        ", or the transaction was open for longer than transaction.timeout.ms"
    } else {
        ""
    }
}

impl KafkaError {
    /// Trying the same call again can succeed. For a commit that timed out this is also right: the
    /// same offsets may be committed twice.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::Retriable { .. } | Self::Timeout { .. })
    }

    /// This record can never be sent; a smaller one may be.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// The open transaction must be aborted; its work can be done again.
    pub fn is_abortable(&self) -> bool {
        matches!(self, Self::Abortable { .. })
    }

    /// The broker lets this client do nothing more, because it knows a newer one.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Fenced { .. })
    }

    /// The group has given this member's place to another process with the same instance id.
    pub fn is_replaced_member(&self) -> bool {
        let code = self.code().map(|code| Native::try_from(code.0));
        matches!(code, Some(Ok(Native::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)))
    }

    /// The client is in a state that does not allow the call. Of a send in a transaction: the
    /// transaction has failed, and the reports that say why are still to be polled.
    pub fn is_wrong_state(&self) -> bool {
        let code = self.code().map(|code| Native::try_from(code.0));
        matches!(code, Some(Ok(Native::RD_KAFKA_RESP_ERR__STATE)))
    }

    /// A broker does not know what this producer has written before: a partition has lost its end.
    /// Another producer begins anew.
    pub fn has_lost_sequence(&self) -> bool {
        let code = self.code().map(|code| Native::try_from(code.0));
        matches!(
            code,
            Some(Ok(Native::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER
                | Native::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID))
        )
    }

    /// There is no such topic, as far as this user may see.
    pub fn is_unknown_topic(&self) -> bool {
        let code = self.code().map(|code| Native::try_from(code.0));
        matches!(
            code,
            Some(Ok(Native::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                | Native::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC))
        )
    }

    /// The broker denies this user the operation: an ACL is missing.
    pub fn is_authorization(&self) -> bool {
        use Native as E;
        let code = self.code().map(|code| Native::try_from(code.0));
        matches!(
            code,
            Some(Ok(E::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
                | E::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED
                | E::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED
                | E::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                | E::RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED))
        )
    }

    /// librdkafka's code, where the variant has one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Retriable { code, .. }
            | Self::Abortable { code, .. }
            | Self::Fenced { code, .. }
            | Self::NotMember { code, .. }
            | Self::Refused { code, .. }
            | Self::Unreadable { code, .. }
            | Self::Fatal { code, .. } => Some(*code),
            Self::OffsetOutOfRange { .. }
            | Self::AnswerTooLarge { .. }
            | Self::Timeout { .. }
            | Self::Config { .. } => None,
        }
    }

    /// librdkafka itself cannot read what a broker gave; brokers' own codes are positive, but for
    /// the -1 of an error that has no code.
    pub fn is_of_the_client(&self) -> bool {
        matches!(self, Self::Unreadable { code, .. } if code.0 < -1)
    }

    /// The client or the process has to stop.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Fatal { .. } | Self::Fenced { .. } | Self::Config { .. })
    }

    /// The variant that fits librdkafka's code.
    pub(in crate::kafka) fn from_code(operation: &'static str, code: i32, text: String) -> Self {
        let known = Native::try_from(code).unwrap_or(Native::RD_KAFKA_RESP_ERR_UNKNOWN);
        let code = ErrorCode(code);
        match reaction(known) {
            Reaction::Retry => Self::Retriable { operation, code, text },
            Reaction::Fenced => Self::Fenced { operation, code, text },
            Reaction::NotMember => Self::NotMember { operation, code, text },
            Reaction::Refused => Self::Refused { operation, code, text },
            Reaction::Stop => Self::Fatal { operation, code, text },
        }
    }

    /// The error that a call has when librdkafka answers it with this code.
    #[cfg(feature = "test-support")]
    pub fn of_code(operation: &'static str, code: ErrorCode) -> Self {
        Self::from_code(operation, code.0, super::ffi::error_text(code.0))
    }

    /// As [`Self::from_code`], with librdkafka's own text for the code.
    pub(in crate::kafka) fn from_native(operation: &'static str, code: Native) -> Self {
        Self::from_code(operation, code as i32, super::ffi::error_text(code as i32))
    }
}

#[cfg(test)]
mod tests;
