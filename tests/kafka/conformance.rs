//! The scripts that the simulated Kafka plays as well, on a real broker.

use std::{
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use logintide::{
    client::Librdkafka,
    kafka::{Admin, NewTopic, create_topics},
};

use crate::{
    client::support::{PATIENCE, client},
    topic_admin,
};

#[path = "../conformance/mod.rs"]
mod script;

struct Real {
    brokers: String,
}

impl script::stage::Stage for Real {
    type Client = Librdkafka;

    fn client(&self) -> Librdkafka {
        Librdkafka::default()
    }

    fn brokers(&self) -> String {
        self.brokers.clone()
    }

    fn new_name(&self) -> String {
        format!("conformance-{}", uuid::Uuid::new_v4())
    }

    fn create_topic(&self, name: &str, partitions: i32) {
        let admin = Admin::new(&client(&self.brokers, &[])).expect("admin");
        let topic =
            NewTopic { name: name.to_owned(), partitions, replication: 1, config: Vec::new() };
        create_topics(&admin, &[topic], PATIENCE).expect("create the topic");
    }

    fn delete_topic(&self, name: &str) {
        topic_admin::delete_topics(&self.brokers, &[name]);
    }

    fn add_partitions(&self, name: &str, partitions: i32) {
        topic_admin::add_partitions(&self.brokers, name, partitions);
    }

    fn pass(&self, time: Duration) {
        sleep(time);
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_broker_shows_what_the_simulation_shows() {
    let brokers =
        std::env::var("KAFKA_BROKERS").expect("KAFKA_BROKERS names the broker; scripts/test");
    scope(|scope| {
        for name in script::NAMES {
            let stage = Real { brokers: brokers.clone() };
            scope.spawn(move || {
                let began = Instant::now();
                script::run(stage, name);
                println!("{name}: {:?}", began.elapsed());
            });
        }
    });
}
