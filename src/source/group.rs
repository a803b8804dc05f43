//! What the consumer group says: assigned, revoked, lost. Owned by the source thread.
//!
//! In:  rebalance events that the consumer recorded.
//! Out: a new phase of the source; an incarnation is left before its partitions are given away.
//! Holds: assigned, revoked and lost are three different things; only this file and the end of a
//! revoke's epoch unassign.

use std::time::Duration;

use super::{
    After, Ending, Halt, Source, SourcePhase, fatal,
    intake::ReadFault,
    recover::{Asking, Why},
};
use crate::{
    client::{Client, RecordConsumer},
    error::RunError,
    kafka::{KafkaError, RebalanceEvent},
    limits,
    metrics::{self, Metric},
};

impl<C: Client> Source<C> {
    pub(super) fn serve_group(&mut self) -> Result<(), Halt> {
        let intake = &mut self.intake;
        let served = self.consumer.serve(Duration::ZERO, &mut |event| {
            // A record returned here is one like any other; nothing can be put back.
            let _flow = intake.event(event);
        });
        if let Err(error) = served {
            self.intake.faults.push(ReadFault::Reported(error));
        }
        while let Some(event) = self.consumer.next_rebalance() {
            self.rebalanced(event)?;
        }
        Ok(())
    }

    fn rebalanced(&mut self, event: RebalanceEvent) -> Result<(), Halt> {
        match event {
            RebalanceEvent::Assigned(partitions) => {
                metrics::add_labeled(Metric::Rebalances, &["assigned"], 1);
                tracing::info!(partitions = partitions.len(), "partitions assigned");
                self.lost = false;
                self.leave(if partitions.is_empty() {
                    tracing::warn!("the group gave this instance no partition: it stands by");
                    After::StandBy
                } else {
                    After::Ask(Asking::new(partitions, Why::Assigned, self.intake.now()))
                })
            }
            RebalanceEvent::Revoked(partitions) => {
                metrics::add_labeled(Metric::Rebalances, &["revoked"], 1);
                tracing::info!(partitions = partitions.len(), "partitions revoked");
                match self.phase {
                    SourcePhase::Running => {
                        self.end(Ending::Revoke, limits::REVOKE_DEADLINE);
                        Ok(())
                    }
                    SourcePhase::Ending { .. } => Ok(()),
                    _ => self.give_away(),
                }
            }
            RebalanceEvent::Lost(partitions) => {
                metrics::add_labeled(Metric::Rebalances, &["lost"], 1);
                tracing::warn!(
                    partitions = partitions.len(),
                    "partitions lost: the open epoch is rolled back"
                );
                self.lost = true;
                // Before this process asks for them again: has somebody taken them over?
                let now = self.intake.now();
                self.leave(After::Ask(Asking::new(partitions, Why::Lost, now)))
            }
            RebalanceEvent::Failed(text) => {
                tracing::warn!(error = text, "rebalance failed");
                self.give_away()
            }
        }
    }

    /// The group says that another process has this one's instance id. When its own session had run
    /// out before, that may be the answer to a heartbeat of its former membership: it asks who has
    /// committed since, and if nobody has, joins again. Otherwise, and the second time, it stops.
    pub(super) fn replaced(&mut self, error: &KafkaError) -> Result<(), Halt> {
        if !std::mem::take(&mut self.lost) {
            return Err(Halt::Failed(RunError::Failed(format!(
                "fenced: another process with this instance id, {}, has taken this one's place in \
                 the consumer group; this process stops. Nothing is lost or doubled; give each \
                 process its own --instance-id ({error})",
                self.settings.instance
            ))));
        }
        tracing::warn!(
            %error,
            "the group knows another member of this name, after this one's session had run out: \
             joining again, unless somebody has committed since"
        );
        self.consumer.renew(&self.settings.consumer).map_err(|error| fatal(&error))?;
        let partitions = self.taken_over.keys().copied().collect();
        let asking = Asking::new(partitions, Why::Rejoin, self.intake.now());
        self.leave(After::Ask(asking))
    }

    /// Leaves the incarnation and, once the sink has undone it, unassigns.
    pub(super) fn give_away(&mut self) -> Result<(), Halt> {
        let close = matches!(self.phase, SourcePhase::Ending { why: Ending::Stop, .. });
        self.leave(After::Unassign { close })
    }

    /// Ends the incarnation. Partitions are neither given back nor taken before the sink says that
    /// nothing of it is open any more.
    pub(super) fn leave(&mut self, after: After) -> Result<(), Halt> {
        self.incarnation = self.incarnation.next();
        self.intake.partitions.clear();
        self.open_transactions.forget();
        self.intake.lanes.reset(self.incarnation)?;
        self.cut = None;
        self.control.health().set_assigned(0);
        self.phase = SourcePhase::Leaving(after);
        Ok(())
    }

    /// The sink has undone the incarnation that was left.
    pub(super) fn undone(&mut self) -> Result<(), Halt> {
        let SourcePhase::Leaving(after) =
            std::mem::replace(&mut self.phase, SourcePhase::Unassigned)
        else {
            unreachable!("an incarnation is undone once, while it is waited for");
        };
        match after {
            After::Ask(asking) => self.phase = SourcePhase::Asking(asking),
            After::Unassign { close } => {
                self.consumer.unassign().map_err(|error| fatal(&error))?;
                if close {
                    self.phase = SourcePhase::Closed;
                }
            }
            After::StandBy => {
                self.consumer.assign(&[]).map_err(|error| fatal(&error))?;
                self.phase = SourcePhase::StandingBy;
            }
        }
        Ok(())
    }
}
