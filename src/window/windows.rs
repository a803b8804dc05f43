//! The window state as the sink sees it: ledger, watermarks and merger, one epoch at a time.
//!
//! Owned by the sink thread. In: an [`EpochInput`] per epoch. Out: a [`Prepared`] with the change
//! to persist and the records to publish. `prepare` changes nothing, `commit` takes the change
//! over, so that a rollback is: drop what was prepared.
//! Holds: epochs are committed in order; after a commit the state is the one that a restart would
//! build from the image; watermark and horizon never go back.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Completeness, EpochChange, EpochInput, Partial, PartialKey, PartitionDelta, PartitionProgress,
    PartitionState, StateImage, WindowMeta, WindowRecord, WindowRules,
    ledger::{Ledger, PartitionTimes},
    merger::{Merger, MergerChange},
    watermark::{self, Closing, PartitionTime},
};
use crate::ids::{Epoch, EventTimeMs, Offset, PartitionId, WindowStart};

/// The window state as of the last committed epoch.
#[derive(Debug)]
pub struct Windows {
    rules: WindowRules,
    owns_all: bool,
    epoch: Epoch,
    watermark: Option<EventTimeMs>,
    horizon: Option<EventTimeMs>,
    ledger: Ledger,
    merger: Merger,
}

/// An epoch's effect, worked out but not in force.
#[derive(Debug)]
pub struct Prepared {
    /// To persist. Its epoch's windows and progress, absolute.
    pub change: Arc<EpochChange>,
    /// To publish, by window.
    pub records: Vec<WindowRecord>,
    /// Per owned partition the lowest offset that counts in a retained window, else its next one.
    pub replay_from: BTreeMap<PartitionId, Offset>,
    /// The epoch has neither output nor progress. It need not be committed; what it would drop is
    /// dropped with a later one.
    pub is_empty: bool,
    /// Whether windows close because every partition is idle.
    pub closes_by_silence: bool,
    /// Occurrences newly counted as `other` because a dimension's cap was reached.
    pub capped_values: u64,
    merger: MergerChange,
}

impl Windows {
    /// The state of the owned partitions out of an image. What the image holds of others is left
    /// alone, but counts on in the windows' totals: a total that shrank when a partition goes away
    /// would stay too low when it comes back. Panics when the image has no state for an owned
    /// partition. `owns_all`: these are all the input has.
    pub fn new(
        rules: WindowRules,
        image: StateImage,
        owned: &[PartitionId],
        owns_all: bool,
    ) -> Self {
        let retained =
            image.partials.iter().filter(|((_, start), _)| image.retains(&rules, *start));
        let partials = retained.map(|((_, start), sum)| (*start, &**sum));
        let merger = Merger::new(rules, partials, &image.windows);
        let StateImage { epoch, watermark, horizon, .. } = image;
        let ledger = Ledger::new(rules, image, owned);
        Self { rules, owns_all, epoch, watermark, horizon, ledger, merger }
    }

    /// Works out what an epoch does. Panics when its input breaks an invariant: an epoch used
    /// twice, a partition that is not owned or missing, an event at or behind the horizon.
    pub fn prepare(&self, input: EpochInput) -> Prepared {
        let EpochInput { epoch, deltas, progress, horizon, now_ms, close_all } = input;
        assert!(epoch > self.epoch, "epoch {epoch} comes after {}", self.epoch);
        let horizon = horizon.max(self.horizon);
        let (counted, times) = self.sum_up(deltas);
        let moved = !counted.is_empty() || self.has_progress(&progress);
        let partitions = self.ledger.partitions_after(epoch, &progress, &times);

        let closing = self.closing(&partitions, &progress, horizon, now_ms, close_all);
        let by_window = counted.iter().map(|((_, start), delta)| (*start, delta));
        let is_complete = |start| self.is_complete(start, &partitions);
        let mut merger = self.merger.prepare(by_window, closing, is_complete);
        // Dropped is what the barrier before this epoch's has passed: it was published then, and as
        // long as that can be asked for again it is there.
        self.merger.drop_late(&mut merger, self.horizon);
        let partials = self.ledger.partials_after(counted, self.horizon);
        let replay_from = self.ledger.replay_from(&partials, &partitions);

        let records = std::mem::take(&mut merger.records);
        // An open window is remembered by its partials alone.
        let windows = merger
            .windows
            .iter()
            .map(|(start, window)| (*start, window.as_ref().map(|window| window.meta)))
            .filter(|(_, meta)| meta.is_none_or(|meta| meta.revision > 0))
            .collect();
        Prepared {
            is_empty: !moved && records.is_empty(),
            closes_by_silence: closing.idle_clock.is_some() && !records.is_empty(),
            capped_values: merger.capped,
            change: Arc::new(EpochChange {
                epoch,
                partials,
                partitions,
                windows,
                watermark: closing.watermark,
                horizon,
            }),
            records,
            replay_from,
            merger,
        }
    }

    /// What the epoch of this change has published, out of the state right after it. Of a committed
    /// epoch whose records may not have arrived.
    pub fn published_in(&self, change: &EpochChange) -> Vec<WindowRecord> {
        assert_eq!(change.epoch, self.epoch, "nothing was committed since");
        let published = |(start, meta): (&WindowStart, &Option<WindowMeta>)| {
            let complete = self.is_complete(*start, self.ledger.partitions());
            meta.filter(|meta| meta.revision > 0).map(|_| self.merger.published(*start, complete))
        };
        change.windows.iter().filter_map(published).collect()
    }

    /// Puts a prepared epoch in force. Panics when another one was committed since it was prepared.
    pub fn commit(&mut self, prepared: &Prepared) {
        let change = &prepared.change;
        assert!(change.epoch > self.epoch, "epochs are committed in order");
        assert!(change.horizon >= self.horizon && change.watermark >= self.watermark);
        self.epoch = change.epoch;
        self.watermark = change.watermark;
        self.horizon = change.horizon;
        self.ledger.commit(&change.partials, &change.partitions);
        self.merger.commit(&prepared.merger);
    }

    /// The last committed epoch.
    #[cfg(test)]
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// State of every owned partition.
    pub fn partitions(&self) -> &BTreeMap<PartitionId, PartitionState> {
        self.ledger.partitions()
    }

    /// The horizon in force: events of windows at or behind it are late.
    #[cfg(test)]
    pub(super) fn horizon(&self) -> Option<EventTimeMs> {
        self.horizon
    }

    /// The horizon that the next barrier may carry: allowed lateness behind the watermark. Never
    /// goes back. Right after a start it is at least the one that was in force before.
    pub fn next_horizon(&self) -> Option<EventTimeMs> {
        let lateness_ms = self.rules.allowed_lateness_ms;
        let behind = self.watermark.map(|w| EventTimeMs(w.0.saturating_sub(lateness_ms)));
        behind.max(self.horizon)
    }

    /// The global watermark.
    pub fn watermark(&self) -> Option<EventTimeMs> {
        self.watermark
    }

    /// The watermark of every owned partition that has had an event.
    pub fn partition_watermarks(&self) -> Vec<(PartitionId, EventTimeMs)> {
        let partitions = self.ledger.partitions().iter();
        partitions.filter_map(|(p, state)| Some((*p, state.watermark?))).collect()
    }

    /// Number of windows with events that are not closed yet.
    pub fn open_windows(&self) -> usize {
        self.merger.open().len()
    }

    /// The newest windows that are not closed yet, at most so many, as revision 0.
    pub fn newest_open(&self, most: usize) -> Vec<WindowRecord> {
        let newest = self.merger.open().iter().rev().take(most);
        let complete = |start| self.is_complete(start, self.ledger.partitions());
        newest.map(|start| self.merger.published(*start, complete(*start))).collect()
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

    /// One sum per partition and window, and what the epoch says of each partition.
    fn sum_up(
        &self,
        deltas: Vec<PartitionDelta>,
    ) -> (BTreeMap<PartialKey, Partial>, BTreeMap<PartitionId, PartitionTimes>) {
        let mut counted = BTreeMap::<PartialKey, Partial>::new();
        let mut times = BTreeMap::<PartitionId, PartitionTimes>::new();
        for delta in deltas {
            let p = delta.partition;
            assert!(self.ledger.partitions().contains_key(&p), "partition {p} is not owned");
            times.entry(p).or_default().add(&delta);
            for (start, partial) in delta.windows.into_iter().filter(|(_, sum)| sum.total > 0) {
                let late = self.rules.is_late(start, self.horizon);
                assert!(!late, "an event of window {start} was counted behind the horizon");
                counted.entry((p, start)).and_modify(|sum| sum.merge(&partial)).or_insert(partial);
            }
        }
        (counted, times)
    }

    fn has_progress(&self, progress: &[PartitionProgress]) -> bool {
        progress.iter().any(|now| {
            let before = self.ledger.partitions().get(&now.partition);
            before.is_none_or(|before| before.next_offset != now.next_offset)
        })
    }

    fn closing(
        &self,
        partitions: &BTreeMap<PartitionId, PartitionState>,
        progress: &[PartitionProgress],
        horizon: Option<EventTimeMs>,
        now_ms: i64,
        close_all: bool,
    ) -> Closing {
        let times = progress.iter().map(|now| PartitionTime {
            watermark: partitions[&now.partition].watermark,
            idle: now.idle,
        });
        let all_idle = !progress.is_empty() && progress.iter().all(|now| now.idle);
        Closing {
            watermark: watermark::global(self.watermark, times),
            idle_clock: all_idle.then_some(EventTimeMs(now_ms)),
            horizon,
            close_all,
        }
    }

    fn is_complete(
        &self,
        start: WindowStart,
        partitions: &BTreeMap<PartitionId, PartitionState>,
    ) -> bool {
        let covers = |state: &PartitionState| match state.completeness {
            Completeness::FromStart => false,
            Completeness::UntilFirstEvent { .. } => true,
            Completeness::After(last) => start <= last,
        };
        self.owns_all && !partitions.values().any(covers)
    }
}
