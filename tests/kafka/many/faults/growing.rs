//! The input is given more partitions while a group reads it.

use testkit::Scenario;

use super::super::group::{Group, JUDGED};
use crate::{faults::topics::log_ends, topic_admin};

/// Events of now, in their order: with one instance none of them is late, however long it takes
/// until new partitions are found.
const ORDERLY: &[&str] = &["--rate", "800", "--users", "500", "--run-length", "20"];
/// How long that may take.
const LATENESS: &[&str] = &["--allowed-lateness", "5m"];

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn partitions_that_are_added_are_adopted_by_three_and_no_event_is_late() {
    let mut group = Group::with_events(Scenario::new("grown"), 3, ORDERLY, &[]);
    (0..3).for_each(|number| group.start_with(number, LATENESS, &[]));
    group.all_go_on();
    let input = group.scenario().topic("input");
    topic_admin::add_partitions(group.scenario().brokers(), &input, 12);
    // Before anyone knows of them: what is in them by then must not be passed over.
    let at_once = ["--seed", "92", "--count", "4000", "--rate", "2000", "--run-length", "20"];
    group.scenario().produce(&at_once);
    let ends = log_ends(group.scenario(), "input");
    let new = ends.iter().filter(|(partition, _)| partition.0 >= 8);
    assert!(new.clone().count() == 4 && new.clone().all(|(_, (_, end))| *end > 0), "{ends:?}");
    group.wait_for_all(12);
    group.all_go_on();
    let judge = ["--window", "2s", "--expect-complete", "--expect-late", "none"];
    assert_eq!(JUDGED[..2], judge[..2]);
    group.is_exact_with(&judge);
}
