//! A window with what each partition has counted in it, and their sum. Part of the merger.
//!
//! Holds: the sum is that of the parts; once names are settled, also in those that are kept beyond
//! a dimension's cap.

use std::{collections::BTreeMap, sync::Arc};

use super::{Partial, PublishedTotal};
use crate::ids::PartitionId;

/// A window that is not forgotten.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct MergedWindow {
    /// What was published.
    pub(super) published: PublishedTotal,
    /// What each partition has counted.
    parts: BTreeMap<PartitionId, Arc<Partial>>,
    /// Sum of all parts.
    pub(super) sum: Arc<Partial>,
}

impl MergedWindow {
    /// Whether nothing was published.
    pub(super) fn is_open(&self) -> bool {
        self.published.revision == 0
    }

    /// Whether more was counted than was published.
    pub(super) fn has_grown(&self) -> bool {
        !self.is_open() && self.sum.total > self.published.total
    }

    /// Whether less is there than was published.
    pub(super) fn has_shrunk(&self) -> bool {
        !self.is_open() && self.sum.total < self.published.total
    }

    /// Bytes in memory. Constant time.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.sum.memory_bytes()
    }

    /// What is there becomes the next revision.
    pub(super) fn publish(&mut self) {
        let late =
            if self.is_open() { 0 } else { self.sum.total.saturating_sub(self.published.total) };
        self.published = PublishedTotal {
            revision: self.published.revision + 1,
            total: self.sum.total,
            late_events: self.published.late_events + late,
        };
    }

    /// Adds a part; the sum is worked out later.
    pub(super) fn insert(&mut self, p: PartitionId, partial: &Arc<Partial>) {
        self.parts.insert(p, Arc::clone(partial));
    }

    /// Works the sum out anew.
    pub(super) fn add_up(&mut self) {
        let mut sum = Partial::new();
        for part in self.parts.values() {
            sum.merge(part);
        }
        self.sum = Arc::new(sum);
    }

    /// Takes what a partition has counted in place of what it had.
    pub(super) fn replace(&mut self, p: PartitionId, partial: &Arc<Partial>) {
        let before = self.parts.insert(p, Arc::clone(partial));
        match before {
            Some(before) if Arc::ptr_eq(&before, partial) => {}
            Some(before) if !partial.continues(&before) => self.add_up(),
            before => Arc::make_mut(&mut self.sum).replace(before.as_deref(), partial),
        }
    }

    /// A partition has lost what it had counted.
    pub(super) fn remove(&mut self, p: PartitionId) {
        if self.parts.remove(&p).is_some() {
            self.add_up();
        }
    }

    /// Whether a partition has counted anything.
    pub(super) fn has_part(&self, p: PartitionId) -> bool {
        self.parts.contains_key(&p)
    }

    /// Whether it holds just this part.
    pub(super) fn holds(&self, p: PartitionId, partial: &Arc<Partial>) -> bool {
        self.parts.get(&p).is_some_and(|part| Arc::ptr_eq(part, partial))
    }

    /// Keeps another copy of a part that is the same.
    pub(super) fn share(&mut self, p: PartitionId, partial: &Arc<Partial>) {
        if let Some(part) = self.parts.get_mut(&p).filter(|part| part.is_same(partial)) {
            *part = Arc::clone(partial);
        }
    }

    /// Beyond a dimension's cap the names that are kept depend on the order of adding.
    pub(super) fn settle_names(&mut self) {
        if self.sum.capped() > 0 {
            self.add_up();
        }
    }
}
