//! The network between processor and broker: cut, slow, narrow, silent.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use testkit::{Scenario, until};

use crate::{
    own_broker::OwnBroker,
    proxy::{ADD_OFFSETS_TO_TXN, END_TXN, PRODUCE, Proxy, TXN_OFFSET_COMMIT, Trap, When},
    work::{ONE_WINDOW, Work},
};

/// Longer than an epoch's commit is tried, and than the group keeps a silent member: the epoch is
/// rolled back with an unknown outcome.
const LONG_OUTAGE: Duration = Duration::from_secs(66);

/// A processor that reaches its broker through the proxy only.
fn begin(name: &str, rate: u32) -> (OwnBroker, Proxy, Work) {
    begin_with(name, rate, &[])
}

fn begin_with(name: &str, rate: u32, flags: &[&str]) -> (OwnBroker, Proxy, Work) {
    let (broker, proxy) = OwnBroker::behind_a_proxy();
    broker.start();
    let scenario = Scenario::through(name, broker.direct(), proxy.address());
    let work = Work::begin(scenario, rate, flags);
    let before = proxy.passed_bytes();
    work.goes_on();
    assert!(proxy.passed_bytes() > before, "all goes through the proxy");
    (broker, proxy, work)
}

/// Cuts when a request passes: three times in a row, with the broker back at once; then once with
/// the broker away for longer than the epoch can wait.
fn cut_at(name: &str, request: i16, when: When) {
    let is_done = request == END_TXN && when == When::After;
    let (_broker, proxy, mut work) = begin(name, 1_500);
    proxy.arm(Trap { request, when, outage: Duration::ZERO, times: 3 });
    proxy.wait_sprung(3, &work.running);
    assert!(proxy.cut_connections() > 0);
    work.goes_on();
    let left = work.left_epochs();
    println!("after three short cuts: {left} epochs were rolled back");
    work.assert_under_way();
    proxy.arm(Trap { request, when, outage: LONG_OUTAGE, times: 1 });
    proxy.wait_sprung(4, &work.running);
    work.wait_left_epochs(left + 1);
    assert!(proxy.refused_connections() > 0, "the processor tries to come back");
    work.goes_on();
    let log = work.running.log();
    // The commit was done, and nobody knew: its events may neither come again nor be forgotten.
    assert_eq!(log.contains("committed after all"), is_done, "{}", work.running.tail());
    work.drain_and_end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn cut_before_the_commit_reaches_the_broker() {
    cut_at("end-before", END_TXN, When::Before);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn cut_after_the_commit_is_done_and_before_its_answer() {
    cut_at("end-after", END_TXN, When::After);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn cut_before_the_transaction_has_its_offsets() {
    cut_at("offsets-before", TXN_OFFSET_COMMIT, When::Before);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn cut_after_the_transaction_has_its_offsets_and_before_the_answer() {
    cut_at("offsets-after", TXN_OFFSET_COMMIT, When::After);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn cut_when_the_offsets_join_the_transaction() {
    cut_at("join-after", ADD_OFFSETS_TO_TXN, When::After);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn cut_after_records_are_written_and_before_the_answer() {
    cut_at("produce-after", PRODUCE, When::After);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn connections_that_are_cut_at_any_time() {
    let (_broker, proxy, mut work) = begin("cuts", 3_000);
    // Different moments of the epochs of half a second.
    for pause_ms in [700, 110, 930, 350, 1_270, 60, 810, 490, 1_650, 230] {
        let cut = proxy.cut_connections();
        until("a connection to cut", || {
            proxy.cut();
            (proxy.cut_connections() > cut).then_some(())
        });
        sleep(Duration::from_millis(pause_ms));
    }
    work.goes_on();
    work.assert_under_way();
    proxy.cut_for(Duration::from_secs(5));
    sleep(Duration::from_secs(5));
    assert!(proxy.refused_connections() > 0, "the processor tries to come back");
    work.goes_on();
    work.drain_and_end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn every_answer_two_seconds_late() {
    // What is delivered and committed needs some twenty answers while records pile up.
    let (_broker, proxy, mut work) = begin_with("delay", 1_000, &["--session-timeout", "30s"]);
    proxy.delay(Duration::from_secs(1));
    let epochs = work.metric("logintide_epochs_committed_total");
    let took = work.wait_for("logintide_epochs_committed_total", |n| n >= epochs + 2.0);
    println!("two epochs took {took:?}");
    // The second one began with the delay in force, and waits for four answers in turn: to its
    // records, to its offsets, to them once more by the group, to its end.
    assert!(took >= Duration::from_secs(8), "{took:?}\n{}", work.running.tail());
    assert!(work.rollbacks() < 1.0, "{}", work.running.tail());
    let sent = work.drain();
    // A start asks its questions with less patience.
    proxy.delay(Duration::ZERO);
    work.end(sent);
}

/// Slower than an epoch can be committed: none of the promises is about progress here.
#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn two_seconds_in_each_direction() {
    let (_broker, proxy, mut work) = begin("snail", 1_000);
    proxy.delay(Duration::from_secs(2));
    sleep(Duration::from_secs(100));
    work.assert_under_way();
    proxy.delay(Duration::ZERO);
    println!("goes on after {:?}", work.goes_on());
    println!("{} epochs were rolled back", work.left_epochs());
    work.drain_and_end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn sixty_four_kib_per_second() {
    const RATE: u64 = 64 * 1024;
    let (_broker, proxy, mut work) = begin("narrow", 400);
    proxy.throttle(Some(RATE));
    let (began, before) = (Instant::now(), proxy.passed_bytes());
    let passed = || proxy.passed_bytes() - before;
    // What at least one direction takes most of ten seconds for.
    work.running.until("bytes that pass", || (passed() >= 5 * RATE).then_some(()));
    let (passed, seconds) = (passed(), began.elapsed().as_secs());
    println!("{passed} bytes in {seconds} s");
    // Both directions, and what was under way before.
    assert!(passed <= 2 * RATE * (seconds + 2), "{passed} bytes passed");
    work.assert_under_way();
    work.drain_and_end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn twenty_seconds_of_silence_on_open_connections() {
    let (_broker, proxy, mut work) = begin("silence", 1_500);
    let cut = proxy.cut_connections();
    proxy.half_open(true);
    sleep(Duration::from_secs(20));
    assert!(proxy.swallowed_bytes() > 0, "nothing was swallowed");
    assert_eq!(proxy.cut_connections(), cut, "the connections stay");
    proxy.half_open(false);
    work.assert_under_way();
    println!("goes on after {:?}", work.goes_on());
    work.drain_and_end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn events_that_come_while_the_network_is_away_are_in_their_window_when_it_closes() {
    let (broker, proxy) = OwnBroker::behind_a_proxy();
    broker.start();
    let scenario = Scenario::through("unseen", broker.direct(), proxy.address());
    let half = |seed| [ONE_WINDOW, &["--seed", seed, "--count", "4000"]].concat();
    let mut running = scenario.serve(&["--idle-timeout", "15s", "--session-timeout", "2m"]);
    running.wait_for_line("reading");
    running.wait_for("logintide_assigned_partitions", |n| n >= 8.0);
    scenario.produce(&half("1"));
    running.wait_for_events(4_000.0);
    // Until the cut of no length.
    proxy.cut_for(Duration::from_hours(1));
    let window_records = || running.metric("logintide_window_records_total");
    assert_eq!(window_records(), Some(0.0), "closed before the cut");
    scenario.produce(&half("2"));
    let until = Instant::now() + Duration::from_secs(25);
    while Instant::now() < until {
        assert_eq!(running.metric("logintide_open_windows"), Some(1.0), "{}", running.tail());
        assert_eq!(window_records(), Some(0.0), "{}", running.tail());
        sleep(Duration::from_millis(200));
    }
    assert!(proxy.refused_connections() > 0, "the processor tries to come back");
    proxy.cut();
    running.wait_for_events(8_000.0);
    running.wait_for("logintide_open_windows", |n| n == 0.0);
    assert_eq!(window_records(), Some(1.0), "closed once, with all of it\n{}", running.tail());
    running.stop();
    println!("{}", scenario.verify(&["--expect-complete"]));
}
