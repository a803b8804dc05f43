//! What the sink asks the replica for, and what it gets.

use std::collections::BTreeMap;

use super::{MergerView, PartitionView};
use crate::{
    ids::{Incarnation, Offset, PartitionId, TopicId},
    journal::{Chain, Identity, Stream},
};

/// What the sink asks for at a takeover.
#[derive(Debug)]
pub struct FollowRequest {
    /// The incarnation that begins.
    pub incarnation: Incarnation,
    /// Topic id of the journal as the brokers say now.
    pub journal: Option<TopicId>,
    /// High watermark of each journal partition: to be reached.
    pub until: BTreeMap<PartitionId, Offset>,
    /// Where reading begins, per journal partition.
    pub begin: BTreeMap<PartitionId, BeginAt>,
}

/// Where a journal partition is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeginAt {
    /// At the position, or at this offset if that is larger.
    AtLeast(Offset),
    /// Read again from this offset.
    Again(Offset),
}

/// The answer, once all of `until` is reached.
#[derive(Debug)]
pub struct Followed {
    /// The incarnation that asked.
    pub incarnation: Incarnation,
    /// Whose journal it is.
    pub identity: Option<Identity>,
    /// Every stream anything of which was read.
    pub chains: BTreeMap<Stream, Chain>,
    /// State of every partition.
    pub partitions: BTreeMap<PartitionId, PartitionView>,
    /// State of the merger.
    pub merger: Option<MergerView>,
}

/// How far the replica has followed.
#[derive(Debug)]
pub struct Positions;

impl Positions {
    /// The position in each journal partition.
    pub fn get(&self) -> BTreeMap<PartitionId, Offset> {
        BTreeMap::new()
    }
}
