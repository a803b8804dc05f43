//! `logintide check-config` on a real broker: what it says, and that it changes nothing.

use std::process::Output;

use testkit::{Scenario, free_port, text};

pub(crate) fn exits(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", text(output));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

const WITHOUT: &str = testkit::WITHOUT_TOPICS;

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_check_names_all_problems_and_leaves_no_trace() {
    let scenario = Scenario::new("check");
    scenario.produce(&["--count", "1000"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("is bound").to_string();
    let output = scenario.check_config(&[WITHOUT, "--http", &address]);
    let said = exits(&output, 2);
    for name in ["processed", "aggregated", "dead-letter", "late", "group-journal"] {
        assert!(said.contains(&format!("topic {} (--", scenario.topic(name))), "{said}");
    }
    assert!(
        said.contains("6 problems") && said.contains("another process has this port"),
        "{said}"
    );
    assert!(said.contains("earliest: the group has committed nothing"), "{said}");
    let creating = exits(&scenario.check_config(&[]), 0);
    assert!(
        creating.contains("no problems") && creating.contains("would be created"),
        "{creating}"
    );
    assert!(!scenario.state_dir().exists());
    // Nothing was made by either: the same problems are there again.
    let again = exits(&scenario.check_config(&[WITHOUT, "--http", "off"]), 2);
    assert!(again.contains("5 problems"), "{again}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_check_beside_a_running_processor_names_it_and_does_not_disturb_it() {
    let scenario = Scenario::new("check-beside");
    scenario.produce(&["--count", "1000"]);
    let mut running = scenario.serve(&["--instance-id", "one"]);
    running.wait_for_events(1_000.0);
    let same = exits(&scenario.check_config(&["--instance-id", "one"]), 2);
    for part in ["(instance id one) has this instance id", "is in use by process"] {
        assert!(same.contains(part), "{part}\n{same}");
    }
    let flags = ["--instance-id", "two", "--window", "20s", "--sample", "5"];
    let other = exits(&scenario.check_config(&flags), 2);
    assert!(other.contains("in use by logintide on 127.0.0.1 (instance id one)"), "{other}");
    assert!(other.contains("sample of 5: 5 processed"), "{other}");
    assert!(running.ended().is_none(), "{}", running.tail());
    running.stop();
    let stopped = exits(&scenario.check_config(&["--instance-id", "one"]), 0);
    assert!(stopped.contains("committed offsets of all 8 partitions, 0 behind"), "{stopped}");
    assert!(stopped.contains("has just stopped"), "{stopped}");
    let window = exits(&scenario.check_config(&["--instance-id", "one", "--window", "20s"]), 2);
    assert!(
        window.contains("belongs to another window size (--window): it has '10000 ms'"),
        "{window}"
    );
    scenario.start(&["--instance-id", "one", "--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_sample_shows_what_would_be_processed_and_rejected() {
    let scenario = Scenario::new("check-sample");
    scenario.produce(&["--seed", "7", "--count", "400", "--share-poison", "0.5"]);
    let said = exits(&scenario.check_config(&["--sample", "400", "--output", "json"]), 0);
    let lines: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let of = |result: &str| lines.iter().filter(|line| line["result"] == result).count();
    let counts = lines.last().expect("counts");
    assert_eq!(counts["records"], 400, "{counts}");
    assert_eq!((counts["processed"].as_u64(), counts["rejected"].as_u64()), {
        (Some(of("processed") as u64), Some(of("rejected") as u64))
    });
    // The processor agrees.
    scenario.start(&["--exit-at-end"]).ends_with(0);
    let report = scenario.json_report(&[]);
    assert_eq!(report["counts"]["rejected"], counts["rejected"], "{report:#}\n{counts}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_broker_that_is_away_is_exit_code_1_within_the_bound() {
    let scenario = Scenario::on("check-away", format!("127.0.0.1:{}", free_port()));
    let said = exits(&scenario.check_config(&["--timeout", "2s"]), 1);
    assert!(said.contains("no answer from") && said.contains("Connection refused"), "{said}");
    assert!(said.contains("within 2s"), "{said}");
}
