//! The simulation as a stage for scripts.

use std::{cell::Cell, time::Duration};

use crate::{
    kafka::{SimClient, SimKafka},
    script::stage::{Play, Stage},
};

pub(crate) struct Simulated {
    pub(crate) kafka: SimKafka,
    names: Cell<usize>,
}

impl Stage for Simulated {
    type Client = SimClient;

    fn client(&self) -> SimClient {
        self.kafka.process()
    }

    fn brokers(&self) -> String {
        "simulated".to_owned()
    }

    fn new_name(&self) -> String {
        self.names.set(self.names.get() + 1);
        format!("topic-{}", self.names.get())
    }

    fn create_topic(&self, name: &str, partitions: i32) {
        self.kafka.create_topic(name, partitions as usize);
    }

    fn delete_topic(&self, name: &str) {
        self.kafka.delete_topic(name);
    }

    fn add_partitions(&self, name: &str, partitions: i32) {
        self.kafka.add_partitions(name, partitions as usize);
    }

    fn pass(&self, time: Duration) {
        self.kafka.pass(time);
    }
}

impl Simulated {
    pub(crate) fn new(seed: u64) -> Self {
        Self { kafka: SimKafka::new(seed), names: Cell::new(0) }
    }
}

/// A play with a topic of two partitions.
pub(crate) fn play(seed: u64) -> Play<Simulated> {
    Play::new(Simulated::new(seed))
}
