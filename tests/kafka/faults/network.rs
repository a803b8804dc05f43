//! The network between processor and broker: cut, slow, narrow, silent.

use std::{thread::sleep, time::Duration};

use crate::{
    own_broker::OwnBroker,
    proxy::{ADD_OFFSETS_TO_TXN, END_TXN, PRODUCE, Proxy, TXN_OFFSET_COMMIT, Trap, When},
    support::Scenario,
    work::Work,
};

/// Longer than an epoch's commit is tried: the epoch is rolled back with an unknown outcome.
const LONG_OUTAGE: Duration = Duration::from_secs(40);

/// A processor that reaches its broker through the proxy only.
fn begin(name: &str, count: u32, rate: u32, flags: &[&str]) -> (OwnBroker, Proxy, Work) {
    let (broker, proxy) = OwnBroker::behind_a_proxy();
    broker.start();
    let scenario = Scenario::through(name, broker.direct(), proxy.address());
    let work = Work::begin(scenario, count, rate, flags);
    let before = proxy.passed_bytes();
    work.wait_for("logintide_events_in_total", {
        let read = work.read();
        move |n| n > read
    });
    assert!(proxy.passed_bytes() > before, "all goes through the proxy");
    (broker, proxy, work)
}

/// Cuts when a request passes: three times in a row, with the broker back at once; then once with
/// the broker away for longer than the epoch can wait.
fn cut_at(name: &str, request: i16, when: When) {
    let (broker, proxy, work) = begin(name, 120_000, 1_500, &[]);
    proxy.arm(Trap { request, when, outage: Duration::ZERO, times: 3 });
    proxy.wait_sprung(3, &work.running);
    assert!(proxy.cut_connections() > 0);
    let read = work.read();
    work.wait_for("logintide_events_in_total", |n| n > read);
    let rollbacks = work.rollbacks();
    println!("after three short cuts: {rollbacks} rollbacks");
    proxy.arm(Trap { request, when, outage: LONG_OUTAGE, times: 1 });
    proxy.wait_sprung(4, &work.running);
    work.assert_under_way();
    work.wait_for("logintide_epoch_rollbacks_total", |n| n > rollbacks);
    assert!(proxy.refused_connections() > 0, "the processor tries to come back");
    work.end();
    drop(broker);
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
    let (_broker, proxy, work) = begin("cuts", 60_000, 3_000, &[]);
    // Different moments of the epochs of half a second.
    for pause_ms in [700, 110, 930, 350, 1_270, 60, 810, 490, 1_650, 230] {
        proxy.cut();
        sleep(Duration::from_millis(pause_ms));
    }
    assert!(proxy.cut_connections() >= 10, "{} were cut", proxy.cut_connections());
    work.assert_under_way();
    proxy.cut_for(Duration::from_secs(5));
    sleep(Duration::from_secs(5));
    work.assert_under_way();
    work.end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn two_seconds_in_each_direction() {
    let (_broker, proxy, work) = begin("delay", 30_000, 1_000, &[]);
    proxy.delay(Duration::from_secs(2));
    let epochs = work.metric("logintide_epochs_committed_total").expect("the processor runs");
    let took = work.wait_for("logintide_epochs_committed_total", |n| n > epochs + 2.0);
    // The second of them began with the delay in force: offsets and commit are two questions.
    assert!(took >= Duration::from_secs(8), "{took:?}\n{}", work.running.tail());
    work.assert_under_way();
    work.end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn sixty_four_kib_per_second() {
    const RATE: u64 = 64 * 1024;
    let (_broker, proxy, work) = begin("narrow", 8_000, 500, &[]);
    proxy.throttle(Some(RATE));
    let (before, seconds) = (proxy.passed_bytes(), 10);
    sleep(Duration::from_secs(seconds));
    let passed = proxy.passed_bytes() - before;
    println!("{passed} bytes in {seconds} s");
    // Both directions, and one chunk of each that was under way.
    assert!(passed <= 2 * RATE * (seconds + 1), "{passed} bytes passed");
    // At least one direction was full all the time: the events wait for the line.
    assert!(passed >= RATE * (seconds - 2), "{passed} bytes passed\n{}", work.running.tail());
    work.assert_under_way();
    work.end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn twenty_seconds_of_silence_on_open_connections() {
    let (_broker, proxy, work) = begin("silence", 60_000, 1_500, &[]);
    let cut = proxy.cut_connections();
    proxy.half_open(true);
    sleep(Duration::from_secs(20));
    let read = work.read();
    assert!(proxy.swallowed_bytes() > 0, "nothing was swallowed");
    assert_eq!(proxy.cut_connections(), cut, "the connections stay");
    proxy.half_open(false);
    work.assert_under_way();
    work.wait_for("logintide_events_in_total", |n| n > read);
    work.end();
}
