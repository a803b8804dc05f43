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
    answer::Answer,
    context::Context,
    departed, fatal,
    leaving::After,
    phase::Phase,
    recovering::{Known, Recovering},
};
use crate::{
    client::Client,
    epoch::{RecoverRequest, ToSink},
    ids::PartitionId,
    kafka::KafkaError,
    limits,
};

/// Partitions whose committed offsets are being asked for.
#[derive(Debug)]
pub(super) struct Asking {
    partitions: Vec<PartitionId>,
    next_try: Instant,
    /// Whether an attempt has failed.
    failed: bool,
    /// How often it was answered before.
    answered: u32,
    /// When it was first answered.
    since: Option<Instant>,
}

impl Asking {
    pub(super) fn new(partitions: Vec<PartitionId>, next_try: Instant) -> Self {
        Self { partitions, next_try, failed: false, answered: 0, since: None }
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
        let next_try = cx.now() + cx.count_rollback(reason)?;
        cx.leave(After::Ask(Self::new(self.partitions, next_try)))
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
        // NOTE: before the commits, which wait for offsets of transactions that are open.
        let error = match departed::advance(cx) {
            Ok(false) => return Ok(Phase::Asking(self)),
            Ok(true) => match Answer::ask(cx, &self.partitions) {
                Ok(answer) => return self.answered(cx, answer),
                Err(error) => error,
            },
            Err(error) => error,
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
        let (since, journal) = (self.since.unwrap_or_else(|| cx.now()), answer.journal.topic);
        let all = answer.committed.len() as u32;
        let request = RecoverRequest {
            incarnation: cx.incarnation,
            attempt: self.answered,
            since,
            committed: answer.committed,
            journal: answer.journal,
            partitions: answer.partitions,
            topic: answer.topic,
            run_ends: cx.run_ends.clone(),
        };
        cx.topics.uses(answer.topic, journal);
        cx.topics.adopt(&cx.settings.topics, cx.unused_epoch, &mut cx.intake.lanes)?;
        cx.intake.lanes.tell_sink(ToSink::Recover(Box::new(request)))?;
        let known = Known { partitions: partitions.clone(), all };
        let question =
            Self { answered: self.answered + 1, since: Some(since), failed: false, ..self };
        Ok(Phase::Recovering(Recovering::new(known, question)))
    }
}
