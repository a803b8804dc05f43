//! The group that writes a journal: one owner of all streams at a time, whose transactions commit,
//! abort, or commit as far as they have come.
//!
//! What each stream's state is after each record is kept beside the log. Every reader is compared
//! with that, record by record.

use std::collections::BTreeMap;

use super::{
    any::{instance, partition},
    compacted::{INPUT_PARTITIONS, Image, Log, WINDOW_MS},
};
use crate::{
    ids::{Epoch, Offset, PartitionId, WindowStart},
    journal::{
        Applied, Chain, Condition, JournalCommit, Moment, RecordKind, Skipped, Stream, Streams,
        Taken, Writer, Written,
    },
};

const JOURNAL_PARTITIONS: u32 = 2;

/// What may be changed to see a fault found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) snapshot_records: u64,
    pub(super) chunk_bytes: usize,
    /// All snapshots of a stream have the same key.
    pub(super) one_place: bool,
}

/// How an epoch's transaction ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Committed,
    Aborted,
    /// So many of its records are committed, of so many hundredths.
    Torn(usize),
}

/// A stream as it is.
#[derive(Debug, Default)]
struct Truth {
    /// After each record that was committed as a whole: the state, and the first window that is
    /// not forgotten.
    after: BTreeMap<u64, (Image, WindowStart)>,
    /// First offset of the newest whole snapshot.
    snapshot: Option<Offset>,
}

/// A reader and what it knows.
#[derive(Debug)]
pub(super) struct Follower {
    streams: Streams,
    images: BTreeMap<Stream, Image>,
    /// Its local copy: the newest record of each key that the streams have not passed over.
    copy: BTreeMap<(PartitionId, Vec<u8>), (Offset, Vec<u8>)>,
}

impl Follower {
    fn new() -> Self {
        let streams = Streams::new(JOURNAL_PARTITIONS);
        Self { streams, images: BTreeMap::new(), copy: BTreeMap::new() }
    }

    /// The streams after a stop and a start, as the copy has them.
    fn restarted(&self) -> Streams {
        let mut streams = Streams::new(JOURNAL_PARTITIONS);
        let mut records: Vec<_> = self.copy.iter().collect();
        records.sort_by_key(|(_, (offset, _))| *offset);
        for ((p, key), (offset, value)) in records {
            streams.take(*p, *offset, Some(key), Some(value)).expect("it was read before");
        }
        for p in (0..JOURNAL_PARTITIONS as i32).map(PartitionId) {
            streams.go_on_at(p, self.streams.resume_from(p));
        }
        streams
    }
}

#[derive(Debug)]
pub(super) struct Group {
    limits: Limits,
    logs: Vec<Log>,
    truth: BTreeMap<Stream, Truth>,
    commits: BTreeMap<PartitionId, JournalCommit>,
    writer: Writer,
    /// Of the writer, until the next takeover.
    written: BTreeMap<Stream, Image>,
    epoch: Epoch,
    now_ms: i64,
    forgotten: WindowStart,
    /// Follows all the time, and is late.
    follower: Follower,
}

fn streams() -> impl Iterator<Item = Stream> {
    (0..INPUT_PARTITIONS).map(partition).chain([Stream::Merger])
}

impl Group {
    pub(super) fn new(limits: Limits) -> Self {
        let mut group = Self {
            limits,
            logs: (0..JOURNAL_PARTITIONS).map(|_| Log::default()).collect(),
            truth: streams().map(|stream| (stream, Truth::default())).collect(),
            commits: BTreeMap::new(),
            writer: Writer::new(instance("nobody"), None, JOURNAL_PARTITIONS),
            written: BTreeMap::new(),
            epoch: Epoch(0),
            now_ms: 0,
            forgotten: WindowStart(0),
            follower: Follower::new(),
        };
        group.take_over("first", true).expect("there is nothing to restore");
        group
    }

    /// One epoch that changes these windows, so many milliseconds after the last one.
    pub(super) fn epoch(
        &mut self,
        windows: &[i64],
        ms: i64,
        outcome: Outcome,
    ) -> Result<(), String> {
        self.now_ms += ms;
        self.epoch = self.epoch.next();
        let starts: Vec<_> =
            windows.iter().map(|at| WindowStart(self.forgotten.0 + at * WINDOW_MS)).collect();
        let positions = (0..JOURNAL_PARTITIONS as i32).map(PartitionId);
        let positions = positions.map(|p| (p, self.follower.streams.position(p))).collect();
        let moment = Moment { epoch: self.epoch, now_ms: self.now_ms, positions };
        let mut records = self.writer.begin(moment);
        let mut sent = Vec::new();
        for stream in streams() {
            let before = self.written.remove(&stream);
            let image = Image::changed(before, stream, &starts, self.epoch).since(self.forgotten);
            let mut kind = RecordKind::Epoch;
            let written = records.write(stream, |of| {
                kind = of;
                match of {
                    RecordKind::Epoch => image.clone().only(&starts).0,
                    RecordKind::Snapshot => image.clone().0,
                }
            });
            self.written.insert(stream, image);
            sent.push((stream, kind, written));
        }
        let commits = records.finish();
        let all: usize = sent.iter().map(|(_, _, written)| written.chunks.len()).sum();
        let visible = match outcome {
            Outcome::Committed => all,
            Outcome::Aborted => 0,
            Outcome::Torn(hundredths) => all * hundredths.min(99) / 100,
        };
        self.append(sent, visible);
        if matches!(outcome, Outcome::Committed) {
            self.commits.extend(commits.into_iter().map(|(p, commit)| (p, commit.metadata)));
            return Ok(());
        }
        self.take_over("another", visible % 2 == 0)
    }

    fn append(&mut self, sent: Vec<(Stream, RecordKind, Written)>, mut visible: usize) {
        for (stream, kind, written) in sent {
            let log = &mut self.logs[written.partition.0 as usize];
            let committed = visible.min(written.chunks.len());
            visible -= committed;
            let first = Offset(log.end);
            for (key, value) in &written.chunks[..committed] {
                let key = String::from_utf8(key.clone()).expect("keys are text");
                let key = if self.limits.one_place { key.replace("-b/", "-a/") } else { key };
                log.append(key.as_bytes(), value);
            }
            // Markers and aborted records have offsets too.
            log.end += (written.chunks.len() - committed) as i64 + 1;
            if committed == written.chunks.len() {
                let truth = self.truth.get_mut(&stream).expect("all are there");
                let seq = truth.after.last_key_value().map_or(1, |(seq, _)| seq + 1);
                truth.after.insert(seq, (self.written[&stream].clone(), self.forgotten));
                if kind == RecordKind::Snapshot {
                    truth.snapshot = Some(first);
                }
            }
        }
    }

    /// Another owner begins: with what a process knows that has followed all the time, or with what
    /// one reads that has just been started.
    pub(super) fn take_over(&mut self, name: &str, cold: bool) -> Result<(), String> {
        let restored = if cold {
            let mut reader = Follower::new();
            for p in 0..JOURNAL_PARTITIONS as i32 {
                reader.streams.begin_at(PartitionId(p), self.restore_from(p));
            }
            self.restore(&mut reader)?;
            reader
        } else {
            let mut follower = std::mem::replace(&mut self.follower, Follower::new());
            self.restore(&mut follower)?;
            let (streams, images) = (follower.restarted(), follower.images.clone());
            let restored = Follower { streams, images, copy: follower.copy.clone() };
            self.follower = follower;
            restored
        };
        let Limits { chunk_bytes, snapshot_records, .. } = self.limits;
        let writer = Writer::new(instance(name), None, JOURNAL_PARTITIONS);
        self.writer = writer.cut_by(chunk_bytes, snapshot_records);
        self.epoch = self.commits.values().map(|commit| commit.epoch).max().unwrap_or_default();
        for stream in streams() {
            let p = if let Stream::Partition(p) = stream { p } else { PartitionId(0) };
            let restore_from = self.commits.get(&p).map_or(Offset(0), |c| c.restore_from);
            let unseen = Chain::default();
            let chain = restored.streams.chain(stream).unwrap_or(&unseen);
            self.epoch = self.epoch.max(chain.applied_by().map_or(Epoch(0), |(epoch, _)| epoch));
            self.writer.take_over(stream, chain, restore_from, self.now_ms);
        }
        self.written = restored.images;
        Ok(())
    }

    /// The lowest that the commits of a journal partition's input partitions allow.
    fn restore_from(&self, journal_partition: i32) -> Offset {
        let here =
            (0..INPUT_PARTITIONS).filter(|p| p % JOURNAL_PARTITIONS as i32 == journal_partition);
        let from = here.map(|p| self.commits.get(&PartitionId(p)).map_or(0, |c| c.restore_from.0));
        Offset(from.min().unwrap_or(0))
    }

    /// Reads to the end; all that was committed must be there.
    fn restore(&self, reader: &mut Follower) -> Result<(), String> {
        for p in 0..JOURNAL_PARTITIONS as i32 {
            self.read(reader, p, usize::MAX)?;
        }
        let gap = |stream: &Stream| reader.streams.condition(*stream) == Condition::Gap;
        for stream in streams().filter(gap).collect::<Vec<_>>() {
            let p = stream.journal_partition(JOURNAL_PARTITIONS);
            reader.streams.read_again(p, self.restore_from(p.0));
            self.read(reader, p.0, usize::MAX)?;
        }
        streams().try_for_each(|stream| self.is_restored(reader, stream))
    }

    fn is_restored(&self, reader: &Follower, stream: Stream) -> Result<(), String> {
        let seq = self.truth[&stream].after.last_key_value().map_or(0, |(seq, _)| *seq);
        let expected = if seq == 0 { Condition::Unseen } else { Condition::Whole };
        let condition = reader.streams.condition(stream);
        let applied = reader.streams.chain(stream).map_or(0, Chain::applied_seq);
        if (condition, applied) == (expected, seq) {
            return Ok(());
        }
        Err(format!("stream {stream} is {condition:?} at {applied} of {seq}"))
    }

    /// Reads so many records of a journal partition.
    fn read(&self, reader: &mut Follower, p: i32, most: usize) -> Result<(), String> {
        let p = PartitionId(p);
        let from = reader.streams.position(p);
        let log = &self.logs[p.0 as usize];
        for (offset, key, value) in log.records.iter().filter(|r| r.0 >= from).take(most) {
            let taken = reader.streams.take(p, *offset, Some(key), Some(value));
            let taken = taken.map_err(|error| error.to_string())?;
            if !matches!(taken, Taken::Skipped(Skipped::Old | Skipped::Forked)) {
                reader.copy.insert((p, key.clone()), (*offset, value.clone()));
            }
            let Taken::Applied(applied) = taken else {
                continue;
            };
            let (Applied::Next(record) | Applied::Snapshot(record)) = &applied;
            let (stream, seq) = (record.stream, record.seq);
            let image = Image::apply(reader.images.remove(&stream), &applied);
            let Some((expected, forgotten)) = self.truth[&stream].after.get(&seq) else {
                return Err(format!("record {seq} of stream {stream} was never committed"));
            };
            let image = image.since(*forgotten);
            if image != *expected {
                return Err(format!("stream {stream} is wrong after {seq}: {image:?}"));
            }
            reader.images.insert(stream, image);
        }
        Ok(())
    }

    /// The one that follows all the time reads on.
    pub(super) fn follow(&mut self, p: usize, records: usize) -> Result<(), String> {
        let mut follower = std::mem::replace(&mut self.follower, Follower::new());
        let p = p % JOURNAL_PARTITIONS as usize;
        self.read(&mut follower, p as i32, records)?;
        self.follower = follower;
        Ok(())
    }

    /// The cleaner removes what it may below a place of the log, in hundredths.
    pub(super) fn compact(&mut self, p: usize, hundredths: i64, removes: impl FnMut() -> bool) {
        let log = &mut self.logs[p % JOURNAL_PARTITIONS as usize];
        log.compact(log.end * hundredths / 100, removes);
    }

    /// Everybody forgets the oldest window.
    pub(super) fn forget(&mut self) {
        self.forgotten.0 += WINDOW_MS;
    }

    /// Reads from anywhere: whole is what had its newest snapshot at or behind that.
    pub(super) fn check_from(&self, hundredths: i64) -> Result<(), String> {
        let mut reader = Follower::new();
        for (p, log) in (0..).zip(&self.logs) {
            reader.streams.begin_at(PartitionId(p), Offset(log.end * hundredths / 100));
            self.read(&mut reader, p, usize::MAX)?;
        }
        for stream in streams() {
            let p = stream.journal_partition(JOURNAL_PARTITIONS);
            let from = Offset(self.logs[p.0 as usize].end * hundredths / 100);
            match self.truth[&stream].snapshot {
                Some(at) if from <= at => self.is_restored(&reader, stream)?,
                _ if reader.streams.condition(stream) == Condition::Whole => {
                    return Err(format!("stream {stream} is whole without its snapshot"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
