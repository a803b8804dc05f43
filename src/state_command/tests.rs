//! What is shown of a journal, and which answers remove something.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::{
    args::JournalPlace,
    group_state::GroupState,
    journal::{Commits, Committed},
    report::{CommitState, StateReport, StreamState},
    reset::{ask_about_copy, ask_about_journal},
    text,
};
use crate::{
    config::LogFormat,
    ids::{Epoch, EventTimeMs, InstanceId, Offset, PartitionId, TopicId, WindowStart},
    journal::{
        Chain, Content, CopyOf, Identity, JournalCommit, JournalError, MergerRecord, Moment,
        PartitionRecord, Stream, Writer,
    },
    kafka::{ClientSettings, CommittedOffset},
    state::{Copied, CopiedJournal, CopiedPartition, CopiedRecord, StoredCopy},
    window::{
        BoundedRun, Completeness, MergerHead, Partial, PartitionHead, PartitionState,
        PartitionTotals, PublishedTotal, WindowRules,
    },
};

const NINE_O_CLOCK: i64 = 1_730_624_400_000;
const TOPIC: TopicId = TopicId(0x9ea0_2647_33d9_4f7b_aa4f_6c13_a4ce_51f4);

/// Journal partition, offset, key and value.
type Line = (PartitionId, Offset, Vec<u8>, Vec<u8>);

fn identity() -> Identity {
    Identity {
        cluster_id: "c1".to_owned(),
        group_id: "g".to_owned(),
        topic: "user-login".to_owned(),
        topic_id: Some(TopicId(1)),
        window_size_ms: 10_000,
        journal_partitions: 2,
        first_partitions: 2,
        began_ms: NINE_O_CLOCK,
    }
}

fn head(p: i32, epoch: i64) -> PartitionHead {
    PartitionHead {
        state: PartitionState {
            watermark: Some(EventTimeMs(NINE_O_CLOCK + 1000 * epoch)),
            topic: Some(TopicId(1)),
            ..PartitionState::new(
                Offset(100 * epoch + i64::from(p)),
                match p {
                    0 => Completeness::FromStart,
                    _ => Completeness::After(WindowStart(NINE_O_CLOCK - 10_000)),
                },
            )
        },
        at_end: p == 0,
        totals: PartitionTotals {
            records_in: 10 * epoch as u64,
            processed: 8 * epoch as u64,
            dead_lettered: 1,
            late: 2,
            tombstones: 0,
        },
    }
}

fn partition_content(p: i32, epoch: i64) -> Content {
    let mut partial = Partial::new();
    partial.count(["CA", "iOS", "1"].into(), "user");
    let windows =
        (0..epoch).map(|n| (WindowStart(NINE_O_CLOCK + 10_000 * n), Arc::new(partial.clone())));
    Content::Partition(PartitionRecord { head: head(p, epoch), windows: windows.collect() })
}

fn merger_content(epoch: i64) -> Content {
    let head = MergerHead {
        watermark: Some(EventTimeMs(NINE_O_CLOCK + 1000 * epoch)),
        horizon: Some(EventTimeMs(NINE_O_CLOCK)),
        forgotten: None,
        partitions: 3,
        run: Some(BoundedRun { number: 4, ends: Arc::default(), done: true }),
        rules: WindowRules { size_ms: 10_000, grace_ms: 2500, allowed_lateness_ms: 60_000 },
    };
    let total = PublishedTotal { revision: 2, total: 7, late_events: 1 };
    let windows = [(WindowStart(NINE_O_CLOCK), total)].into();
    Content::Merger(MergerRecord { head, past_usage: None, windows })
}

/// A journal of two input partitions and the merger, of so many epochs; a third is announced.
fn journal(epochs: u64) -> Vec<Line> {
    let instance = InstanceId::parse("host-00c0ffee").expect("valid");
    let mut writer = Writer::new(instance, Some(TOPIC.mark()), 2);
    let streams =
        [Stream::Partition(PartitionId(0)), Stream::Partition(PartitionId(1)), Stream::Merger];
    for stream in streams {
        writer.take_over(stream, &Chain::default(), Offset(0), 0);
    }
    let mut lines = vec![(PartitionId(0), Identity::key(), identity().encode())];
    for number in 1..=epochs {
        let (epoch, positions) = (Epoch(number), BTreeMap::new());
        let mut records = writer.begin(Moment { epoch, now_ms: 0, positions });
        for stream in streams {
            let written = records.write(stream, |_| match stream {
                Stream::Partition(p) => partition_content(p.0, number as i64),
                Stream::Merger => merger_content(number as i64),
            });
            let chunks = written.chunks.into_iter();
            lines.extend(chunks.map(|(key, value)| (written.partition, key, value)));
        }
        records.finish();
    }
    let line = |(n, (partition, key, value))| (partition, Offset(n), key, value);
    (0..).zip(lines).map(line).collect()
}

fn read(lines: &[Line]) -> GroupState {
    let mut state = GroupState::new(identity());
    for (partition, offset, key, value) in lines {
        state.take(*partition, *offset, 0, Some(key), Some(value)).expect("of this version");
    }
    state
}

fn commits(offsets: &[(i32, i64)], metadata: &str) -> Commits {
    let commit = |(p, offset): &(i32, i64)| {
        let (partition, offset) = (PartitionId(*p), Some(Offset(*offset)));
        (partition, CommittedOffset { partition, offset, metadata: metadata.to_owned() })
    };
    offsets.iter().map(commit).collect()
}

fn metadata(journal: Option<TopicId>) -> String {
    JournalCommit {
        instance: InstanceId::parse("host-00c0ffee").expect("valid"),
        epoch: Epoch(3),
        journal: journal.map(TopicId::mark),
        restore_from: Offset(0),
        forgotten: None,
        watermark: None,
    }
    .encode()
}

fn report(state: GroupState, before: Commits, after: Commits) -> StateReport {
    let committed = Committed { state, topic_id: Some(TOPIC), hidden: 0, before, after };
    StateReport::of_journal(&committed, "kafka:9092", "g-journal")
}

fn shown(report: &StateReport) -> String {
    let mut out = Vec::new();
    text::write(&mut out, report).expect("a Vec takes everything");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn everything_in_the_journal_is_shown() {
    let agreed = commits(&[(0, 300), (1, 301)], &metadata(Some(TOPIC)));
    let text = shown(&report(read(&journal(3)), agreed.clone(), agreed));
    let (facts, rest) = text.split_once("\n\npartition ").expect("a table");
    let expected = "\
journal      g-journal (2 partitions, id nqAmRzPZT3uqT2wTpM5R9A) on kafka:9092
format       1
group        g
input        user-login (2 partitions at first, id AAAAAAAAAAAAAAAAAAAAAQ)
cluster      c1
begun        2024-11-03T09:00:00.000Z
window       10 s

merger       epoch 3, by host-00c0ffee
watermark    2024-11-03T09:00:03.000Z
horizon      2024-11-03T09:00:00.000Z
forgotten    up to -
partitions   3 announced
windows      1 published and retained, with 7 events, 1 of them late
rules        grace 2500 ms, allowed lateness 60 s
bounded run  4, done";
    assert_eq!(facts, expected);
    let rows: Vec<Vec<_>> =
        rest.lines().skip(1).take(3).map(|row| row.split_whitespace().collect()).collect();
    let expected = [
        "0 300 300 agrees 3 at end 3 whole 2024-11-03T09:00:03.000Z all host-00c0ffee",
        "1 301 301 agrees 3 reading 3 whole 2024-11-03T09:00:03.000Z after \
         2024-11-03T08:59:50.000Z host-00c0ffee",
        "2 - - missing - - - unseen - - -",
    ];
    assert_eq!(rows, expected.map(|row| row.split_whitespace().collect::<Vec<_>>()));
    let (_, notes) = rest.split_once("\n\nrecords      ").expect("sums");
    let sums = "60 in, 48 processed, 2 dead-lettered, 4 late, 0 tombstones\n";
    let notes = notes.strip_prefix(sums).unwrap_or_else(|| panic!("{notes}"));
    assert!(notes.starts_with("\nmissing: the group has no offset"), "{notes}");
    assert!(notes.contains("\nunseen: no record of this stream was read."), "{notes}");
}

#[test]
fn each_way_in_which_offset_and_head_differ_is_told() {
    let (ours, other) = (metadata(Some(TOPIC)), metadata(Some(TopicId(5))));
    let of = |before: Option<i64>, after: Option<i64>, metadata: &str| {
        let commits = |offset: Option<i64>| {
            commits(&offset.map(|offset| (0, offset)).into_iter().collect::<Vec<_>>(), metadata)
        };
        let report = report(read(&journal(3)), commits(before), commits(after));
        let row = &report.partitions[0];
        (row.commit.expect("a broker was asked"), row.committed_offset.map(|offset| offset.0))
    };
    let cases = [
        (Some(300), Some(300), &*ours, CommitState::Agrees, Some(300)),
        // Instances work: epochs are committed while the journal is read.
        (Some(300), Some(500), &ours, CommitState::Agrees, Some(300)),
        (Some(200), Some(300), &ours, CommitState::Agrees, Some(300)),
        (Some(200), Some(500), &ours, CommitState::Agrees, Some(500)),
        (None, Some(300), &ours, CommitState::Agrees, Some(300)),
        (Some(299), Some(299), &ours, CommitState::Older, Some(299)),
        (Some(301), Some(301), &ours, CommitState::Newer, Some(301)),
        (None, None, &ours, CommitState::Missing, None),
        (Some(300), Some(300), &other, CommitState::OtherJournal, Some(300)),
        (Some(300), Some(300), &metadata(None), CommitState::Agrees, Some(300)),
        (Some(300), Some(300), "", CommitState::Foreign, Some(300)),
    ];
    for (before, after, metadata, state, shown) in cases {
        let found = of(before, after, metadata);
        assert_eq!(found, (state, shown), "{before:?} {after:?} {metadata}");
    }
}

#[test]
fn an_offset_without_a_record_is_newer_than_the_journal() {
    let agreed = commits(&[(0, 300), (1, 301), (5, 7)], &metadata(Some(TOPIC)));
    let report = report(read(&journal(3)), agreed.clone(), agreed);
    let row = report.partitions.iter().find(|row| row.partition.0 == 5).expect("a row");
    assert_eq!((row.commit, row.stream), (Some(CommitState::Newer), StreamState::Unseen));
}

#[test]
fn a_gap_is_shown_with_what_was_read_before_it() {
    let mut lines = journal(4);
    let second = lines.iter().position(|(.., key, _)| key == b"1/2/0").expect("an epoch record");
    lines.remove(second);
    let state = read(&lines);
    assert!(!state.is_whole());
    let report = report(state, Commits::new(), Commits::new());
    let row = &report.partitions[1];
    let epoch = row.head.as_ref().expect("of the snapshot").epoch;
    assert_eq!((row.stream, epoch), (StreamState::Gap, Epoch(1)));
    assert!(shown(&report).contains("\ngap: newer records were read than can be applied"));
}

#[test]
fn records_of_others_are_counted_and_those_of_a_later_version_refused() {
    let mut state = read(&journal(1));
    let mut take = |offset, key: &[u8], value: &[u8]| {
        state.take(PartitionId(0), Offset(offset), 0, Some(key), Some(value))
    };
    take(100, b"someone-else", b"hello").expect("counted");
    let error = take(101, b"0/2/0", &[2, 0]).expect_err("of a later version");
    assert!(matches!(error, JournalError::NewerFormat { found: 2, .. }), "{error}");
    let report = report(state, Commits::new(), Commits::new());
    assert_eq!(report.unknown_records, 1);
    assert!(shown(&report).contains("1 records of the journal topic are none that this program"));
}

#[test]
fn a_copy_shows_the_same_without_offsets() {
    let lines = journal(3);
    let mut partitions = BTreeMap::new();
    for (partition, offset, key, value) in lines.clone() {
        let copied = partitions
            .entry(partition)
            .or_insert(CopiedPartition { position: Offset(99), records: Vec::new() });
        copied.records.push((key, CopiedRecord { offset, appended_ms: 0, value }));
    }
    let journal = CopiedJournal { topic_id: Some(TOPIC), identity: identity() };
    let text = |text: &str| text.to_owned();
    let of = CopyOf { cluster_id: text("c1"), group_id: text("g"), topic: text("g-journal") };
    let stored = StoredCopy { of, copied: Copied { journal, partitions }, bytes: 2048 };
    let state = GroupState::of_copy(&stored.copied).expect("of this version");
    let copy = StateReport::of_copy(&state, &stored, "/s".into());
    let read = report(read(&lines), Commits::new(), Commits::new());
    assert!(copy.partitions.iter().all(|row| row.commit.is_none()));
    let heads = |report: &StateReport| -> Vec<_> {
        report.partitions.iter().map(|row| (row.partition, row.head.clone())).collect()
    };
    assert_eq!((heads(&copy), &copy.merger), (heads(&read), &read.merger));
    let text = shown(&copy);
    assert!(text.starts_with("copy         /s (2.0 KiB)\njournal      g-journal ("), "{text}");
}

#[test]
fn json_has_stable_names() {
    let agreed = commits(&[(0, 300)], &metadata(Some(TOPIC)));
    let report = report(read(&journal(3)), agreed.clone(), agreed);
    let json = serde_json::to_value(&report).expect("plain data");
    let expected = serde_json::json!({
        "partition": 0, "stream": "whole", "committed_offset": 300, "commit": "agrees",
        "head": {
            "next_offset": 300, "topic_id": "AAAAAAAAAAAAAAAAAAAAAQ", "epoch": 3,
            "writer": "host-00c0ffee",
            "watermark_ms": NINE_O_CLOCK + 3000, "idle": false, "at_end": true, "windows": 3,
            "complete": "all", "incomplete_up_to_ms": null,
            "totals": {
                "in": 30, "processed": 24, "dead_lettered": 1, "late": 2, "tombstones": 0
            },
        },
    });
    assert_eq!(json["partitions"][0], expected);
    assert_eq!(json["partitions"][2]["head"], serde_json::Value::Null);
    assert_eq!(json["partitions"][1]["head"]["complete"], "after_window");
    assert_eq!(json["source"]["kind"], "journal");
    assert_eq!(json["identity"]["window_ms"], 10_000);
    assert_eq!(json["merger"]["run"], serde_json::json!({ "number": 4, "done": true }));
    assert_eq!(json["merger"]["forgotten_up_to_ms"], serde_json::Value::Null);
    assert_eq!(json["totals"]["in"], 60);
}

#[test]
fn only_a_yes_removes_the_copy() {
    let dir = Path::new("/s");
    for (answer, expected) in
        [("y\n", true), ("YES\n", true), ("", false), ("\n", false), ("no\n", false)]
    {
        let mut out = Vec::new();
        let agreed = ask_about_copy(&mut out, &mut answer.as_bytes(), dir).expect("answered");
        assert_eq!(agreed, expected, "{answer:?}");
        assert_eq!(out, b"Remove the local copy in /s? [y/N] ");
    }
}

#[test]
fn only_the_names_of_topic_and_group_remove_the_journal() {
    let text = |text: &str| text.to_owned();
    let place = JournalPlace {
        client: ClientSettings { brokers: text("kafka:9092"), properties: Vec::new() },
        group_id: text("g"),
        input_topic: text("user-login"),
        topic: text("g-journal"),
        log_format: LogFormat::Text,
    };
    let answers =
        ["g-journal g\n", "  g-journal   g  \n", "y\n", "", "g-journal\n", "g g-journal\n"];
    for (number, answer) in answers.into_iter().enumerate() {
        let mut out = Vec::new();
        let agreed = ask_about_journal(&mut out, &mut answer.as_bytes(), &place).expect("answered");
        assert_eq!(agreed, number < 2, "{answer:?}");
        let question = String::from_utf8(out).expect("UTF-8");
        for part in ["'g-journal'", "group 'g' on kafka:9092", "--start-from", "--aggregated-topic"]
        {
            assert!(question.contains(part), "{part}: {question}");
        }
    }
}
