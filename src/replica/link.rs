//! The sink's way to the replica, and what the replica has of it.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{
    news_board::NewsBoard,
    positions::Positions,
    request::{FollowRequest, Followed},
};

/// The sink's end.
#[derive(Debug)]
pub struct ReplicaLink {
    /// What is to be read.
    pub requests: Sender<FollowRequest>,
    /// What was read.
    pub followed: Receiver<Followed>,
    /// How far the replica has come.
    pub positions: Arc<Positions>,
    /// What it has read since that was last taken.
    pub news: Arc<NewsBoard>,
}

/// The replica's end.
#[derive(Debug)]
pub(super) struct SinkLink {
    pub(super) requests: Receiver<FollowRequest>,
    pub(super) followed: Sender<Followed>,
    pub(super) positions: Arc<Positions>,
    pub(super) news: Arc<NewsBoard>,
}

/// Both ends, for a journal topic with so many partitions.
pub(super) fn link(partitions: u32) -> (SinkLink, ReplicaLink) {
    // Few messages, none of which may keep its sender waiting.
    let (to_replica, requests) = unbounded();
    let (to_sink, followed) = unbounded();
    let (positions, news) = (Arc::new(Positions::new(partitions)), Arc::<NewsBoard>::default());
    let of_replica = SinkLink {
        requests,
        followed: to_sink,
        positions: Arc::clone(&positions),
        news: Arc::clone(&news),
    };
    (of_replica, ReplicaLink { requests: to_replica, followed, positions, news })
}
