//! A topic so quiet that the broker forgets the processor's transactional id: seven days on an
//! ordinary broker, seconds here.

use std::time::Instant;

use testkit::{SOON, Scenario};

use crate::own_broker::OwnBroker;

/// Waits until the broker has forgotten the only transactional id.
fn wait_until_forgotten(broker: &OwnBroker) {
    let address = broker.address();
    let list = ["org.apache.kafka.tools.TransactionsCommand", "--bootstrap-server", &address];
    let began = Instant::now();
    while broker.script("exec", &[&list[..], &["list"]].concat()).contains("fixed") {
        assert!(began.elapsed() < SOON, "the broker keeps the id");
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn after_a_quiet_week_the_transactional_id_is_registered_anew_and_nothing_is_lost() {
    let mut broker = OwnBroker::new();
    broker.set("transactional.id.expiration.ms=3000");
    broker.set("transaction.remove.expired.transaction.cleanup.interval.ms=1000");
    broker.start();
    let scenario = Scenario::on("quiet-week", broker.address());
    scenario.produce(&["--seed", "73", "--count", "5"]);
    let running = scenario.serve(&["--instance-id", "fixed", "--idle-timeout", "1s"]);
    let processed = |count: f64| {
        running.wait_for("logintide_events_processed_total", |n| n >= count);
        running.wait_for("logintide_open_windows", |n| n == 0.0);
    };
    processed(5.0);
    wait_until_forgotten(&broker);
    scenario.produce(&["--seed", "74", "--count", "5"]);
    processed(10.0);
    let log = running.log();
    assert!(log.contains("INVALID_PRODUCER_ID_MAPPING"), "the id was not forgotten:\n{log}");
    assert!(log.contains("epoch rolled back") && !log.contains("stalled"), "{log}");
    running.stop();
    println!("{}", scenario.verify(&["--expect-complete", "--expect-late", "none"]));
}
