//! What the error codes of librdkafka and the brokers mean.
//!
//! Pure tables. Holds: whatever is not listed is fatal, because nothing is known to make it go
//! away.
#![forbid(unsafe_code)]

use rdkafka::types::RDKafkaRespErr as Native;

/// True for errors that only say that no broker can be reached just now.
pub(in crate::kafka) fn is_broker_away(code: i32) -> bool {
    matches!(
        Native::try_from(code),
        Ok(Native::RD_KAFKA_RESP_ERR__TRANSPORT
            | Native::RD_KAFKA_RESP_ERR__RESOLVE
            | Native::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
            | Native::RD_KAFKA_RESP_ERR__TIMED_OUT
            | Native::RD_KAFKA_RESP_ERR__DESTROY_BROKER
            | Native::RD_KAFKA_RESP_ERR__SSL
            | Native::RD_KAFKA_RESP_ERR__AUTHENTICATION)
    )
}

/// True for the errors that mean "the position does not exist": out of range with
/// `auto.offset.reset=error`, and a log that was cut below it.
pub(in crate::kafka) fn is_out_of_range(code: i32) -> bool {
    matches!(
        Native::try_from(code),
        Ok(Native::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
            | Native::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE
            | Native::RD_KAFKA_RESP_ERR__LOG_TRUNCATION)
    )
}

/// True for the errors of a partition that say what is wrong with the data at an offset.
pub(in crate::kafka) fn is_unreadable(code: i32) -> bool {
    use Native as E;
    matches!(
        E::try_from(code),
        Ok(E::RD_KAFKA_RESP_ERR__BAD_COMPRESSION
            | E::RD_KAFKA_RESP_ERR__BAD_MSG
            | E::RD_KAFKA_RESP_ERR__UNDERFLOW
            | E::RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED
            | E::RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE
            | E::RD_KAFKA_RESP_ERR_UNKNOWN
            | E::RD_KAFKA_RESP_ERR_INVALID_MSG
            | E::RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE
            | E::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE
            | E::RD_KAFKA_RESP_ERR_INVALID_RECORD
            | E::RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE)
    )
}

/// What a code asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    Retry,
    Fenced,
    NotMember,
    Refused,
    Stop,
}

/// The reaction that fits a code; to one that is not listed it is `Stop`.
pub(super) fn reaction(code: Native) -> Reaction {
    use Native as E;
    match code {
        E::RD_KAFKA_RESP_ERR__FENCED
        | E::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID
        | E::RD_KAFKA_RESP_ERR_UNRELEASED_INSTANCE_ID
        | E::RD_KAFKA_RESP_ERR_PRODUCER_FENCED
        | E::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH => Reaction::Fenced,
        E::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION
        | E::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID
        | E::RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH
        | E::RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST => Reaction::NotMember,
        E::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE
        | E::RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE
        | E::RD_KAFKA_RESP_ERR_INVALID_RECORD => Reaction::Refused,
        E::RD_KAFKA_RESP_ERR__TRANSPORT
        | E::RD_KAFKA_RESP_ERR__RESOLVE
        | E::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
        | E::RD_KAFKA_RESP_ERR__DESTROY_BROKER
        | E::RD_KAFKA_RESP_ERR__TIMED_OUT
        | E::RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE
        | E::RD_KAFKA_RESP_ERR__MSG_TIMED_OUT
        | E::RD_KAFKA_RESP_ERR__QUEUE_FULL
        | E::RD_KAFKA_RESP_ERR__WAIT_COORD
        | E::RD_KAFKA_RESP_ERR__WAIT_CACHE
        | E::RD_KAFKA_RESP_ERR__IN_PROGRESS
        | E::RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS
        | E::RD_KAFKA_RESP_ERR__RETRY
        | E::RD_KAFKA_RESP_ERR__PURGE_QUEUE
        | E::RD_KAFKA_RESP_ERR__PURGE_INFLIGHT
        | E::RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED
        | E::RD_KAFKA_RESP_ERR__BAD_MSG
        | E::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
        | E::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION
        | E::RD_KAFKA_RESP_ERR_INVALID_MSG
        | E::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        | E::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID
        | E::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
        | E::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION
        | E::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT
        | E::RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE
        | E::RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE
        | E::RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION
        | E::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS
        | E::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE
        | E::RD_KAFKA_RESP_ERR_NOT_COORDINATOR
        | E::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
        | E::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | E::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS
        | E::RD_KAFKA_RESP_ERR_NOT_CONTROLLER
        | E::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS
        | E::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR
        | E::RD_KAFKA_RESP_ERR_FETCH_SESSION_ID_NOT_FOUND
        | E::RD_KAFKA_RESP_ERR_INVALID_FETCH_SESSION_EPOCH
        | E::RD_KAFKA_RESP_ERR_LISTENER_NOT_FOUND
        | E::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH
        | E::RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH
        | E::RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE
        | E::RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH
        | E::RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT
        | E::RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED
        | E::RD_KAFKA_RESP_ERR_REBOOTSTRAP_REQUIRED => Reaction::Retry,
        _ => Reaction::Stop,
    }
}
