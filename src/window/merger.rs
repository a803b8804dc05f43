//! Adds up what all partitions have counted, and decides what is published, and as which revision.
//!
//! Owned by the sink thread of the instance that has input partition 0. In: an epoch's
//! [`PartitionChange`]s, and before it what the journal has brought of other instances' partitions;
//! both absolute. Out: window records, and a [`MergerChange`]: the memory of what was published.
//! Holds: a window is published when it closes (revision 1) and again when its total has grown, and
//! never with a smaller one; nothing is forgotten before it was published and every partition has
//! adopted a horizon behind it; watermark and horizon never go back. What a window's sum is depends
//! on the partials alone, not on the order in which they came. `prepare` changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    MergerChange, Partial, PartitionChange, PartitionState, PublishedTotal, StateImage,
    UsageCounts, WindowRecord, WindowRules,
    merged_window::MergedWindow,
    standings::Standings,
    watermark::{self, Closing},
};
use crate::{
    failpoint::{self, Fault},
    ids::{EventTimeMs, PartitionId, WindowStart},
};

/// All windows that are not forgotten, as of the last committed epoch.
#[derive(Debug)]
pub struct Merger {
    rules: WindowRules,
    /// Number of input partitions, as of the last epoch.
    announced: u32,
    watermark: Option<EventTimeMs>,
    horizon: Option<EventTimeMs>,
    forgotten: Option<EventTimeMs>,
    /// Every partition that has a head. One that is announced and is not here holds everything.
    partitions: Standings,
    windows: BTreeMap<WindowStart, MergedWindow>,
    /// The windows with revision 0.
    open: BTreeSet<WindowStart>,
    /// Usage in all windows that were forgotten. Small: each dimension has a cap.
    past_usage: Arc<UsageCounts>,
    memory_bytes: usize,
}

/// What ends windows in an epoch, beside the watermarks.
#[derive(Debug, Clone, Copy)]
pub struct MergerInput {
    /// Number of input partitions that is known beside those that have a head.
    pub partitions: u32,
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
    /// Windows below what was published, of which no partition says that it has lost anything.
    pub shrunk: Vec<WindowStart>,
    partitions: Standings,
    windows: BTreeMap<WindowStart, MergedWindow>,
}

impl Merger {
    /// Adds up what an image holds.
    pub fn new(rules: WindowRules, image: &StateImage) -> Self {
        let mut windows = BTreeMap::<WindowStart, MergedWindow>::new();
        for ((p, start), partial) in &image.partials {
            windows.entry(*start).or_default().insert(*p, partial);
        }
        for (start, published) in &image.windows {
            windows.entry(*start).or_default().published = *published;
        }
        windows.values_mut().for_each(MergedWindow::add_up);
        let open = windows.iter().filter(|(_, window)| window.is_open());
        Self {
            rules,
            announced: image.announced,
            watermark: image.watermark,
            horizon: image.horizon,
            forgotten: image.forgotten,
            partitions: Standings::of(&image.partitions),
            open: open.map(|(start, _)| *start).collect(),
            past_usage: Arc::clone(&image.past_usage),
            memory_bytes: windows.values().map(MergedWindow::memory_bytes).sum(),
            windows,
        }
    }

    /// The global watermark.
    pub fn watermark(&self) -> Option<EventTimeMs> {
        self.watermark
    }

    /// The horizon that owners adopt.
    pub fn horizon(&self) -> Option<EventTimeMs> {
        self.horizon
    }

    /// Windows that end at or before this are forgotten.
    pub fn forgotten(&self) -> Option<EventTimeMs> {
        self.forgotten
    }

    /// Number of input partitions that was announced.
    pub fn announced(&self) -> u32 {
        self.announced
    }

    /// Number of input partitions, those among them that have a head and are not announced yet.
    pub fn known(&self) -> u32 {
        self.announced.max(self.partitions.named())
    }

    /// State of a partition that has a head.
    pub fn partition(&self, p: PartitionId) -> Option<&PartitionState> {
        self.partitions.get(p)
    }

    /// Windows not closed yet, lowest first.
    pub fn open(&self) -> &BTreeSet<WindowStart> {
        &self.open
    }

    /// Usage in all windows that were forgotten.
    pub fn past_usage(&self) -> &Arc<UsageCounts> {
        &self.past_usage
    }

    /// Usage in all windows, those that were forgotten among them.
    pub fn usage(&self) -> UsageCounts {
        usage_with(&self.past_usage, self.windows.values())
    }

    /// What was published of every window that is not forgotten.
    pub fn published(&self) -> BTreeMap<WindowStart, PublishedTotal> {
        let published = self.windows.iter().filter(|(_, window)| !window.is_open());
        published.map(|(start, window)| (*start, window.published)).collect()
    }

    /// All windows that are not forgotten.
    #[cfg(test)]
    pub(super) fn windows(&self) -> &BTreeMap<WindowStart, MergedWindow> {
        &self.windows
    }

    /// Memory of the sums, in bytes. Constant time.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Takes what the journal says of somebody else's partition: its state, and all of its counts.
    /// Not while an epoch is prepared.
    pub fn take(
        &mut self,
        p: PartitionId,
        state: PartitionState,
        counts: &BTreeMap<WindowStart, Arc<Partial>>,
    ) {
        self.partitions.insert(p, state);
        let has_lost = |(start, window): &(&WindowStart, &mut MergedWindow)| {
            window.has_part(p) && !counts.contains_key(start)
        };
        for (_, window) in self.windows.iter_mut().filter(has_lost) {
            self.memory_bytes -= window.memory_bytes();
            window.remove(p);
            self.memory_bytes += window.memory_bytes();
        }
        for (start, partial) in counts {
            if self.rules.is_late(*start, self.forgotten) {
                continue;
            }
            let window = self.windows.entry(*start).or_insert_with(|| {
                self.open.insert(*start);
                let window = MergedWindow::default();
                self.memory_bytes += window.memory_bytes();
                window
            });
            if !window.holds(p, partial) {
                self.memory_bytes -= window.memory_bytes();
                window.replace(p, partial);
                window.settle_names();
                self.memory_bytes += window.memory_bytes();
            }
        }
    }

    /// Keeps the journal's copy of what an owned partition has counted, where it is the same.
    pub fn share(&mut self, p: PartitionId, counts: &BTreeMap<WindowStart, Arc<Partial>>) {
        for (start, partial) in counts {
            if let Some(window) = self.windows.get_mut(start) {
                window.share(p, partial);
            }
        }
    }

    /// Whether there is something to say although no partition of one's own has moved.
    pub fn has_news(&self) -> bool {
        self.known() > self.announced || self.windows.values().any(MergedWindow::has_grown)
    }

    /// Windows up to this can be forgotten: all of so many `partitions`, or more, have adopted it.
    pub fn to_forget(&self, partitions: u32) -> Option<EventTimeMs> {
        let adopted = if failpoint::is_planted(Fault::ForgottenUnasked) {
            self.horizon
        } else {
            self.partitions.adopted(self.known().max(partitions))
        };
        self.forgotten.max(adopted.min(self.horizon))
    }

    /// Adds an epoch's changes, closes what is due and forgets what every partition had passed
    /// before it.
    pub fn prepare(&self, changes: &[PartitionChange], input: MergerInput) -> PreparedMerge {
        let partitions = self.partitions.with(changes);
        let announced = self.announced.max(input.partitions).max(partitions.named());
        let closing = self.closing(announced, &partitions, input);
        let watermark = closing.watermark;
        let lateness_ms = self.rules.allowed_lateness_ms;
        let behind = watermark.map(|at| EventTimeMs(at.0.saturating_sub(lateness_ms)));
        let mut change = MergerChange {
            watermark,
            horizon: self.horizon.max(behind).max(partitions.highest_horizon()),
            forgotten: self.to_forget(input.partitions),
            announced,
            ..MergerChange::default()
        };
        let mut merge = PreparedMerge {
            change: MergerChange::default(),
            records: Vec::new(),
            closes_by_silence: false,
            capped: 0,
            shrunk: Vec::new(),
            windows: self.add(changes),
            partitions,
        };
        let capped = |(start, window): (&WindowStart, &MergedWindow)| {
            let before = self.windows.get(start).map_or(0, |before| before.sum.capped());
            window.sum.capped().saturating_sub(before)
        };
        merge.capped = merge.windows.iter().map(capped).sum();
        self.publish(&mut merge, &mut change, closing);
        merge.closes_by_silence = closing.idle_clock.is_some() && !merge.records.is_empty();
        self.forget(&merge, &mut change);
        merge.change = change;
        merge
    }

    /// Publishes what is due, and what has grown since it was published.
    fn publish(&self, merge: &mut PreparedMerge, change: &mut MergerChange, closing: Closing) {
        // Nobody knows yet what a new partition has of any window.
        if !merge.partitions.have_heads(change.announced) {
            return;
        }
        let mut starts: BTreeSet<_> = self.windows.keys().copied().collect();
        starts.extend(merge.windows.keys());
        for start in starts {
            let window = merge.windows.get(&start).unwrap_or_else(|| &self.windows[&start]);
            let is_due = if window.is_open() {
                window.sum.total > 0 && closing.is_due(&self.rules, start)
            } else {
                window.has_grown()
            };
            let has_shrunk = window.has_shrunk();
            if !is_due && !has_shrunk {
                continue;
            }
            let is_complete = merge.partitions.are_complete(change.announced, start);
            if has_shrunk && !failpoint::is_planted(Fault::SmallerPublished) {
                merge.shrunk.extend(is_complete.then_some(start));
                continue;
            }
            let mut window = window.clone();
            window.publish();
            change.published.insert(start, window.published);
            merge.records.push(self.record(start, &window, is_complete));
            merge.windows.insert(start, window);
        }
    }

    /// Forgets what every partition has passed.
    fn forget(&self, merge: &PreparedMerge, change: &mut MergerChange) {
        let is_forgotten = |start: &&WindowStart| self.rules.is_late(**start, change.forgotten);
        let of_epoch = merge.windows.keys().take_while(is_forgotten);
        let dropped: BTreeSet<_> =
            self.windows.keys().take_while(is_forgotten).chain(of_epoch).copied().collect();
        let last = |start| merge.windows.get(start).unwrap_or_else(|| &self.windows[start]);
        let gone = || dropped.iter().map(last);
        for window in gone() {
            let is_said = !window.is_open() || window.sum.total == 0;
            assert!(is_said, "a window is forgotten without having been published");
        }
        let past_usage = || Arc::new(usage_with(&self.past_usage, gone()));
        change.past_usage = (!dropped.is_empty()).then(past_usage);
        change.dropped = dropped;
    }

    /// What is published of every window once a merge is applied. Those that it forgets are among
    /// them: who reads that learns what was published last of them.
    pub fn published_after(&self, merge: &PreparedMerge) -> BTreeMap<WindowStart, PublishedTotal> {
        let mut published = self.published();
        published.extend(merge.change.published.iter().map(|(start, total)| (*start, *total)));
        published
    }

    /// Takes over a committed epoch's merge.
    pub fn commit(&mut self, merge: &PreparedMerge) {
        let change = &merge.change;
        assert!(change.horizon >= self.horizon && change.watermark >= self.watermark);
        self.announced = change.announced;
        self.watermark = change.watermark;
        self.horizon = change.horizon;
        self.forgotten = change.forgotten;
        self.partitions.clone_from(&merge.partitions);
        for (start, window) in &merge.windows {
            if window.is_open() {
                self.open.insert(*start);
            } else {
                self.open.remove(start);
            }
            self.memory_bytes += window.memory_bytes();
            let before = self.windows.insert(*start, window.clone());
            self.memory_bytes -= before.map_or(0, |window| window.memory_bytes());
        }
        for start in &change.dropped {
            self.open.remove(start);
            let before = self.windows.remove(start);
            self.memory_bytes -= before.map_or(0, |window| window.memory_bytes());
        }
        if let Some(usage) = &change.past_usage {
            self.past_usage = Arc::clone(usage);
        }
    }

    /// The last record of a window, as published; of an open one, what it has so far.
    pub fn last_record(&self, start: WindowStart) -> WindowRecord {
        let is_complete = self.partitions.are_complete(self.announced, start);
        self.record(start, &self.windows[&start], is_complete)
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

    fn closing(&self, announced: u32, partitions: &Standings, input: MergerInput) -> Closing {
        let times = partitions.times(announced);
        let now = EventTimeMs(input.now_ms);
        Closing {
            idle_clock: watermark::all_idle_as_of(times.clone()).map(|as_of| as_of.min(now)),
            watermark: watermark::global(self.watermark, times),
            // Nobody counts in what all have passed.
            horizon: partitions.adopted(announced),
            close_all: input.close_all,
        }
    }

    fn record(&self, start: WindowStart, window: &MergedWindow, complete: bool) -> WindowRecord {
        WindowRecord {
            start,
            end: self.rules.end(start),
            revision: window.published.revision,
            late_events: window.published.late_events,
            complete,
            sum: Arc::clone(&window.sum),
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
