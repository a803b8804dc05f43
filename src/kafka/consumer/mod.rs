//! Reading: as a member of the group, and beside it.
//!
//! The consumer lives and dies in the source thread; a [`Committer`] lets the sink thread commit
//! through its membership. In: fetched records, rebalance and error events. Out: borrowed records,
//! recorded rebalance events, answers about offsets, commits.
//! Holds: no callback assigns or unassigns by itself, except while the consumer closes; messages of
//! a former assignment are never seen.

mod client;
mod close;
mod committer;
mod drain;
mod group_errors;
mod headers;
mod offsets;
mod rebalance;

pub use self::{
    client::Consumer,
    committer::{CommittedOffset, Committer},
    drain::{DrainEvent, Flow, Record},
    group_errors::group_remedy,
    headers::Headers,
    rebalance::RebalanceEvent,
};
