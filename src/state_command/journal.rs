//! Reads a group's journal and its committed offsets, outside of the group.
//!
//! In:  the place of the journal. Out: everything that is committed.
//! Holds: nothing is changed, and no group is joined; what is read is this group's journal, or the
//! error says whose it is. An error names the remedy.

use std::collections::BTreeMap;

use super::{args::JournalPlace, group_state::GroupState};
use crate::{
    client::{
        NoFirstAnswer, ScanEnd, ScanEvent, ScanRange, ShortLog, SystemClock, TopicScan,
        first_answer, patiently, settled_logs,
    },
    error::RunError,
    ids::{Offset, PartitionId, TopicId},
    journal::{Identity, JournalError, Streams, Taken},
    kafka::{
        Admin, CommittedOffset, Consumer, ConsumerSettings, Flow, KafkaError, Record, cluster_id,
        describe_topics, find_topics,
    },
    limits,
};

/// What a group has committed, by input partition.
pub(super) type Commits = BTreeMap<PartitionId, CommittedOffset>;

/// The topic of a group's journal.
#[derive(Debug)]
pub(super) struct JournalTopic<'a> {
    place: &'a JournalPlace,
    admin: Admin,
    /// Sees records of open transactions too.
    everything: Admin,
    partitions: i32,
    /// Partitions of the input topic; 0 when there is none.
    input_partitions: i32,
    /// `None` where the brokers have no ids.
    id: Option<TopicId>,
}

/// Everything that is committed of a group.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) state: GroupState,
    pub(super) topic_id: Option<TopicId>,
    /// Offsets of the journal that open transactions hide.
    pub(super) hidden: u64,
    /// What the group had committed before the journal was read. Heads are as new as that, unless
    /// the journal has lost its end.
    pub(super) before: Commits,
    /// What it had committed afterwards. Heads are no newer, unless an offset came late.
    pub(super) after: Commits,
}

impl<'a> JournalTopic<'a> {
    /// Finds the topic; `None` when there is none of this name.
    ///
    /// # Errors
    /// `Kafka` when the brokers cannot be asked, `Refused` when they refuse.
    pub(super) fn find(place: &'a JournalPlace) -> Result<Option<Self>, RunError> {
        let failed = |error| failed(place, &error);
        let admin = Admin::new(&place.client).map_err(failed)?;
        let everything = Admin::read_uncommitted(&place.client).map_err(failed)?;
        let timeout = limits::BROKER_QUERY_TIMEOUT;
        let names = [place.topic.as_str(), place.input_topic.as_str()];
        let found = first_answer(&place.client.brokers, || find_topics(&admin, &names, timeout));
        let found = found.map_err(|error| match error {
            NoFirstAnswer::Silence(text) => RunError::Kafka(text),
            NoFirstAnswer::Error(error) => failed(error),
        })?;
        let counts: Vec<_> = found.into_iter().map(|info| info.partitions).collect();
        let Some(partitions) = counts[0] else { return Ok(None) };
        // Older brokers do not answer this; then there is no id to compare with.
        let described = describe_topics(&admin, &names[..1], timeout);
        let described = described.ok().and_then(|topics| topics.into_iter().next()?.ok());
        Ok(Some(Self {
            place,
            admin,
            everything,
            partitions,
            input_partitions: counts[1].unwrap_or(0),
            id: described.and_then(|topic| topic.id),
        }))
    }

    /// Whose journal it is; `None` of an empty topic.
    ///
    /// # Errors
    /// `Refused` when it is not this group's journal, or of a later version of the program.
    pub(super) fn identity(&self) -> Result<Option<Identity>, RunError> {
        let place = self.place;
        let Some(identity) = self.find_identity()? else {
            if self.is_empty()? {
                return Ok(None);
            }
            return Err(RunError::Refused(format!(
                "topic '{}' (--journal-topic) is not the journal of a group: it has records, but \
                 none says whose journal it is; name another one",
                place.topic
            )));
        };
        let cluster = patiently(|| cluster_id(&self.admin, limits::BROKER_QUERY_TIMEOUT));
        let ours = Identity {
            cluster_id: cluster.map_err(|error| failed(place, &error))?.unwrap_or_default(),
            group_id: place.group_id.clone(),
            topic: place.input_topic.clone(),
            ..identity.clone()
        };
        identity.check(&ours).map_err(|error| refused(place, &error))?;
        if identity.journal_partitions > self.partitions as u32 {
            return Err(RunError::Refused(format!(
                "topic '{}' (--journal-topic) has {} partitions, and its identity record says {}: \
                 it is a copy of a journal that has lost some; name another one",
                place.topic, self.partitions, identity.journal_partitions
            )));
        }
        Ok(Some(identity))
    }

    /// The identity record, which is written before all others. A topic of other records is not
    /// read to its end.
    fn find_identity(&self) -> Result<Option<Identity>, RunError> {
        let mut streams = Streams::new(self.partitions as u32);
        let (mut found, mut others) = (None, 0);
        self.scan(&[PartitionId(0)], |record| {
            let Record { partition, offset, key, value, .. } = *record;
            match streams.take(partition, Offset(offset), key, value) {
                Ok(Taken::Identity(identity)) => {
                    found = Some(identity);
                    return Ok(Flow::Stop);
                }
                Err(error @ JournalError::NewerFormat { .. }) => {
                    return Err(refused(self.place, &error));
                }
                Ok(_) | Err(_) => others += 1,
            }
            let gives_up = others >= limits::IDENTITY_SEARCH_RECORDS;
            Ok(if gives_up { Flow::Stop } else { Flow::Continue })
        })?;
        Ok(found)
    }

    fn is_empty(&self) -> Result<bool, RunError> {
        let partitions: Vec<_> = (0..self.partitions).map(PartitionId).collect();
        let mut is_empty = true;
        self.scan(&partitions, |_| {
            is_empty = false;
            Ok(Flow::Stop)
        })?;
        Ok(is_empty)
    }

    /// Reads everything that is committed. A stream with a gap is read again: the cleaner may have
    /// been at work.
    ///
    /// # Errors
    /// `Kafka` when the journal cannot be read, `Refused` when it is of a later version.
    pub(super) fn read(&self, identity: &Identity) -> Result<Committed, RunError> {
        let mut readings = 0;
        loop {
            readings += 1;
            // NOTE: the offsets come first, so that the journal has everything they stand for.
            let before = self.commits(self.input_partitions)?;
            let (state, hidden) = self.read_once(identity)?;
            let is_seen = |p: &PartitionId| state.view().partition(*p).is_some();
            let is_whole = state.is_whole() && before.keys().all(is_seen);
            if is_whole || readings == limits::JOURNAL_READINGS {
                let announced = state.view().merger().map_or(0, |merger| merger.head.partitions);
                let after = self.commits(self.input_partitions.max(announced as i32))?;
                return Ok(Committed { state, topic_id: self.id, hidden, before, after });
            }
        }
    }

    fn read_once(&self, identity: &Identity) -> Result<(GroupState, u64), RunError> {
        let partitions = (0..identity.journal_partitions as i32).map(PartitionId);
        let mut state = GroupState::new(identity.clone());
        let hidden = self.scan(&partitions.collect::<Vec<_>>(), |record| {
            let Record { partition, offset, timestamp_ms, key, value, .. } = *record;
            let taken = state.take(partition, Offset(offset), timestamp_ms, key, value);
            taken.map_err(|error| refused(self.place, &error))?;
            Ok(Flow::Continue)
        })?;
        Ok((state, hidden))
    }

    /// Shows the committed records of these partitions until the end that they have now, or until
    /// `on_record` stops. Returns how many offsets open transactions hide.
    fn scan(
        &self,
        partitions: &[PartitionId],
        mut on_record: impl FnMut(&Record<'_>) -> Result<Flow, RunError>,
    ) -> Result<u64, RunError> {
        let failed = |error| failed(self.place, &error);
        let topic = &self.place.topic;
        let consumer = self.consumer(topic).map_err(failed)?;
        let settled = settled_logs(&consumer, &self.everything, topic, partitions);
        let settled = settled.map_err(failed)?;
        let range = |(partition, (from, until)): (&PartitionId, &(Offset, Offset))| ScanRange {
            partition: *partition,
            from: *from,
            until: *until,
        };
        let ranges: Vec<_> = settled.logs.iter().map(range).collect();
        let mut scan = TopicScan::begin(consumer, &ranges, ShortLog::Ends).map_err(failed)?;
        let mut wrong = None;
        let end = scan.run(&SystemClock, limits::COMMAND_PATIENCE, |event| {
            let flow = match event {
                ScanEvent::Record(record) => on_record(&record),
                ScanEvent::Error(error) => Err(failed(error)),
                ScanEvent::EndOfRange { .. }
                | ScanEvent::ClientError(_)
                | ScanEvent::Turn { .. } => Ok(Flow::Continue),
            };
            flow.unwrap_or_else(|error| {
                wrong = Some(error);
                Flow::Stop
            })
        });
        let end = end.map_err(failed)?;
        wrong.map_or(Ok(()), Err)?;
        if end == ScanEnd::Stalled {
            return Err(RunError::Failed(format!(
                "no record of the journal topic '{topic}' could be read for {:?}, {} offsets are \
                 left; is a broker away? Start again when it is back",
                limits::COMMAND_PATIENCE,
                scan.left()
            )));
        }
        Ok(settled.hidden)
    }

    /// What the group has committed of this many input partitions.
    fn commits(&self, partitions: i32) -> Result<Commits, RunError> {
        let failed = |error| failed(self.place, &error);
        let partitions: Vec<_> = (0..partitions).map(PartitionId).collect();
        let consumer = self.consumer(&self.place.input_topic).map_err(failed)?;
        let committed =
            patiently(|| consumer.committed(&partitions, limits::RECOVERY_QUERY_TIMEOUT));
        let committed = committed.map_err(failed)?;
        let committed = committed.into_iter().filter(|commit| commit.offset.is_some());
        Ok(committed.map(|commit| (commit.partition, commit)).collect())
    }

    /// A consumer that joins nothing.
    fn consumer(&self, topic: &str) -> Result<Consumer, KafkaError> {
        Consumer::new(&ConsumerSettings {
            client: self.place.client.clone(),
            group_id: self.place.group_id.clone(),
            instance_id: None,
            topic: topic.to_owned(),
            fetch_queue_kbytes: limits::SCAN_QUEUE_BYTES / 1024,
            session_timeout: limits::SESSION_TIMEOUT,
            max_poll_interval: limits::SESSION_TIMEOUT,
            reads_uncommitted: false,
        })
    }
}

/// The topic is not there.
pub(super) fn missing(place: &JournalPlace) -> RunError {
    let JournalPlace { client, group_id, topic, .. } = place;
    RunError::Refused(format!(
        "the journal topic '{topic}' (--journal-topic) does not exist on {}: no run of the group \
         '{group_id}' has created it, or it was deleted; name the group with --group-id, or its \
         topic with --journal-topic",
        client.brokers
    ))
}

/// The topic is there, and nothing is in it.
pub(super) fn empty(place: &JournalPlace) -> RunError {
    RunError::Refused(format!(
        "the journal topic '{}' (--journal-topic) is empty: no run of the group '{}' has begun; \
         start one, or name another group with --group-id",
        place.topic, place.group_id
    ))
}

/// The journal cannot be used by this command.
fn refused(place: &JournalPlace, error: &JournalError) -> RunError {
    RunError::Refused(format!("topic '{}' (--journal-topic): {error}", place.topic))
}

/// Whether an error of the client is one of the settings or rights, or of the brokers.
pub(super) fn failed(place: &JournalPlace, error: &KafkaError) -> RunError {
    match error {
        KafkaError::Config { text } => RunError::Refused(text.clone()),
        error if error.is_authorization() => RunError::Refused(format!(
            "{error}; this user needs Read on topic '{}' (--journal-topic), and Describe on topic \
             '{}' (--input-topic) and on group '{}' (--group-id), and to clear them Delete on the \
             journal's topic and the group",
            place.topic, place.input_topic, place.group_id
        )),
        error => RunError::Kafka(error.to_string()),
    }
}
