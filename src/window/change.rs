//! What one epoch does to the window state, and the image of that state.
//!
//! Pure data, handed between the window code and the sink. A change holds absolute values, so that
//! applying it twice is the same as applying it once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Partial, PerDimension, PublishedTotal, ValueCounts, WindowRules};
use crate::ids::{Epoch, EventTimeMs, Offset, PartitionId, TopicId, WindowStart};

/// Key of a partial result: state moves with its input partition.
pub type PartialKey = (PartitionId, WindowStart);

/// How often each value of each dimension occurred.
pub type UsageCounts = PerDimension<ValueCounts>;

/// Which windows of a partition may miss input that was never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Read from the log's very start: every window is complete.
    FromStart,
    /// Started in the middle of the log and no event seen yet: every window is incomplete. At
    /// least the windows up to `at_least` stay so after the first event.
    UntilFirstEvent {
        /// Window that earlier, lost state is known to have reached.
        at_least: Option<WindowStart>,
    },
    /// Windows up to and including this one are incomplete, later ones complete.
    After(WindowStart),
}

impl Completeness {
    /// Whether a window may miss input of the partition.
    pub fn may_miss(self, start: WindowStart) -> bool {
        match self {
            Self::FromStart => false,
            Self::UntilFirstEvent { .. } => true,
            Self::After(last) => start <= last,
        }
    }
}

/// Progress of one input partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionState {
    /// Next offset to read.
    pub next_offset: Offset,
    /// Highest event time seen, each event counted at most up to its record's Kafka timestamp.
    pub watermark: Option<EventTimeMs>,
    /// As of when it is idle, if it is.
    pub idle_as_of: Option<EventTimeMs>,
    /// The horizon that judges every record from the next offset on; never goes back.
    pub horizon: Option<EventTimeMs>,
    /// Which windows may miss input.
    pub completeness: Completeness,
    /// The topic whose log `next_offset` is a place in; `None` where the brokers have no ids.
    pub topic: Option<TopicId>,
}

impl PartitionState {
    /// Of a partition of which nothing was read yet.
    pub fn new(next_offset: Offset, completeness: Completeness) -> Self {
        Self {
            next_offset,
            watermark: None,
            idle_as_of: None,
            horizon: None,
            completeness,
            topic: None,
        }
    }
}

/// What one epoch changes of one input partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionChange {
    /// Input partition.
    pub partition: PartitionId,
    /// Its progress after the epoch.
    pub state: PartitionState,
    /// The partial result of every window that changed.
    pub partials: BTreeMap<WindowStart, Arc<Partial>>,
    /// Windows of which nothing is kept any more.
    pub dropped: BTreeSet<WindowStart>,
}

/// What one epoch changes of the merger's memory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MergerChange {
    /// Global watermark after the epoch; never goes back.
    pub watermark: Option<EventTimeMs>,
    /// Windows that end at or before this take no more events once an owner has adopted it; never
    /// goes back.
    pub horizon: Option<EventTimeMs>,
    /// Windows that end at or before this are forgotten by everyone; never goes back.
    pub forgotten: Option<EventTimeMs>,
    /// Announced number of input partitions; never shrinks.
    pub announced: u32,
    /// Every window that was published in the epoch.
    pub published: BTreeMap<WindowStart, PublishedTotal>,
    /// Windows of which nothing is kept any more.
    pub dropped: BTreeSet<WindowStart>,
    /// Usage in all windows that were ever dropped; `None` when the epoch drops none.
    pub past_usage: Option<Arc<UsageCounts>>,
}

/// The window state of the whole group, as the journal has it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StateImage {
    /// The last epoch whose change is contained.
    pub epoch: Epoch,
    /// Partial results of windows that are not forgotten.
    pub partials: BTreeMap<PartialKey, Arc<Partial>>,
    /// Progress of every partition that has a head.
    pub partitions: BTreeMap<PartitionId, PartitionState>,
    /// What was published of windows that are not forgotten.
    pub windows: BTreeMap<WindowStart, PublishedTotal>,
    /// Global watermark.
    pub watermark: Option<EventTimeMs>,
    /// Windows that end at or before this take no more events.
    pub horizon: Option<EventTimeMs>,
    /// Windows that end at or before this are forgotten.
    pub forgotten: Option<EventTimeMs>,
    /// Announced number of input partitions.
    pub announced: u32,
    /// Usage in all windows that are forgotten.
    pub past_usage: Arc<UsageCounts>,
}

impl StateImage {
    /// All partial results of one partition.
    pub fn partials_of(
        &self,
        p: PartitionId,
    ) -> impl Iterator<Item = (&PartialKey, &Arc<Partial>)> {
        self.partials.range((p, WindowStart(i64::MIN))..=(p, WindowStart(i64::MAX)))
    }

    /// Drops windows that are forgotten, whoever still has counts of them.
    pub fn forget(&mut self, rules: &WindowRules) {
        let forgotten = self.forgotten;
        self.partials.retain(|(_, start), _| !rules.is_late(*start, forgotten));
        self.windows.retain(|start, _| !rules.is_late(*start, forgotten));
    }

    /// Windows with counts that were not published.
    pub fn open_windows(&self) -> BTreeSet<WindowStart> {
        let starts = self.partials.keys().map(|(_, start)| *start);
        starts.filter(|start| !self.windows.contains_key(start)).collect()
    }
}
