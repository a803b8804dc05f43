//! How far the records of each topic partition have come: accepted by librdkafka, delivered.
//!
//! In: counts of accepted records, and of delivered ones by the batch. Out: whether all that was
//! accepted up to a mark is delivered. Pure; owned by the producer.
//! Holds: the producer is idempotent, so the records of a partition are delivered in order, and no
//! later one without the earlier ones; a count is therefore enough.

use crate::ids::PartitionId;

/// Counts by topic and partition, since the producer was made.
#[derive(Debug, Default)]
pub(super) struct DeliveryProgress(Vec<Vec<PartitionDelivery>>);

#[derive(Debug, Clone, Copy, Default)]
struct PartitionDelivery {
    accepted: u64,
    delivered: u64,
}

/// How many records were accepted for each partition of some topics up to one moment.
#[derive(Debug)]
pub struct Mark(Vec<(usize, Vec<u64>)>);

impl DeliveryProgress {
    /// Topics are numbered in the order in which they are added.
    pub(super) fn add_topic(&mut self) {
        self.0.push(Vec::new());
    }

    pub(super) fn accepted(&mut self, topic: usize, partition: PartitionId, records: usize) {
        let partitions = &mut self.0[topic];
        let number = partition.0 as usize;
        if number >= partitions.len() {
            partitions.resize(number + 1, PartitionDelivery::default());
        }
        partitions[number].accepted += records as u64;
    }

    pub(super) fn delivered(&mut self, topic: usize, partition: PartitionId, records: usize) {
        // One that is not known here was librdkafka's choice, and nobody waits for it.
        if let Some(partition) = self.0[topic].get_mut(partition.0 as usize) {
            partition.delivered += records as u64;
        }
    }

    pub(super) fn mark(&self, topics: impl Iterator<Item = usize>) -> Mark {
        let accepted =
            |topic: usize| self.0[topic].iter().map(|partition| partition.accepted).collect();
        Mark(topics.map(|topic| (topic, accepted(topic))).collect())
    }

    pub(super) fn have_delivered(&self, mark: &Mark) -> bool {
        mark.0.iter().all(|(topic, accepted)| {
            self.0[*topic]
                .iter()
                .zip(accepted)
                .all(|(partition, accepted)| partition.delivered >= *accepted)
        })
    }
}
