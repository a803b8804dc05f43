//! A broker that is away: a clear line, no exit, nothing lost. Uses brokers of its own.

mod advertised;
mod check;
mod client;
mod damage;
mod hanging;
mod quiet_week;
mod waits;

use std::{thread::sleep, time::Duration};

use testkit::Scenario;

use crate::{
    own_broker::OwnBroker,
    proxy::{END_TXN, Trap, When},
    work::Work,
};

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_broker_that_comes_late_goes_and_returns_costs_nothing() {
    let broker = OwnBroker::new();
    let scenario = Scenario::on("outage", broker.address());
    let mut running = scenario.serve(&[]);
    running.wait_for_line("no broker answers");
    broker.start();
    running.wait_for_line("reading");
    scenario.produce(&["--seed", "71", "--count", "40000"]);
    running.wait_for_events(40_000.0);
    broker.stop();
    sleep(Duration::from_secs(5));
    broker.start();
    scenario.produce(&["--seed", "72", "--count", "40000"]);
    running.wait_for_events(80_000.0);
    running.stop();
    scenario.start(&["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete", "--expect-late", "none"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_commit_whose_answer_is_lost_is_neither_lost_nor_doubled() {
    let (broker, proxy) = OwnBroker::behind_a_proxy();
    broker.start();
    let scenario = Scenario::through("lost-answer", broker.direct(), proxy.address());
    let mut work = Work::begin(scenario, 4_000, &[]);
    proxy.arm(Trap { request: END_TXN, when: When::After, outage: Duration::ZERO, times: 2 });
    proxy.wait_sprung(2, &work.running);
    work.assert_under_way();
    work.goes_on();
    work.drain_and_end();
}
