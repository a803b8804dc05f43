//! What the sink asks of the replica at a takeover, and what it is given. Plain data.

use std::collections::BTreeMap;

use super::view::{MergerView, PartitionView};
use crate::{
    ids::{Incarnation, Offset, PartitionId, TopicId},
    journal::{Chain, Identity, Stream},
};

/// What the sink asks for at a takeover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowRequest {
    /// The incarnation that begins. A request of a newer one replaces one that waits.
    pub incarnation: Incarnation,
    /// Topic id of the journal as the brokers say now; `None` where they have no ids.
    pub journal: Option<TopicId>,
    /// High watermark of each journal partition: to be reached.
    pub until: BTreeMap<PartitionId, Offset>,
    /// Where reading begins, per journal partition; at the position of those not named.
    pub begin: BTreeMap<PartitionId, BeginAt>,
}

/// Where a journal partition is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeginAt {
    /// At the position, or at this offset if that is larger. What is known of the partition's
    /// streams is dropped then.
    AtLeast(Offset),
    /// Again from this offset, for streams that are in a gap or unseen; from the log's start for 0.
    Again(Offset),
}

/// The answer, once all of `until` is reached.
#[derive(Debug, Clone)]
pub struct Followed {
    /// The request's.
    pub incarnation: Incarnation,
    /// Whose journal it is, if it says so.
    pub identity: Option<Identity>,
    /// Of every stream anything of which was read.
    pub chains: BTreeMap<Stream, Chain>,
    /// State of every input partition that has a record.
    pub partitions: BTreeMap<PartitionId, PartitionView>,
    /// State of the merger.
    pub merger: Option<MergerView>,
}
