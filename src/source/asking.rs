//! Asking the broker where reading goes on. Owned by the source thread.
//!
//! In:  assigned partitions, or those of an incarnation that was rolled back.
//! Out: a `Recover` request to the sink with committed offsets, log starts and ends.
//! Holds: a start and a rollback are the same procedure; it is asked only after the sink has ended
//! what was open, and after what instances that have gone left open was ended as well; a broker
//! that is away is waited for.

use std::time::Instant;

use super::{
    Halt,
    answer::{Answer, committed_offsets},
    context::Context,
    departed, fatal,
    leaving::After,
    phase::Phase,
    recovering::{Known, Recovering},
};
use crate::{
    client::{Client, RecordConsumer},
    epoch::{Committed, RecoverRequest, ToSink},
    error::RunError,
    ids::PartitionId,
    journal::JournalCommit,
    kafka::KafkaError,
    limits,
};

/// Partitions whose committed offsets are being asked for.
#[derive(Debug)]
pub(super) struct Asking {
    partitions: Vec<PartitionId>,
    why: Why,
    next_try: Instant,
    /// Whether an attempt has failed.
    failed: bool,
    /// How often it was answered before.
    answered: u32,
    /// When it was first answered.
    since: Option<Instant>,
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
        Self { partitions, why, next_try, failed: false, answered: 0, since: None }
    }

    /// The same question, after a pause.
    pub(super) fn again(self, now: Instant) -> Self {
        Self { next_try: now + limits::ASK_AGAIN_PAUSE, ..self }
    }

    /// The question, once the sink is ready again.
    pub(super) fn roll_back<C: Client>(
        self,
        cx: &mut Context<C>,
        reason: &str,
    ) -> Result<Phase, Halt> {
        if matches!(self.why, Why::Lost | Why::Rejoin) {
            return Ok(Phase::Asking(self));
        }
        let next_try = cx.now() + cx.count_rollback(reason)?;
        cx.leave(After::Ask(Self::new(self.partitions, self.why, next_try)))
    }

    /// Whether the first attempt is put off, after a rollback.
    pub(super) fn is_pausing(&self, now: Instant) -> bool {
        !self.failed && now < self.next_try
    }

    /// One attempt to ask the broker; a failed one is repeated later.
    pub(super) fn step<C: Client>(self, cx: &mut Context<C>) -> Result<Phase, Halt> {
        if cx.intake.now() < self.next_try {
            return Ok(Phase::Asking(self));
        }
        let error = match self.why {
            Why::Lost | Why::Rejoin => match committed_offsets(&cx.consumer, &self.partitions) {
                Ok(committed) => return self.nobody_took_over(cx, &committed),
                Err(error) => error,
            },
            // NOTE: before the commits, which wait for offsets of transactions that are open.
            Why::Assigned | Why::RolledBack => match departed::advance(cx) {
                Ok(false) => return Ok(Phase::Asking(self)),
                Ok(true) => match Answer::ask(cx, &self.partitions) {
                    Ok(answer) => return self.answered(cx, answer),
                    Err(error) => error,
                },
                Err(error) => error,
            },
        };
        self.failed(cx, &error)
    }

    fn failed<C: Client>(self, cx: &mut Context<C>, error: &KafkaError) -> Result<Phase, Halt> {
        if error.is_replaced_member() {
            return cx.replaced(error);
        }
        if error.is_fatal() {
            return Err(fatal(error));
        }
        cx.warn_of(error);
        let next_try = cx.now() + limits::BROKER_RETRY_PAUSE;
        Ok(Phase::Asking(Self { next_try, failed: true, ..self }))
    }

    fn answered<C: Client>(self, cx: &mut Context<C>, answer: Answer) -> Result<Phase, Halt> {
        let partitions = &self.partitions;
        if self.why == Why::Assigned {
            let committed = answer.committed.iter();
            cx.taken_over = committed.map(|known| (known.partition, known.clone())).collect();
        } else {
            let owned = |known: &&Committed| partitions.contains(&known.partition);
            refuse_other_committers(cx, answer.committed.iter().filter(owned))?;
        }
        let (since, journal) = (self.since.unwrap_or_else(|| cx.now()), answer.journal.topic);
        let others = (!answer.owns_all).then_some(answer.committed.len() as u32);
        let request = RecoverRequest {
            incarnation: cx.incarnation,
            attempt: self.answered,
            since,
            committed: answer.committed,
            journal: answer.journal,
            partitions: answer.partitions,
            owns_all: answer.owns_all,
            topic: answer.topic,
        };
        cx.topics.uses(answer.topic, journal);
        cx.topics.adopt(&cx.settings.topics, cx.unused_epoch, &mut cx.intake.lanes)?;
        cx.intake.lanes.tell_sink(ToSink::Recover(Box::new(request)))?;
        let known = Known { partitions: partitions.clone(), ends: answer.ends, others };
        let question =
            Self { answered: self.answered + 1, since: Some(since), failed: false, ..self };
        Ok(Phase::Recovering(Recovering::new(known, question)))
    }

    /// Partitions were lost. If nobody has committed them since, the group is joined again.
    fn nobody_took_over<C: Client>(
        self,
        cx: &mut Context<C>,
        committed: &[Committed],
    ) -> Result<Phase, Halt> {
        refuse_other_committers(cx, committed.iter())?;
        let joining = match self.why {
            Why::Rejoin => cx.consumer.subscribe(),
            _ => cx.consumer.unassign(),
        };
        joining.map_err(|error| fatal(&error))?;
        Ok(Phase::Unassigned)
    }
}

/// Partitions that were not given back must not have been committed by anybody else: another
/// process has taken this one's place, and going on would be a tug of war.
fn refuse_other_committers<'a, C: Client>(
    cx: &Context<C>,
    mut committed: impl Iterator<Item = &'a Committed>,
) -> Result<(), Halt> {
    let others = |known: &&Committed| {
        let metadata = JournalCommit::parse(&known.metadata)?;
        let is_us = metadata.instance.as_str() == cx.settings.instance;
        let ours = is_us && metadata.epoch < cx.unused_epoch;
        let seen = cx.taken_over.get(&known.partition) == Some(known);
        (!ours && !seen).then(|| metadata.instance.as_str().to_owned())
    };
    let Some((known, other)) = committed.find_map(|known| Some((known, others(&known)?))) else {
        return Ok(());
    };
    let name = if other == cx.settings.instance {
        format!("another process with this instance id, {other},")
    } else {
        format!("another instance, {other},")
    };
    Err(Halt::Failed(RunError::Failed(format!(
        "fenced: {name} has taken over partition {} and committed it; this process stops. Nothing \
         is lost or doubled; run one process per consumer group",
        known.partition
    ))))
}
