//! A member of the group that takes some partitions for a while, and neither reads nor commits.

use std::time::Duration;

use logintide::{
    client::{Client, RecordConsumer},
    ids::Offset,
    kafka::RebalanceEvent,
};

use super::{house, plan::Work};
use crate::kafka::{SimClient, SimKafka};

/// A member for a while.
pub(crate) struct Guest {
    consumer: <SimClient as Client>::Consumer,
    until: Duration,
}

impl Guest {
    /// Joins the group, and stays for some time.
    pub(crate) fn join(kafka: &SimKafka, work: Work, stay: Duration) -> Self {
        let client = kafka.process();
        let consumer = client.consumer(&house::guest(work)).expect("a consumer");
        consumer.subscribe().expect("subscribe");
        Self { consumer, until: kafka.clock().elapsed() + stay }
    }

    /// Takes and gives back what the group wants; `None` once it has left.
    pub(crate) fn step(mut self, now: Duration) -> Option<Self> {
        if now >= self.until {
            self.consumer.close();
            return None;
        }
        self.consumer.serve(Duration::ZERO, &mut |_| {}).expect("a dynamic member is not fenced");
        while let Some(event) = self.consumer.next_rebalance() {
            match event {
                RebalanceEvent::Assigned(partitions) => {
                    let starts: Vec<_> = partitions.iter().map(|it| (*it, Offset(0))).collect();
                    self.consumer.assign(&starts).expect("assign");
                    self.consumer.pause(&partitions).expect("pause");
                }
                _ => self.consumer.unassign().expect("unassign"),
            }
        }
        Some(self)
    }
}
