//! Reading: records are taken, epochs are cut. Owned by the source thread.
//!
//! In:  the commit interval, the budget, the sink's `Committed`.
//! Out: epochs; pauses, so that no partition runs far ahead in event time.
//! Holds: one epoch at a time is cut and not committed.

use std::time::{Duration, Instant};

use super::{
    Halt,
    context::Context,
    ending::{Ending, Reason},
    epochs::Epochs,
    fatal,
    open_transactions::OpenTransactions,
    partitions::{Asked, Elsewhere},
    phase::Phase,
    recovering::Known,
    run_watch::{Found, RunWatch},
    unassigned,
};
use crate::{
    client::{Client, Clock, Questions, RecordConsumer},
    epoch::{CommittedEpoch, CutReason, Recovered, Times},
    ids::{EventTimeMs, Offset, PartitionId},
    limits, metrics,
};

/// Records are read.
#[derive(Debug)]
pub(super) struct Running {
    epochs: Epochs,
    open_transactions: OpenTransactions,
    next_probe: Instant,
    /// For so many partitions of the input it is known that somebody has each.
    owned_by_somebody: u32,
    /// Number of the input's partitions, as far as it is known.
    all: u32,
    /// When it is asked next whether somebody has each of them.
    next_look_for_owners: Instant,
    elsewhere: Elsewhere,
    run_watch: RunWatch,
}

impl Running {
    pub(super) fn begin<C: Client>(
        cx: &mut Context<C>,
        known: &Known,
        mut recovered: Recovered,
    ) -> Result<Self, Halt> {
        let now = cx.now();
        // Its own are; they may be all.
        let recovered_count = recovered.starts.len() as u32;
        let announced = recovered.times.announced;
        let held = cx.intake.partitions.own(&recovered.starts, announced, now);
        cx.intake.partitions.bound(recovered.times.run_ends.as_deref());
        cx.consumer.assign(&recovered.starts).map_err(|error| fatal(&error))?;
        if !held.is_empty() {
            cx.consumer.pause(&held).map_err(|error| fatal(&error))?;
        }
        // What a rollback has thrown away may have been such a message.
        cx.intake.lanes.output_partitions(cx.topics.outputs())?;
        let inherited = std::mem::take(&mut recovered.inherited);
        cx.intake.lanes.begin(recovered.epoch, recovered.times.horizon, &inherited)?;
        cx.control.health().set_phase(metrics::PipelinePhase::Running);
        cx.control.health().set_assigned(recovered.starts.len());
        cx.intake.bytes = 0;
        Ok(Self {
            epochs: Epochs::begin(cx, recovered, now),
            open_transactions: OpenTransactions::default(),
            next_probe: now,
            owned_by_somebody: recovered_count,
            all: known.all,
            next_look_for_owners: now + limits::ASK_AGAIN_PAUSE,
            elsewhere: Elsewhere::default(),
            run_watch: RunWatch::new(now),
        })
    }

    pub(super) fn step<C: Client>(mut self, cx: &mut Context<C>) -> Result<Phase, Halt> {
        match self.run_watch.look(cx, self.epochs.times()) {
            Found::Nothing => {}
            Found::End(reason) => {
                return Ok(self.end(cx, reason, cx.settings.timing.last_commit()));
            }
            Found::OtherEnds(what) => return Phase::Running(self).roll_back(cx, &what),
        }
        self.probe_silent(cx);
        self.look_for_owners(cx);
        self.open_transactions.watch(cx);
        if self.epochs.waits_for_commit() {
            return Ok(Phase::Running(self));
        }
        if cx.settings.budget.wants_early_cut() {
            self.epochs.cut(cx, CutReason::Budget)?;
        } else if self.epochs.is_due(cx, cx.settings.commit_interval) {
            self.epochs.cut(cx, CutReason::Interval)?;
        }
        Ok(Phase::Running(self))
    }

    /// The open epoch becomes the last one.
    pub(super) fn end<C: Client>(self, cx: &Context<C>, reason: Reason, within: Duration) -> Phase {
        let deadline = cx.intake.now() + within;
        Phase::Ending(Ending::new(reason, deadline, self.epochs, self.open_transactions))
    }

    /// An epoch is committed, which is the moment to pause and to resume.
    pub(super) fn committed<C: Client>(
        mut self,
        cx: &mut Context<C>,
        done: &CommittedEpoch,
    ) -> Result<Phase, Halt> {
        self.epochs.committed(cx, done);
        self.align(cx)?;
        Ok(Phase::Running(self))
    }

    /// Others have committed something.
    pub(super) fn news<C: Client>(
        mut self,
        cx: &mut Context<C>,
        times: Times,
    ) -> Result<Phase, Halt> {
        self.epochs.news(times);
        self.align(cx)?;
        Ok(Phase::Running(self))
    }

    fn align<C: Client>(&mut self, cx: &mut Context<C>) -> Result<(), Halt> {
        let times = self.epochs.times();
        self.elsewhere.note(times.lowest_elsewhere);
        cx.intake.partitions.bound(times.run_ends.as_deref());
        let transaction = self.open_transactions.longest();
        let (pause, resume) =
            cx.intake.partitions.align(times, &self.elsewhere, &cx.settings.rules, transaction);
        if !pause.is_empty() {
            tracing::debug!(?pause, "too far ahead in event time: paused");
            cx.consumer.pause(&pause).map_err(|error| fatal(&error))?;
        }
        if !resume.is_empty() {
            tracing::debug!(?resume, "resumed");
            cx.consumer.resume(&resume).map_err(|error| fatal(&error))?;
        }
        Ok(())
    }

    /// Whether an epoch is cut and not committed.
    pub(super) fn waits_for_commit(&self) -> bool {
        self.epochs.waits_for_commit()
    }

    /// All partitions, if everything up to an offset of one is committed and nothing is under way.
    pub(super) fn committed_up_to(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Option<Vec<PartitionId>> {
        self.epochs.is_committed(partition, offset).then(|| self.epochs.partitions())
    }

    /// Finds out whether every partition of the input has an owner.
    fn look_for_owners<C: Client>(&mut self, cx: &mut Context<C>) {
        self.all = self.all.max(cx.topics.input_partitions());
        if self.owned_by_somebody >= self.all || cx.intake.now() < self.next_look_for_owners {
            return;
        }
        match unassigned::join_for(cx, self.all) {
            None => self.owned_by_somebody = self.all,
            Some(next_look) => self.next_look_for_owners = next_look,
        }
    }

    /// Asks the brokers whether they still answer for partitions that have fallen silent, and once
    /// more when a window is to be closed. Without that, a broker that is away would close windows.
    fn probe_silent<C: Client>(&mut self, cx: &mut Context<C>) {
        let now = cx.intake.now();
        if now < self.next_probe {
            return;
        }
        let closed =
            self.epochs.times().lowest_open.map(|start| cx.settings.rules.closes_at(start));
        let closed = closed.filter(|closed| closed.0 <= cx.intake.now_ms());
        let silent = cx.intake.partitions.to_probe(now, cx.settings.idle_timeout, closed);
        if silent.is_empty() {
            return;
        }
        // NOTE: before the question. What is written while it is under way is not in the answer.
        let asked = Asked { at: cx.now(), wall: EventTimeMs(cx.client.clock().now_ms()) };
        match cx.admin.ends(&cx.settings.topic, &silent, limits::PROBE_TIMEOUT) {
            Ok(ends) => {
                if cx.intake.partitions.answered(&ends, asked) < silent.len() {
                    self.next_probe = now + limits::PROBE_RETRY_PAUSE;
                }
            }
            Err(error) => {
                cx.warn_of(&error);
                self.next_probe = cx.now() + limits::PROBE_RETRY_PAUSE;
            }
        }
    }
}
