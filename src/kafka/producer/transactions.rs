//! Transactions of the producer. Runs in the sink thread.
//!
//! In: begin, offsets, commit, abort. Out: an error whose variant says what to do next.
//! Holds: what timed out may be called again, and is resumed; the group's membership is read anew
//! for every transaction, and never a missing one.
//!
//! **Fenced or too old?** A broker ends a transaction that is open for longer than
//! `transaction.timeout.ms`, counted from its first partition or offset (it looks every 10 s, by
//! `transaction.abort.timed.out.transaction.cleanup.interval.ms`). It does so by a higher epoch, as
//! for a newer producer of the same id. Whichever it was, the next delivery, offsets, commit or
//! abort fails with `Fenced`, code `_FENCED` and the same text, and this producer is done: Kafka
//! 4.3 and librdkafka 2.12 leave no difference to see. What remains is the clock. Less than the
//! timeout since `begin`: another process, for certain. Otherwise it may be either, and
//! the consumer decides: a process with the same instance id fences it as well, which its next
//! heartbeat or commit tells. Only one that is then still a member may go on, with a new
//! `Producer`: whoever takes the id over unasked stops the other process, which may be the rightful
//! one.
//!
//! **Refused records.** After a record that the broker refused, the abort succeeds, but the next
//! transaction with that partition is `Abortable` once more (`OUT_OF_ORDER_SEQUENCE_NUMBER`):
//! librdkafka takes a new epoch only then. The one after it works.
//!
//! **Failed in the background.** Partitions join a transaction between two calls. When the
//! coordinator refuses one (an id that expired in a quiet week, a missing ACL), librdkafka throws
//! the waiting records away, logs a line and keeps the reason for the next transactional call.

use std::{
    fmt,
    time::{Duration, Instant},
};

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use super::{failure::NativeError, reports::Reports};
use crate::{
    kafka::native::{
        CommitEntry, ErrorCode, GroupMetadata, KafkaError, NativeClient, commit_list, millis,
    },
    limits::{
        TRANSACTION_ABORT_ATTEMPT, TRANSACTION_ABORT_POLL, TRANSACTION_ABORT_SERVE,
        TRANSACTION_INIT_ATTEMPT, TRANSACTION_INIT_ATTEMPT_MAX,
    },
};

/// The transactional calls of one producer.
pub struct Transactions<'p> {
    reports: &'p Reports,
}

impl fmt::Debug for Transactions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transactions").finish_non_exhaustive()
    }
}

impl<'p> Transactions<'p> {
    pub(super) fn of(reports: &'p Reports) -> Self {
        Self { reports }
    }

    /// Takes the transactional id over: fences a former producer of it, and ends the transaction
    /// that one has left open. Once, before anything is sent.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while the coordinator is away: the work goes on behind the call,
    /// and the same call resumes it. `Fatal`, for example without the right to use the id.
    pub fn init(&self, timeout: Duration) -> Result<(), KafkaError> {
        const OPERATION: &str = "init transactions";
        let deadline = Instant::now() + timeout;
        // NOTE: no connection may be there yet, and the coordinator refuses while it ends what an
        // earlier producer left open. librdkafka tries again after half a second; or at once, when
        // the call is made again.
        let mut next = TRANSACTION_INIT_ATTEMPT;
        loop {
            let attempt = next.min(timeout);
            next = (2 * next).min(TRANSACTION_INIT_ATTEMPT_MAX);
            let result = self.transact(OPERATION, Some(attempt), |client| {
                // SAFETY: the client is alive; the returned error is the caller's.
                unsafe { rd::rd_kafka_init_transactions(client.ptr(), millis(attempt)) }
            });
            match result {
                Err(KafkaError::Timeout { .. }) if Instant::now() < deadline => {}
                result => return result.map_err(|error| after(timeout, error)),
            }
        }
    }

    /// Everything sent from now on belongs to the transaction. Asks no broker.
    pub fn begin(&self) -> Result<(), KafkaError> {
        self.transact("begin a transaction", None, |client| {
            // SAFETY: the client is alive; the returned error is the caller's.
            unsafe { rd::rd_kafka_begin_transaction(client.ptr()) }
        })
    }

    /// Whether something says that the open transaction failed outside of a call: librdkafka has
    /// thrown records away that nobody asked it to, or has logged it. Costs next to nothing.
    pub fn hints_at_failure(&self) -> bool {
        let logged = self.reports.client().context().take_transaction_failed();
        logged || self.reports.has_purged()
    }

    /// Why the open transaction has failed, if it has; for example when the coordinator refused a
    /// partition, which librdkafka learns between two calls and reports with the next one only.
    /// Asks librdkafka's own thread, and no broker.
    ///
    /// The caller has a transaction open, or this would open one: a call that is not allowed in a
    /// sound transaction is answered with the reason in a failed one.
    pub fn failure(&self) -> Option<KafkaError> {
        let error = self.begin().err()?;
        // A call that is to be resumed says by itself what became of it.
        (!error.is_wrong_state() && !is_conflict(&error)).then_some(error)
    }

    /// Makes the group's next offsets, with their metadata, part of the transaction.
    ///
    /// librdkafka ends it late when a coordinator is away: it waits for the request under way,
    /// which has `socket.timeout.ms`, by default 100 ms less than the transaction's own timeout.
    ///
    /// # Errors
    /// `Timeout` or `Retriable`: call it again with the same entries. `Abortable`, with the reason,
    /// when the group has gone on without the member or its coordinator did not answer in time.
    pub fn send_offsets(
        &self,
        topic: &str,
        entries: &[CommitEntry],
        group: &GroupMetadata,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        let list = commit_list(topic, entries)?;
        self.transact("add offsets to the transaction", Some(timeout), |client| {
            // SAFETY: client, list and metadata are alive and copied; the returned error is the
            // caller's.
            unsafe {
                rd::rd_kafka_send_offsets_to_transaction(
                    client.ptr(),
                    list.ptr(),
                    group.ptr(),
                    millis(timeout),
                )
            }
        })
    }

    /// Commits. The caller has polled until everything sent is reported: librdkafka waits for the
    /// reports, and only `poll` takes them.
    ///
    /// # Errors
    /// `Timeout` or `Retriable`: whether it is committed is unknown; the same call resumes it, and
    /// nothing else is allowed before it has answered, not even an abort. `Abortable` when a record
    /// was not delivered or the broker refuses. `Fenced` and `Fatal` leave the outcome open: the
    /// committed offsets tell.
    pub fn commit(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.transact("commit the transaction", Some(timeout), |client| {
            // SAFETY: the client is alive; the returned error is the caller's.
            unsafe { rd::rd_kafka_commit_transaction(client.ptr(), millis(timeout)) }
        })
    }

    /// Aborts, whatever is in flight: that is thrown away, and its reports, which count as purged,
    /// are polled in here. Returns at the latest an attempt (`TRANSACTION_ABORT_ATTEMPT`) and its
    /// reports after `timeout`.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while the coordinator is away: the same call resumes it.
    pub fn abort(&self, timeout: Duration) -> Result<(), KafkaError> {
        const OPERATION: &str = "abort the transaction";
        let deadline = Instant::now() + timeout;
        loop {
            let result = self.transact(OPERATION, Some(TRANSACTION_ABORT_ATTEMPT), |client| {
                let attempt = millis(TRANSACTION_ABORT_ATTEMPT);
                // SAFETY: the client is alive; the returned error is the caller's.
                unsafe { rd::rd_kafka_abort_transaction(client.ptr(), attempt) }
            });
            let Err(error) = result else { return Ok(()) };
            self.serve_reports();
            let may_resume = error.is_retriable() && !is_conflict(&error);
            if may_resume && Instant::now() < deadline {
                continue;
            }
            return Err(after(timeout, error));
        }
    }

    /// Serves what is in flight for a while; at least once, as the pause between two attempts.
    fn serve_reports(&self) {
        let until = Instant::now() + TRANSACTION_ABORT_SERVE;
        loop {
            self.reports.poll(TRANSACTION_ABORT_POLL);
            if self.reports.in_flight() == 0 || Instant::now() >= until {
                return;
            }
        }
    }

    /// One transactional call, and what its error means.
    fn transact(
        &self,
        operation: &'static str,
        timeout: Option<Duration>,
        call: impl FnOnce(&NativeClient) -> *mut rd::rd_kafka_error_t,
    ) -> Result<(), KafkaError> {
        let began = Instant::now();
        let Some(error) = NativeError::take(call(self.reports.client())) else { return Ok(()) };
        // Brings in what is behind a timeout.
        self.reports.poll(Duration::ZERO);
        let failure = error.failure();
        let waited = timeout.filter(|timeout| failure.is_timeout(began.elapsed() >= *timeout));
        if let Some(waited) = waited {
            let KafkaError::Timeout { text, .. } = self.reports.client().timeout(operation, waited)
            else {
                unreachable!("the client makes it a timeout")
            };
            let text = if text.is_empty() { failure.into_text() } else { text };
            return Err(KafkaError::Timeout { operation, waited, text });
        }
        Err(failure.classify(operation, self.reports.client().fatal_error()))
    }
}

/// The error of the last of several attempts, which took `waited` together.
fn after(waited: Duration, error: KafkaError) -> KafkaError {
    match error {
        KafkaError::Timeout { operation, text, .. } => {
            KafkaError::Timeout { operation, waited, text }
        }
        other => other,
    }
}

/// Another transactional call waits to be resumed; repeating this one changes nothing.
fn is_conflict(error: &KafkaError) -> bool {
    error.code() == Some(ErrorCode(RDKafkaRespErr::RD_KAFKA_RESP_ERR__CONFLICT as i32))
}
