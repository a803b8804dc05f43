//! What a command writes: its result on stdout, the log elsewhere.
//!
//! Main thread. Holds: a reader of stdout that went away (`| head`) is no failure.

use std::{fs::File, io};

use crate::{config::LogFormat, error::RunError, limits};

/// Starts logging in this form, to stderr or to a file; the error is for the operator.
pub(crate) type StartLogging = fn(LogFormat, Option<File>) -> Result<(), RunError>;

/// What the result of a write to stdout means for the command.
pub(crate) fn printed(result: io::Result<()>) -> Result<(), RunError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::Failed(format!("writing to stdout failed: {error}")))
        }
        _ => Ok(()),
    }
}

/// Any bytes as printable text of bounded length.
pub(crate) fn shortened(raw: &[u8]) -> String {
    let head = &raw[..raw.len().min(limits::SHOWN_RAW_BYTES)];
    let text = head.escape_ascii();
    if head.len() < raw.len() {
        format!("{text}… ({} bytes)", raw.len())
    } else {
        text.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_no_failure() {
        assert!(printed(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(printed(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
