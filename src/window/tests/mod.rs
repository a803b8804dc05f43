//! Tests of the window state as a whole: one behaviour at a time, and against a naive model.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Partial, PartialKey, PartitionState, Prepared, StateImage, WindowRules, Windows,
    merger::MergedWindow,
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
            windows: self.merger().windows(),
            open: self.merger().open().iter().copied().collect(),
        }
    }
}

impl StateImage {
    fn take(&mut self, prepared: &Prepared) {
        self.apply(prepared.epoch, &prepared.partitions, &prepared.merge.change);
    }
}

fn reopened(rules: WindowRules, image: &StateImage) -> Windows {
    let owned: Vec<_> = image.partitions.keys().copied().collect();
    Windows::new(rules, image, &owned, true)
}
