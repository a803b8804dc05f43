//! What the API says about a snapshot.

use serde_json::{Value, json};

use super::{bounds::Stream, *};
use crate::{
    status::{
        Cluster, ClusterInstance, ClusterPartition, DeadLetters, Group, HistoryPoint,
        PartitionStatus, ProcessCounts, Sample, Snapshot, Totals, Usage, WindowView,
    },
    window::Dimension,
};

/// What an attacker would have as locale.
const HOSTILE: &str = "</script><script>alert(1)</script>\u{2028}\r\n\r\ndata: x\0\u{202e}\"\\";

pub(super) fn window(start_ms: i64, revision: u32) -> WindowView {
    let values = (0..50).map(|n| (format!("place {n}"), 50 - n)).collect();
    WindowView {
        start_ms,
        end_ms: start_ms + 10_000,
        revision,
        total_events: 7,
        late_events: 1,
        unique_users: 5,
        complete: true,
        usage: places(values),
    }
}

fn places(top: Vec<(String, u64)>) -> Usage {
    let mut usage = Usage::default();
    usage.top[Dimension::Location] = top;
    usage
}

fn partition(partition: i32, events_in: u64, processed: u64) -> PartitionStatus {
    let totals = Totals { events_in, processed, ..Totals::default() };
    PartitionStatus { partition, totals, ..PartitionStatus::default() }
}

fn snapshot() -> Snapshot {
    let published = [1_730_653_300_000, 1_730_653_290_000, 1_730_653_280_000];
    let sample = Sample::new(3, 7, HOSTILE.to_owned(), HOSTILE.as_bytes());
    Snapshot {
        at_ms: 1_730_653_321_000,
        started_at_ms: 1_730_653_000_000,
        since_ms: Some(1_730_600_000_000),
        process: ProcessCounts { bytes_in: 4_096, rollbacks: 2, ..ProcessCounts::default() },
        totals: Totals {
            events_in: 100,
            processed: 90,
            dead_lettered: 8,
            tombstones: 2,
            ..Totals::default()
        },
        usage: places(vec![(HOSTILE.to_owned(), 9)]),
        dead_letters: vec![DeadLetters { reason: "not_json", count: 8, sample: Some(sample) }],
        partitions: vec![partition(0, 60, 60), partition(1, 40, 30)],
        open_windows: vec![window(1_730_653_320_000, 0), window(1_730_653_310_000, 0)],
        recent_windows: Arc::new(published.map(|ms| Arc::new(window(ms, 2))).to_vec()),
        history: Arc::new(vec![HistoryPoint {
            at_ms: 1_730_653_320_500,
            events_per_second: 12.5,
            lag_records: Some(3),
            p50_ms: 1.0,
            p99_ms: 2.0,
        }]),
        ..Snapshot::default()
    }
}

fn serving() -> Server {
    let server = Server::start();
    server.board.publish(snapshot());
    server
}

/// The starts in an answer of `/api/v1/windows`, seconds after 1 730 653 000.
fn starts(answer: &Answer) -> Vec<i64> {
    let body = answer.json();
    let windows = body["windows"].as_array().expect("a list");
    windows.iter().map(|w| w["start_ms"].as_i64().expect("ms") / 1000 - 1_730_653_000).collect()
}

#[test]
fn status_has_health_and_the_snapshot_without_its_long_lists() {
    let server = serving();
    let body = server.get("/api/v1/status").json();
    assert_eq!(body["about"]["version"], "");
    assert_eq!(body["about"]["input_topic"], "logins");
    assert_eq!(body["health"]["healthy"], true);
    assert_eq!(body["snapshot"]["totals"]["processed"], 90);
    assert_eq!(body["snapshot"]["since_ms"], 1_730_600_000_000_i64, "the totals' beginning");
    let process = &body["snapshot"]["process"];
    assert_eq!((&process["events_in"], &process["bytes_in"]), (&json!(0), &json!(4_096)));
    assert_eq!(body["snapshot"]["partitions"][1]["processed"], 30);
    assert_eq!(body["snapshot"]["usage"]["locations"], json!([[HOSTILE, 9]]));
    for list in ["open_windows", "recent_windows", "history"] {
        assert_eq!(body["snapshot"][list], Value::Null, "{list}");
    }
    server.stop();
}

#[test]
fn before_the_first_snapshot_every_answer_is_empty_and_well_formed() {
    let server = Server::start();
    assert_eq!(server.get("/api/v1/status").json()["snapshot"]["at_ms"], 0);
    assert_eq!(server.get("/api/v1/windows").json()["windows"], json!([]));
    assert_eq!(server.get("/api/v1/history").json()["points"], json!([]));
    assert_eq!(server.get("/api/v1/audit").json()["balanced"], true);
    server.stop();
}

#[test]
fn windows_are_listed_newest_first_and_chosen_by_their_start() {
    let server = serving();
    for (query, expected, more) in [
        ("", vec![320, 310, 300, 290, 280], false),
        ("?limit=2", vec![320, 310], true),
        ("?limit=380&from=1730653290", vec![320, 310, 300, 290], false),
        ("?to=1730653310.0", vec![300, 290, 280], false),
        ("?from=2024-11-03T17:01:30Z&to=2024-11-03T19:01:50%2B02:00&limit=1", vec![300], true),
        ("?from=1800000000", vec![], false),
    ] {
        let answer = server.get(&format!("/api/v1/windows{query}"));
        assert_eq!((starts(&answer), &answer.json()["more"]), (expected, &json!(more)), "{query}");
    }
    let windows = server.get("/api/v1/windows").json()["windows"].clone();
    let states: Vec<_> = (0..3).map(|n| windows[n]["state"].clone()).collect();
    assert_eq!(states, ["open", "open", "closed"]);
    assert_eq!(windows[2]["usage"]["locations"][0], json!(["place 0", 50]));
    server.stop();
}

#[test]
fn a_wrong_parameter_is_named_with_its_remedy() {
    let server = serving();
    for (query, parameter, expected) in [
        ("from=", "from", "invalid time \"\""),
        ("from=yesterday", "from", "invalid time \"yesterday\""),
        ("to=1730653310000", "to", "milliseconds"),
        ("to=2024-11-03T19:01:50+02:00", "to", "invalid time"),
        ("from=2&to=1", "from", "must be before `to`"),
        ("from=1&to=1", "from", "must be before `to`"),
        ("limit=0", "limit", "invalid number \"0\""),
        ("limit=-1", "limit", "invalid number \"-1\""),
        ("limit=381", "limit", "invalid number \"381\""),
        ("limit=1e2", "limit", "invalid number \"1e2\""),
        ("limit=1&limit=2", "limit", "given twice"),
        ("form=1", "form", "unknown parameter"),
        ("%3Cscript%3E", "<script>", "unknown parameter"),
        ("from=%ff%00", "from", "invalid time"),
    ] {
        let answer = server.get(&format!("/api/v1/windows?{query}"));
        let error = answer.error(400);
        assert!(error.contains(expected), "{query}: {error}");
        assert_eq!(answer.json()["parameter"], parameter, "{query}");
    }
    server.stop();
}

#[test]
fn a_window_is_found_by_its_start_or_is_404() {
    let server = serving();
    for start in ["1730653300", "2024-11-03T17:01:40Z", "2024-11-03T18:01:40%2B01:00"] {
        let body = server.get(&format!("/api/v1/windows/{start}")).json();
        assert_eq!(
            (&body["start_ms"], &body["revision"]),
            (&json!(1_730_653_300_000_i64), &json!(2))
        );
        assert_eq!(body["usage"]["locations"].as_array().map(Vec::len), Some(50));
    }
    for unknown in ["1730653301", "0", "-5", "1730653300.001"] {
        server.get(&format!("/api/v1/windows/{unknown}")).error(404);
    }
    for wrong in ["x", "1730653300000", "%FF", "..%2f..", "%22%3E%3Cscript%3E"] {
        let answer = server.get(&format!("/api/v1/windows/{wrong}"));
        answer.error(400);
        assert_eq!(answer.json()["parameter"], "start", "{wrong}");
    }
    server.stop();
}

#[test]
fn the_audit_says_what_became_of_everything() {
    let server = serving();
    let body = server.get("/api/v1/audit").json();
    assert_eq!(
        body["total"],
        json!({"in": 100, "processed": 90, "dead_lettered": 8, "tombstones": 2, "difference": 0})
    );
    assert_eq!(body["partitions"][0]["difference"], 0);
    assert_eq!(body["partitions"][1]["difference"], 10, "a hole in one partition is seen");
    assert_eq!(body["balanced"], false);
    assert_eq!(body["since_ms"], 1_730_600_000_000_i64);
    server.stop();
}

#[test]
fn the_cluster_has_the_lag_that_this_process_knows() {
    let server = serving();
    assert_eq!(server.get("/api/v1/cluster").json()["instances"], json!([]), "nothing was read");
    let partition = |partition| ClusterPartition {
        partition,
        next_offset: 7,
        watermark_ms: None,
        lag_records: None,
        written_at_ms: 5,
    };
    let instance = |name: &str, partitions: &[i32]| ClusterInstance {
        instance_id: name.to_owned(),
        epoch: 3,
        written_at_ms: 5,
        merges: name == "one",
        silent: false,
        about: None,
        partitions: partitions.iter().map(|p| partition(*p)).collect(),
    };
    let cluster = Cluster {
        at_ms: 9,
        instances: vec![instance("one", &[0]), instance("two", &[1, 2])],
        ..Cluster::default()
    };
    server.board.set_group(Group { cluster: Some(cluster), ..Group::default() });
    let mut snapshot = snapshot();
    snapshot.partitions[1].lag_records = Some(4);
    server.board.publish(snapshot);
    let body = server.get("/api/v1/cluster").json();
    assert_eq!((&body["at_ms"], &body["merger"]), (&json!(9), &Value::Null));
    assert_eq!(body["instances"][0]["partitions"][0]["lag_records"], Value::Null);
    let [known, unknown] = [0, 1].map(|n| body["instances"][1]["partitions"][n].clone());
    assert_eq!((&known["partition"], &known["lag_records"]), (&json!(1), &json!(4)));
    assert_eq!((&unknown["next_offset"], &unknown["lag_records"]), (&json!(7), &Value::Null));
    server.stop();
}

#[test]
fn history_has_its_points() {
    let server = serving();
    let body = server.get("/api/v1/history").json();
    assert_eq!(body["points"][0]["events_per_second"], 12.5);
    assert_eq!(body["started_at_ms"], 1_730_653_000_000_i64);
    server.stop();
}

#[test]
fn hostile_values_cannot_end_an_event_or_leave_their_string() {
    let server = serving();
    let text = Stream::begin(&server).chunk();
    let data = text.strip_prefix("event: snapshot\ndata: ").expect("an event");
    let data = data.strip_suffix("\n\n").expect("an event");
    assert!(!data.contains(['\n', '\r']), "one line of data is all: {data}");
    let event: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(event["snapshot"]["usage"]["locations"][0][0], HOSTILE);
    assert_eq!(event["snapshot"]["dead_letters"][0]["sample"]["detail"], HOSTILE);
    assert_eq!(event["windows"].as_array().map(Vec::len), Some(5));
    assert_eq!(event["windows"][0]["usage"], Value::Null, "details are asked for one by one");
    assert_eq!(event["point"]["lag_records"], 3);
    server.stop();
}
