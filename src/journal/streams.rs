//! Reads a journal: every stream's records out of the journal partitions. Pure; owned by the
//! replica.
//!
//! In:  the records of each journal partition in offset order, of committed transactions only.
//! Out: what can be applied, one record after the other; at the end, which streams are whole.
//! Holds: a record is applied as a whole or not at all, after all of its stream that came before
//! it or after a snapshot. Any bytes are applied, skipped or refused. What is kept of a stream is
//! its chain and the chunks of the record that is being read.

use std::collections::BTreeMap;

use super::{
    Chain, Condition, Content, FORMAT_VERSION, Identity, InstanceRecord, JournalError, RowKey,
    RowValue, Stream,
    bytes::{ByteReader, Flaw, flaw},
    chain::Link,
    chunks::{Collected, OpenRecords},
    header::{Chunk, RecordKind},
    key::{Key, Spot},
    row,
};
use crate::ids::{Epoch, InstanceId, Offset, PartitionId};

/// A record that was read as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its stream.
    pub stream: Stream,
    /// Its number in the stream.
    pub seq: u64,
    /// The epoch that it is of.
    pub epoch: Epoch,
    /// The instance that wrote it.
    pub writer: InstanceId,
    /// What it says.
    pub content: Content,
}

/// A record that continues its stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// The next one: its windows replace those of the same start.
    Next(Record),
    /// Everything: all that was known of the stream before is dropped.
    Snapshot(Record),
}

impl Applied {
    /// What was read.
    pub fn record(&self) -> &Record {
        match self {
            Self::Next(record) | Self::Snapshot(record) => record,
        }
    }
}

/// Why a record changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// It lies below the position: it was read before.
    BeforePosition,
    /// It has no value. None such is written here; it removes nothing.
    NoValue,
    /// The stream is as new or newer.
    Old,
    /// The stream has another record of this number: two instances wrote at the same time.
    Forked,
    /// A chunk whose record is not there from its first chunk on.
    Fragment,
    /// Records before it are missing; the stream waits for its next snapshot.
    Gap,
}

/// What reading one Kafka record has led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// The stream has moved.
    Applied(Applied),
    /// It is a chunk of a record whose other chunks follow.
    Waiting,
    /// Nothing has changed.
    Skipped(Skipped),
    /// Whose journal this is.
    Identity(Identity),
    /// What an instance says of itself.
    Instance(InstanceId, InstanceRecord),
    /// A row of an input partition; `None`: it is removed.
    Row(PartitionId, RowKey, Option<RowValue>),
}

/// How far all streams of a journal have been followed.
#[derive(Debug)]
pub struct Streams {
    partitions: u32,
    positions: BTreeMap<PartitionId, Offset>,
    followed: BTreeMap<Stream, Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    chain: Chain,
    open: OpenRecords,
}

impl Streams {
    /// Of a journal with so many partitions, at least one, each read from its start.
    pub fn new(partitions: u32) -> Self {
        assert!((1..=i32::MAX as u32).contains(&partitions), "a journal has partitions");
        Self { partitions, positions: BTreeMap::new(), followed: BTreeMap::new() }
    }

    /// Begins to read a journal partition at this offset. What was known of its streams is dropped.
    pub fn begin_at(&mut self, partition: PartitionId, offset: Offset) {
        self.followed.retain(|stream, _| stream.journal_partition(self.partitions) != partition);
        self.positions.insert(partition, offset);
    }

    /// Goes on at this offset after the records of a local copy were taken, from the lowest offset
    /// on. They may lie before it and behind it; what was read of records that are not whole is
    /// read again.
    pub fn go_on_at(&mut self, partition: PartitionId, offset: Offset) {
        for (stream, followed) in &mut self.followed {
            if stream.journal_partition(self.partitions) == partition {
                followed.open = OpenRecords::default();
            }
        }
        self.positions.insert(partition, offset);
    }

    /// Notes that there are no more records of a journal partition before this offset: the marks
    /// that end transactions have offsets too.
    pub fn pass(&mut self, partition: PartitionId, offset: Offset) {
        let position = self.positions.entry(partition).or_default();
        *position = offset.max(*position);
    }

    /// Reads a journal partition again from this offset, if that is below its position: for streams
    /// that are in a gap or unseen. Those in a gap begin anew; the others pass over what they know.
    pub fn read_again(&mut self, partition: PartitionId, offset: Offset) {
        for (stream, followed) in &mut self.followed {
            if stream.journal_partition(self.partitions) == partition {
                followed.open = OpenRecords::default();
                if followed.chain.condition() == Condition::Gap {
                    followed.chain.restart();
                }
            }
        }
        let position = self.positions.entry(partition).or_default();
        *position = offset.min(*position);
    }

    /// Next offset to read of a journal partition.
    pub fn position(&self, partition: PartitionId) -> Offset {
        self.positions.get(&partition).copied().unwrap_or_default()
    }

    /// Where to go on after a stop: the position, or the first chunk of a record that is not whole.
    pub fn resume_from(&self, partition: PartitionId) -> Offset {
        let is_here = |stream: &Stream| stream.journal_partition(self.partitions) == partition;
        let open = self.followed.iter().filter(|(stream, _)| is_here(stream));
        let first = open.filter_map(|(_, followed)| followed.open.first_offset()).min();
        first.unwrap_or(Offset(i64::MAX)).min(self.position(partition))
    }

    /// What is known of a stream.
    pub fn condition(&self, stream: Stream) -> Condition {
        self.chain(stream).map_or(Condition::Unseen, Chain::condition)
    }

    /// Every stream of which anything was read or restored.
    pub fn chains(&self) -> impl Iterator<Item = (Stream, &Chain)> {
        self.followed.iter().map(|(stream, followed)| (*stream, &followed.chain))
    }

    /// A stream's chain, if anything of it was read or restored.
    pub fn chain(&self, stream: Stream) -> Option<&Chain> {
        self.followed.get(&stream).map(|followed| &followed.chain)
    }

    /// Takes the next Kafka record of a journal partition. Offsets may have holes.
    ///
    /// Fails with `NewerFormat` or `Invalid` when it is not one that this program writes; nothing
    /// of it is applied, and the position is behind it.
    pub fn take(
        &mut self,
        partition: PartitionId,
        offset: Offset,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<Taken, JournalError> {
        if offset < self.position(partition) {
            return Ok(Taken::Skipped(Skipped::BeforePosition));
        }
        self.positions.insert(partition, Offset(offset.0.saturating_add(1)));
        let Some(value) = value else { return Ok(Taken::Skipped(Skipped::NoValue)) };
        let key = key.unwrap_or_default();
        let parsed = Key::parse(key);
        match value.first() {
            Some(&found) if found > FORMAT_VERSION && parsed.is_some() => {
                return Err(JournalError::NewerFormat { partition, offset, found });
            }
            _ => {}
        }
        self.read(partition, offset, parsed, value).map_err(|Flaw(what)| JournalError::Invalid {
            partition,
            offset,
            key: shown(key),
            what,
        })
    }

    fn read(
        &mut self,
        partition: PartitionId,
        offset: Offset,
        key: Option<Key>,
        value: &[u8],
    ) -> Result<Taken, Flaw> {
        let Some(key) = key else { return flaw("has a key of another form") };
        let mut reader = ByteReader::new(value);
        let version = reader.byte()?;
        if version != FORMAT_VERSION {
            return flaw(format!("has the unknown format {version}"));
        }
        let (stream, spot, index) = match key {
            Key::Identity => return Identity::decode(reader).map(Taken::Identity),
            Key::Instance(name) => {
                return InstanceRecord::decode(reader).map(|said| Taken::Instance(name, said));
            }
            Key::Row { partition: of, row } => {
                self.check_place(Stream::Partition(of), partition)?;
                return row::decode(reader).map(|value| Taken::Row(of, row, value));
            }
            Key::Chunk { stream, spot, index } => (stream, spot, index),
        };
        let chunk = Chunk::decode(reader)?;
        let is_place = match (chunk.id.kind, spot) {
            (RecordKind::Epoch, spot) => spot == Spot::of_epoch_record(chunk.id.seq),
            (RecordKind::Snapshot, spot) => matches!(spot, Spot::Snapshot(_)),
        };
        if (chunk.id.stream, chunk.index) != (stream, index) || !is_place {
            return flaw("has a header that does not agree with its key");
        }
        self.check_place(stream, partition)?;
        self.followed.entry(stream).or_default().take(&chunk, spot, offset)
    }
}

impl Streams {
    fn check_place(&self, stream: Stream, partition: PartitionId) -> Result<(), Flaw> {
        if stream.journal_partition(self.partitions) == partition {
            return Ok(());
        }
        flaw(format!("belongs to another one of {} partitions", self.partitions))
    }
}

impl Followed {
    fn take(&mut self, chunk: &Chunk, spot: Spot, offset: Offset) -> Result<Taken, Flaw> {
        let id = &chunk.id;
        self.chain.see(id.seq);
        let link = self.chain.link(id);
        match link {
            Link::Old => return Ok(Taken::Skipped(Skipped::Old)),
            Link::Forked => return Ok(Taken::Skipped(Skipped::Forked)),
            Link::Continues | Link::Gap => {}
        }
        let body = match self.open.add(chunk, spot, offset) {
            Collected::Waiting => return Ok(Taken::Waiting),
            Collected::Useless => return Ok(Taken::Skipped(Skipped::Fragment)),
            Collected::Whole(body) => body,
        };
        id.check(&body)?;
        if link == Link::Gap {
            self.chain.skip(id);
            return Ok(Taken::Skipped(Skipped::Gap));
        }
        let record = Record {
            stream: id.stream,
            seq: id.seq,
            epoch: id.epoch,
            writer: id.writer.clone(),
            content: Content::decode(id.stream, &body)?,
        };
        let applied = match spot {
            Spot::Ring(_) => {
                self.chain.apply_next(id, body.len() as u64);
                Applied::Next(record)
            }
            Spot::Snapshot(place) => {
                self.chain.apply_snapshot(id, place, body.len() as u64);
                Applied::Snapshot(record)
            }
        };
        self.open.drop_up_to(id.seq);
        Ok(Taken::Applied(applied))
    }
}

/// A key for a message: escaped, and no longer than keys are.
fn shown(key: &[u8]) -> String {
    const LONGEST: usize = 40;
    key[..key.len().min(LONGEST)].escape_ascii().to_string()
}
