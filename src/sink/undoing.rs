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

    pub(super) fn step<C: Client>(self, cx: &mut Context<C>) -> Result<Stage<C>, EpochFailure> {
        if self.done < cx.settings.workers {
            return Ok(Stage::Undoing(self));
        }
        cx.control.activity().registering.store(true, Relaxed);
        match cx.outputs.connection().make_ready() {
            Ok(true) => {}
            Ok(false) => return Ok(Stage::Undoing(self)),
            // There is nothing to roll back; it is tried again, by another producer.
            Err(EpochFailure::RollBack(_)) => {
                cx.outputs.renew()?;
                return Ok(Stage::Undoing(self));
            }
            Err(EpochFailure::Fenced(how)) => {
                cx.count_fence(&how).map_err(EpochFailure::Stop)?;
                cx.outputs.renew()?;
                return Ok(Stage::Undoing(self));
            }
            Err(stop @ EpochFailure::Stop(_)) => return Err(stop),
        }
        cx.control.activity().registering.store(false, Relaxed);
        failpoint::reached(Point::Undone);
        cx.tell_source(ToSource::Undone(cx.incarnation));
        Ok(Stage::Waiting(Waiting))
    }
}
