//! One process's way to the simulated cluster.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

use logintide::{
    client::Client,
    kafka::{ClientSettings, ConsumerSettings, KafkaError, ProducerSettings},
};

use super::{
    admin::SimAdmin, clock::SimClock, cluster::Cluster, committer::SimCommitter,
    consumer::SimConsumer, consuming::Consuming, group::Claim, process::ProcessId,
    producer::SimProducer, producing::Producing,
};

#[derive(Clone)]
pub(crate) struct SimClient {
    cluster: Rc<RefCell<Cluster>>,
    clock: SimClock,
    process: ProcessId,
}

impl fmt::Debug for SimClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimClient").field("process", &self.process).finish_non_exhaustive()
    }
}

/// A consumer's place in its group at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SimMembership {
    pub(crate) group: String,
    pub(crate) claim: Claim,
}

impl SimClient {
    pub(super) fn new(cluster: Rc<RefCell<Cluster>>, clock: SimClock, process: ProcessId) -> Self {
        Self { cluster, clock, process }
    }

    pub(crate) fn process(&self) -> ProcessId {
        self.process
    }

    /// A client for questions.
    pub(crate) fn admin(&self) -> SimAdmin {
        SimAdmin::new(Rc::clone(&self.cluster), self.process, false)
    }
}

impl Client for SimClient {
    type Clock = SimClock;
    type Consumer = SimConsumer;
    type Committer = SimCommitter;
    type Membership = SimMembership;
    type Producer = SimProducer;
    type Admin = SimAdmin;

    fn clock(&self) -> &SimClock {
        &self.clock
    }

    fn consumer(&self, settings: &ConsumerSettings) -> Result<SimConsumer, KafkaError> {
        let mut cluster = self.cluster.borrow_mut();
        let id = cluster.next_client();
        let consuming = Consuming::new(self.process, settings, cluster.now());
        cluster.consumers.insert(id, consuming);
        let place = Rc::new(Cell::new(Some(id)));
        Ok(SimConsumer::new(Rc::clone(&self.cluster), self.process, place))
    }

    fn producer(&self, settings: &ProducerSettings) -> Result<SimProducer, KafkaError> {
        let mut cluster = self.cluster.borrow_mut();
        let id = cluster.next_client();
        cluster.producers.insert(id, Producing::new(self.process, settings));
        Ok(SimProducer::new(Rc::clone(&self.cluster), self.process, id))
    }

    fn uncommitted(&self, _settings: &ClientSettings) -> Result<SimAdmin, KafkaError> {
        Ok(SimAdmin::new(Rc::clone(&self.cluster), self.process, true))
    }
}
