//! Adds partial results up and decides what is published, and as which revision.
//!
//! Owned by the sink thread, as part of `Windows`; knows nothing of partitions, so that it can as
//! well be fed with what several instances counted. In: an epoch's counts per window, and what
//! closes windows. Out: window records, and the memory of what has been published.
//! Holds: a window is published when it closes (revision 1) and once per epoch that adds to it
//! later; nothing is dropped before it was published.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Partial, WindowMeta, WindowRecord, WindowRules, watermark::Closing};
use crate::ids::{EventTimeMs, WindowStart};

/// A window that still takes events.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MergedWindow {
    /// What was published.
    pub(super) meta: WindowMeta,
    /// Sum of all partial results.
    pub(super) sum: Arc<Partial>,
}

impl MergedWindow {
    /// Bytes in memory. Constant time.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.sum.memory_bytes()
    }
}

/// All retained windows, as of the last committed epoch.
#[derive(Debug)]
pub(super) struct Merger {
    rules: WindowRules,
    windows: BTreeMap<WindowStart, MergedWindow>,
    /// The windows with revision 0.
    open: BTreeSet<WindowStart>,
    memory_bytes: usize,
}

/// What one epoch changes.
#[derive(Debug, Default)]
pub(super) struct MergerChange {
    /// Changed windows; `None` = dropped.
    pub(super) windows: BTreeMap<WindowStart, Option<MergedWindow>>,
    /// To publish, by window.
    pub(super) records: Vec<WindowRecord>,
    /// Occurrences newly counted as `other` because a dimension's cap was reached.
    pub(super) capped: u64,
}

impl Merger {
    /// Adds up what a ledger holds. `published` is the memory of windows that have been published;
    /// it may name windows of which the ledger holds nothing.
    pub(super) fn new<'a>(
        rules: WindowRules,
        partials: impl Iterator<Item = (WindowStart, &'a Partial)>,
        published: &BTreeMap<WindowStart, WindowMeta>,
    ) -> Self {
        let mut sums = BTreeMap::<WindowStart, Partial>::new();
        for (start, partial) in partials {
            sums.entry(start).or_default().merge(partial);
        }
        for (start, _) in published.iter().filter(|(_, meta)| meta.revision > 0) {
            sums.entry(*start).or_default();
        }
        let windows: BTreeMap<_, _> = sums
            .into_iter()
            .map(|(start, sum)| {
                let meta = published.get(&start).copied().unwrap_or_default();
                (start, MergedWindow { meta, sum: Arc::new(sum) })
            })
            .collect();
        let is_open = |(start, window): (&WindowStart, &MergedWindow)| {
            (window.meta.revision == 0).then_some(*start)
        };
        let open = windows.iter().filter_map(is_open).collect();
        let memory_bytes = windows.values().map(MergedWindow::memory_bytes).sum();
        Self { rules, windows, open, memory_bytes }
    }

    /// Windows not closed yet, lowest first.
    pub(super) fn open(&self) -> &BTreeSet<WindowStart> {
        &self.open
    }

    /// All windows that still take events.
    #[cfg(test)]
    pub(super) fn windows(&self) -> &BTreeMap<WindowStart, MergedWindow> {
        &self.windows
    }

    /// Memory of the sums.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Adds an epoch's counts and closes what is due. Changes nothing here.
    pub(super) fn prepare<'a>(
        &self,
        counted: impl Iterator<Item = (WindowStart, &'a Partial)>,
        closing: Closing,
        is_complete: impl Fn(WindowStart) -> bool,
    ) -> MergerChange {
        let mut changed = self.add(counted);
        let mut publish: BTreeSet<_> = changed
            .iter()
            .filter(|(_, window)| window.meta.revision > 0)
            .map(|(start, _)| *start)
            .collect();
        let due = |start: &&WindowStart| closing.is_due(&self.rules, **start);
        publish.extend(self.open.iter().take_while(due));
        publish.extend(changed.keys().filter(due));

        let mut change = MergerChange::default();
        for start in publish {
            let window = changed.entry(start).or_insert_with(|| self.windows[&start].clone());
            window.meta.revision += 1;
            change.records.push(self.record(start, window, is_complete(start)));
        }
        for (start, window) in changed {
            let before = self.windows.get(&start).map_or(0, |before| before.sum.capped());
            change.capped += window.sum.capped().saturating_sub(before);
            change.windows.insert(start, Some(window));
        }
        change
    }

    /// The last record of a window, as published; of an open one, what it has so far.
    pub(super) fn published(&self, start: WindowStart, complete: bool) -> WindowRecord {
        self.record(start, &self.windows[&start], complete)
    }

    fn add<'a>(
        &self,
        counted: impl Iterator<Item = (WindowStart, &'a Partial)>,
    ) -> BTreeMap<WindowStart, MergedWindow> {
        let mut changed = BTreeMap::<WindowStart, MergedWindow>::new();
        for (start, delta) in counted {
            let window = changed.entry(start).or_insert_with(|| {
                self.windows.get(&start).cloned().unwrap_or_else(|| MergedWindow {
                    meta: WindowMeta::default(),
                    sum: Arc::default(),
                })
            });
            if window.meta.revision > 0 {
                window.meta.late_events += delta.total;
            }
            Arc::make_mut(&mut window.sum).merge(delta);
        }
        changed
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

    /// Adds to a change that windows at or behind the horizon are dropped. Nothing can have been
    /// counted in them in this epoch.
    pub(super) fn drop_late(&self, change: &mut MergerChange, horizon: Option<EventTimeMs>) {
        let late = |(start, _): &(&WindowStart, _)| self.rules.is_late(**start, horizon);
        for (start, window) in self.windows.iter().take_while(late) {
            let changed = change.windows.insert(*start, None);
            let last = window.meta.revision > 0 && changed.is_none();
            assert!(last, "window {start} is dropped without having been published");
        }
    }

    /// Takes over a committed epoch's changes.
    pub(super) fn commit(&mut self, change: &MergerChange) {
        for (start, window) in &change.windows {
            self.open.remove(start);
            let before = match window {
                Some(window) => {
                    self.memory_bytes += window.memory_bytes();
                    if window.meta.revision == 0 {
                        self.open.insert(*start);
                    }
                    self.windows.insert(*start, window.clone())
                }
                None => self.windows.remove(start),
            };
            self.memory_bytes -= before.map_or(0, |window| window.memory_bytes());
        }
    }
}
