//! A copy in a table of small rows. Owned by the replica.
//!
//! In:  records and positions. Out: rows, and again records.
//! Holds: the order of the writes, on which the whole copy stands: positions that no longer hold go
//! first, then come records, then positions, each on disk before the next begins.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    mem,
};

use super::{
    Copied, CopiedJournal, CopiedPartition, CopyChange, CopyFault, JournalCopy,
    pieces::{Collected, OF, Piece, RowKey, StoredOf, cut, piece_key, position_key, records_of},
};
use crate::{
    failpoint::{self, Fault, Point},
    ids::{Offset, PartitionId},
    journal::{CopyOf, Identity},
    limits::COPY_BATCH_ROWS,
    state::codec::{self, Flaw},
};

/// Key and value of a row; without a value it is removed.
pub(super) type TableRow = (Vec<u8>, Option<Vec<u8>>);

/// Takes key and value of a row.
pub(super) type TakeRow<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), CopyFault> + 'a;

/// Rows by key, on disk.
pub trait Table: Debug + Send {
    /// Shows every row, by key.
    fn read(&mut self, each: &mut TakeRow<'_>) -> Result<(), CopyFault>;

    /// Writes rows; they may not be on disk.
    fn write(&mut self, rows: Vec<TableRow>) -> Result<(), CopyFault>;

    /// Removes all rows whose keys begin with this; they may not be gone from the disk.
    fn remove(&mut self, prefix: &[u8]) -> Result<(), CopyFault>;

    /// Returns when everything that was written is on disk.
    fn flush(&mut self) -> Result<(), CopyFault>;

    /// Moves all rows out of the way, and begins an empty table.
    fn set_aside(&mut self, reason: &str) -> Result<(), CopyFault>;

    /// Bytes on disk; 0 when they cannot be found out.
    fn size_bytes(&self) -> u64;
}

/// A copy of the journal in a table.
#[derive(Debug)]
pub struct RecordCopy<T> {
    table: T,
    of: CopyOf,
    /// The journal that the row `of` names.
    journal: Option<CopiedJournal>,
    /// Records of several pieces: how many rows there may be.
    long: BTreeMap<(PartitionId, Vec<u8>), u32>,
    /// Partitions with records but without a position: a write of theirs was cut off.
    unfinished: BTreeSet<PartitionId>,
}

/// The rows of a copy while they are read.
#[derive(Default)]
struct Loading {
    of: Option<StoredOf>,
    positions: BTreeMap<PartitionId, Offset>,
    records: BTreeMap<(PartitionId, Vec<u8>), Collected>,
    long: BTreeMap<(PartitionId, Vec<u8>), u32>,
}

impl<T: Table> RecordCopy<T> {
    /// The copy that is in a table, whatever is in it.
    pub fn new(table: T, of: CopyOf) -> Self {
        Self { table, of, journal: None, long: BTreeMap::new(), unfinished: BTreeSet::new() }
    }

    fn rows_of(&mut self, change: &CopyChange) -> Vec<TableRow> {
        let mut rows = Vec::new();
        for ((partition, key), record) in &change.records {
            let new = record.as_ref().map(|record| cut(*partition, key, record));
            let new = new.unwrap_or_default();
            let place = (*partition, key.clone());
            let before = self.long.remove(&place).unwrap_or(1);
            if new.len() > 1 {
                self.long.insert(place, new.len() as u32);
            }
            let surplus = new.len() as u32..before;
            rows.extend(new.into_iter().map(|(key, value)| (key, Some(value))));
            rows.extend(surplus.map(|piece| (piece_key(*partition, key, piece), None)));
        }
        rows
    }

    fn write_all(&mut self, rows: Vec<TableRow>) -> Result<(), CopyFault> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut rows = rows.into_iter();
        loop {
            let batch: Vec<_> = rows.by_ref().take(COPY_BATCH_ROWS).collect();
            if batch.is_empty() {
                return self.table.flush();
            }
            self.table.write(batch)?;
        }
    }

    /// Removes the positions of these partitions, and then all their records.
    fn drop_partitions(&mut self, dropped: &BTreeSet<PartitionId>) -> Result<(), CopyFault> {
        if dropped.is_empty() {
            return Ok(());
        }
        let positions = dropped.iter().map(|partition| (position_key(*partition), None));
        self.write_all(positions.collect())?;
        for partition in dropped {
            self.table.remove(&records_of(*partition))?;
        }
        self.long.retain(|(partition, _), _| !dropped.contains(partition));
        self.table.flush()
    }
}

impl<T: Table> JournalCopy for RecordCopy<T> {
    fn load(&mut self) -> Result<Option<Copied>, CopyFault> {
        let mut loading = Loading::default();
        self.table.read(&mut |key, value| loading.take(key, value))?;
        self.long = mem::take(&mut loading.long);
        self.unfinished = loading.unfinished();
        self.journal = loading.journal(&self.of)?;
        let copied = |journal| Copied { journal, partitions: loading.finish() };
        Ok(self.journal.clone().map(copied))
    }

    fn write(&mut self, change: &CopyChange) -> Result<(), CopyFault> {
        let mut dropped = mem::take(&mut self.unfinished);
        dropped.extend(&change.dropped);
        self.drop_partitions(&dropped)?;
        if self.journal.as_ref() != Some(&change.journal) {
            let CopyOf { cluster_id, group_id, topic } = self.of.clone();
            let CopiedJournal { topic_id, identity } = &change.journal;
            let (topic_id, identity) = (*topic_id, identity.encode());
            let of = StoredOf { cluster_id, group_id, topic, topic_id, identity };
            self.write_all(vec![(OF.to_vec(), Some(codec::encode(OF, &of)))])?;
            self.journal = Some(change.journal.clone());
        }
        let rows = self.rows_of(change);
        let position = |(partition, position): (&PartitionId, &Offset)| {
            let key = position_key(*partition);
            let value = codec::encode(&key, position);
            (key, Some(value))
        };
        let positions = change.positions.iter().map(position).collect();
        if failpoint::is_planted(Fault::PositionsFirst) {
            self.write_all(positions)?;
            return self.write_all(rows);
        }
        self.write_all(rows)?;
        failpoint::reached(Point::CopyRows);
        self.write_all(positions)
    }

    fn set_aside(&mut self, reason: &str) -> Result<(), CopyFault> {
        self.journal = None;
        self.long.clear();
        self.unfinished.clear();
        self.table.set_aside(reason)
    }

    fn size_bytes(&self) -> u64 {
        self.table.size_bytes()
    }
}

impl Loading {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), CopyFault> {
        match RowKey::parse(key) {
            None => Err(CopyFault(format!("it has a row of another form: {}", key.escape_ascii()))),
            Some(RowKey::Of) => {
                self.of = Some(read(key, value)?);
                Ok(())
            }
            Some(RowKey::Position(partition)) => {
                self.positions.insert(partition, read(key, value)?);
                Ok(())
            }
            Some(RowKey::Piece { partition, key: of, piece: number }) => {
                let piece = Piece::read(key, value).map_err(fault)?;
                let place = (partition, of.to_vec());
                if number > 0 {
                    self.long.insert(place.clone(), number + 1);
                }
                self.records.entry(place).or_default().take(number, &piece);
                Ok(())
            }
        }
    }

    /// The journal of a copy that is ours; `None` of an empty one.
    fn journal(&mut self, ours: &CopyOf) -> Result<Option<CopiedJournal>, CopyFault> {
        let Some(of) = self.of.take() else {
            if self.records.is_empty() && self.positions.is_empty() {
                return Ok(None);
            }
            return Err(CopyFault("it does not say whose it is".to_owned()));
        };
        let parts = [
            ("Kafka cluster", &of.cluster_id, &ours.cluster_id),
            ("consumer group", &of.group_id, &ours.group_id),
            ("journal topic", &of.topic, &ours.topic),
        ];
        if let Some((what, copied, ours)) =
            parts.into_iter().find(|(_, copied, ours)| copied != ours)
        {
            return Err(CopyFault(format!(
                "it belongs to another {what}: it has '{copied}', this run has '{ours}'"
            )));
        }
        let identity = Identity::parse(&of.identity);
        let identity = identity.ok_or_else(|| CopyFault("its identity is damaged".to_owned()))?;
        Ok(Some(CopiedJournal { topic_id: of.topic_id, identity }))
    }

    fn unfinished(&self) -> BTreeSet<PartitionId> {
        let partitions = self.records.keys().map(|(partition, _)| *partition);
        partitions.filter(|partition| !self.positions.contains_key(partition)).collect()
    }

    /// The partitions that have a position, with their records by offset.
    fn finish(self) -> BTreeMap<PartitionId, CopiedPartition> {
        let partition = |position: Offset| CopiedPartition { position, records: Vec::new() };
        let mut partitions: BTreeMap<_, _> =
            self.positions.into_iter().map(|(p, position)| (p, partition(position))).collect();
        for ((p, key), collected) in self.records {
            if let (Some(partition), Some(record)) = (partitions.get_mut(&p), collected.finish()) {
                partition.records.push((key, record));
            }
        }
        for partition in partitions.values_mut() {
            partition.records.sort_by_key(|(_, record)| record.offset);
        }
        partitions
    }
}

fn read<T: serde::de::DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, CopyFault> {
    codec::decode(key, value).map_err(fault)
}

pub(super) fn fault(flaw: Flaw) -> CopyFault {
    match flaw {
        Flaw::Broken(what) => CopyFault(what),
        Flaw::Newer(version) => CopyFault(format!("it has the later format {version}")),
    }
}
