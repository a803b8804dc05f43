//! At-least-once: the epoch is committed, its window records are on their way. Owned by the sink
//! thread.
//!
//! In:  a committed epoch. Out: the epoch in force, once its windows are delivered.

use super::{
    EpochFailure,
    collecting::Collecting,
    context::Context,
    draining::conclude,
    outputs::{Awaited, Mark},
    stage::Stage,
};
use crate::{client::Client, window::Prepared};

/// The window records of a committed epoch are on their way.
pub(super) struct Publishing<C: Client> {
    collecting: Collecting,
    prepared: Box<Prepared>,
    /// `None` until librdkafka has taken all of them.
    awaited: Option<Mark<C>>,
}

impl<C: Client> Publishing<C> {
    pub(super) fn new(collecting: Collecting, prepared: Prepared) -> Self {
        Self { collecting, prepared: Box::new(prepared), awaited: None }
    }

    pub(super) fn collecting(&mut self) -> &mut Collecting {
        &mut self.collecting
    }

    pub(super) fn step(mut self, cx: &mut Context<C>) -> Result<Stage<C>, EpochFailure> {
        cx.outputs.pump()?;
        if cx.outputs.have_delivered(Awaited::Windows, &mut self.awaited) {
            return conclude(cx, self.collecting, *self.prepared);
        }
        Ok(Stage::Publishing(self))
    }
}
