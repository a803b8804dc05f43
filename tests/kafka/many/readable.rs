//! What readers of committed records see of a scenario's topics.

use logintide::ids::PartitionId;
use logintide::kafka::{find_topics, log_ends as written_ends};
use testkit::{Scenario, until};

use crate::{
    client::support::PATIENCE,
    faults::topics::{admin, log_ends},
};

/// Waits until everything that has been written to the outputs and the journal so far can be read
/// by those who read only what is committed.
pub(crate) fn wait_until_readable(scenario: &Scenario) {
    let admin = admin(scenario);
    for name in ["processed", "aggregated", "dead-letter", "late", "group-journal"] {
        let topic = scenario.topic(name);
        let found = find_topics(&admin, &[&topic], PATIENCE).expect("the broker answers");
        let count = found[0].partitions.unwrap_or_else(|| panic!("topic {topic} is missing"));
        let partitions: Vec<_> = (0..count).map(PartitionId).collect();
        let written = written_ends(&admin, &topic, &partitions, PATIENCE).expect("ends");
        until(&format!("the records of {topic} can be read"), || {
            let seen = log_ends(scenario, name);
            written.iter().all(|(partition, end)| seen[partition].1 >= end.0).then_some(())
        });
    }
}
