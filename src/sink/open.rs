//! An epoch is open: its output goes to Kafka, its reports are collected. Owned by the sink thread.
//!
//! In:  output and answers of the workers, the source's cut.
//! Out: a complete epoch, with its window records and its journal records on their way.
//! Holds: an epoch completes when the cut and all answers are in and librdkafka has all of its
//! output.

use std::{sync::atomic::Ordering::Relaxed, time::Instant};

use super::{
    EpochFailure,
    collecting::Collecting,
    context::Context,
    draining::{Completed, Draining},
    heads,
    stage::Stage,
};
use crate::{
    client::{Client, Clock},
    epoch::{AlignedEpoch, CommittedEpoch, CutReason, ToSource},
    error::RunError,
    failpoint::{self, Fault, Point},
    ids::{PartitionId, WindowStart},
    journal::PartitionCommit,
    metrics::{self, Metric},
    status::{EpochReport, PartitionReport, Totals, WindowView},
    window::{EpochInput, Prepared, UsageCounts},
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
        let has_news = cx.take_news();
        let has_run = cx.learn_runs();
        match self.0.alignment.take_complete() {
            Some(aligned) => self.complete(cx, aligned),
            None if has_run || has_news && (!cx.windows.is_alone() || cx.must_commit) => {
                let (incarnation, times) = (cx.incarnation, cx.times());
                cx.tell_source(ToSource::News { incarnation, times });
                Ok(Stage::Open(self))
            }
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
        let mut report = report_of(&mut aligned, truncated, cx.clock.now());
        let accounts = heads::accounts(cx, &aligned);
        let is_last = matches!(aligned.cut.reason, CutReason::Revoke | CutReason::Stop);
        let ends_run = cx.reaches_run_end(Some(&aligned.cut));
        let rows: Vec<_> = aligned
            .workers
            .iter_mut()
            .flat_map(|worker| std::mem::take(&mut worker.rows))
            .collect();
        let prepared = prepare(cx, aligned, ends_run);
        if let Some(merge) = &prepared.merge {
            refuse_shrunk(cx, &merge.shrunk)?;
            report.windows = merge.records.iter().map(WindowView::of).collect();
            report.capped_values = merge.capped;
        }
        cx.undecided = Some(report);
        // Others wait for heads, but not for those of who goes.
        let is_awaited = cx.must_commit || ends_run || !cx.windows.is_alone() && !is_last;
        if prepared.is_empty && !collecting.sent && !is_awaited {
            return Self::finish(cx, collecting, 0);
        }
        cx.last_written = prepared.epoch;
        cx.outputs.windows(prepared.records());
        let (commits, journal_bytes) = heads::write(cx, &prepared, &rows, &accounts, ends_run);
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
            ends_run,
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
        if let Some(report) = cx.undecided.take() {
            cx.reporter.epoch(report);
        }
        let times = cx.times();
        metrics::set(Metric::OpenWindows, times.open_windows as f64);
        metrics::set(Metric::BudgetUsed, cx.settings.budget.used_bytes() as f64);
        if let Some(watermark) = cx.windows.watermark() {
            metrics::set(Metric::Watermark, watermark.0 as f64 / 1000.0);
        }
        let done = CommittedEpoch { incarnation: cx.incarnation, epoch, times, journal_bytes };
        cx.tell_source(ToSource::Committed(done));
        failpoint::reached(Point::Finished);
        collecting.take_held(cx, false);
        cx.outputs.pump()?;
        Ok(Stage::Open(Self(collecting)))
    }
}

/// A sum is below what was published: something that was counted is missing here, or this merger is
/// none any more. A takeover tells.
fn refuse_shrunk<C: Client>(
    cx: &mut Context<C>,
    shrunk: &[WindowStart],
) -> Result<(), EpochFailure> {
    let Some(first) = shrunk.first() else { return Ok(()) };
    let what = format!(
        "{} windows, the first one from {first} on, have fewer events than were published",
        shrunk.len()
    );
    if !std::mem::replace(&mut cx.has_shrunk, true) {
        return Err(EpochFailure::RollBack(what));
    }
    Err(EpochFailure::Stop(RunError::Failed(format!(
        "{what}, also after everything was read again: the journal has lost records, or another \
         program writes it; compare `logintide state show` with the windows; to begin anew: \
         logintide state reset --journal"
    ))))
}

fn prepare<C: Client>(cx: &mut Context<C>, aligned: AlignedEpoch, close_all: bool) -> Prepared {
    let AlignedEpoch { cut, workers } = aligned;
    let input = EpochInput {
        epoch: cut.epoch,
        deltas: workers.into_iter().flat_map(|worker| worker.deltas).collect(),
        progress: cut.partitions.iter().map(|partition| partition.progress).collect(),
        horizon: cut.horizon,
        partitions: cx.partitions,
        now_ms: cut.cut_at_ms,
        close_all,
    };
    let prepared = cx.windows.prepare(input);
    cx.free_waiting();
    prepared
}

/// What people are told of an epoch, without its windows. `truncated` dead letters had to be cut.
fn report_of(aligned: &mut AlignedEpoch, truncated: u64, aligned_at: Instant) -> EpochReport {
    let made = aligned.counts();
    let AlignedEpoch { cut, workers } = aligned;
    let partitions = cut.partitions.iter().map(|of| {
        let partition = of.progress.partition;
        let made = made.get(&partition).copied().unwrap_or_default();
        let counts = Totals {
            events_in: of.routed + of.tombstones,
            processed: made.processed,
            dead_lettered: made.dead_lettered,
            tombstones: of.tombstones,
            late: made.late,
        };
        let (lag_records, held_by_transaction) = (of.lag, of.held);
        PartitionReport { partition, counts, lag_records, held_by_transaction }
    });
    let mut usage = UsageCounts::default();
    let deltas = workers.iter().flat_map(|worker| &worker.deltas);
    for (_, partial) in deltas.flat_map(|delta| &delta.windows) {
        for (dimension, counts) in usage.iter_mut() {
            counts.merge(&partial.counts[dimension]);
        }
    }
    EpochReport {
        epoch: cut.epoch,
        cut_at_ms: cut.cut_at_ms,
        aligned_at,
        commit: None,
        bytes: cut.bytes,
        dropped: cut.dropped,
        truncated,
        is_early: cut.reason == CutReason::Budget,
        partitions: partitions.collect(),
        reasons: workers.iter().flat_map(|worker| &worker.reasons).copied().collect(),
        soft: workers.iter().flat_map(|worker| &worker.soft).copied().collect(),
        said: workers.iter().flat_map(|worker| &worker.said).copied().collect(),
        latency: workers.iter_mut().map(|worker| std::mem::take(&mut worker.latency)).collect(),
        usage,
        windows: Vec::new(),
        capped_values: 0,
    }
}
