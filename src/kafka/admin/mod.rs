//! Questions about the cluster, its topics, brokers and groups, and the creation of topics.
//!
//! Used by whoever owns the client: the start-up checks, the sink at an epoch cut, a run that asks
//! why it cannot read. In: names. Out: what the brokers say, within a timeout per call.
//! Holds: asking for a topic never creates it; no group is joined, no id registered.

mod brokers;
mod client;
mod configs;
mod describe;
mod ends;
mod groups;
mod metadata;
mod options;
mod requests;

pub use self::{
    brokers::{UnreachableBroker, find_unreachable_brokers},
    client::{Admin, NewTopic, TopicInfo},
    describe::{ClusterDescription, Operation, Rights, TopicReplicas},
    groups::{GroupDescription, GroupMember},
};
