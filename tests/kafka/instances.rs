//! Several instances of one group: who reads what, and who goes on when one is lost.

use std::time::Instant;

use serde_json::Value;
use testkit::{Instance, Scenario};

use crate::members::{members, wait_until_stable};

const EVENTS: &[&str] = &[
    "--seed",
    "83",
    "--count",
    "30000",
    "--rate",
    "2000",
    "--events-per-second-of-event-time",
    "300",
    "--share-late",
    "0.05",
    "--late-by",
    "30s",
];

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn the_partitions_of_an_instance_that_is_lost_are_read_by_the_other_and_all_is_exact() {
    let scenario = Scenario::new("instances");
    let mut produced = scenario.producing(EVENTS);
    let flags = ["--session-timeout", "6s"];
    let [mut one, mut two] = ["one", "two"].map(Instance::new);
    for instance in [&mut one, &mut two] {
        instance.start(&scenario, &flags);
    }
    wait_until_stable(&scenario, 2);
    assert_eq!(members(&scenario), ["one", "two"]);
    for instance in [&one, &two] {
        instance.wait_for_partitions(4);
        instance.served().wait_for_events(1000.0);
    }
    two.kill();
    let lost = Instant::now();
    one.wait_for_partitions(8);
    println!("all partitions after {:?}", lost.elapsed());
    wait_until_stable(&scenario, 1);
    produced.ends_with(0);
    one.stop();
    one.start(&scenario, &[&flags[..], &["--exit-at-end"]].concat());
    one.served_mut().ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
    let settled = scenario.settled_command().status().expect("loadgen runs");
    assert!(settled.success(), "an open transaction hides something");
}

/// What an instance answers of its group, once it says so many things of it.
fn cluster_of(instance: &Instance, is_so: impl Fn(&Value) -> bool) -> Value {
    instance.served().until("the cluster as it is", || {
        let cluster = instance.served().api("cluster");
        is_so(&cluster).then_some(cluster)
    })
}

fn names(cluster: &Value) -> Vec<&str> {
    let instances = cluster["instances"].as_array().expect("a list");
    instances.iter().map(|of| of["instance_id"].as_str().expect("a name")).collect()
}

/// All partitions, each with the one that has it.
fn owners(cluster: &Value) -> Vec<(u64, String)> {
    let instances = cluster["instances"].as_array().expect("a list").iter();
    let mut owners: Vec<_> = instances
        .flat_map(|of| {
            let partitions = of["partitions"].as_array().expect("a list").iter();
            let owner = of["instance_id"].as_str().expect("a name");
            partitions.map(|p| (p["partition"].as_u64().expect("a number"), owner.to_owned()))
        })
        .collect();
    owners.sort();
    owners
}

/// Of which partitions an instance knows the lag.
fn known_lags(cluster: &Value) -> Vec<u64> {
    let instances = cluster["instances"].as_array().expect("a list").iter();
    let partitions = instances.flat_map(|of| of["partitions"].as_array().expect("a list"));
    let known = partitions.filter(|p| p["lag_records"].is_u64());
    known.map(|p| p["partition"].as_u64().expect("a number")).collect()
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn any_instance_answers_for_the_group_also_after_one_is_lost() {
    let scenario = Scenario::new("cluster");
    // For as long as the test lasts: a window is open, and who reads has something to write.
    let produced = scenario.producing(&["--seed", "84", "--count", "200000", "--rate", "1000"]);
    let flags = ["--session-timeout", "6s"];
    let mut fleet = ["one", "two", "three"].map(Instance::new);
    for instance in &mut fleet {
        instance.start(&scenario, &flags);
    }
    wait_until_stable(&scenario, 3);
    let is_shared = |cluster: &Value| {
        names(cluster) == ["one", "three", "two"]
            && owners(cluster).len() == 8
            && cluster["merger"].is_string()
    };
    let seen = fleet.each_ref().map(|instance| cluster_of(instance, is_shared));
    for (instance, cluster) in fleet.iter().zip(&seen) {
        assert_eq!(owners(cluster), owners(&seen[0]), "{cluster:#}");
        assert_eq!(cluster["merger"], seen[0]["merger"], "{cluster:#}");
        let said = (&cluster["announced_partitions"], &cluster["group_id"]);
        assert_eq!(said, (&Value::from(8), &Value::from(scenario.topic("group"))));
        assert_eq!(cluster["unowned_partitions"], Value::Array(vec![]));
        assert_eq!(cluster["differences"], Value::Array(vec![]));
        let instances = cluster["instances"].as_array().expect("a list");
        assert_eq!(instances.iter().filter(|of| of["merges"] == true).count(), 1);
        for of in instances {
            assert_eq!(of["about"]["version"], env!("CARGO_PKG_VERSION"), "{of:#}");
            assert_eq!(of["about"]["session_timeout_ms"], 6000);
        }
        let own = owners(cluster).into_iter().filter(|(_, owner)| owner == instance.name());
        let own: Vec<_> = own.map(|(p, _)| p).collect();
        let is_known = |cluster: &Value| {
            let mut known = known_lags(cluster);
            known.sort_unstable();
            known == own
        };
        cluster_of(instance, is_known);
        let merges = u32::from(cluster["merger"] == instance.name());
        instance.served().wait_for("logintide_group_merges", |n| n as u32 == merges);
        instance.served().wait_for("logintide_group_instances", |n| n as u32 == 3);
        assert_eq!(instance.served().metric("logintide_group_partitions_unowned"), Some(0.0));
    }
    let printed = |flags: &[&str]| {
        let mut command = scenario.logintide("cluster");
        command.args(["--group-id", &scenario.topic("group")]);
        command.args(["--input-topic", &scenario.topic("input")]).args(flags);
        let output = command.output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let of_journal: Value = serde_json::from_str(&printed(&["--json"])).expect("JSON");
    assert_eq!(owners(&of_journal), owners(&seen[0]), "the same without an instance");
    let text = printed(&["--url", &fleet[1].served().origin()]);
    let merger = seen[0]["merger"].as_str().expect("a name");
    assert!(text.contains(&format!("merger       {merger}\n")), "{text}");

    fleet[2].kill();
    let is_two = |cluster: &Value| names(cluster) == ["one", "two"] && owners(cluster).len() == 8;
    for instance in &fleet[..2] {
        let cluster = cluster_of(instance, is_two);
        assert!(["one", "two"].iter().any(|name| cluster["merger"] == *name), "{cluster:#}");
        instance.served().wait_for("logintide_group_instances", |n| n as u32 == 2);
    }
    produced.kill();
}
