//! How far the replica has followed, for other threads.
//!
//! Atomics only; the replica stores, everybody reads.
//! Holds: a position is the next offset to read. It goes back when a partition is read again.

use std::{
    collections::BTreeMap,
    sync::atomic::{
        AtomicI64, AtomicUsize,
        Ordering::{Acquire, Release},
    },
};

use crate::ids::{Offset, PartitionId};

/// The replica's position in each journal partition.
#[derive(Debug)]
pub struct Positions {
    /// Journal partitions that are followed.
    partitions: AtomicUsize,
    offsets: Vec<AtomicI64>,
}

impl Positions {
    /// Of a journal topic with so many partitions.
    pub(super) fn new(partitions: u32) -> Self {
        let offsets = (0..partitions).map(|_| AtomicI64::new(0)).collect();
        Self { partitions: AtomicUsize::new(partitions as usize), offsets }
    }

    /// The next offset to read of each journal partition.
    pub fn get(&self) -> BTreeMap<PartitionId, Offset> {
        let followed = self.offsets.iter().take(self.partitions.load(Acquire));
        let position =
            |(p, offset): (i32, &AtomicI64)| (PartitionId(p), Offset(offset.load(Acquire)));
        (0..).zip(followed).map(position).collect()
    }

    /// Takes the positions of all partitions that are followed.
    pub(super) fn set(&self, positions: impl ExactSizeIterator<Item = Offset>) {
        let count = positions.len();
        for (at, position) in self.offsets.iter().zip(positions) {
            at.store(position.0, Release);
        }
        self.partitions.store(count, Release);
    }
}
