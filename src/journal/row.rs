//! Rows: what a partition keeps of each of many things, such as a user. Pure.
//!
//! In:  what an epoch changed. Out: a record for each row that changed.
//! Holds: a row is absolute, and its key's newest record is what counts, so the cleaner leaves all
//! rows and nothing else; a restart reads all of them. An epoch's rows come before its record, in
//! the same transaction and journal partition: who has read that record has read them.

use std::{collections::HashMap, fmt, sync::Arc};

use foldhash::fast::FixedState;

use super::{
    FORMAT_VERSION, Stream, Written,
    bytes::{ByteReader, ByteWriter, Flaw, flaw},
    header::KIND_ROW,
    key::Key,
};
use crate::ids::PartitionId;

/// Which row of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// The one that is about all others.
    Partition,
    /// That of the thing with this hash.
    Entity(u64),
}

/// What a row holds: any bytes, at least one.
pub type RowValue = Arc<[u8]>;

/// The rows of a partition.
pub type Rows = HashMap<RowKey, RowValue, FixedState>;

/// The rows that an epoch changes; `None`: the row is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChanges {
    /// Of which input partition.
    pub partition: PartitionId,
    /// Each row once.
    pub rows: Vec<(RowKey, Option<RowValue>)>,
}

impl RowChanges {
    /// Puts them in force.
    pub fn apply(&self, rows: &mut Rows) {
        for (key, value) in &self.rows {
            match value {
                Some(value) => rows.insert(*key, Arc::clone(value)),
                None => rows.remove(key),
            };
        }
    }

    /// Their records, in a journal of so many partitions.
    pub(super) fn records(&self, partitions: u32) -> Written {
        let record = |(row, value): &(RowKey, Option<RowValue>)| {
            let mut writer = ByteWriter::default();
            writer.byte(FORMAT_VERSION);
            writer.byte(KIND_ROW);
            writer.raw(value.as_deref().unwrap_or_default());
            (Key::Row { partition: self.partition, row: *row }.encode(), writer.finish())
        };
        Written {
            partition: Stream::Partition(self.partition).journal_partition(partitions),
            chunks: self.rows.iter().map(record).collect(),
        }
    }
}

/// The row of a value whose version byte has been read; `None`: it is removed.
pub(super) fn decode(mut reader: ByteReader<'_>) -> Result<Option<RowValue>, Flaw> {
    match reader.byte()? {
        KIND_ROW => {}
        other => return flaw(format!("is of the kind {other}, and its key is a row's")),
    }
    let value = reader.rest();
    Ok((!value.is_empty()).then(|| Arc::from(value)))
}

const PARTITION: &str = "partition";

impl RowKey {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == PARTITION {
            return Some(Self::Partition);
        }
        let is_plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_hash = text.len() == 16 && text.bytes().all(is_plain);
        is_hash.then(|| u64::from_str_radix(text, 16).ok().map(Self::Entity))?
    }
}

impl fmt::Display for RowKey {
    /// Prints `partition` or 16 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition => f.write_str(PARTITION),
            Self::Entity(hash) => write!(f, "{hash:016x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::Offset,
        journal::{Streams, Taken},
    };

    fn changes(rows: &[(RowKey, Option<&[u8]>)]) -> RowChanges {
        let rows = rows.iter().map(|(key, value)| (*key, value.map(Arc::from)));
        RowChanges { partition: PartitionId(9), rows: rows.collect() }
    }

    #[test]
    fn rows_come_back_and_the_newest_of_a_key_counts() {
        let entity = RowKey::Entity(0xab);
        let first = changes(&[(RowKey::Partition, Some(b"all")), (entity, Some(b"one"))]);
        let second = changes(&[(entity, Some(b"two")), (RowKey::Entity(1), Some(b"x"))]);
        let third = changes(&[(RowKey::Entity(1), None)]);
        let mut reader = Streams::new(8);
        let (mut read, mut expected, mut offset) = (Rows::default(), Rows::default(), 0);
        for changes in [first, second, third] {
            changes.apply(&mut expected);
            let written = changes.records(8);
            assert_eq!(written.partition, PartitionId(1));
            for (key, value) in written.chunks {
                let taken = reader.take(PartitionId(1), Offset(offset), Some(&key), Some(&value));
                offset += 1;
                let Ok(Taken::Row(partition, key, value)) = taken else { panic!("{taken:?}") };
                RowChanges { partition, rows: vec![(key, value)] }.apply(&mut read);
            }
        }
        assert_eq!(read, expected);
        assert_eq!(read.len(), 2);
        assert_eq!(read.get(&entity).map(|value| &value[..]), Some(&b"two"[..]));
    }

    #[test]
    fn a_row_in_another_journal_partition_is_refused() {
        let written = changes(&[(RowKey::Entity(7), Some(b"x"))]).records(8);
        let (key, value) = &written.chunks[0];
        let mut reader = Streams::new(8);
        assert!(reader.take(PartitionId(2), Offset(0), Some(key), Some(value)).is_err());
        assert!(reader.take(PartitionId(1), Offset(0), Some(key), Some(&[1, 1])).is_err());
    }
}
