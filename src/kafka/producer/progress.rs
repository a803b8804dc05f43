//! How far the records of each topic partition have come: accepted by librdkafka, delivered.
//!
//! In: counts of accepted records, and of delivered ones by the batch. Out: whether all that was
//! accepted up to a mark is delivered. Pure; owned by the producer.
//! Holds: the producer is idempotent, so the records of a partition are delivered in order, and no
//! later one without the earlier ones; a count is therefore enough.

use crate::ids::PartitionId;

/// Counts by topic and partition, since the producer was made.
#[derive(Debug, Default)]
pub(super) struct DeliveryProgress(Vec<TopicDelivery>);

#[derive(Debug)]
struct TopicDelivery {
    /// Where librdkafka keeps the topic: how reports name it.
    address: usize,
    partitions: Vec<PartitionDelivery>,
}

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
    pub(super) fn add_topic(&mut self, address: usize) {
        self.0.push(TopicDelivery { address, partitions: Vec::new() });
    }

    pub(super) fn accepted(&mut self, topic: usize, partition: PartitionId, records: usize) {
        let partitions = &mut self.0[topic].partitions;
        let number = partition.0 as usize;
        if number >= partitions.len() {
            partitions.resize(number + 1, PartitionDelivery::default());
        }
        partitions[number].accepted += records as u64;
    }

    pub(super) fn delivered(&mut self, address: usize, partition: PartitionId, records: usize) {
        let topic = self.0.iter_mut().find(|topic| topic.address == address);
        let topic = topic.expect("a batch of a topic that this producer has a handle of");
        // A partition that is not known here was librdkafka's choice, and nobody waits for it.
        if let Some(partition) = topic.partitions.get_mut(partition.0 as usize) {
            partition.delivered += records as u64;
        }
    }

    pub(super) fn mark(&self, topics: impl Iterator<Item = usize>) -> Mark {
        let accepted = |topic: usize| {
            self.0[topic].partitions.iter().map(|partition| partition.accepted).collect()
        };
        Mark(topics.map(|topic| (topic, accepted(topic))).collect())
    }

    pub(super) fn have_delivered(&self, mark: &Mark) -> bool {
        mark.0.iter().all(|(topic, accepted)| {
            self.0[*topic]
                .partitions
                .iter()
                .zip(accepted)
                .all(|(partition, accepted)| partition.delivered >= *accepted)
        })
    }
}
