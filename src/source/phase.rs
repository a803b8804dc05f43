//! Where the source stands: the phases of an incarnation. Owned by the source thread.
//!
//! In:  nothing. Out: the states between which `Source` moves.
//! Holds: what may follow what is drawn at `SourcePhase`.

use std::time::Instant;

use super::{
    rebuild::Rebuilding,
    recover::{Asking, Known},
};
use crate::epoch::CutReason;

/// Why an epoch is the last of its incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Revoke,
    Stop,
    EndOfInput,
    /// A bounded run ends short of its bounds.
    HangingTransaction,
}

impl From<Ending> for CutReason {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Revoke => Self::Revoke,
            Ending::Stop | Ending::HangingTransaction => Self::Stop,
            Ending::EndOfInput => Self::EndOfInput,
        }
    }
}

/// ```text
/// Unassigned ──assigned──► Leaving ──sink has undone──► Asking ──broker answers──► Recovering
///     ▲                     │ ▲  ▲                        │ lost: nobody took over     │
///     ├─────────────────────┘ │  │                        ▼                            │ sink
///     │ given back            │  └─ rollback, revoke, ─ Unassigned                     │ answers
///     │                       │     lost: from anywhere                                ▼
///     │                       └── revoked, committed ── Ending ◄─revoke,── Running ◄─ Rebuilding
///     │                                                   │     stop, end              (if windows
///     └───────────────────────────────────────────────────┴─► Closed                   were lost)
/// ```
/// `StandingBy` is an Unassigned to which the group has given an empty assignment.
#[derive(Debug)]
pub(super) enum SourcePhase {
    Unassigned,
    StandingBy,
    /// The incarnation is over; waiting for the sink to have undone it.
    Leaving(After),
    Asking(Asking),
    Recovering(Known),
    Rebuilding(Rebuilding),
    Running,
    Ending {
        why: Ending,
        deadline: Instant,
        cut: bool,
    },
    Closed,
}

impl SourcePhase {
    /// Whether an incarnation is there that can be rolled back.
    pub(super) fn can_roll_back(&self) -> bool {
        match self {
            Self::Running | Self::Ending { .. } | Self::Recovering(_) | Self::Rebuilding(_) => true,
            Self::Unassigned
            | Self::StandingBy
            | Self::Leaving(_)
            | Self::Asking(_)
            | Self::Closed => false,
        }
    }
}

/// What follows once the sink has undone an incarnation.
#[derive(Debug)]
pub(super) enum After {
    /// Recover these partitions.
    Ask(Asking),
    /// Give back what is assigned; then the end, if it was asked for.
    Unassign { close: bool },
    /// Take the empty assignment.
    StandBy,
}
