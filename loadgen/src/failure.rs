//! The error of a command.

use std::fmt;

/// Why a command did not run to its end.
#[derive(Debug)]
pub enum Failure {
    /// The flags contradict each other.
    Usage(String),
    /// Anything else.
    Running(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Running(error)
    }
}

impl fmt::Display for Failure {
    /// Prints the error with all its causes in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Running(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for Failure {}
