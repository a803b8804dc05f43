//! Adds up what the partitions have counted, and decides what is published, and as which revision.
//!
//! Owned by the sink thread. In: an epoch's [`PartitionChange`]s, absolute; they may as well come
//! from several instances. Out: window records, and a [`MergerChange`]: the memory of what has been
//! published.
//! Holds: a window is published when it closes (revision 1) and again when its total has grown;
//! nothing is dropped before it was published; watermark and horizon never go back. What a window's
//! sum is depends on the partials alone, not on the order in which they came. `prepare` changes
//! nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Completeness, MergerChange, Partial, PartitionChange, PartitionState, PublishedTotal,
    StateImage, UsageCounts, WindowMeta, WindowRecord, WindowRules,
    watermark::{self, Closing, PartitionTime},
};
use crate::ids::{EventTimeMs, PartitionId, WindowStart};

/// A window that still takes events.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct MergedWindow {
    /// What was published.
    pub(super) meta: WindowMeta,
    /// What each partition has counted.
    parts: BTreeMap<PartitionId, Arc<Partial>>,
    /// Sum of all parts.
    pub(super) sum: Arc<Partial>,
}

/// All retained windows, as of the last committed epoch.
#[derive(Debug)]
pub struct Merger {
    rules: WindowRules,
    /// Whether the partitions below are all that the input has.
    owns_all: bool,
    watermark: Option<EventTimeMs>,
    horizon: Option<EventTimeMs>,
    completeness: BTreeMap<PartitionId, Completeness>,
    windows: BTreeMap<WindowStart, MergedWindow>,
    /// The windows with revision 0.
    open: BTreeSet<WindowStart>,
    /// Usage in all windows that were dropped. Small: each dimension has a cap.
    past_usage: Arc<UsageCounts>,
    memory_bytes: usize,
}

/// What ends windows in an epoch, beside the watermarks.
#[derive(Debug, Clone, Copy)]
pub struct MergerInput {
    /// Windows that end at or before this take no more events.
    pub horizon: Option<EventTimeMs>,
    /// Wall clock, milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The input is finished: every window closes.
    pub close_all: bool,
}

/// An epoch's merge, worked out but not in force.
#[derive(Debug)]
pub struct PreparedMerge {
    /// To persist.
    pub change: MergerChange,
    /// To publish, by window.
    pub records: Vec<WindowRecord>,
    /// Whether windows close because every partition is idle.
    pub closes_by_silence: bool,
    /// Occurrences newly counted as `other` because a dimension's cap was reached.
    pub capped: u64,
    completeness: BTreeMap<PartitionId, Completeness>,
    windows: BTreeMap<WindowStart, MergedWindow>,
}

impl PreparedMerge {
    /// What it publishes.
    pub fn published(&self) -> impl Iterator<Item = (WindowStart, PublishedTotal)> {
        let published = self.change.published.keys();
        published.map(|start| (*start, self.windows[start].published().expect("it has a revision")))
    }
}

impl MergedWindow {
    /// What is published of it, if anything is.
    fn published(&self) -> Option<PublishedTotal> {
        let WindowMeta { revision, late_events } = self.meta;
        (revision > 0).then_some(PublishedTotal { revision, total: self.sum.total, late_events })
    }

    /// Bytes in memory. Constant time.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.sum.memory_bytes()
    }

    /// Takes what a partition has counted in place of what it had.
    fn replace(&mut self, p: PartitionId, partial: &Arc<Partial>) {
        let before = self.parts.insert(p, Arc::clone(partial));
        let more = partial.total - before.as_ref().map_or(0, |before| before.total);
        if self.meta.revision > 0 {
            self.meta.late_events += more;
        }
        Arc::make_mut(&mut self.sum).replace(before.as_deref(), partial);
    }

    /// Beyond a dimension's cap the names that are kept depend on the order of adding.
    fn settle_names(&mut self) {
        if self.sum.capped() > 0 {
            self.sum = Arc::new(sum_of(&self.parts));
        }
    }
}

fn usage_with<'a>(
    past: &UsageCounts,
    windows: impl IntoIterator<Item = &'a MergedWindow>,
) -> UsageCounts {
    let mut usage = past.clone();
    for window in windows {
        for (dimension, counts) in usage.iter_mut() {
            counts.merge(&window.sum.counts[dimension]);
        }
    }
    usage
}

fn sum_of(parts: &BTreeMap<PartitionId, Arc<Partial>>) -> Partial {
    let mut sum = Partial::new();
    for part in parts.values() {
        sum.merge(part);
    }
    sum
}

impl Merger {
    /// Adds up what an image holds, of partitions that are not owned as well: a total that shrank
    /// when a partition goes away would stay too low when it comes back. `owns_all`: the `owned`
    /// partitions are all that the input has.
    pub fn new(
        rules: WindowRules,
        image: &StateImage,
        owned: &[PartitionId],
        owns_all: bool,
    ) -> Self {
        let mut windows = BTreeMap::<WindowStart, MergedWindow>::new();
        let retained = image.partials.iter().filter(|((_, s), _)| image.retains(&rules, *s));
        for ((p, start), partial) in retained {
            windows.entry(*start).or_default().parts.insert(*p, Arc::clone(partial));
        }
        for (start, meta) in image.windows.iter().filter(|(_, meta)| meta.revision > 0) {
            windows.entry(*start).or_default().meta = *meta;
        }
        for window in windows.values_mut() {
            window.sum = Arc::new(sum_of(&window.parts));
        }
        let is_open = |(start, window): (&WindowStart, &MergedWindow)| {
            (window.meta.revision == 0).then_some(*start)
        };
        let completeness = owned.iter().filter_map(|p| {
            let state: Option<&PartitionState> = image.partitions.get(p);
            state.map(|state| (*p, state.completeness))
        });
        Self {
            rules,
            owns_all,
            watermark: image.watermark,
            horizon: image.horizon,
            completeness: completeness.collect(),
            open: windows.iter().filter_map(is_open).collect(),
            past_usage: Arc::clone(&image.past_usage),
            memory_bytes: windows.values().map(MergedWindow::memory_bytes).sum(),
            windows,
        }
    }

    /// The global watermark.
    pub fn watermark(&self) -> Option<EventTimeMs> {
        self.watermark
    }

    /// The horizon in force.
    pub fn horizon(&self) -> Option<EventTimeMs> {
        self.horizon
    }

    /// Windows not closed yet, lowest first.
    pub fn open(&self) -> &BTreeSet<WindowStart> {
        &self.open
    }

    /// Whether it adds up all that the input has.
    pub fn merges_all(&self) -> bool {
        self.owns_all && !self.completeness.is_empty()
    }

    /// Usage in all windows that were dropped.
    pub fn past_usage(&self) -> &Arc<UsageCounts> {
        &self.past_usage
    }

    /// Usage in all windows, those that were dropped among them.
    pub fn usage(&self) -> UsageCounts {
        usage_with(&self.past_usage, self.windows.values())
    }

    /// What is remembered of every window that was published.
    pub(super) fn metas(&self) -> BTreeMap<WindowStart, WindowMeta> {
        let published = self.windows.iter().filter(|(_, window)| window.meta.revision > 0);
        published.map(|(start, window)| (*start, window.meta)).collect()
    }

    /// All windows that still take events.
    #[cfg(test)]
    pub(super) fn windows(&self) -> &BTreeMap<WindowStart, MergedWindow> {
        &self.windows
    }

    /// Memory of the sums, in bytes. Constant time.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Adds an epoch's changes, closes what is due and drops what the horizon has passed.
    pub fn prepare(&self, changes: &[PartitionChange], input: MergerInput) -> PreparedMerge {
        let horizon = input.horizon.max(self.horizon);
        let closing = self.closing(changes, MergerInput { horizon, ..input });
        let completeness = changes.iter().map(|c| (c.partition, c.state.completeness));
        let completeness = completeness.collect();
        let mut windows = self.add(changes);
        let due = |start: &&WindowStart| closing.is_due(&self.rules, **start);
        let mut publish: BTreeSet<_> = windows
            .iter()
            .filter(|(start, window)| window.meta.revision > 0 || due(start))
            .map(|(start, _)| *start)
            .collect();
        publish.extend(self.open.iter().take_while(due));

        let dropped: BTreeSet<_> = self.late_windows().collect();
        let gone = dropped.iter().map(|start| &self.windows[start]);
        let past_usage = || Arc::new(usage_with(&self.past_usage, gone));
        let mut change = MergerChange {
            watermark: closing.watermark,
            horizon,
            published: BTreeMap::new(),
            past_usage: (!dropped.is_empty()).then(past_usage),
            dropped,
        };
        let mut records = Vec::with_capacity(publish.len());
        for start in publish {
            let window = windows.entry(start).or_insert_with(|| self.windows[&start].clone());
            window.meta.revision += 1;
            change.published.insert(start, window.meta);
            records.push(self.record(start, window, self.is_complete(start, &completeness)));
        }
        for start in &change.dropped {
            let last = !windows.contains_key(start) && !self.open.contains(start);
            assert!(last, "window {start} is dropped without having been published");
        }
        let capped = |(start, window): (&WindowStart, &MergedWindow)| {
            let before = self.windows.get(start).map_or(0, |before| before.sum.capped());
            window.sum.capped().saturating_sub(before)
        };
        PreparedMerge {
            closes_by_silence: closing.idle_clock.is_some() && !records.is_empty(),
            capped: windows.iter().map(capped).sum(),
            change,
            records,
            completeness,
            windows,
        }
    }

    /// What is published of every window once a merge is applied.
    pub fn published_after(&self, merge: &PreparedMerge) -> BTreeMap<WindowStart, PublishedTotal> {
        let kept = self.windows.iter().filter(|(start, _)| !merge.change.dropped.contains(start));
        let kept = kept.filter_map(|(start, window)| Some((*start, window.published()?)));
        let mut published: BTreeMap<_, _> = kept.collect();
        published.extend(merge.published());
        published
    }

    /// Takes over a committed epoch's merge.
    pub fn commit(&mut self, merge: &PreparedMerge) {
        let change = &merge.change;
        assert!(change.horizon >= self.horizon && change.watermark >= self.watermark);
        self.watermark = change.watermark;
        self.horizon = change.horizon;
        self.completeness.clone_from(&merge.completeness);
        for (start, window) in &merge.windows {
            if window.meta.revision == 0 {
                self.open.insert(*start);
            } else {
                self.open.remove(start);
            }
            self.memory_bytes += window.memory_bytes();
            let before = self.windows.insert(*start, window.clone());
            self.memory_bytes -= before.map_or(0, |window| window.memory_bytes());
        }
        for start in &change.dropped {
            let before = self.windows.remove(start);
            self.memory_bytes -= before.map_or(0, |window| window.memory_bytes());
        }
        if let Some(usage) = &change.past_usage {
            self.past_usage = Arc::clone(usage);
        }
    }

    /// The last record of a window, as published; of an open one, what it has so far.
    pub fn published(&self, start: WindowStart) -> WindowRecord {
        self.record(start, &self.windows[&start], self.is_complete(start, &self.completeness))
    }

    fn add(&self, changes: &[PartitionChange]) -> BTreeMap<WindowStart, MergedWindow> {
        let mut windows = BTreeMap::<WindowStart, MergedWindow>::new();
        for change in changes {
            for (start, partial) in &change.partials {
                let window = windows.entry(*start);
                let before = || self.windows.get(start).cloned().unwrap_or_default();
                window.or_insert_with(before).replace(change.partition, partial);
            }
        }
        windows.values_mut().for_each(MergedWindow::settle_names);
        windows
    }

    fn closing(&self, changes: &[PartitionChange], input: MergerInput) -> Closing {
        let times = changes.iter().map(|change| PartitionTime {
            watermark: change.state.watermark,
            idle_as_of: change.idle_as_of,
        });
        let now = EventTimeMs(input.now_ms);
        Closing {
            idle_clock: watermark::all_idle_as_of(times.clone()).map(|as_of| as_of.min(now)),
            watermark: watermark::global(self.watermark, times),
            horizon: input.horizon,
            close_all: input.close_all,
        }
    }

    /// Windows at or behind the horizon that the barrier before this epoch's carried.
    fn late_windows(&self) -> impl Iterator<Item = WindowStart> {
        self.windows.keys().copied().take_while(|start| self.rules.is_late(*start, self.horizon))
    }

    fn is_complete(
        &self,
        start: WindowStart,
        completeness: &BTreeMap<PartitionId, Completeness>,
    ) -> bool {
        self.owns_all && !completeness.values().any(|of| of.may_miss(start))
    }

    fn record(&self, start: WindowStart, window: &MergedWindow, complete: bool) -> WindowRecord {
        WindowRecord {
            start,
            end: self.rules.end(start),
            revision: window.meta.revision,
            late_events: window.meta.late_events,
            complete,
            sum: Arc::clone(&window.sum),
        }
    }
}
