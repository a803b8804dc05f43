//! The examples of docs/JOURNAL-FORMAT.md are what is written.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use super::any::{instance, partition};
use crate::{
    ids::{Epoch, EventTimeMs, Offset, PartitionId, TopicId, WindowStart},
    journal::{
        Applied, Chain, Content, Identity, InstanceRecord, MergerRecord, Moment, PartitionRecord,
        RecordKind, Stream, Streams, Taken, Writer, Written,
    },
    window::{
        BoundedRun, Completeness, MergerHead, Partial, PartitionHead, PartitionState,
        PartitionTotals, PublishedTotal, WindowRules,
    },
};

const DOCUMENT: &str = "docs/JOURNAL-FORMAT.md";

/// The title of an example, its key, its value.
type Example = (&'static str, Vec<u8>, Vec<u8>);

fn examples() -> Vec<Example> {
    let identity = Identity {
        cluster_id: "qz".to_owned(),
        group_id: "logintide".to_owned(),
        topic: "user-login".to_owned(),
        topic_id: Some(TopicId(0x9ea0_2647_33d9_4f7b_aa4f_6c13_a4cb_91f4)),
        window_size_ms: 10_000,
        journal_partitions: 8,
        first_partitions: 12,
        began_ms: 1_730_653_309_000,
    };
    let mut examples = vec![("Identity", Identity::key(), identity.encode())];
    let said = InstanceRecord {
        epoch: Epoch(300),
        version: "0.1.0".to_owned(),
        started_ms: 1_730_653_309_000,
        http: Some("0.0.0.0:9464".to_owned()),
        rules: WindowRules { size_ms: 10_000, grace_ms: 7_000, allowed_lateness_ms: 300_000 },
        exactly_once: true,
        commit_interval_ms: 1000,
        idle_timeout_ms: 30_000,
        session_timeout_ms: 10_000,
    };
    examples.push(("Instance", InstanceRecord::key(&instance("node-1")), said.encode()));
    let mut writer = Writer::new(instance("node-1"), None, 8);
    let streams = [partition(0), Stream::Merger];
    for stream in streams {
        writer.take_over(stream, &Chain::default(), Offset(0), 0);
    }
    let mut epoch = |number, titles: [&'static str; 2]| {
        let moment = Moment { epoch: Epoch(number), now_ms: 0, positions: BTreeMap::new() };
        let mut records = writer.begin(moment);
        for (stream, title) in streams.iter().zip(titles) {
            let written = records.write(*stream, |kind| content(*stream, kind));
            let [(key, value)] = <[_; 1]>::try_from(written.chunks).expect("one chunk");
            examples.push((title, key, value));
        }
    };
    epoch(300, ["Snapshot of a partition", "Snapshot of the merger"]);
    epoch(301, ["Epoch record of a partition", "Epoch record of the merger"]);
    let [(_, first), (key, second)] = <[_; 2]>::try_from(two_chunks().chunks).expect("two");
    assert!(first.len() > second.len(), "the last chunk has the rest");
    examples.push(("Second chunk of a record", key, second));
    examples
}

/// The windows are those of a snapshot; an epoch has counted nothing.
fn content(stream: Stream, kind: RecordKind) -> Content {
    let is_snapshot = kind == RecordKind::Snapshot;
    let start = WindowStart(1_730_653_310_000);
    let mut partial = Partial::new();
    partial.count(["RU", "android", "2.3.0"].into(), "424cdd21");
    partial.count(["RU", "iOS", "2.3.0"].into(), "someone else");
    match stream {
        Stream::Partition(_) => {
            let windows = [(start, Arc::new(partial))].into_iter().filter(|_| is_snapshot);
            Content::Partition(PartitionRecord {
                head: partition_head(is_snapshot),
                windows: windows.collect(),
            })
        }
        Stream::Merger => {
            let published = PublishedTotal { revision: 2, total: 640, late_events: 3 };
            let windows = [(start, published)].into_iter().filter(|_| is_snapshot);
            Content::Merger(MergerRecord {
                head: merger_head(is_snapshot),
                past_usage: is_snapshot.then(|| Arc::new(partial.counts)),
                windows: windows.collect(),
            })
        }
    }
}

fn partition_head(is_reading: bool) -> PartitionHead {
    let start = WindowStart(1_730_653_300_000);
    let until_first = Completeness::UntilFirstEvent { at_least: None };
    PartitionHead {
        state: PartitionState {
            next_offset: Offset(4711),
            watermark: is_reading.then_some(EventTimeMs(1_730_653_311_000)),
            idle_as_of: (!is_reading).then_some(EventTimeMs(1_730_653_341_000)),
            horizon: is_reading.then_some(EventTimeMs(1_730_653_010_000)),
            completeness: if is_reading { Completeness::After(start) } else { until_first },
            topic: is_reading.then_some(TopicId(0x9ea0_2647_33d9_4f7b_aa4f_6c13_a4cb_91f4)),
        },
        at_end: true,
        totals: PartitionTotals {
            records_in: 4711,
            processed: 4700,
            dead_lettered: 8,
            late: 2,
            tombstones: 3,
        },
    }
}

fn merger_head(is_bounded: bool) -> MergerHead {
    let run = BoundedRun {
        number: 1,
        ends: Arc::new(BTreeMap::from([
            (PartitionId(0), Offset(4711)),
            (PartitionId(1), Offset(0)),
        ])),
        done: false,
    };
    MergerHead {
        watermark: Some(EventTimeMs(1_730_653_311_000)),
        horizon: Some(EventTimeMs(1_730_653_011_000)),
        forgotten: is_bounded.then_some(EventTimeMs(1_730_653_010_000)),
        partitions: 12,
        run: is_bounded.then_some(run),
        rules: WindowRules { size_ms: 10_000, grace_ms: 7_000, allowed_lateness_ms: 300_000 },
    }
}

fn two_chunks() -> Written {
    let mut writer = Writer::new(instance("node-1"), None, 8).cut_by(90, 128);
    writer.take_over(partition(9), &Chain::default(), Offset(0), 0);
    let moment = Moment { epoch: Epoch(300), now_ms: 0, positions: BTreeMap::new() };
    writer.begin(moment).write(partition(9), |kind| content(partition(9), kind))
}

/// The key and the bytes that the document shows below a title.
fn shown(document: &str, title: &str) -> Option<(String, Vec<u8>)> {
    let (_, section) = document.split_once(&format!("\n### {title}\n"))?;
    let (_, rest) = section.split_once("Key: `")?;
    let (key, rest) = rest.split_once('`')?;
    let (_, rest) = rest.split_once("```text\n")?;
    let (block, _) = rest.split_once("```")?;
    let bytes = block.lines().filter_map(|line| line.split("  ").next());
    let bytes = bytes.flat_map(str::split_whitespace);
    let bytes = bytes.map(|byte| u8::from_str_radix(byte, 16).ok());
    Some((key.to_owned(), bytes.collect::<Option<_>>()?))
}

#[test]
fn the_examples_of_the_document_are_what_is_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let document = fs::read_to_string(path).expect("is there");
    let mut wrong = Vec::new();
    for (title, key, value) in examples() {
        let key = String::from_utf8(key).expect("keys are text");
        if shown(&document, title) != Some((key.clone(), value.clone())) {
            let hex: Vec<_> = value.iter().map(|byte| format!("{byte:02x}")).collect();
            wrong.push(format!("### {title}\nKey: `{key}`\n{}\n", hex.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{DOCUMENT} should show:\n{}", wrong.join("\n"));
    let (_, shown) = document.split_once("\n## Examples\n").expect("has examples");
    let titles = shown.lines().filter(|line| line.starts_with("### ")).count();
    assert_eq!(titles, examples().len(), "each example is of a record");
}

#[test]
fn the_examples_are_read() {
    let mut streams = Streams::new(8);
    for (offset, (title, key, value)) in (0..).zip(examples()) {
        let partition = if title.starts_with("Second") { PartitionId(1) } else { PartitionId(0) };
        let taken = streams.take(partition, Offset(offset), Some(&key), Some(&value));
        match (title, taken.expect("as written")) {
            ("Identity", Taken::Identity(_))
            | ("Instance", Taken::Instance(..))
            | ("Second chunk of a record", Taken::Skipped(_)) => {}
            (_, Taken::Applied(Applied::Snapshot(record) | Applied::Next(record))) => {
                let is_snapshot = title.starts_with("Snapshot");
                let kind = if is_snapshot { RecordKind::Snapshot } else { RecordKind::Epoch };
                assert_eq!(record.content, content(record.stream, kind), "{title}");
            }
            (title, taken) => panic!("{title}: {taken:?}"),
        }
    }
}

#[test]
fn a_sketch_of_many_users_has_a_byte_per_register() {
    let mut partial = Partial::new();
    for user in 0..5000 {
        partial.count(["DE", "web", "1"].into(), &user.to_string());
    }
    let windows = BTreeMap::from([(WindowStart(0), Arc::new(partial))]);
    let head = partition_head(true);
    let body = Content::Partition(PartitionRecord { head, windows }).encode();
    // The length as a number, and the highest rank.
    let registers = &body[body.len() - 4096..];
    assert_eq!(body[body.len() - 4098..][..2], [0x80, 0x20]);
    assert!(registers.iter().all(|rank| *rank <= 39) && registers.iter().any(|rank| *rank > 0));
}
