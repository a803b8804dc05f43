//! Where the rows of a shard are, and how they are read. Shared by the replica, which changes it,
//! and a worker, which reads.
//!
//! Holds: a lock is held for a look into memory, never while the disk is read; a row that is on its
//! way to the log is in memory.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use foldhash::fast::FixedState;

use super::{
    RowDisk, RowFault,
    record::{self, Logged, UNIT_BYTES},
    segments::segment_name,
};
use crate::{
    ids::{Epoch, PartitionId},
    journal::{RowKey, RowValue},
    limits,
};

/// A row may carry a mark: a time in seconds since the Unix epoch, such as the end of a session.
pub type MarkOf = fn(&[u8]) -> Option<i64>;

/// Where a record is: segment, offset and length, in 8 bytes; and whether it says that there is no
/// row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Place(u64);

const OFFSET_BITS: u32 = 23;
const LENGTH_BITS: u32 = 16;
const REMOVED: u64 = 1 << 63;

impl Place {
    /// `None` of one that cannot be: there are no such segments.
    pub(super) fn of(segment: u32, offset: usize, bytes: usize) -> Option<Self> {
        let (offset, units) = ((offset / UNIT_BYTES) as u64, (bytes / UNIT_BYTES) as u64);
        let is_here = offset < 1 << OFFSET_BITS;
        let is_one = u64::from(segment) < 1 << (63 - OFFSET_BITS - LENGTH_BITS);
        // Who reads a longer record sees its length.
        let units = units.min((1 << LENGTH_BITS) - 1);
        let place = (u64::from(segment) << OFFSET_BITS | offset) << LENGTH_BITS | units;
        (is_here && is_one).then_some(Self(place))
    }

    pub(super) fn new(segment: u32, offset: usize, bytes: usize) -> Self {
        Self::of(segment, offset, bytes).expect("segments are few, and end before")
    }

    /// The bytes of the record.
    pub(super) fn read(self, disk: &dyn RowDisk) -> io::Result<Vec<u8>> {
        let name = segment_name(self.segment());
        let read = |bytes: usize| {
            let mut read = vec![0; bytes];
            disk.read_at(&name, self.offset(), &mut read).map(|()| read)
        };
        let bytes = read(self.bytes())?;
        let whole = record::whole_bytes(&bytes);
        if whole > bytes.len() { read(whole) } else { Ok(bytes) }
    }

    /// The same of a record that says that there is no row.
    pub(super) fn removed(self) -> Self {
        Self(self.0 | REMOVED)
    }

    pub(super) fn is_removed(self) -> bool {
        self.0 & REMOVED != 0
    }

    pub(super) fn segment(self) -> u32 {
        ((self.0 & !REMOVED) >> (OFFSET_BITS + LENGTH_BITS)) as u32
    }

    pub(super) fn offset(self) -> u64 {
        (self.0 >> LENGTH_BITS & ((1 << OFFSET_BITS) - 1)) * UNIT_BYTES as u64
    }

    pub(super) fn bytes(self) -> usize {
        (self.0 & ((1 << LENGTH_BITS) - 1)) as usize * UNIT_BYTES
    }
}

/// A shard's rows.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// How often the rows of the partition were dropped before.
    pub(super) incarnation: u32,
    /// The log's newest row of each thing, or that it has none.
    pub(super) rows: HashMap<u64, Place, FixedState>,
    /// The marks of those that have one.
    pub(super) marks: HashMap<u64, i64, FixedState>,
    /// What the log does not have yet; `None`: there is no row.
    pub(super) waiting: HashMap<u64, Option<RowValue>, FixedState>,
    /// The row that is about all others.
    pub(super) partition_row: Option<RowValue>,
    /// Where the log has it, if that is the newest.
    pub(super) partition_place: Option<Place>,
    pub(super) partition_waits: bool,
    /// The newest epoch all of whose rows are here.
    pub(super) taken: Option<Epoch>,
    /// It is read again from the journal, by another shard in its place.
    pub(super) is_dropped: bool,
}

impl Shard {
    pub(super) fn mark(&mut self, entity: u64, mark: Option<i64>) {
        match mark {
            Some(at_s) => self.marks.insert(entity, at_s),
            None => self.marks.remove(&entity),
        };
    }
}

/// A shard, and the disk that has its rows.
#[derive(Debug, Clone)]
pub struct ShardReader {
    pub(super) shard: Arc<Mutex<Shard>>,
    disk: Arc<dyn RowDisk>,
}

/// Reads rows.
#[derive(Debug, Clone)]
pub struct RowReader {
    pub(super) disk: Arc<dyn RowDisk>,
    pub(super) shards: Arc<RwLock<BTreeMap<PartitionId, Arc<Mutex<Shard>>>>>,
}

impl RowReader {
    pub(super) fn new(disk: Arc<dyn RowDisk>) -> Self {
        Self { disk, shards: Arc::default() }
    }

    /// The rows of a partition.
    pub fn shard(&self, partition: PartitionId) -> ShardReader {
        let disk = Arc::clone(&self.disk);
        let known = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(shard) = known.get(&partition) {
            return ShardReader { shard: Arc::clone(shard), disk };
        }
        drop(known);
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        let shard = Arc::clone(shards.entry(partition).or_default());
        ShardReader { shard, disk }
    }

    /// Takes out the shards that this is true of. Who reads them is refused from here on.
    pub(super) fn drop_shards(
        &self,
        is_gone: impl Fn(PartitionId) -> bool,
    ) -> Vec<(PartitionId, Arc<Mutex<Shard>>)> {
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        let dropped: Vec<_> = shards.extract_if(.., |p, _| is_gone(*p)).collect();
        for (_, shard) in &dropped {
            lock(shard).is_dropped = true;
        }
        dropped
    }

    pub(super) fn all(&self) -> Vec<(PartitionId, Arc<Mutex<Shard>>)> {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        shards.iter().map(|(p, shard)| (*p, Arc::clone(shard))).collect()
    }
}

pub(super) fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ShardReader {
    /// The row of a thing, if it has one.
    ///
    /// # Errors
    /// When the disk cannot be read, a row is damaged, or the shard is not that of its partition
    /// any more, because the journal is read again.
    pub fn get(&self, entity: u64) -> Result<Option<RowValue>, RowFault> {
        let mut tries = 0;
        loop {
            let place = {
                let shard = lock(&self.shard);
                if shard.is_dropped {
                    return Err(RowFault::dropped());
                }
                if let Some(row) = shard.waiting.get(&entity) {
                    return Ok(row.clone());
                }
                let place = shard.rows.get(&entity).filter(|place| !place.is_removed());
                let Some(place) = place else { return Ok(None) };
                *place
            };
            match self.read(place, entity) {
                // Its segment was cleared meanwhile, and the row moved.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && tries < limits::ROW_READ_TRIES =>
                {
                    tries += 1;
                }
                Ok(Some(row)) => return Ok(Some(row)),
                Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                    return Err(RowFault::of_disk("read", &segment_name(place.segment()), &error));
                }
                Ok(None) | Err(_) => {
                    let name = segment_name(place.segment());
                    // The next start must not go by these files. If this fails, it finds it anew.
                    let _ = self.disk.append(super::files::DAMAGED, name.as_bytes());
                    return Err(RowFault::damaged(&name));
                }
            }
        }
    }

    fn read(&self, place: Place, entity: u64) -> io::Result<Option<RowValue>> {
        let bytes = place.read(&*self.disk)?;
        Ok(match Logged::read(&bytes) {
            Some((_, Logged::Entity(of, row), _)) if of == entity => Some(row.into()),
            _ => None,
        })
    }

    /// The row that is about all others.
    pub fn partition_row(&self) -> Option<RowValue> {
        lock(&self.shard).partition_row.clone()
    }

    /// Marks, each with what has it.
    pub fn marked(&self) -> Vec<(i64, u64)> {
        lock(&self.shard).marks.iter().map(|(entity, mark)| (*mark, *entity)).collect()
    }

    /// The newest epoch all of whose rows are here.
    pub fn taken(&self) -> Option<Epoch> {
        lock(&self.shard).taken
    }
}

/// Memory of a row that waits.
pub(super) fn waiting_bytes(key: RowKey, value: Option<&RowValue>) -> usize {
    size_of_val(&key) + value.map_or(0, |value| value.len()) + limits::ROW_OVERHEAD_BYTES
}
