//! The rows of a shard: those of late in memory, all others in files. Owned by the worker.
//!
//! In:  rows that have changed, each with the epoch that it is written in.
//! Out: the newest row of a user.
//! Holds: a row that the files do not have yet stays in memory, whatever that takes; of all others
//! no more than the room for them stays.

use std::{collections::HashMap, mem};

use foldhash::fast::FixedState;

use super::login::UserKey;
use crate::{
    failpoint::{self, Fault},
    ids::Epoch,
    journal::RowValue,
    limits,
    rows::{RowFault, ShardReader},
};

/// A row in memory; `None`: there is none.
#[derive(Debug, Clone)]
struct Held {
    row: Option<RowValue>,
    /// The epoch that it was changed in; `None` of one that was read from the files.
    changed: Option<Epoch>,
}

impl Held {
    fn bytes(&self) -> usize {
        let row = self.row.as_ref().map_or(0, |row| row.len());
        row + size_of::<(UserKey, Self)>() + limits::ROW_OVERHEAD_BYTES
    }
}

type Generation = HashMap<UserKey, Held, FixedState>;

/// Rows of a shard.
///
/// There are two generations of them in memory. What is used becomes one of the young; when these
/// have half of the room, the old make way and the young are the old.
#[derive(Debug)]
pub(super) struct CachedRows {
    reader: ShardReader,
    room_bytes: usize,
    /// Bytes of the young at which they become the old.
    age_at_bytes: usize,
    young: Generation,
    young_bytes: usize,
    old: Generation,
    old_bytes: usize,
}

impl CachedRows {
    /// Rows of a shard, with so much room in memory.
    pub(super) fn new(reader: ShardReader, room_bytes: usize) -> Self {
        Self {
            reader,
            room_bytes,
            age_at_bytes: room_bytes / 2,
            young: Generation::default(),
            young_bytes: 0,
            old: Generation::default(),
            old_bytes: 0,
        }
    }

    /// The row of a user, if there is one.
    ///
    /// # Errors
    /// When the files cannot be read, or the journal has lost rows.
    pub(super) fn get(&mut self, user: UserKey) -> Result<Option<RowValue>, RowFault> {
        if let Some(held) = self.young.get(&user) {
            return Ok(held.row.clone());
        }
        let held = if let Some(held) = self.old.remove(&user) {
            self.old_bytes -= held.bytes();
            held
        } else {
            Held { row: self.reader.get(user.0)?, changed: None }
        };
        let row = held.row.clone();
        self.hold(user, held);
        Ok(row)
    }

    /// A user's row has changed in an epoch.
    pub(super) fn put(&mut self, user: UserKey, row: Option<RowValue>, epoch: Epoch) {
        if let Some(before) = self.old.remove(&user) {
            self.old_bytes -= before.bytes();
        }
        self.hold(user, Held { row, changed: Some(epoch) });
    }

    fn hold(&mut self, user: UserKey, held: Held) {
        self.young_bytes += held.bytes();
        if let Some(before) = self.young.insert(user, held) {
            self.young_bytes -= before.bytes();
        }
        if self.young_bytes > self.age_at_bytes {
            self.age();
        }
    }

    /// The young become the old. Of the old, those stay that the files do not have.
    fn age(&mut self) {
        let written = self.reader.taken();
        let mut kept = mem::replace(&mut self.old, mem::take(&mut self.young));
        self.old_bytes = mem::take(&mut self.young_bytes);
        let is_planted = failpoint::is_planted(Fault::RowsDropped);
        kept.retain(|_, held| held.changed > written && !is_planted);
        self.young_bytes = kept.values().map(Held::bytes).sum();
        self.young = kept;
        // If that is nearly all, looking through them after each row would take too long.
        self.age_at_bytes = (self.room_bytes / 2).max(2 * self.young_bytes);
    }

    /// Bytes in memory beyond the room for them.
    pub(super) fn excess_bytes(&self) -> usize {
        (self.young_bytes + self.old_bytes).saturating_sub(self.room_bytes)
    }
}
