//! Writes a journal: the records of every epoch. Pure; owned by the sink.
//!
//! In:  where each owned stream stands when it is taken over; per epoch the content of each.
//! Out: keys and values for the transaction, and what is committed beside the offsets.
//! Holds: an epoch has one record of every owned stream, the merger's last, and one commit of every
//! owned partition; a stream's numbers go on by one, over owners too. A writer that has begun an
//! epoch is dropped when the epoch does not commit: the takeover that follows makes the next one.

use std::collections::BTreeMap;

use super::{
    Chain, Content, JournalCommit, RecordKind, RowChanges, Stream,
    chain::LastSnapshot,
    header::{Chunk, RecordId},
    key::{Key, Place, Spot},
    schedule::{Schedule, Since},
};
use crate::{
    failpoint::{self, Fault},
    ids::{Epoch, EventTimeMs, InstanceId, Offset, PartitionId, TopicMark},
    limits::{JOURNAL_CHUNK_BYTES, JOURNAL_CHUNKS_MAX},
};

/// The owned streams, as of the last epoch that was written.
#[derive(Debug)]
pub struct Writer {
    instance: InstanceId,
    journal: Option<TopicMark>,
    partitions: u32,
    schedule: Schedule,
    chunk_bytes: usize,
    /// Whether partitions have rows. These are read from the log's start.
    has_rows: bool,
    tails: BTreeMap<Stream, Tail>,
}

/// The end of a stream.
#[derive(Debug)]
struct Tail {
    seq: u64,
    epoch: Option<Epoch>,
    /// `None` until there is one to go on from: the next record is a snapshot.
    snapshot: Option<LastSnapshot>,
    /// Readers miss records: the next one is a snapshot.
    is_damaged: bool,
    bytes_since: u64,
    snapshot_at_ms: i64,
    /// The journal partition's end when the snapshot began, as far as it was read.
    snapshot_position: Option<Offset>,
    restore_from: Offset,
}

/// The moment at which an epoch's records are made.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The epoch; greater than any that the streams have a record of.
    pub epoch: Epoch,
    /// The clock; it only decides how often snapshots are written.
    pub now_ms: i64,
    /// The replica's position in each journal partition, 0 for those not named: no snapshot of
    /// this epoch can lie below.
    pub positions: BTreeMap<PartitionId, Offset>,
}

/// A record, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The journal partition of all its chunks.
    pub partition: PartitionId,
    /// Key and value of each chunk, to be sent in this order.
    pub chunks: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Written {
    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

/// The commit of a partition: its offset and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionCommit {
    /// Next offset to read, as the record's head has it.
    pub offset: Offset,
    /// What is committed with it.
    pub metadata: JournalCommit,
}

impl Writer {
    /// Of an instance that owns nothing yet. `partitions` is the journal's number of partitions, as
    /// its identity has it; `journal` is its topic's id.
    pub fn new(instance: InstanceId, journal: Option<TopicMark>, partitions: u32) -> Self {
        assert!((1..=i32::MAX as u32).contains(&partitions), "a journal has partitions");
        let (schedule, tails) = (Schedule::default(), BTreeMap::new());
        let chunk_bytes = JOURNAL_CHUNK_BYTES;
        Self { instance, journal, partitions, schedule, chunk_bytes, has_rows: false, tails }
    }

    /// Of partitions that have rows.
    #[must_use]
    pub fn with_rows(self) -> Self {
        Self { has_rows: true, ..self }
    }

    /// With chunks of so many bytes, and a snapshot after so many records at the latest.
    #[cfg(test)]
    pub(super) fn cut_by(mut self, chunk_bytes: usize, snapshot_records: u64) -> Self {
        self.chunk_bytes = chunk_bytes;
        self.schedule.records = snapshot_records;
        self
    }

    /// Takes a stream over as the replica has read it. One that is not whole begins with a
    /// snapshot, after the highest number that was seen.
    ///
    /// `restore_from` is what the partition's commit says, and 0 when it has none or one of another
    /// journal; the merger's is that of input partition 0.
    pub fn take_over(&mut self, stream: Stream, chain: &Chain, restore_from: Offset, now_ms: i64) {
        assert!(
            !matches!(stream, Stream::Partition(p) if p.0 < 0),
            "a partition has a number from 0 on"
        );
        let (snapshot, bytes_since) = match chain.tail_snapshot() {
            Some((snapshot, bytes)) => (Some(snapshot), bytes),
            None => (None, 0),
        };
        let tail = Tail {
            seq: chain.tail_seq(),
            epoch: chain.applied_by().map(|(epoch, _)| epoch),
            snapshot,
            is_damaged: false,
            bytes_since,
            snapshot_at_ms: now_ms,
            snapshot_position: None,
            restore_from,
        };
        let before = self.tails.insert(stream, tail);
        assert!(before.is_none(), "stream {stream} is taken over once");
    }

    /// The streams that were taken over.
    pub fn streams(&self) -> impl Iterator<Item = Stream> {
        self.tails.keys().copied()
    }

    /// Whether a stream was taken over.
    pub fn owns(&self, stream: Stream) -> bool {
        self.tails.contains_key(&stream)
    }

    /// Notes that readers miss records of a stream. Whether it is owned.
    pub fn repair(&mut self, stream: Stream) -> bool {
        let tail = self.tails.get_mut(&stream);
        tail.map(|tail| tail.is_damaged = true).is_some()
    }

    /// Notes that readers may miss records of any stream.
    pub fn repair_all(&mut self) {
        self.tails.values_mut().for_each(|tail| tail.is_damaged = true);
    }

    /// Begins an epoch's records.
    pub fn begin(&mut self, moment: Moment) -> EpochRecords<'_> {
        let merges = self.owns(Stream::Merger);
        let owns_first = self.owns(Stream::Partition(PartitionId(0)));
        assert_eq!(owns_first, merges, "the owner of input partition 0 merges");
        EpochRecords {
            writer: self,
            moment,
            committed: BTreeMap::new(),
            merged: false,
            forgotten: None,
        }
    }

    fn kind(&self, stream: Stream, moment: &Moment) -> RecordKind {
        let tail = self.tail(stream);
        let Some(snapshot) = &tail.snapshot else { return RecordKind::Snapshot };
        let since = Since {
            next_seq: tail.seq + 1,
            snapshot_seq: snapshot.seq,
            snapshot_bytes: snapshot.bytes,
            bytes: tail.bytes_since,
            age_ms: moment.now_ms.saturating_sub(tail.snapshot_at_ms),
            has_grown: tail.snapshot_position != Some(self.position(stream, moment)),
        };
        let is_due = tail.is_damaged || self.schedule.is_due(stream, since);
        if is_due { RecordKind::Snapshot } else { RecordKind::Epoch }
    }

    fn tail(&self, stream: Stream) -> &Tail {
        let tail = self.tails.get(&stream);
        tail.unwrap_or_else(|| panic!("stream {stream} is not owned"))
    }

    fn position(&self, stream: Stream, moment: &Moment) -> Offset {
        let partition = stream.journal_partition(self.partitions);
        moment.positions.get(&partition).copied().unwrap_or_default()
    }

    fn write(&mut self, stream: Stream, body: &[u8], moment: &Moment) -> Written {
        let kind = self.kind(stream, moment);
        let position = self.position(stream, moment);
        let chunks = body.len().div_ceil(self.chunk_bytes).max(1);
        assert!(chunks <= JOURNAL_CHUNKS_MAX as usize, "a record of {} bytes", body.len());
        let Self { instance, partitions, chunk_bytes, has_rows, tails, .. } = self;
        let tail = tails.get_mut(&stream).expect("its kind is known");
        assert!(tail.epoch < Some(moment.epoch), "stream {stream} has epoch {}", moment.epoch);
        (tail.seq, tail.epoch) = (tail.seq + 1, Some(moment.epoch));
        let spot = match kind {
            RecordKind::Epoch => {
                tail.bytes_since = tail.bytes_since.saturating_add(body.len() as u64);
                Spot::of_epoch_record(tail.seq)
            }
            RecordKind::Snapshot => {
                let place = place_after(tail.snapshot, chunks);
                let (seq, bytes) = (tail.seq, body.len() as u64);
                tail.snapshot = Some(LastSnapshot { seq, bytes, place });
                tail.is_damaged = false;
                tail.bytes_since = 0;
                tail.snapshot_at_ms = moment.now_ms;
                tail.snapshot_position = Some(position);
                let is_planted = failpoint::is_planted(Fault::RowsFromSnapshot);
                tail.restore_from = if *has_rows && !is_planted { Offset(0) } else { position };
                Spot::Snapshot(place)
            }
        };
        let id = RecordId {
            kind,
            stream,
            seq: tail.seq,
            epoch: moment.epoch,
            writer: instance.clone(),
            checksum: crc32c::crc32c(body),
            chunks: chunks as u32,
        };
        let part = |index: usize| {
            let rest = &body[index * *chunk_bytes..];
            &rest[..rest.len().min(*chunk_bytes)]
        };
        let chunk = |index: usize| {
            let key = Key::Chunk { stream, spot, index: index as u32 }.encode();
            let chunk = Chunk { id: id.clone(), index: index as u32, part: part(index) };
            (key, chunk.encode())
        };
        Written {
            partition: stream.journal_partition(*partitions),
            chunks: (0..chunks).map(chunk).collect(),
        }
    }
}

/// The place of a snapshot of so many chunks: one of several must not replace the newest, which is
/// still needed when not all of it is committed.
fn place_after(newest: Option<LastSnapshot>, chunks: usize) -> Place {
    match newest.map(|snapshot| snapshot.place) {
        Some(place) if chunks > 1 => place.other(),
        Some(place) => place,
        None => Place::A,
    }
}

/// The records of one epoch, one after the other.
#[derive(Debug)]
pub struct EpochRecords<'w> {
    writer: &'w mut Writer,
    moment: Moment,
    /// Per partition that has its record: the offset and the watermark of its head.
    committed: BTreeMap<PartitionId, (Offset, Option<EventTimeMs>)>,
    /// Whether the merger has its record, and what that says is forgotten.
    merged: bool,
    forgotten: Option<EventTimeMs>,
}

impl EpochRecords<'_> {
    /// Writes the record of an owned stream. `content` makes what the kind of record holds: what
    /// this epoch changed, or everything.
    pub fn write(
        &mut self,
        stream: Stream,
        content: impl FnOnce(RecordKind) -> Content,
    ) -> Written {
        let content = content(self.writer.kind(stream, &self.moment));
        assert!(!self.merged, "the merger's record is the last one");
        let twice = match (stream, &content) {
            (Stream::Partition(p), Content::Partition(record)) => {
                let commit = (record.head.state.next_offset, record.head.state.watermark);
                self.committed.insert(p, commit).is_some()
            }
            (Stream::Merger, Content::Merger(record)) => {
                self.forgotten = record.head.forgotten;
                std::mem::replace(&mut self.merged, true)
            }
            _ => panic!("the content does not belong into stream {stream}"),
        };
        assert!(!twice, "stream {stream} has one record in an epoch");
        self.writer.write(stream, &content.encode(), &self.moment)
    }

    /// Writes the rows that an epoch changes, before the record of their partition.
    pub fn rows(&self, changes: &RowChanges) -> Written {
        let stream = Stream::Partition(changes.partition);
        assert!(self.writer.owns(stream) && self.writer.has_rows, "{stream} has rows here");
        assert!(!self.committed.contains_key(&changes.partition), "rows come before the record");
        changes.records(self.writer.partitions)
    }

    /// What is committed of every owned partition. Panics when a stream has no record.
    pub fn finish(self) -> BTreeMap<PartitionId, PartitionCommit> {
        let Self { writer, moment, committed, merged, forgotten } = self;
        let written = committed.len() + usize::from(merged);
        assert_eq!(written, writer.tails.len(), "every owned stream has a record");
        let merger = writer.tails.get(&Stream::Merger).map(|tail| tail.restore_from);
        let commit = |(p, (offset, watermark)): (PartitionId, (Offset, Option<EventTimeMs>))| {
            let own = writer.tail(Stream::Partition(p)).restore_from;
            let restore_from = merger.filter(|_| p.0 == 0).map_or(own, |merger| merger.min(own));
            let metadata = JournalCommit {
                instance: writer.instance.clone(),
                epoch: moment.epoch,
                journal: writer.journal,
                restore_from,
                watermark,
                forgotten: forgotten.filter(|_| p.0 == 0),
            };
            (p, PartitionCommit { offset, metadata })
        };
        committed.into_iter().map(commit).collect()
    }
}
