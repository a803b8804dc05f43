//! What a test reads from, and does to, its topics, beside the judge.
//!
//! Holds: only committed records are seen, as by any reader that cares.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use logintide::{
    ids::{Offset, PartitionId},
    kafka::{
        Admin, ClientSettings, Consumer, ConsumerSettings, DrainEvent, Flow, Record, find_topics,
    },
};
use serde_json::Value;
use testkit::{SOON, Scenario, text};

/// Length of a window, seconds: the default of both programs.
pub(crate) const WINDOW_S: i64 = 10;

/// One question to the broker.
const ASK: Duration = Duration::from_secs(30);

/// The newest record of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) revision: u64,
    pub(crate) total: u64,
    pub(crate) complete: bool,
}

fn client(scenario: &Scenario) -> ClientSettings {
    ClientSettings { brokers: scenario.brokers().to_owned(), properties: Vec::new() }
}

pub(crate) fn admin(scenario: &Scenario) -> Admin {
    Admin::new(&client(scenario)).expect("an admin client")
}

/// A reader of one topic of the scenario. It never joins the group, but sees its commits.
fn reader(scenario: &Scenario, topic: &str) -> (Consumer, Vec<PartitionId>) {
    let topic = scenario.topic(topic);
    let found = find_topics(&admin(scenario), &[&topic], ASK).expect("the broker answers");
    let count = found[0].partitions.unwrap_or_else(|| panic!("topic {topic} is missing"));
    let settings = ConsumerSettings {
        client: client(scenario),
        group_id: scenario.topic("group"),
        instance_id: None,
        topic,
        fetch_queue_kbytes: 8 * 1024,
        session_timeout: Duration::from_secs(10),
        max_poll_interval: Duration::from_mins(5),
        reads_uncommitted: false,
    };
    let consumer = Consumer::new(&settings).expect("a consumer");
    (consumer, (0..count).map(PartitionId).collect())
}

/// First and next offset of every partition.
pub(crate) fn log_ends(scenario: &Scenario, topic: &str) -> BTreeMap<PartitionId, (i64, i64)> {
    let (consumer, partitions) = reader(scenario, topic);
    let logs = consumer.logs(&partitions, ASK).expect("the broker answers");
    logs.into_iter().map(|(partition, (low, high))| (partition, (low.0, high.0))).collect()
}

/// What the group has committed: offset and metadata of every partition with a commit.
pub(crate) fn committed(scenario: &Scenario) -> BTreeMap<PartitionId, (i64, String)> {
    let (consumer, partitions) = reader(scenario, "input");
    let known = consumer.committed(&partitions, ASK).expect("the broker answers");
    let known = known.into_iter().filter_map(|c| Some((c.partition, (c.offset?.0, c.metadata))));
    known.collect()
}

/// Hands every committed record of a topic, from its log's start to its end now.
pub(crate) fn read(scenario: &Scenario, topic: &str, mut each: impl FnMut(&Record<'_>)) {
    let ends = log_ends(scenario, topic);
    let (mut consumer, _) = reader(scenario, topic);
    let starts: Vec<_> = ends.iter().map(|(p, (low, _))| (*p, Offset(*low))).collect();
    let mut unread: BTreeSet<_> =
        ends.iter().filter(|(_, (low, high))| low < high).map(|(p, _)| *p).collect();
    consumer.assign(&starts).expect("assign");
    let deadline = Instant::now() + SOON;
    while !unread.is_empty() {
        consumer.drain(Duration::from_millis(20), |event| {
            let (partition, next) = match event {
                DrainEvent::Record(record) => {
                    each(&record);
                    (record.partition, record.offset + 1)
                }
                DrainEvent::EndOfPartition { partition, offset } => (partition, offset.0),
                DrainEvent::Error { error, .. } => panic!("reading {topic}: {error}"),
            };
            if next >= ends[&partition].1 {
                unread.remove(&partition);
            }
            Flow::Continue
        });
        consumer.serve(Duration::ZERO, &mut |_| {}).expect("the client works");
        assert!(Instant::now() < deadline, "{topic} was not read to its end: {unread:?}");
    }
    consumer.close();
}

/// The newest record of every window.
pub(crate) fn newest_windows(scenario: &Scenario) -> BTreeMap<i64, Window> {
    let mut windows: BTreeMap<i64, Window> = BTreeMap::new();
    read(scenario, "aggregated", |record| {
        let Record { key, value, .. } = record;
        let start = std::str::from_utf8(key.unwrap_or_default())
            .expect("a key")
            .parse()
            .expect("a window's start");
        let value: Value = serde_json::from_slice(value.expect("a value")).expect("JSON");
        let window = Window {
            revision: value["revision"].as_u64().expect("a revision"),
            total: value["total_events"].as_u64().expect("a total"),
            complete: value["complete"].as_bool().expect("complete"),
        };
        windows.insert(start, window);
    });
    windows
}

/// An event as a topic has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its number, as loadgen gave it.
    pub(crate) number: u64,
    pub(crate) window: i64,
    pub(crate) partition: PartitionId,
    pub(crate) offset: i64,
}

/// Every event of a topic with plain events.
pub(crate) fn events(scenario: &Scenario, topic: &str) -> Vec<Event> {
    let mut events = Vec::new();
    read(scenario, topic, |record| {
        let value: Value = serde_json::from_slice(record.value.expect("a value")).expect("JSON");
        let time = &value["timestamp"];
        let seconds = time.as_f64().or_else(|| time.as_str()?.parse().ok());
        let seconds = seconds.unwrap_or_else(|| panic!("no event time in {value}")).floor() as i64;
        events.push(Event {
            number: value["event_no"].as_u64().expect("an event number"),
            window: seconds.div_euclid(WINDOW_S) * WINDOW_S,
            partition: record.partition,
            offset: record.offset,
        });
    });
    events
}

/// How many events each window has.
pub(crate) fn recount(events: &[Event]) -> BTreeMap<i64, u64> {
    let mut windows = BTreeMap::new();
    for event in events {
        *windows.entry(event.window).or_default() += 1;
    }
    windows
}

/// Deletes the input's records below these offsets, as retention does.
pub(crate) fn delete_input(scenario: &Scenario, below: &BTreeMap<PartitionId, i64>) {
    let topic = scenario.topic("input");
    let partitions: Vec<_> = below
        .iter()
        .map(|(p, offset)| serde_json::json!({"topic": topic, "partition": p.0, "offset": offset}))
        .collect();
    let file = scenario.dir.path().join("delete.json");
    let request = serde_json::json!({"partitions": partitions, "version": 1});
    fs::write(&file, request.to_string()).expect("a file");
    let output =
        Command::new(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka-local"))
            .args(["exec", "org.apache.kafka.tools.DeleteRecordsCommand"])
            .args(["--bootstrap-server", scenario.brokers(), "--offset-json-file"])
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .expect("scripts/kafka-local runs");
    assert!(output.status.success(), "{}", text(&output));
    let starts = log_ends(scenario, "input");
    for (partition, offset) in below {
        assert_eq!(starts[partition].0, *offset, "partition {partition}: {}", text(&output));
    }
}
