//! The input grows while one instance reads it: every event exactly once.

use testkit::Scenario;

use super::topics;
use crate::topic_admin;

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn partitions_that_are_added_while_running_are_read_from_their_beginning() {
    let scenario = Scenario::new("grown-one");
    let mut produced = scenario.producing(&["--seed", "61", "--count", "30000", "--rate", "1500"]);
    let running = scenario.serve(&[]);
    running.wait_for_epochs(2.0);
    let input = scenario.topic("input");
    topic_admin::add_partitions(scenario.brokers(), &input, 12);
    // Before the process knows of them: what is in them by then must not be passed over.
    scenario.produce(&["--seed", "62", "--count", "6000"]);
    let ends = topics::log_ends(&scenario, "input");
    let new: i64 = ends.iter().filter(|(p, _)| p.0 >= 8).map(|(_, (_, high))| high).sum();
    assert!(new > 0, "the new partitions have records: {ends:?}");
    let took = running.wait_for("logintide_assigned_partitions", |n| n as u64 == 12);
    println!("12 partitions after {took:?}");
    produced.ends_with(0);
    running.wait_for_events(36_000.0);
    assert!(running.get("/healthz").is_some_and(|text| text.contains("\"healthy\":true")));
    running.stop();
    scenario.start(&["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
}
