//! Questions of commands that read a topic outside of any group, beside processors at work.
//!
//! On the command's thread. In: a consumer that has joined nothing. Out: the beginnings and ends of
//! the logs, once the transactions that were open have ended.
//! Holds: a broker that is away is waited for, within a limit.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use crate::{
    ids::{Offset, PartitionId},
    kafka::{Admin, Consumer, KafkaError, all_log_ends},
    limits,
};

/// The logs of a topic as a reader of committed records sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledLogs {
    /// Of each partition the first offset, and the one after the last that may be read.
    pub logs: BTreeMap<PartitionId, (Offset, Offset)>,
    /// Offsets that are hidden behind transactions that have not ended in time.
    pub hidden: u64,
}

/// Retries a call that may be retried, for `COMMAND_PATIENCE`.
///
/// # Errors
/// The last one.
pub fn patiently<T>(call: impl FnMut() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    retried(limits::COMMAND_PATIENCE, call)
}

/// A command's first question. Retried for `COMMAND_FIRST_ANSWER` only: nobody has answered at the
/// address yet, so that it may be a wrong one.
///
/// # Errors
/// The last one; if it could be retried, a text that says where nobody answers.
pub fn first_answer<T>(
    brokers: &str,
    call: impl FnMut() -> Result<T, KafkaError>,
) -> Result<T, NoFirstAnswer> {
    let patience = limits::COMMAND_FIRST_ANSWER;
    retried(patience, call).map_err(|error| match error {
        error if error.is_retriable() => {
            NoFirstAnswer::Silence(no_answer(brokers, patience, &error))
        }
        error => NoFirstAnswer::Error(error),
    })
}

/// Why a command's first question has no answer.
#[derive(Debug)]
pub enum NoFirstAnswer {
    /// Nobody answers: a message with the remedy.
    Silence(String),
    /// A broker refused.
    Error(KafkaError),
}

/// That nobody answers, and what to look at.
pub fn no_answer(brokers: &str, within: Duration, error: &KafkaError) -> String {
    format!(
        "no answer from {brokers} (--brokers) within {within:?}: {error}; check the address and \
         the -X security properties"
    )
}

fn retried<T>(
    patience: Duration,
    mut call: impl FnMut() -> Result<T, KafkaError>,
) -> Result<T, KafkaError> {
    const PAUSE: Duration = Duration::from_millis(100);
    let deadline = Instant::now() + patience;
    loop {
        match call() {
            Err(error) if error.is_retriable() && Instant::now() < deadline => {
                thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}

/// Asks for the logs of a topic's partitions. `everything` sees the records of open transactions.
///
/// An open transaction hides its records. A committed one hides them until every partition has its
/// marker, so that records of a processor that has just ended would be missed. Such transactions
/// are waited for, within a limit.
///
/// # Errors
/// When the brokers do not answer in time, or refuse.
pub fn settled_logs(
    consumer: &Consumer,
    everything: &Admin,
    topic: &str,
    partitions: &[PartitionId],
) -> Result<SettledLogs, KafkaError> {
    let timeout = limits::RECOVERY_QUERY_TIMEOUT;
    let ends = patiently(|| all_log_ends(everything, topic, partitions, timeout))?;
    let deadline = Instant::now() + limits::OPEN_TRANSACTION_PATIENCE;
    let mut has_said = false;
    loop {
        let logs = patiently(|| consumer.logs(partitions, timeout))?;
        let hidden = |(partition, end): (&PartitionId, &Offset)| {
            logs.get(partition).map_or(0, |(_, committed)| (end.0 - committed.0).max(0) as u64)
        };
        let hidden: u64 = ends.iter().map(hidden).sum();
        if hidden == 0 || Instant::now() >= deadline {
            return Ok(SettledLogs { logs, hidden });
        }
        if !has_said {
            tracing::info!(
                offsets = hidden,
                topic,
                "waiting for the end of a transaction that hides records"
            );
            has_said = true;
        }
        thread::sleep(limits::OPEN_TRANSACTION_PAUSE);
    }
}
