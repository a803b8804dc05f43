//! What tests do to topics and the program never does: delete them, give them more partitions.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use logintide::{
    ids::PartitionId,
    kafka::{Admin, ClientSettings, find_topics, log_ends},
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewPartitions},
    client::DefaultClientContext,
};

use crate::client::support::PATIENCE;

/// Pause between two questions whether the brokers have done it.
const POLL: Duration = Duration::from_millis(20);

fn native(brokers: &str) -> AdminClient<DefaultClientContext> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).create().expect("an admin client")
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

fn wait<T>(answer: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(answer)
}

/// Asks until the brokers have done it.
fn until(brokers: &str, what: &str, is_done: impl Fn(&Admin) -> bool) {
    let client = ClientSettings { brokers: brokers.to_owned(), properties: Vec::new() };
    let admin = Admin::new(&client).expect("an admin client");
    let began = Instant::now();
    while !is_done(&admin) {
        assert!(began.elapsed() < PATIENCE, "still waiting: {what}");
        sleep(POLL);
    }
}

/// Deletes topics that are there, and waits until they are gone.
pub(crate) fn delete_topics(brokers: &str, names: &[&str]) {
    for deleted in wait(native(brokers).delete_topics(names, &options())).expect("an answer") {
        deleted.expect("deleted");
    }
    until(brokers, "the topics are gone", |admin| {
        let found = find_topics(admin, names, PATIENCE).expect("topics");
        found.iter().all(|topic| topic.partitions.is_none())
    });
}

/// Grows a topic to `total` partitions, and waits until their leaders answer.
pub(crate) fn add_partitions(brokers: &str, topic: &str, total: i32) {
    let grown = NewPartitions::new(topic, total as usize);
    for created in wait(native(brokers).create_partitions([&grown], &options())).expect("an answer")
    {
        created.expect("grown");
    }
    let partitions: Vec<_> = (0..total).map(PartitionId).collect();
    until(brokers, "the new leaders answer", |admin| {
        find_topics(admin, &[topic], PATIENCE).expect("topics")[0].partitions == Some(total)
            && log_ends(admin, topic, &partitions, PATIENCE)
                .is_ok_and(|ends| ends.len() == total as usize)
    });
}
