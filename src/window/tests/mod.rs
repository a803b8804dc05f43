//! Tests of the window state as a whole: one behaviour at a time, and against a naive model.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Partial, PartialKey, PartitionState, Prepared, StateImage, WindowRules, Windows,
    merged_window::MergedWindow,
};
use crate::ids::{Epoch, EventTimeMs, PartitionId, WindowStart};

mod behaviour;
mod completeness;
mod merging;
mod model;
mod ownership;
mod pipeline;
mod properties;
mod run;

/// Everything in `Windows` but its memory figure, which depends on how vectors grew.
#[derive(Debug, PartialEq)]
struct Contents<'a> {
    epoch: Epoch,
    watermark: Option<EventTimeMs>,
    horizon: Option<EventTimeMs>,
    partials: BTreeMap<PartialKey, Arc<Partial>>,
    partitions: BTreeMap<PartitionId, PartitionState>,
    windows: &'a BTreeMap<WindowStart, MergedWindow>,
    open: Vec<WindowStart>,
}

impl Windows {
    fn contents(&self) -> Contents<'_> {
        Contents {
            epoch: self.epoch(),
            watermark: self.watermark(),
            horizon: self.horizon(),
            partials: self.ledger().partials(),
            partitions: self.partitions().map(|(p, state)| (p, *state)).collect(),
            windows: self.merger().expect("it merges").windows(),
            open: self.merger().expect("it merges").open().iter().copied().collect(),
        }
    }
}

impl StateImage {
    /// Applies what an epoch has changed. Applying it again changes nothing.
    fn take(&mut self, prepared: &Prepared) {
        self.epoch = prepared.epoch;
        for change in &prepared.partitions {
            let p = change.partition;
            self.partitions.insert(p, change.state);
            for start in &change.dropped {
                self.partials.remove(&(p, *start));
            }
            let counts = change.partials.iter();
            self.partials.extend(counts.map(|(start, sum)| ((p, *start), Arc::clone(sum))));
        }
        let Some(change) = prepared.merge.as_ref().map(|merge| &merge.change) else { return };
        self.windows.extend(change.published.iter().map(|(start, total)| (*start, *total)));
        self.windows.retain(|start, _| !change.dropped.contains(start));
        self.partials.retain(|(_, start), _| !change.dropped.contains(start));
        (self.watermark, self.horizon) = (change.watermark, change.horizon);
        (self.forgotten, self.announced) = (change.forgotten, change.announced);
        if let Some(usage) = &change.past_usage {
            self.past_usage = Arc::clone(usage);
        }
    }
}

impl Windows {
    /// The lowest horizon that the partitions have adopted.
    fn adopted(&self) -> Option<EventTimeMs> {
        self.partitions().map(|(_, state)| state.horizon).min().flatten()
    }

    /// Number of windows that are not forgotten.
    fn retained_windows(&self) -> usize {
        self.merger().expect("it merges").windows().len()
    }

    fn open_windows(&self) -> usize {
        self.facts().open_windows
    }
}

fn reopened(rules: WindowRules, image: &StateImage) -> Windows {
    let owned: Vec<_> = image.partitions.keys().copied().collect();
    Windows::new(rules, image, &owned)
}
