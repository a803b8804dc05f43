//! What a writer commits, and what it refuses to write.

use std::collections::BTreeMap;

use super::any::{instance, partition};
use crate::{
    ids::{Epoch, Offset, PartitionId, TopicId, WindowStart},
    journal::{
        Chain, Content, JournalCommit, MergerRecord, Moment, PartitionCommit, PartitionRecord,
        RecordKind, Stream, Streams, Writer, Written,
    },
    window::{
        Completeness, MergerHead, PartitionHead, PartitionState, PartitionTotals, PublishedTotal,
        WindowRules,
    },
};

const FIRST: Stream = Stream::Partition(PartitionId(0));
const OTHER: Stream = Stream::Partition(PartitionId(1));

fn content(stream: Stream, offset: i64) -> Content {
    let rules = WindowRules { size_ms: 1000, grace_ms: 0, allowed_lateness_ms: 0 };
    match stream {
        Stream::Partition(_) => Content::Partition(PartitionRecord {
            head: PartitionHead {
                state: PartitionState::new(Offset(offset), Completeness::FromStart),
                at_end: false,
                totals: PartitionTotals::default(),
            },
            windows: BTreeMap::new(),
        }),
        Stream::Merger => {
            let published = PublishedTotal { revision: 1, total: 5, late_events: 0 };
            Content::Merger(MergerRecord {
                head: MergerHead {
                    watermark: None,
                    horizon: None,
                    forgotten: None,
                    partitions: 2,
                    run: None,
                    rules,
                },
                past_usage: None,
                windows: (0..100).map(|at| (WindowStart(at), published)).collect(),
            })
        }
    }
}

fn moment(epoch: u64, position: i64) -> Moment {
    let positions = [0, 1].map(|p| (PartitionId(p), Offset(position + i64::from(p))));
    Moment { epoch: Epoch(epoch), now_ms: epoch as i64 * 10, positions: positions.into() }
}

/// A writer of all streams, with snapshots at least at every third record.
fn writer(name: &str, streams: &Streams, restore_from: [i64; 2]) -> Writer {
    let mark = TopicId(0x9ea0_2647 << 96).mark();
    let mut writer = Writer::new(instance(name), Some(mark), 2).cut_by(1 << 19, 3);
    for (stream, from) in [(FIRST, 0), (OTHER, 1), (Stream::Merger, 0)] {
        let chain = streams.chain(stream).cloned().unwrap_or_default();
        writer.take_over(stream, &chain, Offset(restore_from[from]), 0);
    }
    writer
}

/// An epoch: the kinds of its records, the records, and what is committed.
fn epoch(
    writer: &mut Writer,
    moment: Moment,
) -> (Vec<RecordKind>, Vec<Written>, BTreeMap<PartitionId, PartitionCommit>) {
    let offset = moment.epoch.0 as i64;
    let mut records = writer.begin(moment);
    let (mut kinds, mut all) = (Vec::new(), Vec::new());
    for stream in [FIRST, OTHER, Stream::Merger] {
        all.push(records.write(stream, |kind| {
            kinds.push(kind);
            content(stream, offset)
        }));
    }
    (kinds, all, records.finish())
}

fn restore_from(commits: &BTreeMap<PartitionId, PartitionCommit>) -> Vec<i64> {
    commits.values().map(|commit| commit.metadata.restore_from.0).collect()
}

#[test]
fn a_commit_has_the_offset_of_its_record_and_names_the_journal() {
    let mut writer = writer("a", &Streams::new(2), [0, 0]);
    let (kinds, records, commits) = epoch(&mut writer, moment(7, 100));
    assert_eq!(kinds, [RecordKind::Snapshot; 3]);
    assert_eq!(records.iter().map(|record| record.partition.0).collect::<Vec<_>>(), [0, 1, 0]);
    assert!(records[2].bytes() > records[0].bytes());
    let commit = &commits[&PartitionId(1)];
    assert_eq!(commit.offset, Offset(7));
    assert_eq!(commit.metadata.encode(), "2:a:7:9ea02647:101::");
    assert_eq!(JournalCommit::parse(&commit.metadata.encode()), Some(commit.metadata.clone()));
}

#[test]
fn restore_from_changes_with_a_snapshot_alone_and_a_taker_carries_it_on() {
    let mut first = writer("a", &Streams::new(2), [0, 0]);
    let mut streams = Streams::new(2);
    let mut next = [100, 101];
    let mut read = |records: Vec<Written>| {
        for record in records {
            let at = &mut next[record.partition.0 as usize];
            for (key, value) in &record.chunks {
                let taken = streams.take(record.partition, Offset(*at), Some(key), Some(value));
                taken.expect("as written");
                *at += 1;
            }
        }
        writer("b", &streams, [100, 101])
    };
    let (_, records, commits) = epoch(&mut first, moment(1, 100));
    assert_eq!(restore_from(&commits), [100, 101]);
    read(records);
    let (kinds, records, commits) = epoch(&mut first, moment(2, 200));
    assert_eq!((kinds, restore_from(&commits)), (vec![RecordKind::Epoch; 3], vec![100, 101]));

    let mut second = read(records);
    let (kinds, records, commits) = epoch(&mut second, moment(3, 300));
    assert_eq!((kinds, restore_from(&commits)), (vec![RecordKind::Epoch; 3], vec![100, 101]));
    assert_eq!(records[1].chunks[0].0, b"1/3/0");
    let (kinds, _, commits) = epoch(&mut second, moment(4, 400));
    assert_eq!((kinds, restore_from(&commits)), (vec![RecordKind::Snapshot; 3], vec![400, 401]));
}

#[test]
fn restore_from_of_the_first_partition_covers_the_merger_s_snapshot() {
    // The partition is lost and begins anew; the merger's last snapshot is the old one.
    let mut streams = Streams::new(2);
    let mut other = Writer::new(instance("b"), None, 2);
    let snapshot = {
        let mut writer = Writer::new(instance("a"), None, 2);
        for stream in [FIRST, Stream::Merger] {
            writer.take_over(stream, &Chain::default(), Offset(0), 0);
        }
        let mut records = writer.begin(moment(1, 100));
        records.write(FIRST, |_| content(FIRST, 1));
        records.write(Stream::Merger, |_| content(Stream::Merger, 1))
    };
    let (key, value) = &snapshot.chunks[0];
    streams.take(PartitionId(0), Offset(100), Some(key), Some(value)).expect("as written");
    other.take_over(FIRST, &Chain::default(), Offset(50), 0);
    let merger = streams.chain(Stream::Merger).expect("was read");
    other.take_over(Stream::Merger, merger, Offset(50), 0);
    let mut records = other.begin(moment(2, 500));
    records.write(FIRST, |kind| {
        assert_eq!(kind, RecordKind::Snapshot);
        content(FIRST, 2)
    });
    records.write(Stream::Merger, |kind| {
        assert_eq!(kind, RecordKind::Epoch);
        content(Stream::Merger, 2)
    });
    assert_eq!(restore_from(&records.finish()), [50]);
}

#[test]
#[should_panic(expected = "every owned stream has a record")]
fn an_epoch_without_a_partition_s_record_is_refused() {
    let mut writer = writer("a", &Streams::new(2), [0, 0]);
    let mut records = writer.begin(moment(1, 0));
    records.write(FIRST, |_| content(FIRST, 1));
    records.finish();
}

#[test]
#[should_panic(expected = "the merger's record is the last one")]
fn a_record_behind_the_merger_s_is_refused() {
    let mut writer = writer("a", &Streams::new(2), [0, 0]);
    let mut records = writer.begin(moment(1, 0));
    records.write(Stream::Merger, |_| content(Stream::Merger, 1));
    records.write(FIRST, |_| content(FIRST, 1));
}

#[test]
#[should_panic(expected = "has one record in an epoch")]
fn two_records_of_a_stream_in_an_epoch_are_refused() {
    let mut writer = writer("a", &Streams::new(2), [0, 0]);
    let mut records = writer.begin(moment(1, 0));
    records.write(FIRST, |_| content(FIRST, 1));
    records.write(FIRST, |_| content(FIRST, 1));
}

#[test]
#[should_panic(expected = "has epoch 1")]
fn an_epoch_number_that_a_stream_has_seen_is_refused() {
    let mut writer = writer("a", &Streams::new(2), [0, 0]);
    epoch(&mut writer, moment(1, 0));
    epoch(&mut writer, moment(1, 0));
}

#[test]
#[should_panic(expected = "is not owned")]
fn a_record_of_another_s_partition_is_refused() {
    let mut writer = writer("a", &Streams::new(2), [0, 0]);
    let stream = partition(2);
    writer.begin(moment(1, 0)).write(stream, |_| content(stream, 1));
}

#[test]
#[should_panic(expected = "the owner of input partition 0 merges")]
fn the_first_partition_without_the_merger_is_refused() {
    let mut writer = Writer::new(instance("a"), None, 2);
    writer.take_over(FIRST, &Chain::default(), Offset(0), 0);
    writer.begin(moment(1, 0));
}
