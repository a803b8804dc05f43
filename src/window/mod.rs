//! Event-time windows: counting, closing, revising. Pure; used by workers and the sink.
//!
//! In:  events that a worker counts into [`Partial`]s; per epoch an [`EpochInput`].
//! Out: [`Prepared`]: the change of the state to persist, and the window records to publish.
//! The ledger keeps partial results per (input partition, window) and says as [`PartitionChange`]s
//! what an epoch changes; the merger adds them up, decides what is published, and says as
//! [`MergerChange`] what was. Neither knows threads, clocks or storage.
//! Holds: an event of the ledger is in exactly one partial; what is dropped has been published.

mod change;
mod counts;
mod dimension;
mod epoch_input;
mod head;
mod ledger;
mod merger;
mod partial;
mod record;
mod rules;
mod sketch;
mod watermark;
mod windows;

#[cfg(test)]
mod tests;

pub use self::{
    change::{
        Completeness, MergerChange, PartialKey, PartitionChange, PartitionState, StateImage,
        UsageCounts, WindowMeta,
    },
    counts::{OTHER, ValueCounts},
    dimension::{Dimension, DimensionSpec, PerDimension},
    epoch_input::{EpochInput, PartitionDelta, PartitionProgress},
    head::{BoundedRun, MergerHead, PartitionHead, PartitionTotals, PublishedTotal},
    ledger::Ledger,
    merger::{Merger, MergerInput, PreparedMerge},
    partial::Partial,
    record::{PublishedWindow, WindowRecord},
    rules::WindowRules,
    sketch::UserSketch,
    windows::{Prepared, Windows},
};
