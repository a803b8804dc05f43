//! What `state show` prints, as data. Pure.
//!
//! In:  a group's committed state, and its offsets where a broker was asked.
//! Out: the rows and sums of the text; the same, with stable names, as JSON.
//! Holds: every announced input partition has a row, and so has every one with a record or an
//! offset.

use std::{collections::BTreeSet, path::PathBuf};

use serde::Serialize;

use super::{
    group_state::GroupState,
    journal::{Commits, Committed},
};
use crate::{
    ids::{Epoch, EventTimeMs, Offset, PartitionId, TopicId, TopicMark},
    journal::{Condition, FORMAT_VERSION, Identity, JournalCommit, Stream},
    replica::{MergerView, PartitionView},
    state::StoredCopy,
    window::{Completeness, PartitionTotals},
};

/// The committed state of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct StateReport {
    pub(super) source: ReportSource,
    pub(super) identity: IdentityReport,
    /// `null` when the merger's stream has no record.
    pub(super) merger: Option<MergerReport>,
    /// How whole the merger's stream is.
    pub(super) merger_stream: StreamState,
    pub(super) partitions: Vec<PartitionReport>,
    /// Sums over all partitions, since the journal was begun.
    pub(super) totals: TotalsReport,
    /// Offsets of the journal that open transactions hide.
    pub(super) hidden_offsets: u64,
    /// Records in the journal that this program does not write.
    pub(super) unknown_records: u64,
}

/// Where the state was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum ReportSource {
    Journal { brokers: String, topic: String, topic_id: Option<String> },
    Copy { folder: PathBuf, bytes: u64, topic: String, topic_id: Option<String> },
}

/// Whose state it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct IdentityReport {
    pub(super) format: u8,
    pub(super) cluster_id: String,
    pub(super) group_id: String,
    pub(super) input_topic: String,
    pub(super) window_ms: i64,
    pub(super) journal_partitions: u32,
    /// Input partitions when the journal was begun.
    pub(super) first_partitions: u32,
    /// When that was: the totals are since then.
    pub(super) began_ms: i64,
}

/// What the merger has announced and published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct MergerReport {
    pub(super) epoch: Epoch,
    pub(super) writer: String,
    pub(super) watermark_ms: Option<EventTimeMs>,
    pub(super) horizon_ms: Option<EventTimeMs>,
    pub(super) forgotten_up_to_ms: Option<EventTimeMs>,
    pub(super) announced_partitions: u32,
    pub(super) grace_ms: i64,
    pub(super) allowed_lateness_ms: i64,
    /// Windows that were published and are not forgotten, and the events in them.
    pub(super) windows: u64,
    pub(super) window_events: u64,
    pub(super) window_late_events: u64,
    /// The newest run with an end.
    pub(super) run: Option<RunReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RunReport {
    pub(super) number: u64,
    pub(super) done: bool,
}

/// One input partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PartitionReport {
    pub(super) partition: PartitionId,
    pub(super) stream: StreamState,
    pub(super) committed_offset: Option<Offset>,
    /// `null` when no broker was asked.
    pub(super) commit: Option<CommitState>,
    /// `null` when the partition's stream has no record.
    pub(super) head: Option<HeadReport>,
}

/// The newest head of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct HeadReport {
    pub(super) next_offset: Offset,
    /// Id of the input topic that the offset is a place in.
    pub(super) topic_id: Option<String>,
    pub(super) epoch: Epoch,
    pub(super) writer: String,
    pub(super) watermark_ms: Option<EventTimeMs>,
    pub(super) idle: bool,
    pub(super) at_end: bool,
    /// Windows with counts that are not forgotten.
    pub(super) windows: u64,
    pub(super) complete: CompleteWindows,
    /// Of `after_window`, the start of the last incomplete window.
    pub(super) incomplete_up_to_ms: Option<i64>,
    pub(super) totals: TotalsReport,
}

/// Which windows have all of a partition's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CompleteWindows {
    All,
    AfterFirstEvent,
    AfterWindow,
}

/// How a group's offset stands to the partition's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CommitState {
    Agrees,
    /// The head is newer.
    Older,
    /// The head is older, or there is none.
    Newer,
    /// It names another journal.
    OtherJournal,
    /// Somebody else has committed it.
    Foreign,
    Missing,
}

/// What is known of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StreamState {
    Whole,
    Gap,
    Unseen,
}

/// What has become of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct TotalsReport {
    #[serde(rename = "in")]
    pub(super) records_in: u64,
    pub(super) processed: u64,
    pub(super) dead_lettered: u64,
    pub(super) late: u64,
    pub(super) tombstones: u64,
}

/// A group's offsets before and after the journal was read, and the journal's id.
struct Offsets<'a> {
    before: &'a Commits,
    after: &'a Commits,
    journal: Option<TopicMark>,
}

impl StateReport {
    /// Of a journal in Kafka.
    pub(super) fn of_journal(committed: &Committed, brokers: &str, topic: &str) -> Self {
        let Committed { state, topic_id, hidden, before, after } = committed;
        let source = ReportSource::Journal {
            brokers: brokers.to_owned(),
            topic: topic.to_owned(),
            topic_id: shown(*topic_id),
        };
        let journal = topic_id.map(TopicId::mark);
        let offsets = Offsets { before, after, journal };
        Self { hidden_offsets: *hidden, ..Self::of(state, source, Some(&offsets)) }
    }

    /// Of the copy in a state folder.
    pub(super) fn of_copy(state: &GroupState, stored: &StoredCopy, folder: PathBuf) -> Self {
        let source = ReportSource::Copy {
            folder,
            bytes: stored.bytes,
            topic: stored.of.topic.clone(),
            topic_id: shown(stored.copied.journal.topic_id),
        };
        Self::of(state, source, None)
    }

    fn of(state: &GroupState, source: ReportSource, offsets: Option<&Offsets<'_>>) -> Self {
        let view = state.view();
        let announced = view.merger().map_or(0, |merger| merger.head.partitions);
        let mut partitions: BTreeSet<_> = (0..announced as i32).map(PartitionId).collect();
        partitions.extend(view.partitions().map(|(p, _)| p));
        partitions.extend(offsets.iter().flat_map(|offsets| offsets.after.keys()));
        Self {
            source,
            identity: IdentityReport::of(state.identity()),
            merger: view.merger().map(|merger| MergerReport::of(state, merger)),
            merger_stream: stream(state, Stream::Merger),
            partitions: partitions
                .into_iter()
                .map(|p| PartitionReport::of(state, p, offsets))
                .collect(),
            totals: view.totals().into(),
            hidden_offsets: 0,
            unknown_records: state.unknown_records(),
        }
    }
}

impl IdentityReport {
    fn of(identity: &Identity) -> Self {
        Self {
            format: FORMAT_VERSION,
            cluster_id: identity.cluster_id.clone(),
            group_id: identity.group_id.clone(),
            input_topic: identity.topic.clone(),
            window_ms: identity.window_size_ms,
            journal_partitions: identity.journal_partitions,
            first_partitions: identity.first_partitions,
            began_ms: identity.began_ms,
        }
    }
}

impl MergerReport {
    fn of(state: &GroupState, MergerView { head, windows, .. }: &MergerView) -> Self {
        let (epoch, writer) = written_by(state, Stream::Merger);
        Self {
            epoch,
            writer,
            watermark_ms: head.watermark,
            horizon_ms: head.horizon,
            forgotten_up_to_ms: head.forgotten,
            announced_partitions: head.partitions,
            grace_ms: head.rules.grace_ms,
            allowed_lateness_ms: head.rules.allowed_lateness_ms,
            windows: windows.len() as u64,
            window_events: windows.values().map(|window| window.total).sum(),
            window_late_events: windows.values().map(|window| window.late_events).sum(),
            run: head.run.as_ref().map(|run| RunReport { number: run.number, done: run.done }),
        }
    }
}

impl PartitionReport {
    fn of(state: &GroupState, partition: PartitionId, offsets: Option<&Offsets<'_>>) -> Self {
        let view = state.view().partition(partition);
        let next_offset = view.map(|view| view.head.state.next_offset);
        Self {
            partition,
            stream: stream(state, Stream::Partition(partition)),
            committed_offset: offsets.and_then(|offsets| offsets.of(partition, next_offset)),
            commit: offsets.map(|offsets| offsets.state(partition, next_offset)),
            head: view.map(|view| HeadReport::of(state, partition, view)),
        }
    }
}

impl HeadReport {
    fn of(state: &GroupState, partition: PartitionId, view: &PartitionView) -> Self {
        let PartitionView { head, windows, .. } = view;
        let at = head.state;
        let (epoch, writer) = written_by(state, Stream::Partition(partition));
        let (complete, incomplete_up_to_ms) = match at.completeness {
            Completeness::FromStart => (CompleteWindows::All, None),
            Completeness::UntilFirstEvent { .. } => (CompleteWindows::AfterFirstEvent, None),
            Completeness::After(window) => (CompleteWindows::AfterWindow, Some(window.0)),
        };
        Self {
            next_offset: at.next_offset,
            topic_id: shown(at.topic),
            epoch,
            writer,
            watermark_ms: at.watermark,
            idle: at.idle_as_of.is_some(),
            at_end: head.at_end,
            windows: windows.len() as u64,
            complete,
            incomplete_up_to_ms,
            totals: head.totals.into(),
        }
    }
}

impl Offsets<'_> {
    /// The committed offset to show: the one that agrees with the head, if one does.
    fn of(&self, partition: PartitionId, head: Option<Offset>) -> Option<Offset> {
        let offset = |commits: &Commits| commits.get(&partition).and_then(|commit| commit.offset);
        let (before, after) = (offset(self.before), offset(self.after));
        if before.is_some() && before == head { before } else { after }
    }

    fn state(&self, partition: PartitionId, head: Option<Offset>) -> CommitState {
        let Some(after) = self.after.get(&partition) else { return CommitState::Missing };
        let Some(metadata) = JournalCommit::parse(&after.metadata) else {
            return CommitState::Foreign;
        };
        if let (Some(named), Some(journal)) = (metadata.journal, self.journal)
            && named != journal
        {
            return CommitState::OtherJournal;
        }
        // While instances work, the head may be of any epoch between the two questions.
        let before = self.before.get(&partition).and_then(|commit| commit.offset);
        match head {
            None => CommitState::Newer,
            Some(head) if after.offset < Some(head) => CommitState::Older,
            Some(head) if before.or(after.offset) > Some(head) => CommitState::Newer,
            Some(_) => CommitState::Agrees,
        }
    }
}

impl From<PartitionTotals> for TotalsReport {
    fn from(totals: PartitionTotals) -> Self {
        let PartitionTotals { records_in, processed, dead_lettered, late, tombstones } = totals;
        Self { records_in, processed, dead_lettered, late, tombstones }
    }
}

fn stream(state: &GroupState, stream: Stream) -> StreamState {
    match state.condition(stream) {
        Condition::Whole => StreamState::Whole,
        Condition::Gap => StreamState::Gap,
        Condition::Unseen => StreamState::Unseen,
    }
}

/// Epoch and writer of a stream that has a head.
fn written_by(state: &GroupState, stream: Stream) -> (Epoch, String) {
    let chain = state.chain(stream).and_then(|chain| chain.applied_by());
    let (epoch, writer) = chain.expect("a head was applied");
    (epoch, writer.to_string())
}

fn shown(id: Option<TopicId>) -> Option<String> {
    id.map(|id| id.to_string())
}
