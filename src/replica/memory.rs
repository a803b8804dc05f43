//! What the replica's memory may be. Owned by the replica.
//!
//! Holds: it is an account of its own that cuts no epoch: counts that were committed cannot be
//! thrown away, so more than the budget ends the process.

use tracing::{info, warn};

use crate::{error::RunError, limits::REPLICA_MEMORY_NOTED_DIVISOR};

/// Compares the memory with the budget.
#[derive(Debug)]
pub(super) struct MemoryWatch {
    limit_bytes: usize,
    is_noted: bool,
}

impl MemoryWatch {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, is_noted: false }
    }

    /// Looks at the bytes that are held.
    ///
    /// # Errors
    /// `Refused` when they are more than the budget.
    pub(super) fn look(&mut self, bytes: usize) -> Result<(), RunError> {
        let (mib, limit_mib) = (bytes >> 20, self.limit_bytes >> 20);
        if bytes > self.limit_bytes {
            return Err(RunError::Refused(format!(
                "the windows or profiles of the whole group take {mib} MiB, more than \
                 --memory-budget ({limit_mib} MiB): raise it in every instance, or have fewer or \
                 smaller windows open with a shorter --allowed-lateness"
            )));
        }
        let is_large = bytes > self.limit_bytes / REPLICA_MEMORY_NOTED_DIVISOR;
        if is_large && !self.is_noted {
            warn!(
                mib,
                limit_mib,
                "the windows or profiles of the whole group take more than a quarter of \
                 --memory-budget; above all of it the process ends"
            );
        } else if !is_large && self.is_noted {
            info!(
                mib,
                "the windows or profiles of the whole group take less than a quarter of \
                 --memory-budget"
            );
        }
        self.is_noted = is_large;
        Ok(())
    }
}
