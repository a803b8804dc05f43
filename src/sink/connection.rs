//! The sink's producer and its transaction. Owned by the sink thread.
//!
//! In:  the wish to produce, to commit, to start over.
//! Out: a producer that may be used, committed epochs.
//! Holds: nothing is produced outside a transaction, a transaction holds one epoch, and none is
//! begun before what an earlier producer of this id left open has ended. Brokers without
//! transactions, which only the demo has, get records first and offsets then.
//!
//! ```text
//! New ──registered──► Ready ──first record or commit──► Open ──offsets sent, committed──► Ready
//!  ▲                                                      │ failed, or the incarnation is over
//!  └──────────────── a new producer takes its place ──────┘
//! ```

use std::time::{Duration, Instant};

use super::{EpochFailure, OutputSettings};
use crate::{
    client::{Client, Clock, OffsetCommitter, RecordProducer},
    failpoint::{self, Fault, Point},
    kafka::{CommitEntry, KafkaError},
    limits,
    metrics::{self, Metric},
    topics::{PerOutput, Topic},
};

#[derive(Debug, Clone, Copy)]
enum Transaction {
    /// There are none.
    Never,
    /// The transactional id is not registered yet.
    New,
    Ready,
    Open {
        /// When the offsets were sent.
        committing: Option<Instant>,
    },
}

/// A producer with the handles of its topics.
#[derive(Debug)]
pub(super) struct Connection<C: Client> {
    // NOTE: handles before the producer they belong to, so that they are dropped first.
    handles: PerOutput<<C::Producer as RecordProducer>::Topic>,
    producer: C::Producer,
    clock: C::Clock,
    transaction: Transaction,
    complained: Option<Instant>,
    /// No attempt of a call that failed is made before.
    not_before: Option<Instant>,
    /// When the open transaction is looked at again without a hint.
    next_check: Instant,
    /// Timeout of adding offsets. Unlike the other calls this one cannot be repeated: librdkafka
    /// fails the transaction when the group's coordinator has not answered by then.
    offsets_timeout: Duration,
    /// How long the last commit took, from its offsets on.
    commit_took: Duration,
}

impl<C: Client> Connection<C> {
    pub(super) fn new(client: &C, settings: &OutputSettings) -> Result<Self, KafkaError> {
        let mut producer = client.producer(&settings.producer)?;
        let handles =
            settings.facts.try_map(|topic, _| match (topic, &settings.topics[topic]) {
                // Its records repeat each other: heads, and the names of values.
                (Topic::Journal, name) => producer.compressed_topic(name),
                (_, name) => producer.topic(name),
            })?;
        let transactional = settings.producer.transactional.as_ref();
        Ok(Self {
            handles,
            producer,
            clock: client.clock().clone(),
            transaction: transactional.map_or(Transaction::Never, |_| Transaction::New),
            complained: None,
            not_before: None,
            next_check: client.clock().now(),
            offsets_timeout: settings.producer.delivery_timeout,
            commit_took: Duration::ZERO,
        })
    }

    pub(super) fn producer(&self) -> &C::Producer {
        &self.producer
    }

    /// What librdkafka has accepted of all topics up to now.
    pub(super) fn mark(&self) -> <C::Producer as RecordProducer>::Mark {
        let handles: Vec<_> = self.handles.values().copied().collect();
        self.producer.mark(&handles)
    }

    pub(super) fn handles(&self) -> &PerOutput<<C::Producer as RecordProducer>::Topic> {
        &self.handles
    }

    /// Whether nothing is in flight or open, all was delivered, and the producer works: it can go
    /// on as it is. One that could not deliver a record would be waited for in vain: it counts
    /// what was accepted and what was delivered.
    pub(super) fn is_clean(&self) -> bool {
        let open = matches!(self.transaction, Transaction::Open { .. });
        let all = self.mark();
        !open
            && self.producer.in_flight() == 0
            && (self.producer.has_delivered(&all) || failpoint::is_planted(Fault::ProducerKept))
            && self.producer.fatal_error().is_none()
    }

    /// Registers the transactional id, one short attempt. That ends what an earlier process or
    /// producer with it left open; committed offsets may be read only afterwards. False: not yet.
    pub(super) fn make_ready(&mut self) -> Result<bool, EpochFailure> {
        if !matches!(self.transaction, Transaction::New) {
            return Ok(true);
        }
        if self.pauses() {
            return Ok(false);
        }
        match self.producer.init_transactions(limits::TRANSACTION_CALL_TIMEOUT) {
            Ok(()) => {
                self.transaction = Transaction::Ready;
                Ok(true)
            }
            Err(error) if error.is_retriable() || error.is_abortable() => {
                self.complain("registering the transactional id", &error);
                Ok(false)
            }
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Opens the epoch's transaction if that has not been done.
    pub(super) fn begin(&mut self) -> Result<(), EpochFailure> {
        failpoint::reached(Point::FirstOutput);
        if matches!(self.transaction, Transaction::Ready) {
            if let Err(error) = self.producer.begin_transaction() {
                return Err(self.failure(error));
            }
            self.transaction = Transaction::Open { committing: None };
            self.next_check = self.clock.now() + limits::TRANSACTION_CHECK_INTERVAL;
        }
        Ok(())
    }

    /// Notices an open transaction that failed between two calls, so that nobody waits for what
    /// will never be delivered: at once where something hints at it, and now and then anyway.
    pub(super) fn check_transaction(&mut self) -> Result<(), EpochFailure> {
        if !matches!(self.transaction, Transaction::Open { .. }) {
            return Ok(());
        }
        let now = self.clock.now();
        if !self.producer.hints_at_failed_transaction() && now < self.next_check {
            return Ok(());
        }
        self.next_check = now + limits::TRANSACTION_CHECK_INTERVAL;
        let failed = self.producer.failed_transaction();
        failed.map_or(Ok(()), |error| Err(self.failure(error)))
    }

    /// One attempt to commit; what timed out is taken up again by the next one. True: committed.
    pub(super) fn commit(
        &mut self,
        committer: &C::Committer,
        input_topic: &str,
        offsets: &[CommitEntry],
    ) -> Result<bool, EpochFailure> {
        if self.pauses() {
            return Ok(false);
        }
        let is_apart = failpoint::is_planted(Fault::OffsetsApart);
        let attempt = if matches!(self.transaction, Transaction::Never) || is_apart {
            committer.commit(offsets, limits::COMMIT_TIMEOUT)
        } else {
            self.begin()?;
            self.commit_transaction(committer, input_topic, offsets)
        };
        match attempt {
            Ok(()) => Ok(true),
            Err(error) if error.is_retriable() => {
                self.complain("committing", &error);
                Ok(false)
            }
            Err(error) => Err(self.failure(error)),
        }
    }

    fn commit_transaction(
        &mut self,
        committer: &C::Committer,
        input_topic: &str,
        offsets: &[CommitEntry],
    ) -> Result<(), KafkaError> {
        let timeout = limits::TRANSACTION_CALL_TIMEOUT;
        let Transaction::Open { committing } = &mut self.transaction else {
            unreachable!("a transaction is committed while it is open");
        };
        let began = committing.unwrap_or_else(|| self.clock.now());
        if committing.is_none() && !offsets.is_empty() {
            let group = committer.group_metadata()?;
            self.producer.send_offsets(input_topic, offsets, &group, self.offsets_timeout)?;
        }
        *committing = Some(began);
        failpoint::reached(Point::OffsetsSent);
        if failpoint::is_set(Point::Committing) {
            // Long enough for the request to leave, too short for its answer to be waited for.
            drop(self.producer.commit_transaction(limits::SINK_DRAIN_POLL));
            failpoint::kill(Point::Committing);
        }
        self.producer.commit_transaction(timeout)?;
        self.transaction = Transaction::Ready;
        self.commit_took = self.clock.since(began);
        Ok(())
    }

    /// Whether requests of the last commit may have been sent twice: a late copy of one would be
    /// taken for one of the next transaction, so that belongs to another producer.
    pub(super) fn may_have_late_copies(&self) -> bool {
        self.commit_took >= limits::SLOW_COMMIT && !failpoint::is_planted(Fault::SlowCommitKept)
    }

    /// Ends what is open, so that readers need not wait for the transaction timeout. A broker that
    /// does not answer leaves that to the next producer of the id.
    pub(super) fn end(&mut self) {
        if !matches!(self.transaction, Transaction::Open { .. }) {
            self.producer.purge();
            return;
        }
        if let Err(error) = self.producer.abort_transaction(limits::ABORT_TIMEOUT) {
            tracing::debug!(%error, "the open transaction could not be aborted");
        }
        self.transaction = Transaction::New;
    }

    /// What an error means. One that cannot be mended here stops the process.
    pub(super) fn failure(&self, error: KafkaError) -> EpochFailure {
        let of_client = self.producer.fatal_error();
        if of_client.is_none() && error.is_wrong_state() {
            return EpochFailure::RollBack(format!("the transaction has failed: {error}"));
        }
        if of_client.as_ref().is_some_and(KafkaError::has_lost_sequence) {
            return EpochFailure::RollBack(error.to_string());
        }
        // What comes after a fence only says that there was one.
        let error = of_client.filter(KafkaError::is_fenced).unwrap_or(error);
        if error.is_replaced_member() {
            // The consumer hears of it too, and decides what that means.
            EpochFailure::RollBack(error.to_string())
        } else if error.is_fenced() {
            EpochFailure::Fenced(error.to_string())
        } else {
            EpochFailure::from(error)
        }
    }

    /// Lets a pause follow.
    pub(super) fn pause(&mut self) {
        self.not_before = Some(self.clock.now() + limits::COMMIT_RETRY_PAUSE);
    }

    pub(super) fn pauses(&self) -> bool {
        self.not_before.is_some_and(|at| self.clock.now() < at)
    }

    /// Says now and then that something is tried again, and lets a pause follow.
    pub(super) fn complain(&mut self, what: &str, error: &KafkaError) {
        metrics::add(Metric::CommitRetries, 1);
        let now = self.clock.now();
        self.pause();
        let due = self.complained.is_none_or(|at| now - at >= limits::REPEATED_LOG_INTERVAL);
        if due {
            self.complained = Some(now);
            tracing::warn!(%error, "{what} is disturbed; trying again");
        }
    }
}

impl<C: Client> Drop for Connection<C> {
    fn drop(&mut self) {
        // The process ends, with its own reason.
        self.end();
    }
}
