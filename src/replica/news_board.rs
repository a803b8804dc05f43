//! What the replica has read, for the sink to take.
//!
//! Written by the replica once a turn, taken by the sink; a lock is held only for that.
//! Holds: what is here was applied to the replica's view, and newer states replace older ones, so
//! that a sink that comes late misses nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
};

use crate::{
    ids::{Epoch, PartitionId},
    journal::Stream,
    window::{BoundedRun, GroupFacts, News, PartitionNews},
};

/// News of the journal.
#[derive(Debug, Default)]
pub struct NewsBoard {
    has_some: AtomicBool,
    heard: Mutex<Heard>,
    has_run: AtomicBool,
    run: Mutex<Option<BoundedRun>>,
}

/// What has been heard since it was last taken.
#[derive(Debug, Default)]
pub struct Heard {
    /// What was applied.
    pub news: News,
    /// The epochs that it is from.
    pub applied: BTreeMap<Stream, Epoch>,
    /// What nobody can read any more.
    pub damage: Damage,
}

/// Records that are missing in the journal: only who owns the streams can write them again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// Whether a log has lost its end: it may be any stream.
    pub lost_end: bool,
    /// Streams with a gap.
    pub gaps: BTreeSet<Stream>,
}

impl Damage {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        !self.lost_end && self.gaps.is_empty()
    }
}

impl NewsBoard {
    /// Adds what is new.
    pub(super) fn add(
        &self,
        partitions: Vec<(PartitionId, PartitionNews)>,
        group: GroupFacts,
        applied: Vec<(Stream, Epoch)>,
        damage: Damage,
    ) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.news.partitions.extend(partitions);
        heard.news.group = Some(group);
        heard.applied.extend(applied);
        heard.damage.lost_end |= damage.lost_end;
        heard.damage.gaps.extend(damage.gaps);
        self.has_some.store(true, Release);
    }

    /// Notes the newest bounded run, as all of the journal has it.
    pub(super) fn set_run(&self, newest: Option<BoundedRun>) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = newest;
        self.has_run.store(true, Release);
    }

    /// The newest bounded run, if that was noted since it was last taken.
    pub fn take_run(&self) -> Option<Option<BoundedRun>> {
        if !self.has_run.load(Acquire) {
            return None;
        }
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_run.store(false, Release);
        Some(run.clone())
    }

    /// Takes all that is new; `None` when nothing is.
    pub fn take(&self) -> Option<Heard> {
        if !self.has_some.load(Acquire) {
            return None;
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_some.store(false, Release);
        Some(std::mem::take(&mut *heard))
    }
}
