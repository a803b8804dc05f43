//! Commits offsets through the consumer's membership, from the sink thread.
//!
//! In: the next offsets and metadata of an epoch. Out: the broker's answer, within a timeout.
//! Holds: every partition's own result is checked; an answer that comes too late is dropped with
//! its queue; a committer never keeps the consumer alive beyond the source thread.
//! The group metadata that a transaction needs is read through the same gate (`membership`).

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rdkafka::bindings as rd;

use super::offsets::committed;
use crate::{
    ids::{Offset, PartitionId},
    kafka::native::{
        CommitEntry, GroupMetadata, KafkaError, NativeClient, Queue, check, commit_list,
        error_text, not_member,
    },
};

/// What is committed for one partition, as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The partition.
    pub partition: PartitionId,
    /// The next offset to read; `None` when nothing was ever committed.
    pub offset: Option<Offset>,
    /// The metadata of that commit; empty without one.
    pub metadata: String,
}

/// The consumer, while it is open. Commits hold it for reading; closing takes it for writing.
#[derive(Clone)]
pub(super) struct Gate(Arc<RwLock<Option<Arc<NativeClient>>>>);

impl Gate {
    pub(super) fn open(client: &Arc<NativeClient>) -> Self {
        Self(Arc::new(RwLock::new(Some(Arc::clone(client)))))
    }

    /// Runs a call with the consumer, which stays open meanwhile.
    ///
    /// # Errors
    /// `NotMember` when the consumer is closed; whatever the call returns.
    pub(super) fn pass<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&Arc<NativeClient>) -> Result<T, KafkaError>,
    ) -> Result<T, KafkaError> {
        let gate = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match gate.as_ref() {
            Some(client) => call(client),
            None => Err(not_member(operation)),
        }
    }

    /// Lets commits begin again, through another client.
    pub(super) fn reopen(&self, client: &Arc<NativeClient>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(client));
    }

    /// Waits for a running commit, at most its timeout, and lets no further one begin.
    pub(super) fn close(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Commits through the source's consumer. Cheap to clone.
#[derive(Clone)]
pub struct Committer {
    gate: Gate,
    topic: Arc<str>,
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committer").field("topic", &self.topic).finish_non_exhaustive()
    }
}

const OPERATION: &str = "commit offsets";

impl Committer {
    pub(super) fn new(gate: Gate, topic: &str) -> Self {
        Self { gate, topic: topic.into() }
    }

    /// Commits the next offset to read of each partition, with its metadata, and waits for the
    /// answer. Committing an offset again, moved or not, is allowed.
    ///
    /// # Errors
    /// `Timeout`: the outcome is unknown, committing the same again is right. `NotMember`: the
    /// group has moved on or the consumer is closed. `Retriable`, `Fenced`, `Fatal` as named.
    pub fn commit(&self, entries: &[CommitEntry], timeout: Duration) -> Result<(), KafkaError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.gate.pass(OPERATION, |client| commit(client, &self.topic, entries, timeout))
    }

    /// What the group has committed for these partitions, by whomever.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while the broker or the coordinator is away, and while a
    /// transaction with offsets of them is open. `NotMember` when the consumer is closed.
    pub fn committed(
        &self,
        partitions: &[PartitionId],
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>, KafkaError> {
        self.gate.pass("read committed offsets", |client| {
            committed(client, &self.topic, partitions, timeout)
        })
    }

    /// The consumer's membership as it is now; to be read anew for every transaction.
    ///
    /// It cannot move on to another generation while a rebalance event waits for its answer, so
    /// what was consumed before `unassign` is committed with the generation it was consumed in.
    ///
    /// # Errors
    /// `NotMember` when the consumer is closed, has not joined, or knows that the group has dropped
    /// it. NOTE: Kafka takes the offsets of a dynamic member without an id unchecked, whoever owns
    /// the partitions by then.
    pub fn group_metadata(&self) -> Result<GroupMetadata, KafkaError> {
        const OPERATION: &str = "read the group membership";
        self.gate.pass(OPERATION, |client| GroupMetadata::of(client, OPERATION))
    }
}

fn commit(
    client: &Arc<NativeClient>,
    topic: &str,
    entries: &[CommitEntry],
    timeout: Duration,
) -> Result<(), KafkaError> {
    let list = commit_list(topic, entries)?;
    // One queue per commit: a late answer to a former one cannot be taken for this one's.
    let answers = Queue::new(client);
    // SAFETY: client, list and queue are alive; librdkafka copies the list. Without a callback the
    // answer arrives as an event on the queue.
    let code = unsafe {
        rd::rd_kafka_commit_queue(
            client.ptr(),
            list.ptr(),
            answers.ptr(),
            None,
            std::ptr::null_mut(),
        )
    };
    check(OPERATION, code)?;
    let Some(answer) = answers.poll(timeout) else {
        return Err(client.timeout(OPERATION, timeout));
    };
    assert_eq!(answer.kind(), rd::RD_KAFKA_EVENT_OFFSET_COMMIT, "the queue is the commit's own");
    if answer.error_code() != 0 {
        let code = answer.error_code();
        return Err(KafkaError::from_code(OPERATION, code, error_text(code)));
    }
    let results = answer.partitions();
    assert_eq!(results.len(), entries.len(), "a commit answers for every partition");
    match results.iter().find(|result| result.error != 0) {
        None => Ok(()),
        Some(failed) => Err(KafkaError::from_code(
            OPERATION,
            failed.error,
            format!("partition {}: {}", failed.partition, error_text(failed.error)),
        )),
    }
}
