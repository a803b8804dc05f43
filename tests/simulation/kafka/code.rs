//! librdkafka's numbers for errors, those below zero from the client itself.

use logintide::kafka::{ErrorCode, KafkaError};

pub(crate) type Code = ErrorCode;

pub(crate) const MSG_TIMED_OUT: Code = ErrorCode(-192);
pub(crate) const UNKNOWN_PARTITION: Code = ErrorCode(-190);
pub(crate) const TIMED_OUT: Code = ErrorCode(-185);
pub(crate) const CONFLICT: Code = ErrorCode(-173);
pub(crate) const STATE: Code = ErrorCode(-172);
pub(crate) const INCONSISTENT: Code = ErrorCode(-149);
pub(crate) const FATAL: Code = ErrorCode(-150);
pub(crate) const MAX_POLL_EXCEEDED: Code = ErrorCode(-147);
pub(crate) const FENCED: Code = ErrorCode(-144);
pub(crate) const ASSIGNMENT_LOST: Code = ErrorCode(-142);

pub(crate) const UNKNOWN_TOPIC_OR_PART: Code = ErrorCode(3);
pub(crate) const NOT_LEADER: Code = ErrorCode(6);
pub(crate) const MSG_SIZE_TOO_LARGE: Code = ErrorCode(10);
pub(crate) const COORDINATOR_LOAD_IN_PROGRESS: Code = ErrorCode(14);
pub(crate) const NOT_COORDINATOR: Code = ErrorCode(16);
pub(crate) const ILLEGAL_GENERATION: Code = ErrorCode(22);
pub(crate) const UNKNOWN_MEMBER_ID: Code = ErrorCode(25);
pub(crate) const REBALANCE_IN_PROGRESS: Code = ErrorCode(27);
pub(crate) const INVALID_PRODUCER_EPOCH: Code = ErrorCode(47);
pub(crate) const INVALID_TXN_STATE: Code = ErrorCode(48);
pub(crate) const INVALID_PRODUCER_ID_MAPPING: Code = ErrorCode(49);
pub(crate) const CONCURRENT_TRANSACTIONS: Code = ErrorCode(51);
pub(crate) const FENCED_INSTANCE_ID: Code = ErrorCode(82);
pub(crate) const UNSTABLE_OFFSET_COMMIT: Code = ErrorCode(88);
pub(crate) const PRODUCER_FENCED: Code = ErrorCode(90);

/// The error of a call that is answered with this code.
pub(crate) fn error(operation: &'static str, code: Code) -> KafkaError {
    KafkaError::of_code(operation, code)
}

/// Whether librdkafka repeats a request by itself when it is answered so.
pub(crate) fn is_repeated(code: Code) -> bool {
    matches!(
        code,
        NOT_LEADER
            | COORDINATOR_LOAD_IN_PROGRESS
            | NOT_COORDINATOR
            | CONCURRENT_TRANSACTIONS
            | UNSTABLE_OFFSET_COMMIT
    )
}

/// Whether a producer of a transactional id is over when it is answered so.
pub(crate) fn is_fence(code: Code) -> bool {
    matches!(code, INVALID_PRODUCER_EPOCH | PRODUCER_FENCED)
}
