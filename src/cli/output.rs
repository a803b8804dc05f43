//! Writing to stdout: what the result of a write means for the command.

use std::io;

use crate::error::RunError;

/// A reader that went away (`| head`) is no failure.
pub(super) fn printed(result: io::Result<()>) -> Result<(), RunError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::Failed(format!("writing to stdout failed: {error}")))
        }
        _ => Ok(()),
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
