//! The only broker is stopped or killed in the middle of the work, and comes back.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use testkit::Scenario;

use crate::{
    own_broker::OwnBroker,
    work::{ONE_WINDOW, Work},
};

/// A processor at work on a broker of its own.
fn begin(name: &str, flags: &[&str]) -> (OwnBroker, Work) {
    let broker = OwnBroker::new();
    broker.start();
    let work = Work::begin(Scenario::on(name, broker.address()), 2_000, flags);
    (broker, work)
}

/// Nothing can be committed while the broker is away; the processor says so and stays.
fn stays_away(work: &mut Work, end: impl FnOnce(), seconds: u64) {
    let lines = |work: &Work| work.running.log().matches("trying again").count();
    let before = lines(work);
    end();
    work.running.until("a line about the broker", || (lines(work) > before).then_some(()));
    // The last commit that was answered is counted by then.
    work.running.wait_its_own_seconds(2);
    let read = work.read();
    sleep(Duration::from_secs(seconds));
    assert_eq!(work.read(), read, "the broker is away\n{}", work.running.tail());
    work.assert_under_way();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn stopped_for_half_a_minute() {
    let (broker, mut work) = begin("stopped", &["--session-timeout", "60s"]);
    work.goes_on();
    // With its start it is away for half a minute, and not for as long as the group's session.
    stays_away(&mut work, || broker.stop(), 20);
    broker.start();
    println!("goes on after {:?}; {} rollbacks", work.goes_on(), work.rollbacks());
    work.drain_and_end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn stopped_for_longer_than_the_groups_session_and_a_transaction_last() {
    let (broker, mut work) = begin("stopped-long", &[]);
    work.goes_on();
    stays_away(&mut work, || broker.stop(), 70);
    work.running.wait_for_line("partitions lost");
    broker.start();
    println!("goes on after {:?}; {} rollbacks", work.goes_on(), work.rollbacks());
    work.drain_and_end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn killed_and_started_again() {
    let (broker, mut work) = begin("broker-killed", &[]);
    for away_s in [1, 8] {
        work.goes_on();
        stays_away(&mut work, || broker.kill(), away_s);
        broker.start();
        println!("goes on after {:?}; {} rollbacks", work.goes_on(), work.rollbacks());
    }
    work.drain_and_end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn records_that_give_up_before_the_broker_is_back_roll_their_epoch_back() {
    let (broker, mut work) = begin("gave-up", &["-X", "message.timeout.ms=3000"]);
    for _ in 0..2 {
        work.goes_on();
        let rollbacks = work.rollbacks();
        broker.kill();
        work.wait_for("logintide_epoch_rollbacks_total", |n| n > rollbacks);
        work.assert_under_way();
        broker.start();
        println!("goes on after {:?}", work.goes_on());
    }
    assert!(work.running.log().contains("epoch rolled back"), "{}", work.running.tail());
    work.drain_and_end();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn no_window_closes_by_silence_while_the_broker_is_away() {
    // Long enough to send, read and kill in.
    let idle = Duration::from_secs(20);
    let broker = OwnBroker::new();
    broker.start();
    let scenario = Scenario::on("silent", broker.address());
    let mut running = scenario.serve(&["--idle-timeout", "20s", "--session-timeout", "2m"]);
    running.wait_for_line("reading");
    running.wait_for("logintide_assigned_partitions", |n| n >= 8.0);
    scenario.produce(&[ONE_WINDOW, &["--count", "4000"]].concat());
    let sent = Instant::now();
    running.wait_for_events(4_000.0);
    broker.kill();
    let late = sent.elapsed();
    assert!(late < idle, "the broker went only after {late:?}: too late for this test");
    let until = Instant::now() + 2 * idle;
    while Instant::now() < until {
        assert_eq!(running.metric("logintide_open_windows"), Some(1.0), "{}", running.tail());
        assert_eq!(running.metric("logintide_window_records_total"), Some(0.0));
        sleep(Duration::from_millis(200));
    }
    broker.start();
    running.wait_for("logintide_open_windows", |n| n == 0.0);
    assert_eq!(running.metric("logintide_window_records_total"), Some(1.0), "{}", running.tail());
    running.stop();
    println!("{}", scenario.verify(&["--expect-complete"]));
}
