//! What the replica has read, for the sink to take.
//!
//! Written by the replica once a turn, taken by the sink; a lock is held only for that.
//! Holds: what is here was applied to the replica's view, and newer states replace older ones, so
//! that a sink that comes late misses nothing.

use std::sync::{
    Mutex, PoisonError,
    atomic::{
        AtomicBool,
        Ordering::{Acquire, Release},
    },
};

use crate::{
    ids::PartitionId,
    window::{GroupFacts, News, PartitionNews},
};

/// News of the journal.
#[derive(Debug, Default)]
pub struct NewsBoard {
    has_some: AtomicBool,
    news: Mutex<News>,
}

impl NewsBoard {
    /// Adds what is new.
    pub(super) fn add(
        &self,
        partitions: impl Iterator<Item = (PartitionId, PartitionNews)>,
        group: GroupFacts,
    ) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        news.partitions.extend(partitions);
        news.group = Some(group);
        self.has_some.store(true, Release);
    }

    /// Takes all that is new; `None` when nothing is.
    pub fn take(&self) -> Option<News> {
        if !self.has_some.load(Acquire) {
            return None;
        }
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_some.store(false, Release);
        Some(std::mem::take(&mut *news))
    }
}
