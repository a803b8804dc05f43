//! Where the sink stands, and what it does about what it hears. Owned by the sink thread.
//!
//! In:  messages of the source and the workers.
//! Out: the next stage. Every stage is a type that is consumed by what ends it.
//! Holds: what may follow what is drawn at [`Stage`].

use super::{
    EpochFailure,
    collecting::{Collecting, Output},
    context::Context,
    draining::Draining,
    founding::Founding,
    open::Open,
    reading::{Reading, Waiting, recover},
    settled,
    undoing::Undoing,
};
use crate::{
    client::Client,
    epoch::{EpochCut, RecoverRequest, WorkerEpoch},
    error::RunError,
    ids::Incarnation,
};

/// ```text
/// Undoing ──workers reset, id registered──► Waiting ──request──► Reading ──journal read──► Open
///    ▲                                        ▲                   │    │                    ▲
///    │                                        └─ask again─────────┘    └─new journal─►Founding
///    │
///    │          Open ──epoch aligned, all accepted──► Draining ──delivered, committed──► Open
///    │            │                                      │
///    └─Reset── Failed ◄───── delivery or commit failed ──┘
/// ```
/// A `Reset` leads from anywhere to Undoing.
pub(super) enum Stage<C: Client> {
    /// Workers drop the previous incarnation, and the producer gets ready.
    Undoing(Undoing),
    /// Nothing of an older incarnation is left; the source asks the broker.
    Waiting(Waiting),
    /// The replica reads what is committed.
    Reading(Reading),
    /// The journal is new: what it belongs to is written down.
    Founding(Founding<C>),
    /// An epoch is open.
    Open(Open),
    /// The open epoch is complete, its records are on their way.
    Draining(Draining<C>),
    /// The source was asked to roll back; nothing counts until it has.
    Failed,
}

impl<C: Client> Stage<C> {
    /// Does what is due by itself.
    pub(super) fn advance(self, cx: &mut Context<C>) -> Result<Self, EpochFailure> {
        match self {
            Self::Undoing(stage) => stage.step(cx),
            Self::Reading(stage) => stage.step(cx),
            Self::Founding(stage) => stage.step(cx),
            Self::Open(stage) => stage.step(cx),
            Self::Draining(stage) => stage.step(cx),
            Self::Waiting(stage) => Ok(stage.step(cx)),
            Self::Failed => Ok(self),
        }
    }

    /// Queues output of the epoch that is collected, holds that of the next one, drops any other.
    pub(super) fn take_output(&mut self, cx: &mut Context<C>, output: Output) {
        match self {
            Self::Open(stage) => stage.collecting().take(cx, output, false),
            Self::Draining(stage) => stage.collecting().take(cx, output, true),
            // What comes is of an incarnation that is over.
            Self::Undoing(_)
            | Self::Waiting(_)
            | Self::Reading(_)
            | Self::Founding(_)
            | Self::Failed => {}
        }
    }

    /// Takes a worker's answer to a barrier.
    pub(super) fn take_answer(&mut self, cx: &mut Context<C>, answer: WorkerEpoch) {
        let is_current = answer.incarnation == cx.incarnation;
        match self.collecting().filter(|_| is_current) {
            Some(collecting) => {
                cx.note_waiting(&answer);
                collecting.alignment.offer_worker(answer);
            }
            None => cx.settings.budget.delta_freed(answer.delta_bytes),
        }
    }

    /// Takes the source's cut.
    pub(super) fn take_cut(&mut self, cx: &Context<C>, cut: EpochCut) {
        let is_current = cut.incarnation == cx.incarnation;
        if let Some(collecting) = self.collecting().filter(|_| is_current) {
            collecting.alignment.offer_cut(cut);
        }
    }

    /// The epoch whose reports are collected.
    fn collecting(&mut self) -> Option<&mut Collecting> {
        match self {
            Self::Open(stage) => Some(stage.collecting()),
            _ => None,
        }
    }

    /// Notes that a worker has dropped all that is older than an incarnation.
    pub(super) fn reset_done(&mut self, cx: &Context<C>, incarnation: Incarnation) {
        if let Self::Undoing(stage) = self
            && incarnation == cx.incarnation
        {
            stage.worker_is_done();
        }
    }

    /// Decides where partitions go on.
    pub(super) fn recover(self, cx: &Context<C>, request: Box<RecoverRequest>) -> Self {
        match self {
            Self::Waiting(stage) if request.incarnation == cx.incarnation => {
                recover(stage, cx, request)
            }
            stage => stage,
        }
    }

    /// Something failed that is not this stage's own doing.
    pub(super) fn failed(
        self,
        cx: &mut Context<C>,
        failure: EpochFailure,
    ) -> Result<Self, RunError> {
        match (self, failure) {
            // Nothing is open that could be rolled back.
            (stage @ Self::Failed, EpochFailure::RollBack(_) | EpochFailure::Fenced(_)) => {
                Ok(stage)
            }
            (Self::Undoing(stage), failure) => stage.failed(cx, failure),
            (_, failure) => settled(cx, Err(failure)),
        }
    }

    /// Whether the epoch that is not committed has sent anything besides windows.
    pub(super) fn has_sent(&self) -> bool {
        match self {
            Self::Open(stage) => stage.has_sent(),
            Self::Draining(stage) => stage.has_sent(),
            _ => false,
        }
    }

    #[cfg(feature = "test-support")]
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Undoing(_) => "Undoing",
            Self::Waiting(_) => "Waiting",
            Self::Reading(_) => "Reading",
            Self::Founding(_) => "Founding",
            Self::Open(_) => "Open",
            Self::Draining(_) => "Draining",
            Self::Failed => "Failed",
        }
    }

    /// Whether something is waited for that sends no message.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self, Self::Draining(_) | Self::Reading(_) | Self::Founding(_))
    }
}
