//! The window state as the sink sees it: the ledger of what is owned, and the group around it.
//!
//! Owned by the sink thread. In: an [`EpochInput`] per epoch; [`News`] between two. Out: a
//! [`Prepared`] with the change to persist and the records to publish. `prepare` changes nothing,
//! `commit` takes the change over, so that a rollback is: drop what was prepared.
//! Holds: epochs are committed in order; after a commit the state is the one that a restart would
//! build from the image; who owns input partition 0 merges.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    EpochInput, GroupFacts, Ledger, Merger, MergerInput, News, Partial, PartitionChange,
    PartitionHead, PartitionState, PreparedMerge, PublishedTotal, StateImage, UsageCounts,
    WindowRecord, WindowRules,
};
use crate::ids::{Epoch, EventTimeMs, PartitionId, WindowStart};

/// The window state as of the last committed epoch.
#[derive(Debug)]
pub struct Windows {
    epoch: Epoch,
    ledger: Ledger,
    merger: Option<Merger>,
    /// What the merger says, where that is another instance.
    facts: GroupFacts,
    /// The newest heads of partitions that others own.
    others: BTreeMap<PartitionId, PartitionHead>,
}

/// An epoch's effect, worked out but not in force.
#[derive(Debug)]
pub struct Prepared {
    /// The epoch.
    pub epoch: Epoch,
    /// The epoch has neither output nor progress. Unless somebody waits for word of it, it need not
    /// be committed; what it would drop is dropped with a later one.
    pub is_empty: bool,
    /// What it changes of each owned partition.
    pub partitions: Vec<PartitionChange>,
    /// Its window records, and what else the merger says; `None` where another instance merges.
    pub merge: Option<PreparedMerge>,
}

impl Prepared {
    /// The window records.
    pub fn records(&self) -> &[WindowRecord] {
        self.merge.as_ref().map_or(&[], |merge| &merge.records)
    }

    /// Whether windows close because every partition is idle.
    pub fn closes_by_silence(&self) -> bool {
        self.merge.as_ref().is_some_and(|merge| merge.closes_by_silence)
    }
}

impl Windows {
    /// The state of the owned partitions out of an image of the group. Panics when the image has no
    /// state for an owned partition.
    pub fn new(rules: WindowRules, image: &StateImage, owned: &[PartitionId]) -> Self {
        let merges = owned.contains(&PartitionId(0));
        let open = image.open_windows();
        Self {
            epoch: image.epoch,
            ledger: Ledger::new(rules, image, owned),
            merger: merges.then(|| Merger::new(rules, image)),
            facts: GroupFacts {
                watermark: image.watermark,
                horizon: image.horizon,
                forgotten: image.forgotten,
                announced: image.announced,
                open_windows: open.len(),
                lowest_open: open.first().copied(),
            },
            others: BTreeMap::new(),
        }
    }

    /// Takes what the journal has brought of others. Not while an epoch is prepared.
    pub fn take(&mut self, news: News) {
        for (p, partition) in news.partitions {
            if self.ledger.owns(p) {
                // What was said by this instance itself. It may be older than what is here.
                self.ledger.share(p, &partition.windows);
                if let Some(merger) = &mut self.merger {
                    merger.share(p, &partition.windows);
                }
                continue;
            }
            if let Some(merger) = &mut self.merger {
                merger.take(p, partition.head.state, &partition.windows);
            }
            self.others.insert(p, partition.head);
        }
        if let Some(facts) = news.group {
            let before = self.facts;
            self.facts = GroupFacts {
                watermark: facts.watermark.max(before.watermark),
                horizon: facts.horizon.max(before.horizon),
                forgotten: facts.forgotten.max(before.forgotten),
                announced: facts.announced.max(before.announced),
                ..facts
            };
        }
    }

    /// Works out what an epoch does. Panics when its input breaks an invariant: an epoch used
    /// twice, or what [`Ledger::prepare`] says.
    pub fn prepare(&self, input: EpochInput) -> Prepared {
        let EpochInput { epoch, now_ms, close_all, partitions, .. } = input;
        assert!(epoch > self.epoch, "epoch {epoch} comes after {}", self.epoch);
        let forgotten = self.merger.as_ref();
        let forgotten = forgotten.map_or(self.facts.forgotten, |it| it.to_forget(partitions));
        let changes = self.ledger.prepare(input, forgotten);
        let input = MergerInput { partitions, now_ms, close_all };
        let merge = self.merger.as_ref().map(|merger| merger.prepare(&changes, input));
        let has_output = merge.as_ref().is_some_and(|merge| !merge.records.is_empty());
        Prepared {
            epoch,
            is_empty: !self.ledger.is_moved_by(&changes) && !has_output,
            partitions: changes,
            merge,
        }
    }

    /// Whether this instance owns all partitions: nobody waits for its heads.
    pub fn is_alone(&self) -> bool {
        let known = self.merger.as_ref().map(Merger::known);
        known.is_some_and(|known| self.ledger.partitions().count() >= known as usize)
    }

    /// All counts of a partition as they are once its change is applied.
    pub fn counts_after(&self, change: &PartitionChange) -> BTreeMap<WindowStart, Arc<Partial>> {
        self.ledger.counts_after(change)
    }

    /// What is published of every window once a merge is applied, those that it forgets among them.
    pub fn published_after(&self, merge: &PreparedMerge) -> BTreeMap<WindowStart, PublishedTotal> {
        self.merger.as_ref().map(|merger| merger.published_after(merge)).unwrap_or_default()
    }

    /// Usage in all windows that are forgotten once a merge is applied.
    pub fn past_usage_after(&self, merge: &PreparedMerge) -> Arc<UsageCounts> {
        let before = self.merger.as_ref().map(Merger::past_usage);
        merge.change.past_usage.as_ref().or(before).map(Arc::clone).unwrap_or_default()
    }

    /// Usage since the group began, in all windows, forgotten ones among them, if this instance
    /// merges.
    pub fn usage(&self) -> Option<UsageCounts> {
        self.merger.as_ref().map(Merger::usage)
    }

    /// Puts a prepared epoch in force. Panics when another one was committed since it was prepared.
    pub fn commit(&mut self, prepared: &Prepared) {
        assert!(prepared.epoch > self.epoch, "epochs are committed in order");
        self.epoch = prepared.epoch;
        self.ledger.commit(&prepared.partitions);
        if let (Some(merger), Some(merge)) = (&mut self.merger, &prepared.merge) {
            merger.commit(merge);
        }
    }

    /// What this instance has said, as of the last committed epoch, in place of what an image of
    /// the group has of it.
    pub fn overwrite(&self, image: &mut StateImage) {
        image.epoch = self.epoch;
        let owned: BTreeMap<_, _> = self.partitions().map(|(p, state)| (p, *state)).collect();
        image.partials.retain(|(p, _), _| !owned.contains_key(p));
        image.partials.extend(self.ledger.partials());
        image.partitions.extend(owned);
        if let Some(merger) = &self.merger {
            image.windows = merger.published();
            image.watermark = merger.watermark();
            image.horizon = merger.horizon();
            image.forgotten = merger.forgotten();
            image.announced = merger.announced();
            image.past_usage = Arc::clone(merger.past_usage());
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

    /// What adds up all partitions, if this instance does.
    pub fn merger(&self) -> Option<&Merger> {
        self.merger.as_ref()
    }

    /// The newest heads of partitions that others own.
    pub fn others(&self) -> &BTreeMap<PartitionId, PartitionHead> {
        &self.others
    }

    /// What is true of the group.
    pub fn facts(&self) -> GroupFacts {
        let Some(merger) = &self.merger else { return self.facts };
        GroupFacts {
            watermark: merger.watermark(),
            horizon: merger.horizon(),
            forgotten: merger.forgotten(),
            announced: merger.announced(),
            open_windows: merger.open().len(),
            lowest_open: merger.open().first().copied(),
        }
    }

    /// The horizon that the next barrier carries. Never goes back. Right after a start it is at
    /// least the one that was in force before.
    pub fn horizon(&self) -> Option<EventTimeMs> {
        let owned = self.ledger.partitions().map(|(_, state)| state.horizon).max().flatten();
        self.facts().horizon.max(owned)
    }

    /// The global watermark.
    pub fn watermark(&self) -> Option<EventTimeMs> {
        self.facts().watermark
    }

    /// Whether the merger has something to say although no owned partition has moved.
    pub fn has_news(&self) -> bool {
        self.merger.as_ref().is_some_and(Merger::has_news)
    }

    /// The watermark of every owned partition that has had an event.
    pub fn partition_watermarks(&self) -> Vec<(PartitionId, EventTimeMs)> {
        self.partitions().filter_map(|(p, state)| Some((p, state.watermark?))).collect()
    }

    /// The newest windows that are not closed yet, at most so many, as revision 0.
    pub fn newest_open(&self, most: usize) -> Vec<WindowRecord> {
        let Some(merger) = &self.merger else { return Vec::new() };
        merger.open().iter().rev().take(most).map(|start| merger.last_record(*start)).collect()
    }

    /// The newest windows that are closed and still take events, at most so many.
    pub fn newest_closed(&self, most: usize) -> Vec<WindowRecord> {
        let Some(merger) = &self.merger else { return Vec::new() };
        let closed = merger.published();
        closed.keys().rev().take(most).map(|start| merger.last_record(*start)).collect()
    }

    /// Memory of all counts, in bytes. Constant time.
    pub fn memory_bytes(&self) -> usize {
        self.ledger.memory_bytes() + self.merger.as_ref().map_or(0, Merger::memory_bytes)
    }

    #[cfg(test)]
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}
