//! A complete epoch: its deliveries, its redo record, its commit. Owned by the sink thread.
//!
//! In:  an epoch whose output librdkafka has accepted.
//! Out: one commit for all owned partitions.
//! Holds: a commit only after the redo record is flushed and everything delivered, window records
//! included in a transaction; without one, they come after the commit, so that nobody sees totals
//! of an epoch that was lost. A change becomes the state only when its commit is known.

use std::{sync::atomic::Ordering::Relaxed, time::Instant};

use super::{
    EpochFailure,
    collecting::Collecting,
    context::Context,
    open::Open,
    outputs::{Awaited, Mark},
    publishing::Publishing,
    recovering::stop,
    stage::Stage,
};
use crate::{
    client::{Client, Clock},
    config::Delivery,
    failpoint::{self, Fault, Point},
    kafka::CommitEntry,
    limits,
    topics::Topic,
    window::Prepared,
};

/// A complete epoch that waits for its deliveries.
pub(super) struct Completed<C: Client> {
    pub(super) prepared: Prepared,
    pub(super) offsets: Vec<CommitEntry>,
    /// Whether it has sent anything besides windows.
    pub(super) sent: bool,
    /// What has to be delivered before the next step; `None` until librdkafka has taken all of it.
    pub(super) awaited: Option<Mark<C>>,
    /// Whether its redo record is on disk.
    pub(super) is_stored: bool,
    /// Since when its commit is tried.
    pub(super) committing: Option<Instant>,
}

/// The open epoch is complete, its redo record and its records are on their way.
pub(super) struct Draining<C: Client> {
    collecting: Collecting,
    completed: Box<Completed<C>>,
}

impl<C: Client> Draining<C> {
    pub(super) fn new(collecting: Collecting, completed: Completed<C>) -> Self {
        Self { collecting, completed: Box::new(completed) }
    }

    pub(super) fn collecting(&mut self) -> &mut Collecting {
        &mut self.collecting
    }

    pub(super) fn has_sent(&self) -> bool {
        self.completed.sent
    }

    pub(super) fn step(mut self, cx: &mut Context<C>) -> Result<Stage<C>, EpochFailure> {
        cx.outputs.pump()?;
        let delivered = cx.outputs.have_delivered(Awaited::Everything, &mut self.completed.awaited)
            || failpoint::is_planted(Fault::CommitBeforeDelivery);
        if self.is_stored(cx)? && delivered && self.commit(cx)? {
            return self.committed(cx);
        }
        Ok(Stage::Draining(self))
    }

    /// Whether the epoch's redo record is on disk.
    fn is_stored(&mut self, cx: &mut Context<C>) -> Result<bool, EpochFailure> {
        if !self.completed.is_stored
            && let Some(written) = cx.settings.store.finished()
        {
            let stored = written.map_err(stop)?;
            self.completed.is_stored = true;
            cx.control.activity().storing.store(false, Relaxed);
            cx.report.stored(stored);
            failpoint::reached(Point::AfterRedo);
        }
        Ok(self.completed.is_stored)
    }

    /// One attempt to commit. False: the next turn makes the next one.
    fn commit(&mut self, cx: &mut Context<C>) -> Result<bool, EpochFailure> {
        let completed = &mut self.completed;
        let began = *completed.committing.get_or_insert_with(|| cx.clock.now());
        let merge = &completed.prepared.merge;
        failpoint::reached(Point::Delivered);
        if merge.closes_by_silence {
            failpoint::reached(Point::IdleClose);
        }
        let (committer, topic) =
            (&cx.settings.committer, &cx.settings.outputs.topics[Topic::Input]);
        // Committing the same again is harmless, and resumes a commit without an answer.
        if !cx.outputs.connection().commit(committer, topic, &completed.offsets)? {
            if cx.clock.since(began) >= limits::COMMIT_DEADLINE {
                return Err(EpochFailure::RollBack(format!(
                    "no commit within {} s",
                    limits::COMMIT_DEADLINE.as_secs()
                )));
            }
            return Ok(false);
        }
        failpoint::reached(Point::Committed);
        if merge.closes_by_silence {
            failpoint::reached(Point::IdleClosed);
        }
        cx.report.committed(completed.prepared.change.epoch, cx.clock.since(began));
        Ok(true)
    }

    fn committed(self, cx: &mut Context<C>) -> Result<Stage<C>, EpochFailure> {
        let Self { collecting, completed } = self;
        let prepared = completed.prepared;
        match cx.settings.delivery {
            Delivery::ExactlyOnce => conclude(cx, collecting, prepared),
            Delivery::AtLeastOnce => {
                cx.outputs.windows(&prepared.merge.records);
                Ok(Stage::Publishing(Publishing::new(collecting, prepared)))
            }
        }
    }
}

/// Puts the committed epoch in force.
pub(super) fn conclude<C: Client>(
    cx: &mut Context<C>,
    collecting: Collecting,
    prepared: Prepared,
) -> Result<Stage<C>, EpochFailure> {
    cx.windows.commit(&prepared);
    cx.settings.budget.set_ledger(cx.windows.memory_bytes());
    cx.committed_change = Some(prepared.change);
    cx.must_commit = false;
    Open::finish(cx, collecting)
}
