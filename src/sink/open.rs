//! An epoch is open: its output goes to Kafka, its reports are collected. Owned by the sink thread.
//!
//! In:  output and answers of the workers, the source's cut.
//! Out: a complete epoch, with its window records and its journal records on their way.
//! Holds: an epoch completes when the cut and all answers are in and librdkafka has all of its
//! output.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    EpochFailure,
    collecting::Collecting,
    context::Context,
    draining::{Completed, Draining},
    heads,
    report::{self, EpochCounts},
    stage::Stage,
};
use crate::{
    client::{Client, Clock},
    epoch::{AlignedEpoch, CommittedEpoch, CutReason, ToSource},
    failpoint::{self, Fault, Point},
    ids::PartitionId,
    journal::PartitionCommit,
    window::{EpochInput, Prepared},
};

/// An epoch is open.
#[derive(Debug)]
pub(super) struct Open(Collecting);

impl Open {
    /// The first epoch of an incarnation.
    pub(super) fn first(collecting: Collecting) -> Self {
        Self(collecting)
    }

    pub(super) fn collecting(&mut self) -> &mut Collecting {
        &mut self.0
    }

    pub(super) fn has_sent(&self) -> bool {
        self.0.sent
    }

    pub(super) fn step<C: Client>(mut self, cx: &mut Context<C>) -> Result<Stage<C>, EpochFailure> {
        if !cx.outputs.pump()? {
            return Ok(Stage::Open(self));
        }
        match self.0.alignment.take_complete() {
            Some(aligned) => self.complete(cx, aligned),
            None => Ok(Stage::Open(self)),
        }
    }

    /// The cut and all answers are in.
    fn complete<C: Client>(
        self,
        cx: &mut Context<C>,
        mut aligned: AlignedEpoch,
    ) -> Result<Stage<C>, EpochFailure> {
        let Self(mut collecting) = self;
        aligned.assert_conserved();
        failpoint::reached(Point::Aligned);
        let truncated = cx.outputs.take_truncated();
        let mut counts = EpochCounts::of(&mut aligned, truncated, cx.clock.now());
        let accounts = heads::accounts(cx, &aligned);
        let prepared = prepare(cx, aligned);
        counts.add_windows(&prepared.merge.records, prepared.merge.capped);
        cx.undecided = Some(counts);
        if prepared.is_empty && !collecting.sent && !cx.must_commit {
            return Self::finish(cx, collecting, 0);
        }
        cx.last_written = prepared.epoch;
        cx.outputs.windows(&prepared.merge.records);
        let (commits, journal_bytes) = heads::write(cx, &prepared, &accounts);
        // Before anything of the next epoch is sent.
        let awaited = cx.outputs.complete();
        cx.outputs.pump()?;
        failpoint::reached(Point::LastOutput);
        let entry = |(partition, commit): (PartitionId, PartitionCommit)| {
            (partition, commit.offset, commit.metadata.encode())
        };
        let mut offsets: Vec<_> = commits.into_iter().map(entry).collect();
        if failpoint::is_planted(Fault::RecordWithoutOffset) {
            offsets.pop();
        }
        let completed = Completed {
            offsets,
            totals: heads::totals(&accounts),
            sent: std::mem::take(&mut collecting.sent),
            awaited,
            journal_bytes,
            committing: None,
            prepared,
        };
        collecting.take_held(cx, true);
        Ok(Stage::Draining(Draining::new(collecting, completed)))
    }

    /// Publishes the collected epoch as finished and opens the next one.
    pub(super) fn finish<C: Client>(
        cx: &mut Context<C>,
        mut collecting: Collecting,
        journal_bytes: usize,
    ) -> Result<Stage<C>, EpochFailure> {
        let epoch = collecting.alignment.open_epoch();
        collecting.alignment.finish();
        cx.outputs.finish();
        cx.control.activity().finished.fetch_add(1, Relaxed);
        if let Some(counts) = cx.undecided.take() {
            cx.report.epoch(counts);
        }
        let times = cx.times();
        report::published(&times, &cx.windows, cx.settings.budget.used_bytes());
        let done = CommittedEpoch { incarnation: cx.incarnation, epoch, times, journal_bytes };
        cx.tell_source(ToSource::Committed(done));
        failpoint::reached(Point::Finished);
        collecting.take_held(cx, false);
        cx.outputs.pump()?;
        Ok(Stage::Open(Self(collecting)))
    }
}

fn prepare<C: Client>(cx: &mut Context<C>, aligned: AlignedEpoch) -> Prepared {
    let AlignedEpoch { cut, workers } = aligned;
    let input = EpochInput {
        epoch: cut.epoch,
        deltas: workers.into_iter().flat_map(|worker| worker.deltas).collect(),
        progress: cut.partitions.iter().map(|partition| partition.progress).collect(),
        horizon: cut.horizon,
        now_ms: cut.cut_at_ms,
        close_all: cut.reason == CutReason::EndOfInput,
    };
    let prepared = cx.windows.prepare(input);
    cx.free_waiting();
    prepared
}
