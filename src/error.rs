//! The one error that ends the process; its variant decides the exit code.
//!
//! Every thread and the command line make it, only `main` reads it. Errors that a thread handles
//! itself (a rolled-back epoch, a lost partition) are types of their own modules; they become a
//! `RunError` only when the process has to stop.

use std::fmt;

/// Exit code of a failure while running.
pub const EXIT_FAILED: u8 = 1;

/// Exit code of a usage or configuration error: nothing was read, written or changed.
pub const EXIT_USAGE: u8 = 2;

/// Why the process ends with an error. Every message names the setting, the value and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Refused before the work began: the operator must change the command, the settings or what
    /// they refer to.
    #[error("{0}")]
    Refused(String),
    /// A broker answered with an error that a retry cannot resolve.
    #[error("Kafka: {0}")]
    Kafka(String),
    /// Something else failed while running.
    #[error("{0}")]
    Failed(String),
    /// A thread ended unexpectedly; the others were stopped and nothing more was committed.
    #[error("thread {name} died: {message}; nothing was committed after that")]
    ThreadDied {
        /// The thread's name.
        name: String,
        /// Its panic message or error.
        message: String,
    },
    /// All retries failed.
    #[error("gave up {what} after {attempts} attempts, last error: {last}")]
    GaveUp {
        /// What was tried, as a continuation of "gave up".
        what: String,
        /// Number of attempts made.
        attempts: u32,
        /// The last attempt's error.
        last: String,
    },
}

impl RunError {
    /// The error of a lower module that knows its own exit code, such as a `StateError`.
    pub fn with_exit_code(exit_code: u8, message: impl fmt::Display) -> Self {
        if exit_code == EXIT_USAGE {
            Self::Refused(message.to_string())
        } else {
            Self::Failed(message.to_string())
        }
    }

    /// Exit code of the process: 2 for usage and configuration, 1 for a failure while running.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) => EXIT_USAGE,
            Self::Kafka(_) | Self::Failed(_) | Self::ThreadDied { .. } | Self::GaveUp { .. } => {
                EXIT_FAILED
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_refused_exits_2() {
        let died = RunError::ThreadDied { name: "sink".into(), message: "disk full".into() };
        let gave_up =
            RunError::GaveUp { what: "rolling back".into(), attempts: 20, last: "timeout".into() };
        for failure in [RunError::Kafka("x".into()), RunError::Failed("x".into()), died, gave_up] {
            assert_eq!(failure.exit_code(), EXIT_FAILED, "{failure}");
        }
        assert_eq!(RunError::Refused("x".into()).exit_code(), EXIT_USAGE);
        assert_eq!(RunError::with_exit_code(2, "x").exit_code(), EXIT_USAGE);
        assert_eq!(RunError::with_exit_code(1, "x").exit_code(), EXIT_FAILED);
    }
}
