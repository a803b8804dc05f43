//! What people see is the group's: it outlives processes and state folders.

use std::fs;

use serde_json::Value;
use testkit::{Scenario, Served};

/// Flags of every run: windows close by silence.
const FLAGS: &[&str] = &["--idle-timeout", "1s", "--grace", "1s", "--instance-id", "one"];

/// Sends events whose event time is a second for each five, up to now: of a thousand seconds, most
/// windows are forgotten at the end.
fn produce(scenario: &Scenario, seed: &str, count: &str) {
    let events = ["--seed", seed, "--count", count, "--share-poison", "0.01"];
    scenario.produce(&[&events[..], &["--events-per-second-of-event-time", "5"]].concat());
}

/// The audit, once it has so many records and no window is open.
fn audit_of(served: &Served, events: u64) -> Value {
    served.wait_for_epochs(1.0);
    served.until("all records, and no open window", || {
        let (audit, status) = (served.api("audit"), served.api("status"));
        let is_all = audit["total"]["in"] == events;
        (is_all && status["snapshot"]["open_window_count"] == 0).then_some(audit)
    })
}

/// Waits until the usage has each event that is counted in windows, once per dimension.
fn usage_adds_up(served: &Served) {
    served.until("the usage of all events", || {
        let status = served.api("status");
        let (totals, usage) = (&status["snapshot"]["totals"], &status["snapshot"]["usage"]);
        let in_windows = totals["processed"].as_u64()? - totals["late"].as_u64()?;
        let adds_up = |name: &str| {
            let values = usage[name].as_array().expect("a list").iter();
            in_windows == values.map(|pair| pair[1].as_u64().expect("a count")).sum::<u64>()
        };
        ["locations", "devices", "versions"].into_iter().all(adds_up).then_some(())
    });
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn totals_windows_and_usage_go_on_where_the_last_process_left_them() {
    let scenario = Scenario::new("since");
    produce(&scenario, "81", "5000");
    let served = scenario.serve(FLAGS);
    let first = audit_of(&served, 5000);
    assert_eq!(first["balanced"], true, "{first:#}");
    assert!(first["since_ms"].as_i64() > Some(0), "{first:#}");
    assert_eq!(first["partitions"].as_array().map(Vec::len), Some(8), "{first:#}");
    let listed = |served: &Served, limit: usize| {
        served.api(&format!("windows?limit={limit}"))["windows"].as_array().cloned()
    };
    let (windows, all) = (listed(&served, 10), listed(&served, 380));
    assert!(all.is_some_and(|all| all.len() > 90), "{windows:?}");
    usage_adds_up(&served);
    served.stop();

    // Nothing but the journal knows what was counted.
    fs::remove_dir_all(scenario.state_dir()).expect("removed");
    let served = scenario.serve(FLAGS);
    let again = audit_of(&served, 5000);
    for part in ["since_ms", "balanced", "total", "partitions"] {
        assert_eq!(again[part], first[part], "{part}");
    }
    served.until("the windows of the first run", || (listed(&served, 10) == windows).then_some(()));
    usage_adds_up(&served);
    let status = served.api("status");
    let process = &status["snapshot"]["process"];
    assert_eq!(process["events_in"], 0, "{status:#}");

    produce(&scenario, "82", "2000");
    let both = audit_of(&served, 7000);
    assert_eq!((&both["balanced"], &both["since_ms"]), (&Value::Bool(true), &first["since_ms"]));
    assert_eq!(served.metric("logintide_events_in_total"), Some(2000.0), "metrics are its own");
    usage_adds_up(&served);
    served.stop();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn every_instance_shows_the_whole_group() {
    let scenario = Scenario::new("since-group");
    scenario.produce(&["--seed", "83", "--count", "1000"]);
    let serve = |name| scenario.serve_group("group", name, &["--instance-id", name]);
    let both = [serve("one"), serve("two")];
    for served in &both {
        served.wait_for("logintide_assigned_partitions", |n| n as u64 == 4);
    }
    scenario.produce(&["--seed", "84", "--count", "3000"]);
    let shown = both.each_ref().map(|served| {
        let audit = served.until("all records of the group", || {
            let audit = served.api("audit");
            (audit["total"]["in"] == 4000).then_some(audit)
        });
        usage_adds_up(served);
        let status = served.api("status")["snapshot"].clone();
        let partitions = status["partitions"].as_array().expect("a list");
        let owned = partitions.iter().filter(|of| of["owned"] == true).count();
        assert_eq!((partitions.len(), owned), (8, 4), "{status:#}");
        let windows = served.api("windows")["windows"].clone();
        let counted = windows.as_array().expect("a list").iter();
        let counted: u64 = counted.map(|w| w["total_events"].as_u64().expect("a count")).sum();
        let late = status["totals"]["late"].as_u64().expect("a count");
        assert_eq!(counted + late, 4000, "{windows:#}");
        let facts = ["balanced", "since_ms", "total"].map(|name| audit[name].clone());
        (facts, status["usage"].clone())
    });
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0].0[0], true);
    both.into_iter().for_each(Served::stop);
}
