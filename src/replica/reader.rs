//! Reads the journal's partitions with a consumer of its own. Owned by the replica.
//!
//! In:  where to read from, as the follower says. Out: records and ends, to the follower.
//! Holds: after the follower has begun elsewhere, nothing is taken before it was assigned anew; a
//! partition whose position is not in the log is begun at the log's start.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use tracing::warn;

use super::follower::{Follower, Then};
use crate::{
    client::{Clock, RecordConsumer},
    error::RunError,
    ids::{Offset, PartitionId},
    kafka::{DrainEvent, Flow, KafkaError},
    limits,
};

/// Of a partition the first offset in the log, and the one after the last committed record.
pub(super) type Logs = BTreeMap<PartitionId, (Offset, Offset)>;

/// The consumer, and what is wrong with its reading.
#[derive(Debug)]
pub(super) struct JournalReader<R> {
    consumer: R,
    is_outdated: bool,
    /// Partitions whose position is not in the log.
    lost: BTreeSet<PartitionId>,
    errors: Vec<KafkaError>,
    warned_at: Option<Instant>,
    /// When the brokers may be asked again after a question that was not answered.
    ask_at: Option<Instant>,
}

impl<R: RecordConsumer> JournalReader<R> {
    /// A reader with a consumer that has joined nothing.
    pub(super) fn new(consumer: R) -> Self {
        Self {
            consumer,
            is_outdated: true,
            lost: BTreeSet::new(),
            errors: Vec::new(),
            warned_at: None,
            ask_at: None,
        }
    }

    /// The follower has begun elsewhere. Positions that are not in the log are reported again.
    pub(super) fn outdated(&mut self) {
        self.is_outdated = true;
        self.lost.clear();
    }

    /// Whether the partitions are read from where the follower stands.
    pub(super) fn is_reading(&self) -> bool {
        !self.is_outdated && self.lost.is_empty()
    }

    /// Reads what is there; waits a little when there is nothing.
    pub(super) fn turn(
        &mut self,
        follower: &mut Follower,
        clock: &impl Clock,
    ) -> Result<(), RunError> {
        self.begin_lost(follower, clock)?;
        if self.is_outdated {
            self.consumer.assign(&follower.starts()).map_err(|error| failed(&error))?;
            self.is_outdated = false;
        }
        let errors = &mut self.errors;
        let served = self.consumer.serve(Duration::ZERO, &mut |event| {
            // No record arrives here: `assign` forwards them before anything is fetched.
            if let DrainEvent::Error { error, .. } = event {
                errors.push(error);
            }
        });
        served.map_err(|error| failed(&error))?;
        self.drain(follower, clock.now())
    }

    fn drain(&mut self, follower: &mut Follower, now: Instant) -> Result<(), RunError> {
        let Self { consumer, errors, .. } = self;
        let mut taken = 0;
        let mut result = Ok(Then::Continue);
        consumer.drain(limits::REPLICA_IDLE_WAIT, |event| {
            taken += 1;
            let then = match event {
                DrainEvent::Record(record) => follower.take(&record, now),
                DrainEvent::EndOfPartition { partition, offset } => {
                    Ok(follower.end(partition, offset))
                }
                DrainEvent::Error { error, .. } => {
                    errors.push(error);
                    Ok(Then::Continue)
                }
            };
            match then {
                Ok(Then::Continue) if taken < limits::DRAIN_MAX_RECORDS => Flow::Continue,
                then => {
                    result = then;
                    Flow::Stop
                }
            }
        });
        self.handle_errors(now)?;
        if result? == Then::Assign {
            self.outdated();
        }
        Ok(())
    }

    /// Begins partitions at their logs' start whose positions are not there any more.
    fn begin_lost(&mut self, follower: &mut Follower, clock: &impl Clock) -> Result<(), RunError> {
        if self.lost.is_empty() {
            return Ok(());
        }
        let lost: Vec<_> = self.lost.iter().copied().collect();
        let Some(logs) = self.logs(&lost, clock)? else { return Ok(()) };
        for (partition, (start, _)) in logs {
            follower.lost(partition, start);
        }
        self.outdated();
        Ok(())
    }

    /// Asks for the logs of partitions; `None` when they are to be asked for again.
    pub(super) fn logs(
        &mut self,
        partitions: &[PartitionId],
        clock: &impl Clock,
    ) -> Result<Option<Logs>, RunError> {
        if self.ask_at.is_some_and(|at| clock.now() < at) {
            return Ok(None);
        }
        self.ask_at = None;
        match self.consumer.logs(partitions, limits::BROKER_QUERY_TIMEOUT) {
            Ok(logs) => Ok(Some(logs)),
            Err(error) if error.is_retriable() => {
                let now = clock.now();
                self.ask_at = Some(now + limits::BROKER_RETRY_PAUSE);
                self.warn_of(&error, now);
                Ok(None)
            }
            Err(error) => Err(failed(&error)),
        }
    }

    fn handle_errors(&mut self, now: Instant) -> Result<(), RunError> {
        for error in std::mem::take(&mut self.errors) {
            match error {
                KafkaError::OffsetOutOfRange { partition, .. } => {
                    self.lost.insert(partition);
                }
                error if error.is_fatal() => return Err(failed(&error)),
                error => self.warn_of(&error, now),
            }
        }
        Ok(())
    }

    fn warn_of(&mut self, error: &KafkaError, now: Instant) {
        if self.warned_at.is_none_or(|last| now - last >= limits::REPEATED_LOG_INTERVAL) {
            self.warned_at = Some(now);
            warn!(%error, "reading the journal is disturbed; trying again");
        }
    }

    /// Ends the client.
    pub(super) fn close(self) {
        self.consumer.close();
    }
}

fn failed(error: &KafkaError) -> RunError {
    RunError::Kafka(format!("the journal cannot be read: {error}"))
}
