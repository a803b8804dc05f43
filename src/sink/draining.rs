//! A complete epoch: its deliveries, its commit. Owned by the sink thread.
//!
//! In:  an epoch whose output librdkafka has accepted.
//! Out: one commit for all owned partitions.
//! Holds: a commit only after everything was delivered. A change becomes the state only when its
//! commit is known.

use std::{collections::BTreeMap, time::Instant};

use super::{
    EpochFailure, collecting::Collecting, context::Context, open::Open, outputs::Awaited,
    stage::Stage,
};
use crate::{
    client::{Client, Clock},
    failpoint::{self, Fault, Point},
    ids::PartitionId,
    kafka::CommitEntry,
    status::CommitTime,
    topics::Topic,
    window::{PartitionTotals, Prepared},
};

/// A complete epoch that waits for its deliveries.
pub(super) struct Completed<C: Client> {
    pub(super) prepared: Prepared,
    pub(super) offsets: Vec<CommitEntry>,
    /// Whether it has sent anything besides windows.
    pub(super) sent: bool,
    /// What has to be delivered before the commit.
    pub(super) awaited: Awaited<C>,
    /// What it writes into the journal, bytes.
    pub(super) journal_bytes: usize,
    /// What has become of each partition's records, this epoch's among them.
    pub(super) totals: BTreeMap<PartitionId, PartitionTotals>,
    /// Whether the bounded run is done with it.
    pub(super) ends_run: bool,
    /// Since when its commit is tried.
    pub(super) committing: Option<Instant>,
}

/// The open epoch is complete; its records are on their way.
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
        let delivered = cx.outputs.have_delivered(&mut self.completed.awaited)
            || failpoint::is_planted(Fault::CommitBeforeDelivery);
        if delivered && self.commit(cx)? {
            return self.committed(cx);
        }
        Ok(Stage::Draining(self))
    }

    /// One attempt to commit. False: the next turn makes the next one.
    fn commit(&mut self, cx: &mut Context<C>) -> Result<bool, EpochFailure> {
        let completed = &mut self.completed;
        let began = *completed.committing.get_or_insert_with(|| cx.clock.now());
        let closes_by_silence = completed.prepared.closes_by_silence();
        failpoint::reached(Point::Delivered);
        if closes_by_silence {
            failpoint::reached(Point::IdleClose);
        }
        let (committer, topic) =
            (&cx.settings.committer, &cx.settings.outputs.topics[Topic::Input]);
        // Committing the same again is harmless, and resumes a commit without an answer.
        if !cx.outputs.connection().commit(committer, topic, &completed.offsets)? {
            let deadline = cx.settings.timing.commit();
            if cx.clock.since(began) >= deadline {
                return Err(EpochFailure::RollBack(format!("no commit within {deadline:?}")));
            }
            return Ok(false);
        }
        failpoint::reached(Point::Committed);
        if closes_by_silence {
            failpoint::reached(Point::IdleClosed);
        }
        if let Some(report) = &mut cx.undecided {
            let (at_ms, took) = (cx.clock.now_ms(), cx.clock.since(began));
            report.commit = Some(CommitTime { at_ms, took });
        }
        Ok(true)
    }

    /// Puts the committed epoch in force.
    fn committed(self, cx: &mut Context<C>) -> Result<Stage<C>, EpochFailure> {
        let Self { collecting, completed } = self;
        cx.windows.commit(&completed.prepared);
        cx.committed_epoch = Some(completed.prepared.epoch);
        cx.read_back.committed(completed.prepared.epoch, cx.clock.now());
        cx.totals = completed.totals;
        if completed.ends_run {
            cx.runs.set_done();
        }
        cx.settings.budget.set_ledger(cx.windows.memory_bytes());
        (cx.must_commit, cx.sealed, cx.has_shrunk) = (false, None, false);
        if cx.outputs.connection().may_have_late_copies() {
            cx.outputs.renew()?;
        }
        Open::finish(cx, collecting, completed.journal_bytes)
    }
}
