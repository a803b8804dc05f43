//! What keeps a run out of its consumer group, or without partitions: each says what to do.

use std::{thread::sleep, time::Duration};

use testkit::{Scenario, Served, until};

use crate::{check::exits, raw_member::RawMember, topic_admin};

/// Ends with exit code 1 and the remedy, and with nothing read.
fn is_refused(scenario: &Scenario, flags: &[&str], parts: &[&str]) {
    let mut running = scenario.start(flags);
    running.ends_with(1);
    let log = running.log();
    for part in [&["JoinGroup failed"], parts].concat() {
        assert!(log.contains(part), "{part}\n{log}");
    }
    assert!(!log.contains(" reading "), "{log}");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn members_with_another_protocol_are_named_with_the_remedy() {
    for (kind, protocol, named) in [
        ("consumer", "cooperative-sticky", "cooperative-sticky"),
        ("connect", "sessioned", "(protocol connect)"),
    ] {
        let scenario = Scenario::new("other-protocol");
        scenario.produce(&["--count", "100"]);
        let group = scenario.topic("group");
        let other = RawMember::join(scenario.brokers(), &group, kind, protocol);
        let parts = ["INCONSISTENT_GROUP_PROTOCOL", "stop them, or name another group"];
        is_refused(&scenario, &[], &parts);
        let said = exits(&scenario.check_config(&[]), 2);
        assert!(said.contains("name another group"), "{said}");
        // The coordinator knows an assignor only once the group is stable.
        assert!(said.contains(named) || kind == "consumer", "{said}");
        drop(other);
        scenario.start(&["--exit-at-end"]).ends_with(0);
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_session_that_the_brokers_do_not_allow_is_named_with_the_remedy() {
    let scenario = Scenario::new("session");
    scenario.produce(&["--count", "100"]);
    // Three sessions of an hour are more than brokers allow a transaction.
    let transaction = "-Xtransaction.timeout.ms=60000";
    for (session, bound) in [
        ("1h", "above the brokers' group.max.session.timeout.ms="),
        ("5s", "below the brokers' group.min.session.timeout.ms="),
    ] {
        let flags = ["--session-timeout", session, transaction];
        let parts = ["INVALID_SESSION_TIMEOUT", "--session-timeout is outside"];
        is_refused(&scenario, &flags, &parts);
        let said = exits(&scenario.check_config(&flags), 2);
        assert!(said.contains(bound) && said.contains("1 problem\n"), "{said}");
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_member_that_does_not_join_again_is_named_and_makes_the_run_unhealthy() {
    let scenario = Scenario::new("hanging-member");
    scenario.produce(&["--count", "1000"]);
    let group = scenario.topic("group");
    let other = RawMember::join(scenario.brokers(), &group, "consumer", "range");
    let mut running = scenario.serve(&["--stall-timeout", "5s"]);
    running.wait_for_line("waits until each of its members has joined again: raw-member on");
    running.wait_for("logintide_healthy", |n| n == 0.0);
    let health = running.get("/healthz").expect("an answer");
    assert!(health.contains("stalled: waiting for the consumer group"), "{health}");
    drop(other);
    running.wait_for_line("reading");
    running.wait_for("logintide_ready", |n| n > 0.0);
    running.stop();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_process_to_which_no_partition_is_given_stands_by_in_good_health() {
    let scenario = Scenario::new("standby");
    let start = |state: &str| {
        let flags = ["--partitions", "1", "--stall-timeout", "5s"];
        // A static member leaves the group with its session's end.
        let quick = ["--session-timeout", "6s"];
        let flags = [&flags[..], &quick].concat();
        scenario.serve_group("group", state, &flags)
    };
    let mut first = start("one");
    first.wait_for_line("reading");
    let second = start("two");
    let stands_by = |process: &Served| {
        process.get("/healthz").is_some_and(|text| text.contains("standing by: "))
    };
    // The one partition may go to either.
    let second_has_it =
        until("a member that stands by", || match (stands_by(&first), stands_by(&second)) {
            (false, true) => Some(false),
            (true, false) => Some(true),
            _ => None,
        });
    let (idle, reader) = if second_has_it { (first, second) } else { (second, first) };
    // Longer than the stall timeout, and twice.
    sleep(Duration::from_secs(12));
    assert!(stands_by(&idle), "{}", idle.tail());
    idle.wait_for("logintide_healthy", |n| n > 0.0);
    assert_eq!(idle.metric("logintide_ready"), Some(1.0));
    assert_eq!(idle.metric("logintide_stalls_total"), Some(0.0));
    reader.stop();
    idle.wait_for("logintide_assigned_partitions", |n| n > 0.0);
    idle.stop();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn partitions_that_were_added_while_it_was_away_are_read() {
    let scenario = Scenario::new("group-grown");
    scenario.produce(&["--seed", "71", "--count", "2000"]);
    // The place in the group outlasts the absence, however slow the machine is.
    let flags = ["--session-timeout", "1m"];
    let first = scenario.serve(&flags);
    first.wait_for_events(2000.0);
    first.stop();
    topic_admin::add_partitions(scenario.brokers(), &scenario.topic("input"), 12);
    scenario.produce(&["--seed", "72", "--count", "2000"]);
    let mut second = scenario.serve(&flags);
    second.wait_for("logintide_assigned_partitions", |partitions| partitions >= 12.0);
    second.wait_for_line("partitions of the input were given to nobody");
    second.stop();
    scenario.start(&["--session-timeout", "1m", "--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
}
