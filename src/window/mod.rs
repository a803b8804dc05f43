//! Event-time windows: counting, closing, revising. Pure; used by workers and the sink.
//!
//! In:  events that a worker counts into [`Partial`]s; per epoch an [`EpochInput`]; [`News`] of
//! other instances.
//! Out: [`Prepared`]: the change of the state to persist, and the window records to publish.
//! The ledger keeps partial results per (owned input partition, window) and says as
//! [`PartitionChange`]s what an epoch changes. One instance of a group merges: it adds up what all
//! have counted, decides what is published, and says as [`MergerChange`] what was. None of this
//! knows threads, clocks or storage.
//! Holds: an event of the ledger is in exactly one partial; what is dropped has been published.

mod change;
mod counts;
mod dimension;
mod epoch_input;
mod head;
mod ledger;
mod merged_window;
mod merger;
mod news;
mod partial;
mod record;
mod rules;
mod sketch;
mod standings;
mod watermark;
mod windows;

#[cfg(test)]
mod tests;

pub use self::{
    change::{
        Completeness, MergerChange, PartialKey, PartitionChange, PartitionState, StateImage,
        UsageCounts,
    },
    counts::{OTHER, ValueCounts},
    dimension::{Dimension, DimensionSpec, PerDimension},
    epoch_input::{EpochInput, PartitionDelta, PartitionProgress},
    head::{BoundedRun, MergerHead, PartitionHead, PartitionTotals, PublishedTotal},
    ledger::Ledger,
    merger::{Merger, MergerInput, PreparedMerge},
    news::{GroupFacts, News, PartitionNews},
    partial::Partial,
    record::WindowRecord,
    rules::WindowRules,
    sketch::UserSketch,
    windows::{Prepared, Windows},
};
