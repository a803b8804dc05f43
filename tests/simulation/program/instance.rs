//! A running instance: source, workers and sink of the program, each stepped by itself.
//!
//! In:  which part is to make a turn. Out: whether the instance is over, and how it failed.
//! Holds: no part waits for another one within a turn; a part that has ended is dropped, with its
//! channels, as its thread's end would.

use std::sync::Arc;

use crossbeam_channel::Receiver;
use logintide::{
    budget::{Budget, Permit},
    control::Control,
    epoch::{ToSink, ToWorker},
    error::RunError,
    limits,
    replica::{Replica, Step},
    sink::Sink,
    source::Source,
    topics::SeenTopics,
    worker::{Turn, Worker},
};

use super::house::POOL_BYTES;
use crate::kafka::SimClient;

/// The parts of an instance.
pub(crate) struct Instance {
    control: Arc<Control>,
    source: Option<Source<SimClient>>,
    workers: Vec<Option<(Worker, Receiver<ToWorker>)>>,
    sink: Option<(Sink<SimClient>, Receiver<ToSink>)>,
    replica: Option<Replica<SimClient>>,
    budget: Arc<Budget>,
    failure: Option<RunError>,
}

impl Instance {
    pub(crate) fn new(
        (control, budget): (Arc<Control>, Arc<Budget>),
        source: Source<SimClient>,
        workers: Vec<(Worker, Receiver<ToWorker>)>,
        sink: (Sink<SimClient>, Receiver<ToSink>),
        replica: Replica<SimClient>,
    ) -> Self {
        Self {
            control,
            source: Some(source),
            workers: workers.into_iter().map(Some).collect(),
            sink: Some(sink),
            replica: Some(replica),
            budget,
            failure: None,
        }
    }

    /// How many parts it has.
    pub(crate) fn parts(&self) -> usize {
        self.workers.len() + 3
    }

    /// One turn of a part, which may be over.
    pub(crate) fn step(&mut self, part: usize) {
        match part {
            0 => {
                let Some(source) = self.source.take() else { return };
                let next = source.step();
                self.source = self.unless_failed(next);
            }
            1 => {
                let Some((sink, input)) = self.sink.take() else { return };
                let next = sink.step(&input);
                self.sink = self.unless_failed(next).map(|sink| (sink, input));
            }
            2 => {
                let Some(replica) = self.replica.take() else { return };
                let next = replica.step().map(|step| match step {
                    Step::Continue(replica) => Some(replica),
                    Step::Ended => None,
                });
                self.replica = self.unless_failed(next);
            }
            part => {
                let Some((mut worker, input)) = self.workers[part - 3].take() else { return };
                let next = match worker.step(&input) {
                    Turn::Ended => worker.result().map(|()| None),
                    Turn::Moved | Turn::Quiet => Ok(Some((worker, input))),
                };
                self.workers[part - 3] = self.unless_failed(next);
            }
        }
    }

    /// What follows a turn; the first failure is that of the process.
    fn unless_failed<T>(&mut self, next: Result<Option<T>, RunError>) -> Option<T> {
        next.unwrap_or_else(|error| {
            self.failure.get_or_insert(error);
            None
        })
    }

    /// Asks it to end.
    pub(crate) fn stop(&self) {
        self.control.stop();
    }

    /// What the brokers report about the topics, as the main thread would say it.
    pub(crate) fn sees(&self, topics: SeenTopics) {
        self.control.topics().publish(topics);
    }

    /// Takes all memory that batches may have, until the result is dropped.
    pub(crate) fn fill_memory(&self) -> Permit {
        let mut permit = self.budget.permit();
        permit.grow(POOL_BYTES + limits::BUDGET_FLOOR_BYTES);
        permit
    }

    /// Whether the source may take nothing, or has to end its epoch early.
    pub(crate) fn is_full(&self) -> bool {
        !self.budget.has_room() || self.budget.wants_early_cut()
    }

    /// Whether it reads what it owns, or owns nothing: no takeover is under way.
    pub(crate) fn is_reading(&self) -> bool {
        self.control.health().assigned() > 0 || self.source.as_ref().is_some_and(Source::stands_by)
    }

    /// Whether all of its parts have ended.
    pub(crate) fn is_over(&self) -> bool {
        self.source.is_none()
            && self.sink.is_none()
            && self.replica.is_none()
            && self.workers.iter().all(Option::is_none)
    }

    /// Why it has failed, if it has.
    pub(crate) fn failure(&self) -> Option<&RunError> {
        self.failure.as_ref()
    }

    /// Where its parts stand, for people.
    pub(crate) fn describe(&self) -> String {
        let source = self.source.as_ref().map_or_else(|| "ended".to_owned(), Source::stands_at);
        let sink = self.sink.as_ref().map_or("ended", |(sink, _)| sink.stands_at());
        format!("source: {source}; sink: {sink}; {}", self.control.activity())
    }
}
