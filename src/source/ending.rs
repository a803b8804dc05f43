//! The last epoch of an incarnation. Owned by the source thread.
//!
//! In:  why it ends, and until when it may take. Out: one last cut; then partitions are given away,
//! or the run ends.
//! Holds: nothing is read any more; the last epoch is cut after the last record.

use std::time::Instant;

use super::{
    Halt,
    context::Context,
    epochs::Epochs,
    leaving::After,
    open_transactions::{OpenTransactions, hanging_transaction},
    phase::Phase,
};
use crate::{
    client::Client,
    epoch::{CommittedEpoch, CutReason, Times},
    error::RunError,
};

/// Why an epoch is the last of its incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Revoke,
    Stop,
    /// The bounded run is over.
    EndOfInput,
    /// A bounded run ends short of its bounds.
    HangingTransaction,
}

impl From<Reason> for CutReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Revoke => Self::Revoke,
            Reason::Stop | Reason::EndOfInput | Reason::HangingTransaction => Self::Stop,
        }
    }
}

/// The last epoch is open, or waits for its commit.
#[derive(Debug)]
pub(super) struct Ending {
    reason: Reason,
    deadline: Instant,
    /// Whether the last epoch is cut.
    is_cut: bool,
    epochs: Epochs,
    open_transactions: OpenTransactions,
}

impl Ending {
    pub(super) fn new(
        reason: Reason,
        deadline: Instant,
        epochs: Epochs,
        open_transactions: OpenTransactions,
    ) -> Self {
        Self { reason, deadline, is_cut: false, epochs, open_transactions }
    }

    pub(super) fn reason(&self) -> Reason {
        self.reason
    }

    /// As it is, for another reason.
    pub(super) fn because_of(self, reason: Reason) -> Self {
        Self { reason, ..self }
    }

    /// Whether an epoch is cut and not committed.
    pub(super) fn waits_for_commit(&self) -> bool {
        self.epochs.waits_for_commit()
    }

    pub(super) fn step<C: Client>(mut self, cx: &mut Context<C>) -> Result<Phase, Halt> {
        if !self.is_cut && !self.epochs.waits_for_commit() {
            self.epochs.cut(cx, self.reason.into())?;
            return Ok(Phase::Ending(Self { is_cut: true, ..self }));
        }
        if cx.intake.now() < self.deadline {
            return Ok(Phase::Ending(self));
        }
        match self.reason {
            Reason::Revoke => {
                tracing::warn!("the open epoch did not commit before the partitions must go");
                cx.leave(After::Unassign { close: false })
            }
            Reason::Stop => Err(Halt::Failed(RunError::Failed(format!(
                "the open epoch did not commit within {:?} of the stop; nothing is lost: its \
                 events are read again at the next start",
                cx.settings.timing.last_commit()
            )))),
            // Nobody waits for it: a broker that is away is waited for.
            Reason::EndOfInput | Reason::HangingTransaction => Ok(Phase::Ending(self)),
        }
    }

    /// Others have committed something.
    pub(super) fn news(mut self, times: Times) -> Phase {
        self.epochs.news(times);
        Phase::Ending(self)
    }

    /// An epoch is committed: the last one, or one that was cut before.
    pub(super) fn committed<C: Client>(
        mut self,
        cx: &mut Context<C>,
        done: &CommittedEpoch,
    ) -> Result<Phase, Halt> {
        self.epochs.committed(cx, done);
        if !self.is_cut {
            return Ok(Phase::Ending(self));
        }
        match self.reason {
            Reason::Revoke => cx.leave(After::Unassign { close: false }),
            Reason::HangingTransaction => {
                Err(hanging_transaction(cx, self.open_transactions.longest()))
            }
            Reason::Stop | Reason::EndOfInput => Ok(Phase::Closed),
        }
    }

    /// The last epoch could not be committed. Partitions that must go are given away; a stop does
    /// not wait; a bounded run begins again.
    pub(super) fn roll_back<C: Client>(
        self,
        cx: &mut Context<C>,
        reason: &str,
    ) -> Result<Phase, Halt> {
        match self.reason {
            Reason::Revoke => {
                cx.count_rollback(reason)?;
                cx.leave(After::Unassign { close: false })
            }
            Reason::Stop => {
                cx.count_rollback(reason)?;
                Err(Halt::Failed(RunError::Failed(format!(
                    "the last epoch could not be committed: {reason}; nothing is lost: its events \
                     are read again at the next start"
                ))))
            }
            Reason::EndOfInput | Reason::HangingTransaction => {
                let partitions = cx.intake.partitions.positions().into_keys().collect();
                cx.roll_back(partitions, reason)
            }
        }
    }
}
