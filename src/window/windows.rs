//! The window state as the sink sees it: ledger and merger, one epoch at a time.
//!
//! Owned by the sink thread. In: an [`EpochInput`] per epoch. Out: a [`Prepared`] with the change
//! to persist and the records to publish. `prepare` changes nothing, `commit` takes the change
//! over, so that a rollback is: drop what was prepared.
//! Holds: epochs are committed in order; after a commit the state is the one that a restart would
//! build from the image.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    EpochInput, Ledger, Merger, MergerInput, Partial, PartitionChange, PartitionState,
    PreparedMerge, PublishedTotal, StateImage, UsageCounts, WindowRecord, WindowRules,
};
use crate::ids::{Epoch, EventTimeMs, PartitionId, WindowStart};

/// The window state as of the last committed epoch.
#[derive(Debug)]
pub struct Windows {
    rules: WindowRules,
    epoch: Epoch,
    ledger: Ledger,
    merger: Merger,
}

/// An epoch's effect, worked out but not in force.
#[derive(Debug)]
pub struct Prepared {
    /// The epoch.
    pub epoch: Epoch,
    /// The epoch has neither output nor progress. It need not be committed; what it would drop is
    /// dropped with a later one.
    pub is_empty: bool,
    /// What it changes of each owned partition.
    pub partitions: Vec<PartitionChange>,
    /// Its window records, and what else the merger says.
    pub merge: PreparedMerge,
}

impl Windows {
    /// The state of the owned partitions out of an image. What the image holds of others is left
    /// alone, but counts on in the windows' totals. Panics when the image has no state for an owned
    /// partition. `owns_all`: these are all the input has.
    pub fn new(
        rules: WindowRules,
        image: &StateImage,
        owned: &[PartitionId],
        owns_all: bool,
    ) -> Self {
        Self {
            rules,
            epoch: image.epoch,
            ledger: Ledger::new(rules, image, owned),
            merger: Merger::new(rules, image, owned, owns_all),
        }
    }

    /// Works out what an epoch does. Panics when its input breaks an invariant: an epoch used
    /// twice, or what [`Ledger::prepare`] says.
    pub fn prepare(&self, input: EpochInput) -> Prepared {
        let EpochInput { epoch, horizon, now_ms, close_all, .. } = input;
        assert!(epoch > self.epoch, "epoch {epoch} comes after {}", self.epoch);
        let partitions = self.ledger.prepare(input);
        let merge = self.merger.prepare(&partitions, MergerInput { horizon, now_ms, close_all });
        Prepared {
            epoch,
            is_empty: !self.ledger.is_moved_by(&partitions) && merge.records.is_empty(),
            partitions,
            merge,
        }
    }

    /// All counts of a partition as they are once its change is applied.
    pub fn counts_after(&self, change: &PartitionChange) -> BTreeMap<WindowStart, Arc<Partial>> {
        self.ledger.counts_after(change)
    }

    /// What is published of every window once a merge is applied.
    pub fn published_after(&self, merge: &PreparedMerge) -> BTreeMap<WindowStart, PublishedTotal> {
        self.merger.published_after(merge)
    }

    /// Usage in all windows that are forgotten once a merge is applied.
    pub fn past_usage_after(&self, merge: &PreparedMerge) -> Arc<UsageCounts> {
        Arc::clone(merge.change.past_usage.as_ref().unwrap_or(self.merger.past_usage()))
    }

    /// Whether windows and usage are those of the whole input, and not of some partitions.
    pub fn merges_all(&self) -> bool {
        self.merger.merges_all()
    }

    /// Usage since the group began: in all windows, forgotten ones among them.
    pub fn usage(&self) -> UsageCounts {
        self.merger.usage()
    }

    /// The horizon in force: events of windows at or behind it are late.
    pub fn horizon(&self) -> Option<EventTimeMs> {
        self.merger.horizon()
    }

    /// Puts a prepared epoch in force. Panics when another one was committed since it was prepared.
    pub fn commit(&mut self, prepared: &Prepared) {
        assert!(prepared.epoch > self.epoch, "epochs are committed in order");
        self.epoch = prepared.epoch;
        self.ledger.commit(&prepared.partitions);
        self.merger.commit(&prepared.merge);
    }

    /// All of it, as of the last committed epoch.
    pub fn image(&self) -> StateImage {
        StateImage {
            epoch: self.epoch,
            partials: self.ledger.partials(),
            partitions: self.partitions().map(|(p, state)| (p, *state)).collect(),
            windows: self.merger.metas(),
            watermark: self.merger.watermark(),
            horizon: self.merger.horizon(),
            past_usage: Arc::clone(self.merger.past_usage()),
        }
    }

    /// The last committed epoch.
    #[cfg(test)]
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// State of every owned partition.
    pub fn partitions(&self) -> impl Iterator<Item = (PartitionId, &PartitionState)> {
        self.ledger.partitions()
    }

    /// The horizon that the next barrier may carry: allowed lateness behind the watermark. Never
    /// goes back. Right after a start it is at least the one that was in force before.
    pub fn next_horizon(&self) -> Option<EventTimeMs> {
        let lateness_ms = self.rules.allowed_lateness_ms;
        let behind = self.watermark().map(|w| EventTimeMs(w.0.saturating_sub(lateness_ms)));
        behind.max(self.merger.horizon())
    }

    /// The global watermark.
    pub fn watermark(&self) -> Option<EventTimeMs> {
        self.merger.watermark()
    }

    /// The watermark of every owned partition that has had an event.
    pub fn partition_watermarks(&self) -> Vec<(PartitionId, EventTimeMs)> {
        self.partitions().filter_map(|(p, state)| Some((p, state.watermark?))).collect()
    }

    /// Number of windows with events that are not closed yet.
    pub fn open_windows(&self) -> usize {
        self.merger.open().len()
    }

    /// The newest windows that are not closed yet, at most so many, as revision 0.
    pub fn newest_open(&self, most: usize) -> Vec<WindowRecord> {
        let newest = self.merger.open().iter().rev().take(most);
        newest.map(|start| self.merger.published(*start)).collect()
    }

    /// The newest windows that are closed and still take events, at most so many.
    pub fn newest_closed(&self, most: usize) -> Vec<WindowRecord> {
        let closed = self.merger.metas();
        closed.keys().rev().take(most).map(|start| self.merger.published(*start)).collect()
    }

    /// The earliest window that is not closed yet.
    pub fn lowest_open_window(&self) -> Option<WindowStart> {
        self.merger.open().first().copied()
    }

    /// Number of windows, open or closed, that still take events.
    #[cfg(test)]
    pub(super) fn retained_windows(&self) -> usize {
        self.merger.windows().len()
    }

    /// Memory of all counts, in bytes. Constant time.
    pub fn memory_bytes(&self) -> usize {
        self.ledger.memory_bytes() + self.merger.memory_bytes()
    }

    #[cfg(test)]
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    #[cfg(test)]
    pub(super) fn merger(&self) -> &Merger {
        &self.merger
    }
}
