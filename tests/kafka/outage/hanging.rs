//! A transaction that the broker should have ended and does not.

use std::time::Duration;

use testkit::Scenario;

use crate::{
    client::support::PATIENCE,
    open_transactions::{HIDES, open_transaction},
    own_broker::OwnBroker,
};

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_bounded_run_ends_with_1_when_a_transaction_hangs_and_names_what_it_hides() {
    let mut broker = OwnBroker::new();
    broker.set("transaction.max.timeout.ms=10000");
    // The broker does not look for those that are older.
    broker.set("transaction.abort.timed.out.transaction.cleanup.interval.ms=3600000");
    broker.start();
    let scenario = Scenario::on("hanging", broker.address());
    scenario.produce(&["--seed", "27", "--count", "1000"]);
    let transaction = open_transaction(&scenario, Duration::from_secs(1));
    scenario.produce(&["--seed", "28", "--count", "1000"]);
    let flags = [
        "--exit-at-end",
        "--delivery",
        "at-least-once",
        "-X",
        "transaction.timeout.ms=10000",
        "-X",
        "message.timeout.ms=5000",
    ];
    let mut running = scenario.start(&flags);
    running.wait_for_line(HIDES);
    running.ends_with(1);
    let log = running.log();
    for part in ["--exit-at-end: ", "offsets before the end", "hides partition 0 from offset"] {
        assert!(log.contains(part), "{part}\n{}", running.tail());
    }
    transaction.transactions().abort(PATIENCE).expect("abort");
    scenario.start(&flags).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete", "--allow-duplicates"]));
}
