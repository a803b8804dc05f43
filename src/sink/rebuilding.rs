//! Rebuilds windows that were lost: from committed input and published windows. Sink thread.
//!
//! In:  lost partitions with their commit metadata; the workers' counts of the replayed ranges.
//! Out: the window state as of the commit, written to the store as one epoch.
//! Holds: the rebuilt state is that of the committed epoch: windows still retained then had taken
//! every event, the others are over. Where input is gone, a window that was published takes no
//! more events, so that no good total is replaced by a smaller one.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    EpochFailure,
    collecting::Collecting,
    context::Context,
    readback,
    recovering::{First, open, stop},
    stage::Stage,
};
use crate::{
    client::Client,
    config::Delivery,
    epoch::{AlignedEpoch, Rebuild, ReplayRange, ToSource},
    failpoint::{self, Point},
    ids::{Epoch, EventTimeMs, Offset, PartitionId, WindowStart},
    state::CommitMetadata,
    window::{
        EpochChange, Partial, PartialKey, StateImage, WindowMeta, WindowRecord, WindowRules,
        Windows,
    },
};

/// A partition whose windows are lost.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    pub(super) partition: PartitionId,
    /// First offset to count again; the committed offset where there is nothing to count.
    pub(super) from: Offset,
    /// The committed offset.
    pub(super) until: Offset,
    /// Offsets below `from` that counted and are gone.
    pub(super) gone: i64,
    pub(super) metadata: CommitMetadata,
}

/// Windows that were lost are counted again.
#[derive(Debug)]
pub(super) struct Rebuilding {
    collecting: Collecting,
    plan: Box<RebuildPlan>,
}

/// A rebuild under way: everything but the counts.
#[derive(Debug)]
struct RebuildPlan {
    image: StateImage,
    first: First,
    lost: Vec<PartitionId>,
    /// Events of every retained window, as published.
    published: BTreeMap<WindowStart, u64>,
}

impl Rebuilding {
    /// Reads published windows back and lets the source read the lost ranges again.
    pub(super) fn begin<C: Client>(
        cx: &mut Context<C>,
        mut image: StateImage,
        mut first: First,
        lost: &[Lost],
    ) -> Result<Stage<C>, EpochFailure> {
        for Lost { metadata, .. } in lost {
            image.watermark = image.watermark.max(metadata.global_watermark);
            image.horizon = image.horizon.max(metadata.horizon);
        }
        let rules = cx.settings.rules;
        let read = &cx.control.activity().read_back;
        let (client, settings) = (cx.outputs.client(), &cx.settings.readback);
        let published = readback::published(client, settings, &rules, image.horizon, read)?;
        failpoint::reached(Point::ReadBack);
        for (start, window) in &published {
            let known = image.windows.entry(*start).or_default();
            if window.meta.revision > known.revision {
                *known = window.meta;
            }
        }
        if let Some(end) = sealed(&rules, &image, lost) {
            tracing::warn!(
                until_ms = end.0,
                "published windows whose input is gone are closed for good: later events of them \
                 go to the late topic"
            );
            image.horizon = image.horizon.max(Some(end));
        }
        let ranges: Vec<_> = lost
            .iter()
            .filter(|lost| lost.from < lost.until)
            .map(|lost| ReplayRange {
                partition: lost.partition,
                from: lost.from,
                until: lost.until,
            })
            .collect();
        let lost: Vec<_> = lost.iter().map(|lost| lost.partition).collect();
        let epoch = first.epoch;
        first.epoch = epoch.next();
        let (incarnation, horizon) = (cx.incarnation, image.horizon);
        let published = published.into_values().map(|window| (window.start, window.total));
        let plan = RebuildPlan { image, first, lost, published: published.collect() };
        if ranges.is_empty() {
            return rebuilt(cx, plan, epoch, BTreeMap::new());
        }
        let order = Rebuild { incarnation, epoch, horizon, ranges };
        cx.tell_source(ToSource::Rebuild(order));
        let collecting = Collecting::new(cx.settings.workers, epoch);
        Ok(Stage::Rebuilding(Self { collecting, plan: Box::new(plan) }))
    }

    pub(super) fn collecting(&mut self) -> &mut Collecting {
        &mut self.collecting
    }

    /// Takes the counts when they are complete.
    pub(super) fn step<C: Client>(mut self, cx: &mut Context<C>) -> Result<Stage<C>, EpochFailure> {
        let epoch = self.collecting.alignment.open_epoch();
        let Some(aligned) = self.collecting.alignment.take_complete() else {
            return Ok(Stage::Rebuilding(self));
        };
        aligned.assert_conserved();
        let partials = sum_up(cx, aligned, self.plan.image.horizon);
        rebuilt(cx, *self.plan, epoch, partials)
    }
}

/// End of the last published window of which input is gone.
fn sealed(rules: &WindowRules, image: &StateImage, lost: &[Lost]) -> Option<EventTimeMs> {
    let gone = lost.iter().filter(|lost| lost.gone > 0);
    // A lost record was at most as late as the partition's watermark.
    let reached = gone.filter_map(|lost| lost.metadata.watermark).max()?;
    end_of_published(rules, image, Some(rules.window_of(reached)))
}

fn sum_up<C: Client>(
    cx: &mut Context<C>,
    aligned: AlignedEpoch,
    horizon: Option<EventTimeMs>,
) -> BTreeMap<PartialKey, Partial> {
    cx.free_waiting();
    let mut sums: BTreeMap<PartialKey, Partial> = BTreeMap::new();
    for worker in aligned.workers {
        for delta in worker.deltas {
            for (start, partial) in delta.windows {
                let over = cx.settings.rules.is_late(start, horizon);
                assert!(!over, "window {start} is over and was counted again");
                sums.entry((delta.partition, start)).or_default().merge(&partial);
            }
        }
    }
    sums
}

/// Writes the rebuilt state and opens the first epoch on it.
fn rebuilt<C: Client>(
    cx: &mut Context<C>,
    plan: RebuildPlan,
    epoch: Epoch,
    partials: BTreeMap<PartialKey, Partial>,
) -> Result<Stage<C>, EpochFailure> {
    let RebuildPlan { mut image, first, lost, published } = plan;
    if cx.settings.delivery == Delivery::AtLeastOnce {
        revise(&mut image, &partials, &published);
    }
    let windows: BTreeMap<WindowStart, Option<WindowMeta>> =
        image.windows.iter().map(|(start, meta)| (*start, Some(*meta))).collect();
    let partitions = lost.iter().map(|partition| {
        let state = image.partitions.get_mut(partition).expect("it has a start");
        state.epoch = epoch;
        (*partition, *state)
    });
    let change = EpochChange {
        epoch,
        partitions: partitions.collect(),
        partials: partials.into_iter().map(|(key, sum)| (key, Some(Arc::new(sum)))).collect(),
        windows,
        watermark: image.watermark,
        horizon: image.horizon,
    };
    failpoint::reached(Point::Rebuilt);
    let store = cx.settings.store.wait().map_err(stop)?;
    store.write_epoch(None, &change).map_err(stop)?;
    failpoint::reached(Point::RebuiltRedo);
    image.apply(&change);
    publish_revised(cx, &image, &change, &published, &first)?;
    cx.settings.store.wait().and_then(|store| store.settle(true)).map_err(stop)?;
    tracing::info!(
        partitions = lost.len(),
        partials = change.partials.len(),
        windows = image.windows.len(),
        "windows are rebuilt"
    );
    Ok(open(cx, &image, first))
}

/// Without transactions, the last commit's window records may never have arrived: a closed
/// window that has more events than were published gets another revision.
fn revise(
    image: &mut StateImage,
    partials: &BTreeMap<PartialKey, Partial>,
    published: &BTreeMap<WindowStart, u64>,
) {
    let mut totals: BTreeMap<WindowStart, u64> = BTreeMap::new();
    for ((_, start), partial) in partials {
        *totals.entry(*start).or_default() += partial.total;
    }
    for ((_, start), partial) in &image.partials {
        *totals.entry(*start).or_default() += partial.total;
    }
    for (start, meta) in image.windows.iter_mut().filter(|(_, meta)| meta.revision > 0) {
        let total = totals.get(start).copied().unwrap_or_default();
        if published.get(start).is_some_and(|seen| *seen < total) {
            meta.revision += 1;
        }
    }
}

fn publish_revised<C: Client>(
    cx: &mut Context<C>,
    image: &StateImage,
    change: &EpochChange,
    published: &BTreeMap<WindowStart, u64>,
    first: &First,
) -> Result<(), EpochFailure> {
    if cx.settings.delivery == Delivery::ExactlyOnce {
        return Ok(());
    }
    let owned: Vec<_> = first.starts.iter().map(|(partition, _)| *partition).collect();
    let windows = Windows::new(cx.settings.rules, image, &owned, first.owns_all);
    let mut records = windows.published_in(change);
    let is_more =
        |record: &WindowRecord| published.get(&record.start).is_some_and(|n| *n < record.sum.total);
    records.retain(is_more);
    cx.publish_now(&records)
}

/// End of the last published window, or of the last up to `until`; but no window that is still open
/// begins before it, as it would be dropped unpublished.
pub(super) fn end_of_published(
    rules: &WindowRules,
    image: &StateImage,
    until: Option<WindowStart>,
) -> Option<EventTimeMs> {
    let is_published = |meta: &WindowMeta| meta.revision > 0;
    let in_range = |start: &WindowStart| until.is_none_or(|until| *start <= until);
    let mut published = image.windows.iter().rev().filter(|(start, _)| in_range(start));
    let (start, _) = published.find(|(_, meta)| is_published(meta))?;
    let open = image.partials.keys().map(|(_, start)| *start);
    let open = open.filter(|start| !image.windows.get(start).is_some_and(is_published)).min();
    let end = rules.end(*start);
    Some(open.map_or(end, |open| end.min(EventTimeMs(open.0))))
}
