//! The scripts that real brokers play as well, on the simulation.

use std::{cell::Cell, time::Duration};

use crate::{
    kafka::{SimClient, SimKafka},
    script::{NAMES, run, stage::Stage},
};

struct Simulated {
    kafka: SimKafka,
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

#[test]
fn the_simulation_shows_what_a_broker_shows() {
    for name in NAMES {
        for seed in 0..10 {
            let stage = Simulated { kafka: SimKafka::new(seed), names: Cell::new(0) };
            run(stage, name);
        }
    }
}
