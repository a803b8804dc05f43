//! Follows the journal's records. Pure but for the local copy; owned by the replica.
//!
//! In:  records and ends of journal partitions; from where partitions are to be read.
//! Out: the state of all streams; what the local copy is to keep.
//! Holds: streams, view and copy are of the same records. Until the identity is known, only journal
//! partition 0 is read: the number in it says where the streams are.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use tracing::warn;

use super::{
    copying::Copying, news_board::NewsBoard, request::Followed, row_copy::RowCopy, skips::Skips,
    sums, untold::Untold, view::View,
};
use crate::{
    error::RunError,
    ids::{Incarnation, Offset, PartitionId, TopicId},
    journal::{
        Applied, Condition, Identity, JournalError, Skipped, Stream, Streams, Taken, chunk_seq,
    },
    kafka::Record,
    rows::RowFiles,
    state::{Copied, CopiedJournal, JournalCopy},
    status::Group,
    window::WindowRules,
};

/// What is to be done after a record or an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The next one follows.
    Continue,
    /// Other partitions, or other offsets, are to be read.
    Assign,
}

/// The journal as far as it was followed.
#[derive(Debug)]
pub(super) struct Follower {
    topic: String,
    /// Partitions of the topic when the process began.
    topic_partitions: u32,
    /// Partitions of the journal.
    partitions: u32,
    rules: WindowRules,
    /// Id of the topic, as the brokers or the copy say; `None` where there are no ids.
    topic_id: Option<TopicId>,
    /// What is known began with a copy.
    is_restored: bool,
    /// Partitions of which nothing was read since they came from the copy.
    unread: BTreeSet<PartitionId>,
    identity: Option<Identity>,
    /// Partition 0 was read to its end, and there was no identity.
    has_no_identity: bool,
    streams: Streams,
    view: View,
    /// Where the readable end of each partition was last.
    ends: BTreeMap<PartitionId, Offset>,
    copying: Copying,
    rows: RowCopy,
    skips: Skips,
    /// What the sink was not told yet.
    untold: Untold,
}

const FIRST: PartitionId = PartitionId(0);

impl Follower {
    /// Of a journal topic with so many partitions, of which nothing was read.
    pub(super) fn new(
        topic: &str,
        partitions: u32,
        rules: WindowRules,
        copy: Option<Box<dyn JournalCopy>>,
        rows: Option<RowFiles>,
    ) -> Self {
        Self {
            topic: topic.to_owned(),
            topic_partitions: partitions,
            partitions,
            rules,
            topic_id: None,
            is_restored: false,
            unread: BTreeSet::new(),
            identity: None,
            has_no_identity: false,
            streams: Streams::new(partitions),
            view: View::new(rules),
            ends: BTreeMap::new(),
            copying: Copying::new(copy),
            rows: RowCopy::new(rows),
            skips: Skips::default(),
            untold: Untold::default(),
        }
    }

    /// Takes over what the local copy holds.
    pub(super) fn load_copy(&mut self) {
        let Some(copied) = self.copying.load() else {
            self.rows.set_aside("there is no copy of the rest of the journal");
            return;
        };
        if let Err(reason) = self.restore(copied) {
            self.set_copy_aside(&reason);
        }
    }

    /// The local copy is of no use: everything is read anew.
    pub(super) fn set_copy_aside(&mut self, reason: &str) {
        self.partitions = self.topic_partitions;
        self.topic_id = None;
        self.is_restored = false;
        self.identity = None;
        self.has_no_identity = false;
        self.begin();
        self.copying.set_aside(reason);
        self.rows.set_aside(reason);
    }

    fn restore(&mut self, copied: Copied) -> Result<(), String> {
        let CopiedJournal { topic_id, identity } = copied.journal;
        if identity.journal_partitions > self.topic_partitions {
            return Err(format!(
                "it is of a journal of {} partitions",
                identity.journal_partitions
            ));
        }
        self.partitions = identity.journal_partitions;
        self.streams = Streams::new(self.partitions);
        (self.topic_id, self.identity, self.is_restored) = (topic_id, Some(identity), true);
        for (partition, copied) in copied.partitions {
            if partition.0 as u32 >= self.partitions {
                return Err(format!("it has a partition {partition} that the journal has not"));
            }
            let Some(rows_from) = self.rows.position(partition, copied.position) else {
                // Its rows were not written yet: all of it is read.
                self.copying.drop_partition(partition);
                continue;
            };
            for (key, record) in &copied.records {
                let (offset, appended_ms) = (record.offset, record.appended_ms);
                let taken = self.streams.take(partition, offset, Some(key), Some(&record.value));
                match taken.map_err(|error| error.to_string())? {
                    Taken::Applied(applied) => self.view.apply(applied, appended_ms),
                    Taken::Instance(name, said) => self.view.take_instance(name, said),
                    _ => {}
                }
            }
            self.streams.go_on_at(partition, copied.position);
            self.streams.read_again(partition, rows_from);
            self.unread.insert(partition);
            self.copying.holds(partition, copied);
        }
        Ok(())
    }

    /// Nothing was read.
    fn begin(&mut self) {
        self.streams = Streams::new(self.partitions);
        self.view = View::new(self.rules);
        self.ends.clear();
        self.unread.clear();
        self.untold.reads_history();
    }

    /// Which partitions are to be read, and from where.
    pub(super) fn starts(&self) -> Vec<(PartitionId, Offset)> {
        let read = if self.knows_partitions() { self.partitions } else { 1 };
        let start = |p| (PartitionId(p), self.position(PartitionId(p)));
        (0..read as i32).map(start).collect()
    }

    /// Whether it is known where the streams are.
    pub(super) fn knows_partitions(&self) -> bool {
        self.identity.is_some() || self.has_no_identity
    }

    /// Next offset to read.
    pub(super) fn position(&self, partition: PartitionId) -> Offset {
        self.streams.position(partition)
    }

    /// Every partition of the journal.
    pub(super) fn partitions(&self) -> impl ExactSizeIterator<Item = PartitionId> + use<> {
        (0..self.partitions as i32).map(PartitionId)
    }

    /// Whether a partition was read as far as a reader of committed records comes.
    pub(super) fn is_at_end(&self, partition: PartitionId) -> bool {
        self.ends.get(&partition) == Some(&self.position(partition))
    }

    /// Takes the next record of a journal partition.
    ///
    /// # Errors
    /// `Refused` when it is of a later version of this program, or when the topic has lost
    /// partitions.
    pub(super) fn take(&mut self, record: &Record<'_>, now: Instant) -> Result<Then, RunError> {
        let Record { partition, offset, timestamp_ms, key, value, .. } = *record;
        let offset = Offset(offset);
        self.unread.remove(&partition);
        match self.streams.take(partition, offset, key, value) {
            Ok(Taken::Applied(applied)) => {
                self.copying.keep(record);
                if let Applied::Snapshot(snapshot) = &applied {
                    self.copying.stands_on(snapshot.stream, snapshot.seq);
                }
                self.untold.applied(applied.record().stream);
                self.rows.applied(applied.record());
                self.view.apply(applied, timestamp_ms);
            }
            Ok(Taken::Waiting | Taken::Skipped(Skipped::Fragment)) => self.copying.keep(record),
            Ok(Taken::Skipped(Skipped::Gap)) => {
                self.copying.keep(record);
                let stream = value.and_then(chunk_seq).map(|(stream, _)| stream);
                self.untold.misses(stream);
            }
            Ok(Taken::Skipped(Skipped::Forked)) => {
                let what = format!(
                    "offset {offset} of journal partition {partition} has another record of a \
                     number that was read before: two instances wrote at the same time, and the \
                     first one counts"
                );
                self.skips.note("forked", &what, now);
            }
            Ok(Taken::Skipped(Skipped::BeforePosition | Skipped::NoValue | Skipped::Old)) => {}
            Ok(Taken::Identity(identity)) => return self.take_identity(identity),
            Ok(Taken::Instance(name, said)) => {
                self.copying.keep(record);
                self.view.take_instance(name, said);
            }
            Ok(Taken::Row(partition, row, value)) => {
                self.rows.take(partition, row, value);
            }
            Err(error @ JournalError::NewerFormat { .. }) => {
                return Err(RunError::Refused(error.to_string()));
            }
            Err(error) => self.skips.note("invalid", &error.to_string(), now),
        }
        Ok(Then::Continue)
    }

    fn take_identity(&mut self, identity: Identity) -> Result<Then, RunError> {
        let (partitions, has) = (identity.journal_partitions, self.topic_partitions);
        if partitions > has {
            return Err(RunError::Refused(format!(
                "the journal topic '{}' had {has} partitions when this process began, and its \
                 identity record says {partitions}: a journal never has fewer than at its \
                 beginning; start again if the topic was just created anew, else name another \
                 journal topic",
                self.topic
            )));
        }
        let knew_partitions = self.knows_partitions();
        self.identity = Some(identity);
        if partitions != self.partitions {
            // What was read until now was looked for in the wrong places.
            self.partitions = partitions;
            self.begin();
            self.copying.drop_all(has);
            self.rows.drop_partitions(None, |_| true);
            return Ok(Then::Assign);
        }
        Ok(if knew_partitions { Then::Continue } else { Then::Assign })
    }

    /// Takes note that a partition was read up to an offset, and has no more that is committed.
    pub(super) fn end(&mut self, partition: PartitionId, offset: Offset) -> Then {
        let knew_partitions = self.knows_partitions();
        self.unread.remove(&partition);
        self.streams.pass(partition, offset);
        self.ends.insert(partition, offset);
        self.has_no_identity |= partition == FIRST && self.identity.is_none();
        if self.knows_partitions() == knew_partitions { Then::Continue } else { Then::Assign }
    }

    /// Takes the topic id that the brokers name. Another one than before is of another journal: all
    /// that was known is dropped.
    pub(super) fn is_of(&mut self, topic_id: Option<TopicId>) -> Then {
        let reason = match (self.topic_id, topic_id) {
            (Some(known), Some(told)) if known != told => {
                warn!(
                    topic = self.topic,
                    "the journal topic was deleted and created again: what was known of the \
                     journal is dropped"
                );
                "it is of an earlier topic of this name"
            }
            // Its process had not been told the id, and it may be of an earlier topic.
            (None, Some(_)) if self.is_restored => "it does not say of which topic it is",
            _ => {
                self.topic_id = topic_id.or(self.topic_id);
                return Then::Continue;
            }
        };
        self.set_copy_aside(reason);
        self.topic_id = topic_id;
        Then::Assign
    }

    /// The position in a partition is not in its log, which begins at this offset.
    pub(super) fn lost(&mut self, partition: PartitionId, start: Offset) {
        let position = self.position(partition);
        if self.unread.contains(&partition) {
            self.set_copy_aside(&format!(
                "its position {position} in journal partition {partition} is not in the log"
            ));
            return;
        }
        if position > Offset(0) {
            self.untold.lost_end();
            warn!(
                topic = self.topic, %partition, %position, log_start = %start,
                "the journal no longer has the next offset of a partition: it has lost its end, or \
                 records were deleted; the partition is read from its start"
            );
        }
        self.begin_at(partition, start);
    }

    /// Begins a partition at this offset. What was known of its streams is dropped.
    pub(super) fn begin_at(&mut self, partition: PartitionId, offset: Offset) {
        self.remove_streams(partition, |_| true);
        let partitions = self.partitions;
        let is_here = |p| Stream::Partition(p).journal_partition(partitions) == partition;
        self.rows.drop_partitions(Some(partition), is_here);
        self.streams.begin_at(partition, offset);
        self.ends.remove(&partition);
        self.untold.reads_history();
        self.copying.drop_partition(partition);
    }

    /// Reads a partition again from this offset, for streams that are in a gap or unseen.
    pub(super) fn read_again(&mut self, partition: PartitionId, offset: Offset) {
        self.remove_streams(partition, |condition| condition == Condition::Gap);
        // What is read of a record that is not whole is dropped, and has to be read again too.
        let offset = offset.min(self.streams.resume_from(partition));
        self.streams.read_again(partition, offset);
        self.ends.remove(&partition);
        self.untold.reads_history();
    }

    fn remove_streams(&mut self, partition: PartitionId, is_gone: impl Fn(Condition) -> bool) {
        for (stream, chain) in self.streams.chains() {
            let is_here = stream.journal_partition(self.partitions) == partition;
            if is_here && is_gone(chain.condition()) {
                self.view.remove(stream);
            }
        }
    }

    /// Bytes of all counts.
    pub(super) fn memory_bytes(&self) -> usize {
        self.view.memory_bytes() + self.rows.memory_bytes()
    }

    /// The group at this moment, for people. `with_sums`: windows and usage as well.
    pub(super) fn group(&self, with_sums: bool, at_ms: i64) -> Group {
        sums::group(&self.view, self.rules, self.identity.as_ref(), (with_sums, at_ms))
    }

    /// Tells the sink what is new since it was last told.
    pub(super) fn tell(&mut self, board: &NewsBoard) {
        let has_caught_up = self.knows_partitions() && self.partitions().all(|p| self.is_at_end(p));
        self.untold.tell(&self.view, has_caught_up, board);
    }

    /// The answer to a request.
    pub(super) fn followed(&self, incarnation: Incarnation) -> Followed {
        Followed {
            incarnation,
            identity: self.identity.clone(),
            chains: self.streams.chains().map(|(s, chain)| (s, chain.clone())).collect(),
            partitions: self.view.partitions().map(|(p, view)| (p, view.clone())).collect(),
            merger: self.view.merger().cloned(),
        }
    }

    /// Brings the local copy up to date, if it is time or if this is the end.
    ///
    /// # Errors
    /// `Failed` when rows cannot be written: memory has no room for all of them.
    pub(super) fn write_copy(&mut self, now: Instant, is_last: bool) -> Result<(), RunError> {
        let Some(identity) = &self.identity else { return Ok(()) };
        let position = |p: i32| (PartitionId(p), self.streams.position(PartitionId(p)));
        self.rows.write((0..self.partitions as i32).map(position), now, is_last)?;
        if is_last || self.copying.is_due(now) {
            let (topic_id, identity) = (self.topic_id, identity.clone());
            let journal = CopiedJournal { topic_id, identity };
            let position = |p| (p, self.streams.resume_from(p));
            let positions = self.partitions().map(position).collect();
            self.copying.write(journal, positions, now);
        }
        Ok(())
    }
}
