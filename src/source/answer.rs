//! What the broker says of partitions that are to be read. Owned by the source thread.
//!
//! In:  partitions. Out: committed offsets, starts and ends of the logs, the topic's id.
//! Holds: one attempt, bounded in time; nothing of it is kept but where a partition without a
//! commit begins.

use std::{collections::BTreeMap, time::Duration};

use super::context::Context;
use crate::{
    client::{Client, Questions, RecordConsumer},
    config::StartFrom,
    epoch::{Committed, JournalFacts, RecoverPartition, RunEnds},
    failpoint::{self, Fault},
    ids::{Offset, PartitionId, TopicId},
    kafka::KafkaError,
    limits,
    topics::Topic,
};

/// Who has this partition merges.
pub(super) const MERGERS: PartitionId = PartitionId(0);

/// What the broker said.
#[derive(Debug)]
pub(super) struct Answer {
    /// Of every partition of the topic.
    pub(super) committed: Vec<Committed>,
    pub(super) partitions: Vec<RecoverPartition>,
    pub(super) topic: Option<TopicId>,
    pub(super) journal: JournalFacts,
}

impl Answer {
    /// Asks for all of it.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while a broker is away.
    pub(super) fn ask<C: Client>(
        cx: &mut Context<C>,
        partitions: &[PartitionId],
    ) -> Result<Self, KafkaError> {
        let timeout = limits::RECOVERY_QUERY_TIMEOUT;
        let (total, topic) = input_topic(cx, timeout)?;
        let is_another = cx.topics.is_another(topic);
        if is_another {
            // What was known by offsets of a topic that had this one's name.
            cx.fresh_starts.clear();
            cx.run_ends = None;
            cx.unreadable.clear();
        }
        // A broker that has not heard of new partitions yet must not hide what is committed there.
        let named = partitions.iter().map(|partition| partition.0 + 1);
        let seen = if is_another { 0 } else { cx.topics.input_partitions() as i32 };
        let count = named.fold(total.max(seen), i32::max);
        let all: Vec<_> = (0..count).map(PartitionId).collect();
        cx.serve();
        let committed = committed_offsets(&cx.consumer, &all)?;
        cx.serve();
        // NOTE: in this order. What was committed stands below these ends, so what is read up to
        // them is at least as new.
        let journal = journal(cx)?;
        cx.serve();
        let log = cx.consumer.logs(partitions, timeout)?;
        let by_time: BTreeMap<_, _> = match cx.settings.start_from {
            StartFrom::Time(time_ms) => {
                cx.consumer.offset_for_time(partitions, time_ms, timeout)?.into_iter().collect()
            }
            StartFrom::Earliest | StartFrom::Latest => BTreeMap::new(),
        };
        // Every commit names all partitions: one without, beside others, is new in the topic.
        let known_group = committed.iter().any(|known| known.offset.is_some());
        let at: BTreeMap<_, _> = committed.iter().map(|c| (c.partition, c.offset)).collect();
        let recover = partitions.iter().map(|&partition| {
            let (log_start, log_end) = log[&partition];
            let fresh_start = match cx.settings.start_from {
                _ if known_group => log_start,
                StartFrom::Earliest => log_start,
                StartFrom::Latest => log_end,
                StartFrom::Time(_) => by_time.get(&partition).copied().unwrap_or(log_end),
            };
            let next = at.get(&partition).copied().flatten().unwrap_or(fresh_start);
            let unreadable = cx.unreadable.at(partition, next);
            RecoverPartition { partition, fresh_start, log_start, log_end, unreadable }
        });
        let mut recover: Vec<_> = recover.collect();
        // "The end" is where it was when it was first asked for: until that is committed, records
        // come behind it.
        for facts in &mut recover {
            let first = cx.fresh_starts.entry(facts.partition);
            facts.fresh_start = *first.or_insert(facts.fresh_start);
        }
        if cx.settings.exit_at_end && partitions.contains(&MERGERS) {
            cx.serve();
            bound_run(cx, &all, is_another)?;
        }
        Ok(Self { committed, partitions: recover, topic, journal })
    }
}

/// What the group has committed for these partitions.
pub(super) fn committed_offsets(
    consumer: &impl RecordConsumer,
    partitions: &[PartitionId],
) -> Result<Vec<Committed>, KafkaError> {
    let committed = consumer.committed(partitions, limits::RECOVERY_QUERY_TIMEOUT)?;
    let known = committed.into_iter().map(|committed| Committed {
        partition: committed.partition,
        offset: committed.offset,
        metadata: committed.metadata,
    });
    Ok(known.collect())
}

/// The input's number of partitions.
pub(super) fn partitions_of_input<C: Client>(cx: &Context<C>) -> Result<u32, KafkaError> {
    let (total, _) = input_topic(cx, limits::RECOVERY_QUERY_TIMEOUT)?;
    Ok(total as u32)
}

/// The input's number of partitions, and its id.
fn input_topic<C: Client>(
    cx: &Context<C>,
    timeout: Duration,
) -> Result<(i32, Option<TopicId>), KafkaError> {
    let name = cx.settings.topic.as_str();
    if !cx.settings.has_topic_ids {
        let topics = cx.admin.topics(&[name], timeout)?;
        let total = topics.first().and_then(|topic| topic.partitions).unwrap_or_default();
        return Ok((total, None));
    }
    let topics = cx.admin.describe_topics(&[name], timeout)?;
    let topic = topics.into_iter().next().expect("one answer per name")?;
    Ok((topic.partitions as i32, topic.id))
}

/// The journal's id, and the ends of its logs with what open transactions have written.
fn journal<C: Client>(cx: &Context<C>) -> Result<JournalFacts, KafkaError> {
    let timeout = limits::RECOVERY_QUERY_TIMEOUT;
    let name = cx.settings.topics[Topic::Journal].as_str();
    let topic = if cx.settings.has_topic_ids {
        let topics = cx.admin.describe_topics(&[name], timeout)?;
        topics.into_iter().next().expect("one answer per name")?.id
    } else {
        None
    };
    let all: Vec<_> = (0..cx.settings.journal_partitions).map(PartitionId).collect();
    if failpoint::is_planted(Fault::UpToStable) {
        return Ok(JournalFacts { topic, ends: cx.admin.all_ends(name, &all, timeout)? });
    }
    let everything = cx.client.uncommitted(&cx.settings.consumer.client)?;
    Ok(JournalFacts { topic, ends: everything.all_ends(name, &all, timeout)? })
}

/// Notes where the bounded run ends in partitions of which that is not known yet.
fn bound_run<C: Client>(
    cx: &mut Context<C>,
    all: &[PartitionId],
    is_another: bool,
) -> Result<(), KafkaError> {
    let known = cx.run_ends.as_ref().map(|known| &known.ends);
    let is_new = |p: &PartitionId| known.is_none_or(|ends| !ends.contains_key(p));
    let new: Vec<_> = all.iter().copied().filter(is_new).collect();
    if new.is_empty() {
        return Ok(());
    }
    let ends = run_ends(cx, &new)?;
    let begin = RunEnds { ends: BTreeMap::new(), replaces: is_another };
    cx.run_ends.get_or_insert(begin).ends.extend(ends);
    Ok(())
}

/// The ends of the input's logs, records of open transactions included.
pub(super) fn run_ends<C: Client>(
    cx: &Context<C>,
    all: &[PartitionId],
) -> Result<BTreeMap<PartitionId, Offset>, KafkaError> {
    let everything = cx.client.uncommitted(&cx.settings.consumer.client)?;
    everything.all_ends(&cx.settings.topic, all, limits::RECOVERY_QUERY_TIMEOUT)
}
