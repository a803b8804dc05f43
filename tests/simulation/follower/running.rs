//! A replica in a process of its own.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, Sender};
use logintide::{
    control::Control,
    error::RunError,
    ids::{Offset, PartitionId},
    journal::CopyOf,
    kafka::{ClientSettings, ConsumerSettings},
    metrics::Health,
    replica::{FollowRequest, Followed, Positions, Replica, ReplicaLink, ReplicaSettings, Step},
    state::{JournalCopy, MemoryDisk, RecordCopy},
    status::Board,
};

use super::{JOURNAL, PARTITIONS, state::RULES};
use crate::kafka::{SimClient, SimKafka};

/// A replica, stepped by the test.
pub(crate) struct Running {
    kafka: SimKafka,
    client: SimClient,
    replica: Option<Replica<SimClient>>,
    requests: Option<Sender<FollowRequest>>,
    followed: Receiver<Followed>,
    positions: Arc<Positions>,
    pub(crate) control: Arc<Control>,
}

/// How a replica is started.
pub(crate) struct Start<'a> {
    pub(crate) kafka: &'a SimKafka,
    pub(crate) disk: Option<&'a MemoryDisk>,
    pub(crate) partitions: u32,
    pub(crate) memory_limit: usize,
}

impl<'a> Start<'a> {
    pub(crate) fn new(kafka: &'a SimKafka) -> Self {
        Self { kafka, disk: None, partitions: PARTITIONS, memory_limit: 1 << 30 }
    }

    pub(crate) fn with(kafka: &'a SimKafka, disk: &'a MemoryDisk) -> Self {
        Self { disk: Some(disk), ..Self::new(kafka) }
    }

    pub(crate) fn start(self) -> Running {
        let client = self.kafka.process();
        let settings = ReplicaSettings {
            consumer: consumer_settings(),
            partitions: self.partitions,
            rules: RULES,
            memory_limit: self.memory_limit,
            copy: self.disk.map(copy),
            rows: None,
            board: Board::new(),
        };
        let control = Control::new(Health::new(1), 1);
        let replica = Replica::new(settings, client.clone(), Arc::clone(&control));
        let (replica, ReplicaLink { requests, followed, positions, .. }) =
            replica.expect("the settings are right");
        Running {
            kafka: self.kafka.clone(),
            client,
            positions,
            replica: Some(replica),
            requests: Some(requests),
            followed,
            control,
        }
    }
}

/// The copy on a disk.
pub(crate) fn copy(disk: &MemoryDisk) -> Box<dyn JournalCopy> {
    let of = CopyOf {
        cluster_id: "cluster".to_owned(),
        group_id: "group".to_owned(),
        topic: JOURNAL.to_owned(),
    };
    Box::new(RecordCopy::new(disk.table(), of))
}

fn consumer_settings() -> ConsumerSettings {
    ConsumerSettings {
        client: ClientSettings { brokers: "simulated".to_owned(), properties: Vec::new() },
        group_id: "group".to_owned(),
        instance_id: None,
        topic: JOURNAL.to_owned(),
        fetch_queue_kbytes: 1024,
        session_timeout: Duration::from_secs(10),
        max_poll_interval: Duration::from_mins(5),
        reads_uncommitted: false,
    }
}

impl Running {
    /// One turn of its loop.
    pub(crate) fn step(&mut self) -> Result<(), RunError> {
        let replica = self.replica.take().expect("it runs");
        if let Step::Continue(replica) = replica.step()? {
            self.replica = Some(replica);
        }
        Ok(())
    }

    /// Turns for some time.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.kafka.clock().elapsed() + time;
        while self.kafka.clock().elapsed() < until {
            self.step().expect("it goes on");
            self.kafka.pass(Duration::from_millis(5));
        }
    }

    pub(crate) fn ask(&self, request: FollowRequest) {
        self.requests.as_ref().expect("it runs").send(request).expect("it listens");
    }

    /// An answer that is there.
    pub(crate) fn answered(&self) -> Option<Followed> {
        self.followed.try_recv().ok()
    }

    /// Asks, and turns until there is an answer.
    #[track_caller]
    pub(crate) fn follow(&mut self, request: FollowRequest) -> Followed {
        self.ask(request);
        for _ in 0..20_000 {
            self.step().expect("it goes on");
            if let Some(followed) = self.answered() {
                return followed;
            }
            self.kafka.pass(Duration::from_millis(2));
        }
        panic!("no answer; it is at {:?}", self.positions());
    }

    /// Turns until it ends with an error.
    #[track_caller]
    pub(crate) fn fail(&mut self) -> RunError {
        for _ in 0..20_000 {
            if let Err(error) = self.step() {
                return error;
            }
        }
        panic!("it did not fail; it is at {:?}", self.positions());
    }

    pub(crate) fn positions(&self) -> BTreeMap<PartitionId, Offset> {
        self.positions.get()
    }

    /// Ends it as the pipeline does.
    pub(crate) fn stop(mut self) {
        self.requests = None;
        self.step().expect("it ends");
        assert!(self.replica.is_none(), "nobody can ask any more");
    }

    /// Ends its process without a word.
    pub(crate) fn kill(self) {
        self.kafka.kill(self.client.process());
    }
}
