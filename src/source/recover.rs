//! Asking the broker where reading goes on, and rolling back. Owned by the source thread.
//!
//! In:  assigned partitions, or the sink's wish to roll back.
//! Out: a `Recover` request to the sink with committed offsets, log starts and ends.
//! Holds: a start and a rollback are the same procedure; it is asked only after the sink has ended
//! what was open; a broker that is away is waited for.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{After, Ending, Halt, Source, SourcePhase, fatal};
use crate::{
    config::StartFrom,
    epoch::{RecoverPartition, RecoverRequest, ToSink},
    error::RunError,
    ids::{Offset, PartitionId, TopicId},
    kafka::{KafkaError, describe_topics, find_topics},
    limits,
    state::{CommitMetadata, Committed},
};

/// Partitions whose committed offsets are being asked for.
#[derive(Debug)]
pub(super) struct Asking {
    partitions: Vec<PartitionId>,
    why: Why,
    next_try: Instant,
    /// Whether an attempt has failed.
    failed: bool,
}

/// Why it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The group assigned the partitions: whoever had them before gave them back.
    Assigned,
    /// The same partitions are read again.
    RolledBack,
    /// The group took them away unasked. Only who has them now is of interest.
    Lost,
    /// As `Lost`, for a consumer that has not joined the group yet.
    Rejoin,
}

impl Asking {
    pub(super) fn new(partitions: Vec<PartitionId>, why: Why, next_try: Instant) -> Self {
        Self { partitions, why, next_try, failed: false }
    }

    /// Whether the first attempt is put off, after a rollback.
    pub(super) fn is_pausing(&self, now: Instant) -> bool {
        !self.failed && now < self.next_try
    }
}

/// What is known of the partitions that the sink recovers.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) partitions: Vec<PartitionId>,
    /// End of each log, records of open transactions included; of a bounded run only.
    pub(super) ends: BTreeMap<PartitionId, Offset>,
}

/// What the broker said.
struct Answer {
    /// Of every partition of the topic.
    committed: Vec<Committed>,
    partitions: Vec<RecoverPartition>,
    ends: BTreeMap<PartitionId, Offset>,
    owns_all: bool,
    topic: Option<TopicId>,
}

impl Source {
    /// One attempt to ask the broker; a failed one is repeated later.
    pub(super) fn ask(&mut self) -> Result<(), Halt> {
        let SourcePhase::Asking(asking) = &self.phase else { return Ok(()) };
        if self.intake.now() < asking.next_try {
            return Ok(());
        }
        let (partitions, why) = (asking.partitions.clone(), asking.why);
        let answered = match why {
            Why::Lost | Why::Rejoin => {
                self.committed_offsets(&partitions).map(|committed| self.lost(&committed, why))
            }
            Why::Assigned | Why::RolledBack => self
                .question(&partitions)
                .map(|answer| self.answered(partitions.clone(), why, answer)),
        };
        match answered {
            Ok(done) => done,
            Err(error) if error.is_replaced_member() => self.replaced(&error),
            Err(error) if error.is_fatal() => Err(fatal(&error)),
            Err(error) => {
                self.complain(&error);
                let next_try = Instant::now() + limits::BROKER_RETRY_PAUSE;
                self.phase =
                    SourcePhase::Asking(Asking { partitions, why, next_try, failed: true });
                Ok(())
            }
        }
    }

    fn answered(
        &mut self,
        partitions: Vec<PartitionId>,
        why: Why,
        answer: Answer,
    ) -> Result<(), Halt> {
        if why == Why::Assigned {
            let committed = answer.committed.iter();
            self.taken_over = committed.map(|known| (known.partition, known.clone())).collect();
        } else {
            let owned = |known: &&Committed| partitions.contains(&known.partition);
            self.refuse_other_committers(answer.committed.iter().filter(owned))?;
        }
        let request = RecoverRequest {
            incarnation: self.incarnation,
            committed: answer.committed,
            partitions: answer.partitions,
            owns_all: answer.owns_all,
            topic: answer.topic,
        };
        self.topic = answer.topic;
        self.adopt_outputs()?;
        self.intake.lanes.tell_sink(ToSink::Recover(Box::new(request)))?;
        self.phase = SourcePhase::Recovering(Known { partitions, ends: answer.ends });
        Ok(())
    }

    /// Partitions were lost. If nobody has committed them since, the group is joined again.
    fn lost(&mut self, committed: &[Committed], why: Why) -> Result<(), Halt> {
        self.refuse_other_committers(committed.iter())?;
        let joining = match why {
            Why::Rejoin => self.consumer.subscribe(),
            _ => self.consumer.unassign(),
        };
        joining.map_err(|error| fatal(&error))?;
        self.phase = SourcePhase::Unassigned;
        Ok(())
    }

    /// Partitions that were not given back must not have been committed by anybody else: another
    /// process has taken this one's place, and going on would be a tug of war.
    fn refuse_other_committers<'a>(
        &self,
        mut committed: impl Iterator<Item = &'a Committed>,
    ) -> Result<(), Halt> {
        let others = |known: &&Committed| {
            let metadata = CommitMetadata::parse(&known.metadata)?;
            let ours = metadata.instance == self.settings.instance && metadata.epoch < self.epoch;
            let seen = self.taken_over.get(&known.partition) == Some(known);
            (!ours && !seen).then_some(metadata.instance)
        };
        let Some((known, other)) = committed.find_map(|known| Some((known, others(&known)?)))
        else {
            return Ok(());
        };
        let name = if other == self.settings.instance {
            format!("another process with this instance id, {other},")
        } else {
            format!("another instance, {other},")
        };
        Err(Halt::Failed(RunError::Failed(format!(
            "fenced: {name} has taken over partition {} and committed it; this process stops. \
             Nothing is lost or doubled; run one process per consumer group",
            known.partition
        ))))
    }

    fn committed_offsets(&self, partitions: &[PartitionId]) -> Result<Vec<Committed>, KafkaError> {
        let committed = self.consumer.committed(partitions, limits::RECOVERY_QUERY_TIMEOUT)?;
        let known = committed.into_iter().map(|committed| Committed {
            partition: committed.partition,
            offset: committed.offset,
            metadata: committed.metadata,
        });
        Ok(known.collect())
    }

    fn question(&mut self, partitions: &[PartitionId]) -> Result<Answer, KafkaError> {
        let timeout = limits::RECOVERY_QUERY_TIMEOUT;
        let (total, topic) = self.input_topic(timeout)?;
        self.forget_another_topic(topic);
        let all: Vec<_> = (0..total).map(PartitionId).collect();
        let committed = self.committed_offsets(&all)?;
        let log = self.consumer.logs(partitions, timeout)?;
        let by_time: BTreeMap<_, _> = match self.settings.start_from {
            StartFrom::Time(time_ms) => {
                self.consumer.offset_for_time(partitions, time_ms, timeout)?.into_iter().collect()
            }
            StartFrom::Earliest | StartFrom::Latest => BTreeMap::new(),
        };
        // Every commit names all partitions: one without, beside others, is new in the topic.
        let known_group = committed.iter().any(|known| known.offset.is_some());
        let at: BTreeMap<_, _> = committed.iter().map(|c| (c.partition, c.offset)).collect();
        let recover = partitions.iter().map(|&partition| {
            let (log_start, log_end) = log[&partition];
            let fresh_start = match self.settings.start_from {
                _ if known_group => log_start,
                StartFrom::Earliest => log_start,
                StartFrom::Latest => log_end,
                StartFrom::Time(_) => by_time.get(&partition).copied().unwrap_or(log_end),
            };
            let next = at.get(&partition).copied().flatten().unwrap_or(fresh_start);
            let unreadable = self.unreadable.at(partition, next);
            RecoverPartition { partition, fresh_start, log_start, log_end, unreadable }
        });
        let mut recover: Vec<_> = recover.collect();
        // "The end" is where it was when it was first asked for: until that is committed, records
        // come behind it.
        for facts in &mut recover {
            let first = self.fresh_starts.entry(facts.partition);
            facts.fresh_start = *first.or_insert(facts.fresh_start);
        }
        Ok(Answer {
            committed,
            partitions: recover,
            ends: self.bounds(partitions)?,
            owns_all: partitions.len() as i32 == total,
            topic,
        })
    }

    /// The input's number of partitions, and its id.
    fn input_topic(&self, timeout: Duration) -> Result<(i32, Option<TopicId>), KafkaError> {
        let name = self.settings.topic.as_str();
        if !self.settings.has_topic_ids {
            let topics = find_topics(&self.admin, &[name], timeout)?;
            let total = topics.first().and_then(|topic| topic.partitions).unwrap_or_default();
            return Ok((total, None));
        }
        let topics = describe_topics(&self.admin, &[name], timeout)?;
        let topic = topics.into_iter().next().expect("one answer per name")?;
        Ok((topic.partitions as i32, topic.id))
    }

    /// Leaves the incarnation and recovers the same partitions, after a pause that grows with
    /// repeated failure.
    pub(super) fn roll_back(&mut self, reason: &str) -> Result<(), Halt> {
        let partitions = match &self.phase {
            SourcePhase::Running | SourcePhase::Ending { .. } => {
                self.intake.partitions.positions().into_keys().collect()
            }
            SourcePhase::Recovering(known) => known.partitions.clone(),
            SourcePhase::Rebuilding(rebuilding) => rebuilding.known().partitions.clone(),
            SourcePhase::Unassigned
            | SourcePhase::StandingBy
            | SourcePhase::Leaving(_)
            | SourcePhase::Asking(_)
            | SourcePhase::Closed => return Ok(()),
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
            SourcePhase::Ending { why: Ending::Revoke, .. } => return self.give_away(),
            SourcePhase::Ending { why: Ending::Stop, .. } => {
                return Err(Halt::Failed(RunError::Failed(format!(
                    "the last epoch could not be committed: {reason}; nothing is lost: its events \
                     are read again at the next start"
                ))));
            }
            _ => {}
        }
        let next_try = Instant::now() + pause;
        self.leave(After::Ask(Asking::new(partitions, Why::RolledBack, next_try)))
    }
}

/// Doubles from a tenth of a second up to the longest pause.
fn backoff(attempt: u32) -> Duration {
    let doubled = Duration::from_millis(100) * 2u32.saturating_pow(attempt.min(16) - 1);
    doubled.min(limits::ROLLBACK_BACKOFF_MAX)
}
