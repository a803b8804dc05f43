//! Undoing an incarnation: workers drop it, the producer starts anew. Owned by the sink thread.
//!
//! In:  every worker's word that it has dropped what is older. Out: `Undone` to the source.
//! Holds: the source asks the broker only after nothing of the former incarnation is queued, in
//! flight or in an open transaction.

use std::sync::atomic::Ordering::Relaxed;

use super::{EpochFailure, context::Context, reading::Waiting, stage::Stage};
use crate::{
    client::Client,
    epoch::ToSource,
    error::RunError,
    failpoint::{self, Point},
};

/// Workers drop the previous incarnation, and the producer gets ready.
#[derive(Debug, Default)]
pub(super) struct Undoing {
    /// Workers that are done.
    done: usize,
}

impl Undoing {
    pub(super) fn worker_is_done(&mut self) {
        self.done += 1;
    }

    /// The producer has failed. There is nothing to roll back: another one takes its place.
    pub(super) fn failed<C: Client>(
        self,
        cx: &mut Context<C>,
        failure: EpochFailure,
    ) -> Result<Stage<C>, RunError> {
        match failure {
            EpochFailure::RollBack(_) => {}
            EpochFailure::Fenced(how) => cx.count_fence(&how)?,
            EpochFailure::Stop(error) => return Err(error),
        }
        if let Err(EpochFailure::Stop(error)) = cx.outputs.renew() {
            return Err(error);
        }
        cx.outputs.connection().pause();
        Ok(Stage::Undoing(self))
    }

    pub(super) fn step<C: Client>(self, cx: &mut Context<C>) -> Result<Stage<C>, EpochFailure> {
        if self.done < cx.settings.workers {
            return Ok(Stage::Undoing(self));
        }
        cx.control.activity().registering.store(true, Relaxed);
        match cx.outputs.connection().make_ready() {
            Ok(true) => {}
            Ok(false) => return Ok(Stage::Undoing(self)),
            Err(failure) => return self.failed(cx, failure).map_err(EpochFailure::Stop),
        }
        cx.control.activity().registering.store(false, Relaxed);
        failpoint::reached(Point::Undone);
        cx.tell_source(ToSource::Undone(cx.incarnation));
        Ok(Stage::Waiting(Waiting::default()))
    }
}
