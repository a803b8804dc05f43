//! Leaving an incarnation: the sink undoes it first. Owned by the source thread.
//!
//! In:  what is to follow, and the sink's word that nothing is open any more.
//! Out: partitions given back or asked for.
//! Holds: only here and when partitions were lost is anything unassigned.

use super::{
    Halt, asking::Asking, context::Context, fatal, phase::Phase, rejoining::Rejoining,
    standing_by::StandingBy,
};
use crate::client::{Client, RecordConsumer};

/// The incarnation is over; the sink has not said yet that it is undone.
#[derive(Debug)]
pub(super) struct Leaving(After);

/// What follows once the sink has undone an incarnation.
#[derive(Debug)]
pub(super) enum After {
    /// Recover these partitions.
    Ask(Asking),
    /// Give back what is assigned; then the end, if it was asked for.
    Unassign { close: bool },
    /// Take the empty assignment.
    StandBy,
    /// Join the group with a new consumer, unless another process has this one's name.
    Rejoin,
}

impl Leaving {
    pub(super) fn new(after: After) -> Self {
        Self(after)
    }

    /// The sink has undone the incarnation.
    pub(super) fn undone<C: Client>(self, cx: &mut Context<C>) -> Result<Phase, Halt> {
        match self.0 {
            After::Ask(asking) => {
                // Nothing is read yet, but the group has its answer: without one it could not
                // rebalance, and a takeover may wait for what only a rebalance brings.
                cx.consumer.assign(&[]).map_err(|error| fatal(&error))?;
                Ok(Phase::Asking(asking))
            }
            After::Unassign { close } => {
                cx.consumer.unassign().map_err(|error| fatal(&error))?;
                Ok(if close { Phase::Closed } else { Phase::Unassigned })
            }
            After::StandBy => {
                cx.consumer.assign(&[]).map_err(|error| fatal(&error))?;
                Ok(Phase::StandingBy(StandingBy::default()))
            }
            After::Rejoin => Ok(Phase::Rejoining(Rejoining::new(cx.now()))),
        }
    }
}
