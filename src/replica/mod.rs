//! An instance's copy of the journal: the committed state of the whole group.
//!
//! In:  records of the journal, as `journal/` applies them. Out: heads and counts of every
//! partition, what the merger has published, sums for people.
//! Holds: nothing is known here that was not committed.

mod view;

pub use self::view::{Arrival, MergerView, PartitionView, View};
