//! How long output stands still while partitions change hands.

use std::{collections::BTreeMap, time::Duration};

use logintide::ids::PartitionId;
use serde_json::Value;
use testkit::Scenario;

use crate::faults::topics::read;

/// Number, partition and Kafka timestamp of every event of a topic that has a number.
fn numbered(scenario: &Scenario, topic: &str) -> Vec<(u64, PartitionId, i64)> {
    let mut events = Vec::new();
    read(scenario, topic, |record| {
        let value = serde_json::from_slice::<Value>(record.value.unwrap_or_default());
        if let Some(number) = value.ok().and_then(|value| value["event_no"].as_u64()) {
            events.push((number, record.partition, record.timestamp_ms));
        }
    });
    events
}

/// The longest time in which no enriched event of one input partition was written, by their Kafka
/// timestamps.
pub(crate) fn longest_pause(scenario: &Scenario) -> Duration {
    let input = numbered(scenario, "input");
    let origin: BTreeMap<_, _> = input.iter().map(|(number, from, _)| (number, from)).collect();
    let mut written: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for (number, _, at_ms) in numbered(scenario, "processed") {
        if let Some(partition) = origin.get(&number) {
            written.entry(partition).or_default().push(at_ms);
        }
    }
    let longest = written.values_mut().filter_map(|times| {
        times.sort_unstable();
        times.windows(2).map(|pair| pair[1] - pair[0]).max()
    });
    Duration::from_millis(longest.max().unwrap_or_default() as u64)
}
