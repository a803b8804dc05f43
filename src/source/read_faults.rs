//! Reacts to what went wrong while reading. Owned by the source thread.
//!
//! In:  faults that drains and the group's events left behind.
//! Out: a rollback, an end, or one log line every few seconds.
//! Holds: nothing here loses a record: what cannot be read stands still and is asked about again.

use std::time::Instant;

use super::{Halt, Source, SourcePhase, fatal, intake::ReadFault};
use crate::{
    kafka::{KafkaError, log_ends},
    limits,
};

impl Source {
    pub(super) fn handle_faults(&mut self) -> Result<(), Halt> {
        for fault in std::mem::take(&mut self.intake.faults) {
            match fault {
                ReadFault::Halt(halt) => return Err(halt),
                // After a failed checksum librdkafka may read an offset out of the damaged bytes.
                ReadFault::OutOfRange(partition) if self.unreadable.suspects(partition) => {}
                ReadFault::OutOfRange(partition) if matches!(self.phase, SourcePhase::Running) => {
                    self.roll_back(&format!(
                        "partition {partition}: the log no longer holds the next offset"
                    ))?;
                }
                ReadFault::OutOfRange(_) => {}
                ReadFault::Reported(error) if error.is_replaced_member() => {
                    self.replaced(&error)?;
                }
                ReadFault::Reported(error) if error.is_fatal() => return Err(fatal(&error)),
                ReadFault::Reported(error) => {
                    self.suspect(&error);
                    self.complain(&error);
                }
            }
        }
        Ok(())
    }

    /// One line about a lasting fault every few seconds.
    pub(super) fn complain(&mut self, error: &KafkaError) {
        let now = self.intake.now();
        let due =
            self.last_complaint.is_none_or(|last| now - last >= limits::REPEATED_LOG_INTERVAL);
        if due {
            self.last_complaint = Some(now);
            tracing::warn!(%error, "reading the input is disturbed; trying again");
        }
    }

    /// Asks the brokers whether they still answer for partitions that have fallen silent. Without
    /// that, a broker that is away would close windows.
    pub(super) fn probe_silent(&mut self) {
        let now = self.intake.now();
        if now < self.next_probe {
            return;
        }
        let silent = self.intake.partitions.to_probe(now, self.settings.idle_timeout);
        if silent.is_empty() {
            return;
        }
        match log_ends(&self.admin, &self.settings.topic, &silent, limits::PROBE_TIMEOUT) {
            Ok(ends) => {
                if self.intake.partitions.answered(&ends, Instant::now()) < silent.len() {
                    self.next_probe = now + limits::PROBE_RETRY_PAUSE;
                }
            }
            Err(error) => {
                self.complain(&error);
                self.next_probe = Instant::now() + limits::PROBE_RETRY_PAUSE;
            }
        }
    }
}
