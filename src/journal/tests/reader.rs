//! What a reader makes of records that are torn, repeated, mixed, old or lost.

use std::{collections::BTreeMap, sync::Arc};

use super::any::{instance, partition};
use crate::{
    ids::{Epoch, Offset, PartitionId, WindowStart},
    journal::{
        Applied, Chain, Condition, Content, JournalError, Moment, PartitionRecord, RecordKind,
        Skipped, Stream, Streams, Taken, Writer, Written,
    },
    limits::JOURNAL_RING_SLOTS,
    window::{Completeness, Partial, PartitionHead, PartitionState, PartitionTotals},
};

const STREAM: Stream = partition_5();
const CHUNK_BYTES: usize = 40;

const fn partition_5() -> Stream {
    Stream::Partition(PartitionId(5))
}

fn content(next_offset: i64, windows: i64) -> Content {
    let head = PartitionHead {
        state: PartitionState::new(Offset(next_offset), Completeness::FromStart),
        at_end: true,
        totals: PartitionTotals::default(),
    };
    let mut partial = Partial::new();
    partial.count(["DE", "web", "1.0"].into(), "someone");
    let partial = Arc::new(partial);
    let windows = (0..windows).map(|at| (WindowStart(at), Arc::clone(&partial))).collect();
    Content::Partition(PartitionRecord { head, windows })
}

/// A writer of one stream, as it was taken over.
fn writer(name: &str, chain: &Chain) -> Writer {
    let mut writer = Writer::new(instance(name), None, 8).cut_by(CHUNK_BYTES, 128);
    writer.take_over(STREAM, chain, Offset(0), 0);
    writer
}

fn write(writer: &mut Writer, epoch: u64, windows: i64) -> Written {
    let moment = Moment { epoch: Epoch(epoch), now_ms: 0, positions: BTreeMap::new() };
    writer.begin(moment).write(STREAM, |_| content(epoch as i64, windows))
}

/// A reader of the stream's journal partition, and the offset of the next record.
struct Reader {
    streams: Streams,
    next: i64,
}

impl Reader {
    fn new() -> Self {
        Self { streams: Streams::new(8), next: 0 }
    }

    fn chunk(&mut self, (key, value): &(Vec<u8>, Vec<u8>)) -> Taken {
        self.next += 1;
        let at = Offset(self.next - 1);
        self.streams.take(PartitionId(5), at, Some(key), Some(value)).expect("as written")
    }

    /// What the last chunk has led to.
    fn record(&mut self, written: &Written) -> Taken {
        written.chunks.iter().map(|chunk| self.chunk(chunk)).last().expect("a chunk")
    }

    fn chain(&self) -> &Chain {
        self.streams.chain(STREAM).expect("was read")
    }

    fn condition(&self) -> Condition {
        self.streams.condition(STREAM)
    }
}

fn applied(taken: &Taken) -> Option<(u64, RecordKind)> {
    match taken {
        Taken::Applied(Applied::Next(record)) => Some((record.seq, RecordKind::Epoch)),
        Taken::Applied(Applied::Snapshot(record)) => Some((record.seq, RecordKind::Snapshot)),
        _ => None,
    }
}

#[test]
fn a_stream_is_followed_record_by_record() {
    let (mut writer, mut reader) = (writer("a", &Chain::default()), Reader::new());
    assert_eq!(reader.condition(), Condition::Unseen);
    assert_eq!(applied(&reader.record(&write(&mut writer, 1, 1))), Some((1, RecordKind::Snapshot)));
    for seq in 2..5 {
        let taken = reader.record(&write(&mut writer, seq, 0));
        assert_eq!(applied(&taken), Some((seq, RecordKind::Epoch)));
    }
    assert_eq!((reader.condition(), reader.chain().applied_seq()), (Condition::Whole, 4));
    assert_eq!(reader.chain().applied_by(), Some((Epoch(4), &instance("a"))));
    assert_eq!(reader.streams.condition(partition(13)), Condition::Unseen);
}

#[test]
fn a_torn_record_waits_and_gives_way_to_its_successor() {
    let mut reader = Reader::new();
    let mut first = writer("a", &Chain::default());
    reader.record(&write(&mut first, 1, 0));
    let torn = write(&mut first, 2, 6);
    assert!(torn.chunks.len() > 3, "{}", torn.chunks.len());
    let begun = reader.next;
    for chunk in &torn.chunks[..2] {
        assert_eq!(reader.chunk(chunk), Taken::Waiting);
    }
    assert_eq!(reader.condition(), Condition::Whole, "it was not committed as a whole");
    assert_eq!(reader.streams.resume_from(PartitionId(5)), Offset(begun));

    // Somebody else takes over and goes on with the same number.
    let chain = reader.chain().clone();
    let taken = reader.record(&write(&mut writer("b", &chain), 3, 0));
    assert_eq!(applied(&taken), Some((2, RecordKind::Epoch)));
    assert_eq!(reader.streams.resume_from(PartitionId(5)), Offset(reader.next));
    assert_eq!(reader.chunk(&torn.chunks[2]), Taken::Skipped(Skipped::Forked));
}

#[test]
fn chunks_of_two_epochs_and_of_two_writers_are_never_mixed() {
    let mut reader = Reader::new();
    reader.record(&write(&mut writer("a", &Chain::default()), 1, 0));
    let chain = reader.chain().clone();
    let begin = |name: &str, epoch, windows| write(&mut writer(name, &chain), epoch, windows);
    let (old, other, new) = (begin("a", 2, 6), begin("b", 2, 6), begin("b", 3, 6));
    // One after the other, chunk by chunk: the two newest are kept.
    for index in 0..2 {
        for record in [&old, &other, &new] {
            reader.chunk(&record.chunks[index]);
        }
    }
    let rest = |record: &Written| record.chunks[2..].to_vec();
    let taken: Vec<_> = rest(&old).iter().map(|chunk| reader.chunk(chunk)).collect();
    assert!(taken.iter().all(|taken| *taken == Taken::Skipped(Skipped::Fragment)), "{taken:?}");
    let taken: Vec<_> = rest(&new).iter().map(|chunk| reader.chunk(chunk)).collect();
    let last = taken.last().expect("a chunk");
    assert_eq!(applied(last), Some((2, RecordKind::Epoch)));
    let Taken::Applied(Applied::Next(record)) = last else { panic!("{last:?}") };
    assert_eq!((record.epoch, record.writer.as_str()), (Epoch(3), "b"));
    assert_eq!(record.content, content(3, 6));
    // The other one is complete too late.
    let taken: Vec<_> = rest(&other).iter().map(|chunk| reader.chunk(chunk)).collect();
    assert!(taken.iter().all(|taken| *taken == Taken::Skipped(Skipped::Forked)), "{taken:?}");
}

#[test]
fn an_epoch_number_that_is_used_again_mixes_nothing() {
    let mut reader = Reader::new();
    reader.record(&write(&mut writer("a", &Chain::default()), 1, 0));
    let chain = reader.chain().clone();
    let (torn, again) = (write(&mut writer("a", &chain), 2, 6), {
        let mut writer = writer("a", &chain);
        let moment = Moment { epoch: Epoch(2), now_ms: 0, positions: BTreeMap::new() };
        writer.begin(moment).write(STREAM, |_| content(50, 6))
    });
    assert_eq!(torn.chunks.len(), again.chunks.len());
    reader.chunk(&torn.chunks[0]);
    // Its second chunk continues nothing, as it is of another body.
    assert_eq!(reader.chunk(&again.chunks[1]), Taken::Skipped(Skipped::Fragment));
    assert_eq!(applied(&reader.record(&again)), Some((2, RecordKind::Epoch)));
}

#[test]
fn a_chunk_that_comes_twice_counts_once_and_a_missing_one_ends_its_record() {
    let mut reader = Reader::new();
    let mut first = writer("a", &Chain::default());
    reader.record(&write(&mut first, 1, 0));
    let record = write(&mut first, 2, 6);
    for chunk in [0, 1, 1, 0, 1] {
        reader.chunk(&record.chunks[chunk]);
    }
    assert_eq!(reader.chunk(&record.chunks[3]), Taken::Skipped(Skipped::Fragment));
    assert_eq!(reader.chunk(&record.chunks[2]), Taken::Skipped(Skipped::Fragment));
    assert_eq!(applied(&reader.record(&record)), Some((2, RecordKind::Epoch)));
    assert_eq!(reader.record(&record), Taken::Skipped(Skipped::Old));
}

#[test]
fn a_gap_ends_with_the_next_snapshot() {
    let mut reader = Reader::new();
    let mut first = writer("a", &Chain::default());
    reader.record(&write(&mut first, 1, 0));
    write(&mut first, 2, 0);
    assert_eq!(reader.record(&write(&mut first, 3, 0)), Taken::Skipped(Skipped::Gap));
    assert_eq!((reader.condition(), reader.chain().applied_seq()), (Condition::Gap, 1));
    // Who takes a lost stream goes on behind it, and begins with a snapshot.
    let chain = reader.chain().clone();
    let taken = reader.record(&write(&mut writer("b", &chain), 4, 6));
    assert_eq!(applied(&taken), Some((4, RecordKind::Snapshot)));
    assert_eq!(reader.condition(), Condition::Whole);
}

#[test]
fn records_before_the_first_snapshot_are_a_gap_until_read_again() {
    let mut log = Vec::new();
    let mut first = writer("a", &Chain::default());
    for epoch in 1..4 {
        log.extend(write(&mut first, epoch, 0).chunks);
    }
    let mut reader = Reader::new();
    let snapshot = write(&mut writer("a", &Chain::default()), 1, 0).chunks.len();
    reader.next = snapshot as i64;
    for chunk in &log[snapshot..] {
        reader.chunk(chunk);
    }
    assert_eq!(reader.condition(), Condition::Gap);
    reader.streams.read_again(PartitionId(5), Offset(0));
    assert_eq!(
        (reader.condition(), reader.streams.position(PartitionId(5))),
        (Condition::Unseen, Offset(0))
    );
    // Lost, its numbers would still go on.
    let mut lost = writer("b", &reader.chain().clone());
    let after = write(&mut lost, 9, 0);
    reader.next = 0;
    for chunk in &log {
        reader.chunk(chunk);
    }
    assert_eq!((reader.condition(), reader.chain().applied_seq()), (Condition::Whole, 3));
    assert_eq!(applied(&reader.record(&after)), Some((4, RecordKind::Snapshot)));
}

#[test]
fn reading_again_passes_over_what_is_known() {
    let mut reader = Reader::new();
    let mut first = writer("a", &Chain::default());
    let records = [write(&mut first, 1, 0), write(&mut first, 2, 0)];
    for record in &records {
        reader.record(record);
    }
    let (key, value) = &records[0].chunks[0];
    let below = reader.streams.take(PartitionId(5), Offset(0), Some(key), Some(value));
    assert_eq!(below, Ok(Taken::Skipped(Skipped::BeforePosition)));
    reader.streams.read_again(PartitionId(5), Offset(0));
    reader.next = 0;
    for record in &records {
        assert_eq!(reader.record(record), Taken::Skipped(Skipped::Old));
    }
    assert_eq!((reader.condition(), reader.chain().applied_seq()), (Condition::Whole, 2));
    // A journal partition that is begun anew knows nothing.
    reader.streams.begin_at(PartitionId(5), Offset(0));
    assert_eq!(reader.condition(), Condition::Unseen);
}

#[test]
fn a_record_of_the_same_number_by_somebody_else_is_a_fork() {
    let mut reader = Reader::new();
    reader.record(&write(&mut writer("a", &Chain::default()), 1, 0));
    let forked = write(&mut writer("b", &Chain::default()), 1, 0);
    assert_eq!(reader.record(&forked), Taken::Skipped(Skipped::Forked));
    assert_eq!(reader.chain().applied_by(), Some((Epoch(1), &instance("a"))));
}

#[test]
fn a_record_without_a_value_removes_nothing() {
    let mut reader = Reader::new();
    let written = write(&mut writer("a", &Chain::default()), 1, 0);
    reader.record(&written);
    let at = Offset(reader.next);
    let taken = reader.streams.take(PartitionId(5), at, Some(&written.chunks[0].0), None);
    assert_eq!(taken, Ok(Taken::Skipped(Skipped::NoValue)));
    assert_eq!(reader.condition(), Condition::Whole);
}

#[test]
fn a_record_in_the_wrong_place_is_refused() {
    let written = write(&mut writer("a", &Chain::default()), 1, 0);
    let (key, value) = &written.chunks[0];
    let take = |partition: i32, key: &[u8]| {
        let taken = Streams::new(8).take(PartitionId(partition), Offset(3), Some(key), Some(value));
        match taken.expect_err("refused") {
            JournalError::Invalid { what, .. } => what,
            other => panic!("{other}"),
        }
    };
    assert_eq!(take(4, key), "belongs to another one of 8 partitions");
    assert_eq!(key, b"5/snapshot-a/0");
    for other in ["13/snapshot-a/0", "5/snapshot-a/1", "5/1/0", "m/snapshot-a/0"] {
        assert_eq!(take(5, other.as_bytes()), "has a header that does not agree with its key");
    }
    assert_eq!(take(5, b"identity"), "is of kind 2 where the identity was expected");
    assert_eq!(take(5, b""), "has a key of another form");
}

#[test]
fn a_record_of_another_body_fails_its_checksum_and_changes_nothing() {
    let mut reader = Reader::new();
    let mut written = write(&mut writer("a", &Chain::default()), 1, 0);
    let last = written.chunks.len() - 1;
    *written.chunks[last].1.last_mut().expect("a body") ^= 1;
    let (key, value) = written.chunks.pop().expect("a chunk");
    for chunk in &written.chunks {
        reader.chunk(chunk);
    }
    let at = Offset(reader.next);
    let error = reader.streams.take(PartitionId(5), at, Some(&key), Some(&value));
    let error = error.expect_err("refused").to_string();
    assert!(error.contains("fails its checksum"), "{error}");
    assert_eq!(reader.condition(), Condition::Unseen);
}

#[test]
fn the_slots_of_a_ring_are_its_records_numbers() {
    let mut first = writer("a", &Chain::default());
    let mut seen = std::collections::BTreeSet::new();
    for epoch in 1..=JOURNAL_RING_SLOTS + 2 {
        let written = write(&mut first, epoch, 0);
        let key = String::from_utf8(written.chunks[0].0.clone()).expect("text");
        if !key.contains("snapshot") {
            assert_eq!(key, format!("5/{}/0", epoch % JOURNAL_RING_SLOTS));
            seen.insert(key);
        }
    }
    assert!(seen.len() > 250, "{}", seen.len());
}
