//! A new journal: what it belongs to is written before anything else. Owned by the sink thread.
//!
//! In:  a takeover whose journal has no identity.
//! Out: the identity, committed in a transaction of its own; then the first epoch.
//! Holds: nothing is read before everybody can know whose journal it is.

use std::time::Instant;

use super::{
    EpochFailure, context::Context, outputs::Awaited, reading::open, stage::Stage,
    takeover::Takeover,
};
use crate::{
    client::{Client, Clock},
    failpoint::{self, Point},
    topics::Topic,
};

/// The identity is on its way.
pub(super) struct Founding<C: Client> {
    takeover: Box<Takeover>,
    awaited: Awaited<C>,
    began: Instant,
}

impl<C: Client> Founding<C> {
    pub(super) fn begin(
        cx: &mut Context<C>,
        takeover: Box<Takeover>,
    ) -> Result<Stage<C>, EpochFailure> {
        cx.settings.identity.began_ms = cx.clock.now_ms();
        cx.outputs.journal(cx.settings.identity.record());
        let awaited = cx.outputs.complete();
        cx.outputs.pump()?;
        let began = cx.clock.now();
        Ok(Stage::Founding(Self { takeover, awaited, began }))
    }

    pub(super) fn step(mut self, cx: &mut Context<C>) -> Result<Stage<C>, EpochFailure> {
        cx.outputs.pump()?;
        if !cx.outputs.have_delivered(&mut self.awaited) {
            return Ok(Stage::Founding(self));
        }
        let (committer, topic) =
            (&cx.settings.committer, &cx.settings.outputs.topics[Topic::Input]);
        if !cx.outputs.connection().commit(committer, topic, &[])? {
            if cx.clock.since(self.began) >= cx.settings.timing.commit() {
                return Err(EpochFailure::RollBack("no commit of the journal's identity".into()));
            }
            return Ok(Stage::Founding(self));
        }
        failpoint::reached(Point::Founded);
        cx.outputs.finish();
        if cx.outputs.connection().may_have_late_copies() {
            cx.outputs.renew()?;
        }
        tracing::info!(
            topic = cx.settings.outputs.topics[Topic::Journal],
            partitions = cx.settings.identity.journal_partitions,
            "a new journal is begun"
        );
        Ok(open(cx, *self.takeover))
    }
}
