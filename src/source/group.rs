//! What the consumer group says: assigned, revoked, lost. Owned by the source thread.
//!
//! In:  rebalance events that the consumer recorded.
//! Out: a new phase of the source; a generation is left before its partitions are given away.
//! Holds: assigned, revoked and lost are three different things; only this file and the end of a
//! revoke's epoch unassign.

use std::time::Duration;

use super::{Ending, Halt, Phase, Source, fatal, intake::Trouble, recover::Asking};
use crate::{kafka::RebalanceEvent, limits};

impl Source {
    pub(super) fn serve_group(&mut self) -> Result<(), Halt> {
        let intake = &mut self.intake;
        let served = self.consumer.serve(Duration::ZERO, &mut |event| {
            // A record returned here is one like any other; nothing can be put back.
            let _flow = intake.event(event);
        });
        if let Err(error) = served {
            self.intake.troubles.push(Trouble::Reported(error));
        }
        while let Some(event) = self.consumer.next_rebalance() {
            self.rebalanced(event)?;
        }
        Ok(())
    }

    fn rebalanced(&mut self, event: RebalanceEvent) -> Result<(), Halt> {
        match event {
            RebalanceEvent::Assigned(partitions) => {
                tracing::info!(partitions = partitions.len(), "partitions assigned");
                self.leave_generation()?;
                self.phase = if partitions.is_empty() {
                    tracing::warn!("the group gave this instance no partition: it stands by");
                    self.consumer.assign(&[]).map_err(|error| fatal(&error))?;
                    Phase::Unassigned
                } else {
                    Phase::Asking(Asking::new(partitions, self.intake.now()))
                };
                Ok(())
            }
            RebalanceEvent::Revoked(partitions) => {
                tracing::info!(partitions = partitions.len(), "partitions revoked");
                match self.phase {
                    Phase::Running => {
                        self.end(Ending::Revoke, limits::REVOKE_DEADLINE);
                        Ok(())
                    }
                    Phase::Ending { .. } => Ok(()),
                    _ => self.give_away(),
                }
            }
            RebalanceEvent::Lost(partitions) => {
                tracing::warn!(
                    partitions = partitions.len(),
                    "partitions lost: the open epoch is rolled back"
                );
                self.give_away()
            }
            RebalanceEvent::Failed(text) => {
                tracing::warn!(error = text, "rebalance failed");
                self.give_away()
            }
        }
    }

    /// Leaves the generation and unassigns.
    pub(super) fn give_away(&mut self) -> Result<(), Halt> {
        self.leave_generation()?;
        self.consumer.unassign().map_err(|error| fatal(&error))?;
        let stopping = matches!(self.phase, Phase::Ending { why: Ending::Stop, .. });
        self.phase = if stopping { Phase::Closed } else { Phase::Unassigned };
        Ok(())
    }

    pub(super) fn leave_generation(&mut self) -> Result<(), Halt> {
        self.generation = self.generation.next();
        self.intake.partitions.clear();
        self.intake.lanes.reset(self.generation)?;
        self.cut = None;
        self.control.health().set_assigned(0);
        Ok(())
    }
}
