//! Asking the broker where reading goes on, and rolling back. Owned by the source thread.
//!
//! In:  assigned partitions, or the sink's wish to roll back.
//! Out: a `Recover` request to the sink with committed offsets, log starts and ends.
//! Holds: a start and a rollback are the same procedure; a broker that is away is waited for.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{Ending, Halt, Phase, Source, fatal};
use crate::{
    config::StartFrom,
    epoch::{RecoverPartition, RecoverRequest, ToSink},
    error::RunError,
    ids::{Offset, PartitionId},
    kafka::KafkaError,
    limits,
    state::Committed,
};

/// Partitions whose committed offsets are being asked for.
#[derive(Debug)]
pub(super) struct Asking {
    partitions: Vec<PartitionId>,
    next_try: Instant,
}

impl Asking {
    pub(super) fn new(partitions: Vec<PartitionId>, next_try: Instant) -> Self {
        Self { partitions, next_try }
    }
}

/// What the broker said.
struct Answer {
    partitions: Vec<RecoverPartition>,
    ends: BTreeMap<PartitionId, Offset>,
    owns_all: bool,
}

impl Source {
    /// One attempt to ask the broker; a failed one is repeated later.
    pub(super) fn ask(&mut self) -> Result<(), Halt> {
        let Phase::Asking(asking) = &self.phase else { return Ok(()) };
        if self.intake.now() < asking.next_try {
            return Ok(());
        }
        let partitions = asking.partitions.clone();
        match self.question(&partitions) {
            Ok(answer) => {
                let request = RecoverRequest {
                    generation: self.generation,
                    partitions: answer.partitions,
                    owns_all: answer.owns_all,
                };
                self.intake.lanes.tell_sink(ToSink::Recover(Box::new(request)))?;
                self.phase = Phase::Recovering { partitions, ends: answer.ends };
            }
            Err(error) if error.is_fatal() => return Err(fatal(&error)),
            Err(error) => {
                self.complain(&error);
                let next_try = Instant::now() + limits::BROKER_RETRY_PAUSE;
                self.phase = Phase::Asking(Asking { partitions, next_try });
            }
        }
        Ok(())
    }

    fn question(&self, partitions: &[PartitionId]) -> Result<Answer, KafkaError> {
        let timeout = limits::BROKER_QUERY_TIMEOUT;
        let committed = self.consumer.committed(partitions, timeout)?;
        let mut log = BTreeMap::new();
        for partition in partitions {
            log.insert(*partition, self.consumer.watermarks(*partition, timeout)?);
        }
        let by_time: BTreeMap<_, _> = match self.settings.start_from {
            StartFrom::Time(time_ms) => {
                self.consumer.offset_for_time(partitions, time_ms, timeout)?.into_iter().collect()
            }
            StartFrom::Earliest | StartFrom::Latest => BTreeMap::new(),
        };
        let topics = self.admin.topics(&[&self.settings.topic], timeout)?;
        let total = topics.first().and_then(|topic| topic.partitions).unwrap_or_default();
        let recover = committed.into_iter().map(|committed| {
            let (log_start, log_end) = log[&committed.partition];
            let fresh_start = match self.settings.start_from {
                StartFrom::Earliest => log_start,
                StartFrom::Latest => log_end,
                StartFrom::Time(_) => by_time.get(&committed.partition).copied().unwrap_or(log_end),
            };
            let committed = Committed {
                partition: committed.partition,
                offset: committed.offset,
                metadata: committed.metadata,
            };
            RecoverPartition { committed, fresh_start, log_start, log_end }
        });
        Ok(Answer {
            partitions: recover.collect(),
            ends: log.iter().map(|(partition, (_, end))| (*partition, *end)).collect(),
            owns_all: partitions.len() as i32 == total,
        })
    }

    /// Leaves the generation and recovers the same partitions, after a pause that grows with
    /// repeated failure.
    pub(super) fn roll_back(&mut self, reason: &str) -> Result<(), Halt> {
        let partitions = match &self.phase {
            Phase::Running | Phase::Ending { .. } => {
                self.intake.partitions.positions().into_keys().collect()
            }
            Phase::Recovering { partitions, .. } => partitions.clone(),
            Phase::Unassigned | Phase::Asking(_) | Phase::Closed => return Ok(()),
        };
        self.rollbacks += 1;
        if self.rollbacks > limits::ROLLBACK_ATTEMPTS {
            return Err(Halt::Failed(RunError::GaveUp {
                what: "committing an epoch".to_owned(),
                attempts: limits::ROLLBACK_ATTEMPTS,
                last: reason.to_owned(),
            }));
        }
        let pause = backoff(self.rollbacks);
        tracing::warn!(
            reason,
            attempt = self.rollbacks,
            pause_ms = pause.as_millis() as u64,
            "epoch rolled back; reading again from the committed offsets"
        );
        match self.phase {
            Phase::Ending { why: Ending::Revoke, .. } => return self.give_away(),
            Phase::Ending { why: Ending::Stop, .. } => {
                return Err(Halt::Failed(RunError::Failed(format!(
                    "the last epoch could not be committed: {reason}; nothing is lost: its events \
                     are read again at the next start"
                ))));
            }
            _ => {}
        }
        self.leave_generation()?;
        self.phase = Phase::Asking(Asking::new(partitions, Instant::now() + pause));
        Ok(())
    }
}

/// Doubles from a tenth of a second up to the longest pause.
fn backoff(attempt: u32) -> Duration {
    let doubled = Duration::from_millis(100) * 2u32.saturating_pow(attempt.min(16) - 1);
    doubled.min(limits::ROLLBACK_BACKOFF_MAX)
}
