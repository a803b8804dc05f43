//! What one epoch does to the window state, and the image of that state.
//!
//! Pure data, handed between the window code and the sink. A change holds absolute values, so that
//! applying it twice is the same as applying it once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Partial, PerDimension, ValueCounts, WindowRules};
use crate::ids::{Epoch, EventTimeMs, Offset, PartitionId, TopicId, WindowStart};

/// Key of a partial result: state moves with its input partition.
pub type PartialKey = (PartitionId, WindowStart);

/// How often each value of each dimension occurred.
pub type UsageCounts = PerDimension<ValueCounts>;

/// Which windows of a partition may miss input that was never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionState {
    /// The last epoch that committed this partition.
    pub epoch: Epoch,
    /// Next offset to read.
    pub next_offset: Offset,
    /// Highest event time seen, each event counted at most up to its record's Kafka timestamp.
    pub watermark: Option<EventTimeMs>,
    /// Which windows may miss input.
    pub completeness: Completeness,
    /// The topic whose log `next_offset` is a place in; `None` where the brokers have no ids.
    pub topic: Option<TopicId>,
}

/// What the merger remembers of a window it still retains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WindowMeta {
    /// Revision last published; 0 = not closed yet.
    pub revision: u32,
    /// Events counted after the window had closed.
    pub late_events: u64,
}

/// What one epoch changes of one input partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionChange {
    /// Input partition.
    pub partition: PartitionId,
    /// Its progress after the epoch.
    pub state: PartitionState,
    /// As of when it is idle, if it is.
    pub idle_as_of: Option<EventTimeMs>,
    /// The horizon that judges every record from the next offset on; never goes back.
    pub horizon: Option<EventTimeMs>,
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
    /// Windows that end at or before this take no more events; never goes back.
    pub horizon: Option<EventTimeMs>,
    /// Every window that was published in the epoch.
    pub published: BTreeMap<WindowStart, WindowMeta>,
    /// Windows of which nothing is kept any more.
    pub dropped: BTreeSet<WindowStart>,
    /// Usage in all windows that were ever dropped; `None` when the epoch drops none.
    pub past_usage: Option<Arc<UsageCounts>>,
}

/// The whole window state as of an epoch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StateImage {
    /// The last epoch whose change is contained.
    pub epoch: Epoch,
    /// Partial results.
    pub partials: BTreeMap<PartialKey, Arc<Partial>>,
    /// Progress per partition.
    pub partitions: BTreeMap<PartitionId, PartitionState>,
    /// The merger's memory.
    pub windows: BTreeMap<WindowStart, WindowMeta>,
    /// Global watermark.
    pub watermark: Option<EventTimeMs>,
    /// Retention horizon.
    pub horizon: Option<EventTimeMs>,
    /// Usage in all windows that were ever dropped.
    pub past_usage: Arc<UsageCounts>,
}

impl StateImage {
    /// Whether a window is still there. One that the last barrier has passed is, until the next
    /// epoch: it was published, and so its memory is there. What else is behind the horizon belongs
    /// to a partition that was away.
    pub(super) fn retains(&self, rules: &WindowRules, start: WindowStart) -> bool {
        !rules.is_late(start, self.horizon) || self.windows.contains_key(&start)
    }

    /// All partial results of one partition.
    pub fn partials_of(
        &self,
        p: PartitionId,
    ) -> impl Iterator<Item = (&PartialKey, &Arc<Partial>)> {
        self.partials.range((p, WindowStart(i64::MIN))..=(p, WindowStart(i64::MAX)))
    }

    /// Applies what an epoch has changed. Applying it again changes nothing.
    pub fn apply(&mut self, epoch: Epoch, partitions: &[PartitionChange], merger: &MergerChange) {
        assert!(epoch >= self.epoch, "epochs are applied in order");
        self.epoch = epoch;
        for change in partitions {
            let p = change.partition;
            self.partitions.insert(p, change.state);
            for start in &change.dropped {
                self.partials.remove(&(p, *start));
            }
            let counts = change.partials.iter();
            self.partials.extend(counts.map(|(start, sum)| ((p, *start), Arc::clone(sum))));
        }
        self.windows.retain(|start, _| !merger.dropped.contains(start));
        self.windows.extend(merger.published.iter().map(|(start, meta)| (*start, *meta)));
        self.watermark = merger.watermark;
        self.horizon = merger.horizon;
        if let Some(usage) = &merger.past_usage {
            self.past_usage = Arc::clone(usage);
        }
    }
}
