//! The files, and what of them is in memory. Owned by the replica.
//!
//! In:  rows in the order of the journal, and how far it was read. Out: see `RowReader`.
//! Holds: the order of the writes, on which everything stands: rows are on disk, then the commit
//! that names them, then segments are removed that no commit names.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tracing::warn;

use super::{
    RowDisk, RowFault,
    clearing::clear,
    commits::{self, Commit, CommitFile, Failed},
    loading::{Unusable, load},
    record::{Logged, Owner},
    segments::{Segments, number_of},
    shard::{MarkOf, RowReader, Shard, lock, waiting_bytes},
};
use crate::{
    failpoint::{self, Fault, Point},
    ids::{Epoch, Offset, PartitionId},
    journal::{CopyOf, RowKey, RowValue},
    limits,
};

/// A file that says that the others are of no use.
pub(super) const DAMAGED: &str = "damaged";

/// What files of rows are made of.
#[derive(Debug, Clone)]
pub struct RowFilesSettings {
    /// Whose rows they are. Those of others are removed.
    pub of: CopyOf,
    /// A row's mark.
    pub mark_of: MarkOf,
    /// Bytes of rows that may wait to be written.
    pub waiting_bytes: usize,
    /// Bytes at which a segment is closed: `limits::ROW_SEGMENT_BYTES`, fewer in tests.
    pub segment_bytes: u64,
}

/// Rows in files.
#[derive(Debug)]
pub struct RowFiles {
    settings: RowFilesSettings,
    reader: RowReader,
    segments: Segments,
    commits: CommitFile,
    /// The last one.
    commit: Commit,
    /// Bytes of rows that wait.
    waiting: usize,
    /// Bytes of what memory has of the rows in the files.
    index: usize,
}

impl From<Failed> for RowFault {
    fn from(Failed(name, error): Failed) -> Self {
        Self::of_disk("written", &name, &error)
    }
}

impl RowFiles {
    /// What is on a disk; nothing, if that is of no use.
    ///
    /// # Errors
    /// When the disk cannot be read or written.
    pub fn open(disk: &Arc<dyn RowDisk>, settings: RowFilesSettings) -> Result<Self, RowFault> {
        let names = disk.names().map_err(|error| RowFault::of_disk("listed", "rows", &error))?;
        let mut files = Self {
            reader: RowReader::new(Arc::clone(disk)),
            segments: Segments::new(Arc::clone(disk), settings.segment_bytes, &BTreeMap::new(), 0),
            commits: CommitFile::after(&names, settings.segment_bytes),
            commit: Commit::of(settings.of.clone()),
            waiting: 0,
            index: 0,
            settings,
        };
        match load(&files.reader, &files.settings, &names) {
            Ok(None) => Ok(files),
            Ok(Some((segments, commit))) => {
                (files.segments, files.commit) = (segments, commit);
                files.count_index();
                files.replace_commits(&names)?;
                Ok(files)
            }
            Err(Unusable::Disk(Failed(name, error))) => {
                Err(RowFault::of_disk("read", &name, &error))
            }
            Err(Unusable::For(reason)) => files.set_aside(&reason).map(|()| files),
        }
    }

    /// A first commit of this process. Former files of commits are not needed then.
    fn replace_commits(&mut self, names: &[String]) -> Result<(), Failed> {
        let disk = &self.reader.disk;
        self.commits.add(&**disk, &self.commit)?;
        names
            .iter()
            .filter(|name| commits::is_one(name))
            .try_for_each(|name| disk.remove(name).map_err(|error| Failed(name.clone(), error)))
    }

    /// Files in memory alone, for tests.
    #[cfg(any(test, feature = "test-support"))]
    pub fn in_memory(mark_of: MarkOf) -> Self {
        let [cluster_id, group_id, topic] = ["c", "g", "t"].map(str::to_owned);
        let of = CopyOf { cluster_id, group_id, topic };
        let segment_bytes = limits::ROW_SEGMENT_BYTES;
        let settings = RowFilesSettings { of, mark_of, waiting_bytes: 1 << 20, segment_bytes };
        let disk: Arc<dyn RowDisk> = Arc::new(super::MemoryRowDisk::default());
        Self::open(&disk, settings).expect("memory works")
    }

    /// Of each journal partition the offset from which on it has what the files do not; of those
    /// not named, all of it.
    pub fn position(&self, journal: PartitionId) -> Option<Offset> {
        self.commit.positions.get(&journal.0).map(|position| Offset(*position))
    }

    /// Reads the rows.
    pub fn reader(&self) -> RowReader {
        self.reader.clone()
    }

    /// Takes a committed row; `None`: it is removed.
    pub fn take(&mut self, partition: PartitionId, key: RowKey, value: Option<RowValue>) {
        let shard = self.reader.shard(partition).shard;
        let mut shard = lock(&shard);
        match key {
            RowKey::Partition => {
                shard.partition_row = value;
                shard.partition_waits = true;
            }
            RowKey::Entity(entity) => {
                self.waiting += waiting_bytes(key, value.as_ref());
                shard.mark(entity, value.as_deref().and_then(self.settings.mark_of));
                if let Some(former) = shard.waiting.insert(entity, value) {
                    self.waiting -= waiting_bytes(key, former.as_ref());
                }
            }
        }
    }

    /// Takes note that all rows of an epoch of a partition were taken.
    pub fn taken(&mut self, partition: PartitionId, epoch: Epoch) {
        lock(&self.reader.shard(partition).shard).taken = Some(epoch);
    }

    /// Whether so many rows wait that they should be written.
    pub fn is_full(&self) -> bool {
        self.waiting > self.settings.waiting_bytes
    }

    /// Writes what waits. The journal was read up to `journal`.
    ///
    /// # Errors
    /// When that fails. What is on disk is what the last commit says.
    pub fn write(&mut self, journal: &BTreeMap<PartitionId, Offset>) -> Result<(), RowFault> {
        let positions: BTreeMap<_, _> = journal.iter().map(|(p, at)| (p.0, at.0)).collect();
        for (partition, shard) in self.reader.all() {
            if !failpoint::is_planted(Fault::RowsUnwritten) {
                self.write_shard(partition, &shard)?;
            }
        }
        let mut cleared = Vec::new();
        while cleared.len() < limits::ROW_SEGMENTS_CLEARED
            && let Some((number, bytes)) = self.segments.to_be_cleared()
        {
            clear(&self.reader, &mut self.segments, self.settings.mark_of, (number, bytes))?;
            cleared.push(number);
        }
        let segments = self.segments.sizes();
        if segments == self.commit.segments && positions == self.commit.positions {
            return Ok(());
        }
        self.segments.sync()?;
        failpoint::reached(Point::CopyRows);
        self.commit = Commit { segments, positions, ..self.commit.clone() };
        self.commits.add(&*self.reader.disk, &self.commit)?;
        for number in cleared {
            self.segments.remove_files(number)?;
        }
        self.count_index();
        Ok(())
    }

    fn write_shard(&mut self, partition: PartitionId, of: &Mutex<Shard>) -> Result<(), RowFault> {
        // The rows stay where readers find them until they can be read from the log.
        let (incarnation, rows, partition_row) = {
            let shard = lock(of);
            let rows: Vec<_> = shard.waiting.iter().map(|(key, row)| (*key, row.clone())).collect();
            let row = shard.partition_waits.then(|| shard.partition_row.clone());
            (shard.incarnation, rows, row)
        };
        let owner = Owner { partition, incarnation };
        let mut places = Vec::with_capacity(rows.len());
        for (entity, row) in &rows {
            let logged = Logged::of(RowKey::Entity(*entity), row.as_ref());
            let mark = logged.mark(self.settings.mark_of);
            places.push((*entity, self.segments.append(owner, logged, mark)?));
        }
        let partition_place = match &partition_row {
            Some(row) => {
                let logged = Logged::of(RowKey::Partition, row.as_ref());
                Some(self.segments.append(owner, logged, None)?)
            }
            None => None,
        };
        self.segments.flush()?;
        let mut shard = lock(of);
        for (entity, place) in places {
            let former = shard.rows.insert(entity, place);
            self.segments.replaced(former);
        }
        shard.waiting.clear();
        shard.waiting.shrink_to(limits::ROWS_WAITING_KEPT);
        if let Some(place) = partition_place {
            let former = shard.partition_place.replace(place);
            self.segments.replaced(former);
            shard.partition_waits = false;
        }
        for (entity, row) in &rows {
            self.waiting -= waiting_bytes(RowKey::Entity(*entity), row.as_ref());
        }
        Ok(())
    }

    /// Drops the rows of the input partitions that this is true of: the journal partition that
    /// they are in is read again; all are, if none is named. Workers that have them are refused
    /// from here on.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn drop_partitions(
        &mut self,
        journal: Option<PartitionId>,
        is_gone: impl Fn(PartitionId) -> bool,
    ) -> Result<(), RowFault> {
        self.commit.positions.retain(|p, _| journal.is_some_and(|journal| journal.0 != *p));
        for (partition, shard) in self.reader.drop_shards(is_gone) {
            let shard = lock(&shard);
            let places = shard.rows.values().chain(&shard.partition_place);
            places.for_each(|place| self.segments.dies(*place));
            for (entity, row) in &shard.waiting {
                self.waiting -= waiting_bytes(RowKey::Entity(*entity), row.as_ref());
            }
            let incarnation = shard.incarnation + 1;
            self.commit.incarnations.insert(partition.0, incarnation);
            lock(&self.reader.shard(partition).shard).incarnation = incarnation;
        }
        // NOTE: at once. By the time of the next start the journal may have come to where it was.
        Ok(self.commits.add(&*self.reader.disk, &self.commit)?)
    }

    /// Removes everything: it is read from the journal again.
    ///
    /// # Errors
    /// When files cannot be removed.
    pub fn set_aside(&mut self, reason: &str) -> Result<(), RowFault> {
        let disk = Arc::clone(&self.reader.disk);
        let names = disk.names().map_err(|error| RowFault::of_disk("listed", "rows", &error))?;
        let is_ours =
            |name: &&String| number_of(name).is_some() || commits::is_one(name) || *name == DAMAGED;
        let mut ours: Vec<_> = names.iter().filter(is_ours).collect();
        if !ours.is_empty() {
            warn!(reason, "the files of users' rows are removed: the journal is read again");
        }
        // NOTE: commits go first. Without one, nothing else counts; `damaged` last.
        ours.sort_by_key(|name| (!commits::is_one(name), *name == DAMAGED));
        for name in ours {
            disk.remove(name).map_err(|error| RowFault::of_disk("removed", name, &error))?;
        }
        self.reader.drop_shards(|_| true);
        let highest = names.iter().filter_map(|name| number_of(name)).max();
        let next = highest.map_or(0, |highest| highest + 1);
        let full_bytes = self.settings.segment_bytes;
        self.segments = Segments::new(Arc::clone(&disk), full_bytes, &BTreeMap::new(), next);
        self.commits = CommitFile::after(&names, self.settings.segment_bytes);
        self.commit = Commit::of(self.settings.of.clone());
        (self.waiting, self.index) = (0, 0);
        Ok(())
    }

    fn count_index(&mut self) {
        let count = |shard: &Mutex<Shard>| {
            let shard = lock(shard);
            let partition_row = shard.partition_row.as_ref().map_or(0, |row| row.len());
            let rows = shard.rows.capacity() + shard.marks.capacity();
            rows * limits::ROW_INDEX_BYTES + partition_row
        };
        self.index = self.reader.all().iter().map(|(_, shard)| count(shard)).sum();
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.waiting + self.index
    }

    /// Bytes on disk.
    pub fn size_bytes(&self) -> u64 {
        self.segments.sizes().values().sum::<u64>() + self.commits.size_bytes()
    }
}
