//! Reacts to what went wrong while reading. Owned by the source thread.
//!
//! In:  troubles that drains and the group's events left behind.
//! Out: a rollback, an end, or one log line every few seconds.
//! Holds: nothing here loses a record: what cannot be read stands still and is asked about again.

use super::{Halt, Phase, Source, fatal, intake::Trouble};
use crate::{kafka::KafkaError, limits};

impl Source {
    pub(super) fn handle_troubles(&mut self) -> Result<(), Halt> {
        for trouble in std::mem::take(&mut self.intake.troubles) {
            match trouble {
                Trouble::Halt(halt) => return Err(halt),
                Trouble::OutOfRange(partition) if matches!(self.phase, Phase::Running) => {
                    self.roll_back(&format!(
                        "partition {partition}: the log no longer holds the next offset"
                    ))?;
                }
                Trouble::OutOfRange(_) => {}
                Trouble::Reported(error) if error.is_fatal() => return Err(fatal(&error)),
                Trouble::Reported(error) => self.complain(&error),
            }
        }
        Ok(())
    }

    /// One line about a lasting trouble every few seconds.
    pub(super) fn complain(&mut self, error: &KafkaError) {
        let now = self.intake.now();
        let due = self.last_complaint.is_none_or(|last| now - last >= limits::TROUBLE_LOG_INTERVAL);
        if due {
            self.last_complaint = Some(now);
            tracing::warn!(%error, "reading the input is disturbed; trying again");
        }
    }

    /// Asks about one quiet partition whose fetching failed.
    pub(super) fn probe_fetching(&mut self) {
        let now = self.intake.now();
        if now - self.last_probe < limits::TROUBLE_LOG_INTERVAL {
            return;
        }
        self.last_probe = now;
        let Some((partition, next)) = self.intake.partitions.unconfirmed() else { return };
        match self.consumer.watermarks(partition, limits::PROBE_TIMEOUT) {
            // Behind the end there are records to come, and they will confirm it.
            Ok((_, end)) if end <= next => self.intake.partitions.confirm(partition),
            Ok(_) => {}
            Err(error) => self.complain(&error),
        }
    }
}
