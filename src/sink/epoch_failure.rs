//! Why the sink cannot go on with the open epoch, and what follows. Sink thread.
//!
//! In:  errors of the client. Out: roll back, or stop with an error.

use crate::{error::RunError, kafka::KafkaError};

/// Why the sink cannot go on with the open epoch.
pub(super) enum EpochFailure {
    /// Roll back to what is committed and read again.
    RollBack(String),
    /// As `RollBack`: somebody has registered this transactional id.
    Fenced(String),
    /// Only the end of the process is left.
    Stop(RunError),
}

impl From<KafkaError> for EpochFailure {
    fn from(error: KafkaError) -> Self {
        if error.has_lost_sequence() {
            Self::RollBack(error.to_string())
        } else if error.is_fatal() {
            Self::Stop(RunError::Kafka(error.to_string()))
        } else if error.is_refused() {
            Self::Stop(RunError::Kafka(format!(
                "{error}: an output record is larger than -X message.max.bytes allows; raise it"
            )))
        } else {
            Self::RollBack(error.to_string())
        }
    }
}
