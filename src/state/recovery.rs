//! Where every partition goes on after a start: the one decision of recovery. Pure.
//!
//! In:  what the store holds, what Kafka says was committed (offset and metadata), our name.
//! Out: whether the redo record counts, the resulting image, a start per owned partition.
//! Holds: a partition resumes with its windows only where the image stands exactly at an offset
//! that this instance has reached; an offset counts only in the topic it was a place in; no epoch
//! number that was ever seen is used again.

use std::num::ParseIntError;

use crate::{
    ids::{Epoch, EventTimeMs, InstanceId, Offset, PartitionId, TopicId, TopicMark, WindowStart},
    window::{Completeness, EpochChange, PartitionState, StateImage},
};

use super::Loaded;

/// A partition's commit, as read from Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// An owned partition.
    pub partition: PartitionId,
    /// The committed offset; `None` when nothing is committed.
    pub offset: Option<Offset>,
    /// The text committed with it, possibly by another program.
    pub metadata: String,
}

/// Epochs beyond this are nobody's: a thousand per second for 292 million years.
const HIGHEST_EPOCH: u64 = i64::MAX as u64;

/// What this program commits beside an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitMetadata {
    /// Who committed; must be a valid instance id, which has no ':'.
    pub instance: String,
    /// The epoch that was committed.
    pub epoch: Epoch,
    /// Lowest offset that counts in any window still inside the allowed lateness.
    pub replay_from: Offset,
    /// The partition's watermark.
    pub watermark: Option<EventTimeMs>,
    /// Which windows of the partition may miss input.
    pub completeness: Completeness,
    /// The global watermark.
    pub global_watermark: Option<EventTimeMs>,
    /// Windows that end at or before this are over.
    pub horizon: Option<EventTimeMs>,
    /// The topic whose log the offset is a place in; `None` where the brokers have no ids.
    pub topic: Option<TopicMark>,
}

impl CommitMetadata {
    /// `<instance>:<epoch>:<replay_from>:<watermark>:<completeness>:<global watermark>:<horizon>:`
    /// `<topic>`. Times are milliseconds, empty when there is none. Completeness is `start` (read
    /// from the log's start), `first` or `first<window>` (until the first event), or
    /// `after<window>`.
    pub fn encode(&self) -> String {
        debug_assert!(
            InstanceId::is_valid(&self.instance),
            "an instance id has no separator in it"
        );
        let text =
            |time: Option<EventTimeMs>| time.map(|time| time.to_string()).unwrap_or_default();
        let completeness = match self.completeness {
            Completeness::FromStart => START.to_owned(),
            Completeness::UntilFirstEvent { at_least: None } => UNTIL_FIRST.to_owned(),
            Completeness::UntilFirstEvent { at_least: Some(start) } => {
                format!("{UNTIL_FIRST}{start}")
            }
            Completeness::After(start) => format!("{AFTER}{start}"),
        };
        format!(
            "{}:{}:{}:{}:{completeness}:{}:{}:{}",
            self.instance,
            self.epoch,
            self.replay_from,
            text(self.watermark),
            text(self.global_watermark),
            text(self.horizon),
            self.topic.map(|topic| topic.to_string()).unwrap_or_default()
        )
    }

    /// Reads what `encode` wrote; `None` when it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let instance = parts.next().filter(|name| InstanceId::is_valid(name))?.to_owned();
        // Another program's numbers may be anything; there must be epochs after it.
        let epoch = Epoch(parts.next()?.parse().ok().filter(|epoch| *epoch <= HIGHEST_EPOCH)?);
        let replay_from = Offset(parts.next()?.parse().ok()?);
        let watermark = parse_time(parts.next()?).ok()?;
        let completeness = parse_completeness(parts.next()?)?;
        let global_watermark = parse_time(parts.next()?).ok()?;
        let horizon = parse_time(parts.next()?).ok()?;
        let topic = match parts.next() {
            // Builds before topics were told apart wrote nothing here.
            None | Some("") => None,
            Some(mark) => Some(TopicMark::parse(mark)?),
        };
        let parsed = Self {
            instance,
            epoch,
            replay_from,
            watermark,
            completeness,
            global_watermark,
            horizon,
            topic,
        };
        parts.next().is_none().then_some(parsed)
    }
}

const START: &str = "start";
const UNTIL_FIRST: &str = "first";
const AFTER: &str = "after";

fn parse_time(text: &str) -> Result<Option<EventTimeMs>, ParseIntError> {
    match text {
        "" => Ok(None),
        time => time.parse().map(|ms| Some(EventTimeMs(ms))),
    }
}

fn parse_completeness(text: &str) -> Option<Completeness> {
    let window = |text: &str| Some(WindowStart(text.parse().ok()?));
    if text == START {
        Some(Completeness::FromStart)
    } else if text == UNTIL_FIRST {
        Some(Completeness::UntilFirstEvent { at_least: None })
    } else if let Some(start) = text.strip_prefix(UNTIL_FIRST) {
        Some(Completeness::UntilFirstEvent { at_least: Some(window(start)?) })
    } else {
        Some(Completeness::After(window(text.strip_prefix(AFTER)?)?))
    }
}

/// How an owned partition starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With its windows, at the offset they stand at.
    Resumed {
        /// Next offset to read.
        offset: Offset,
    },
    /// Neither Kafka nor the state folder knows the partition.
    Fresh,
    /// At the committed offset, without its windows: they are lost, or another instance's.
    CommittedOnly {
        /// Next offset to read.
        offset: Offset,
        /// Why the state cannot be used, for the log.
        why: String,
        /// What was committed with the offset, if it was by this program.
        metadata: Option<CommitMetadata>,
    },
    /// At the log's start, with its windows: what Kafka and the state folder know is of a topic
    /// that had this name before, and was deleted.
    Recreated {
        /// That topic: its id, or the mark that was committed.
        was: String,
        /// What was committed of it last, if it was by this program.
        metadata: Option<CommitMetadata>,
    },
    /// With its windows; Kafka knows no offset (expired, or the group was deleted).
    StateOnly {
        /// Next offset to read.
        offset: Offset,
    },
}

/// One owned partition's part of the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRecovery {
    /// The partition.
    pub partition: PartitionId,
    /// Its start.
    pub start: Start,
}

/// The decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovery {
    /// State to go on with; forgotten partitions are no longer in it.
    pub image: StateImage,
    /// For `Store::settle`.
    pub apply_redo: bool,
    /// Every owned partition, in the order asked.
    pub partitions: Vec<PartitionRecovery>,
    /// First epoch number that is certainly unused.
    pub next_epoch: Epoch,
    /// For `Store::forget`, after `settle`.
    pub forget: Vec<PartitionId>,
}

/// Decides. `committed` lists every owned partition; what the image holds of others is left alone.
/// `topic` is the input topic's id as the brokers have it now.
///
/// The redo record is one epoch: when Kafka has a commit of it for any partition, all its outputs
/// were delivered, so it counts for all. A partition whose own commit is of an earlier epoch of
/// ours (its part of a later commit failed) goes on where the image stands: nothing is read twice.
///
/// With a topic its commits are deleted. What counts of the redo record then no commit can tell,
/// and nothing of it can be read again: it is taken for committed, as nearly every one is.
pub fn decide(
    instance: &str,
    topic: Option<TopicId>,
    loaded: &Loaded,
    committed: &[Committed],
) -> Recovery {
    let metadata: Vec<Option<CommitMetadata>> =
        committed.iter().map(|known| CommitMetadata::parse(&known.metadata)).collect();
    let redo = loaded.redo.as_ref().filter(|redo| redo.epoch > loaded.base.epoch);
    let ours = |known: &&CommitMetadata| known.instance == instance;
    let commits_redo =
        |redo: &&EpochChange| metadata.iter().flatten().filter(ours).any(|m| m.epoch == redo.epoch);
    let outlived = |redo: &&EpochChange| {
        let other = |of: Option<TopicId>| of.zip(topic).is_some_and(|(of, now)| of != now);
        let of_topic = |(known, metadata): (&Committed, &Option<CommitMetadata>)| {
            let mark = metadata.as_ref().and_then(|metadata| metadata.topic);
            let is_other = mark.zip(topic).is_some_and(|(of, now)| of != now.mark());
            known.offset.is_some() && !is_other
        };
        redo.partitions.values().any(|state| other(state.topic))
            && !committed.iter().zip(&metadata).any(of_topic)
    };
    let applied = redo.filter(|redo| commits_redo(redo) || outlived(redo));
    let mut image = loaded.base.clone();
    if let Some(redo) = applied {
        image.apply(redo);
    }
    let mut highest = loaded.highest_epoch.max(loaded.base.epoch);
    highest = highest.max(redo.map_or(highest, |redo| redo.epoch));
    let mut partitions = Vec::with_capacity(committed.len());
    let mut forget = Vec::new();
    for (known, metadata) in committed.iter().zip(&metadata) {
        highest = highest.max(metadata.as_ref().map_or(highest, |metadata| metadata.epoch));
        let partition = known.partition;
        let state = image.partitions.get(&partition);
        let start = start_of(instance, topic, known, metadata.as_ref(), state);
        let loses_state = matches!(start, Start::CommittedOnly { .. } | Start::Fresh);
        if loses_state && holds(&image, partition) {
            forget.push(partition);
        }
        partitions.push(PartitionRecovery { partition, start });
    }
    image.partials.retain(|(partition, _), _| !forget.contains(partition));
    image.partitions.retain(|partition, _| !forget.contains(partition));
    let apply_redo = applied.is_some();
    Recovery { image, apply_redo, partitions, next_epoch: highest.next(), forget }
}

fn start_of(
    instance: &str,
    topic: Option<TopicId>,
    known: &Committed,
    metadata: Option<&CommitMetadata>,
    state: Option<&PartitionState>,
) -> Start {
    // Brokers forget the offsets of a topic that is deleted; a process that has not noticed yet may
    // commit others in the next topic of that name.
    let mark = topic.map(TopicId::mark);

    let commit_of = metadata.and_then(|m| m.topic).filter(|of| mark.is_some_and(|now| now != *of));
    let state_of = state.and_then(|s| s.topic).filter(|of| topic.is_some_and(|now| now != *of));
    let committed = known.offset.filter(|_| commit_of.is_none());
    let (offset, state) = match (committed, state.filter(|_| state_of.is_none())) {
        (None, None) => {
            let was =
                state_of.map(|id| id.to_string()).or(commit_of.map(|mark| format!("{mark}…")));
            let metadata = metadata.cloned();
            return was.map_or(Start::Fresh, |was| Start::Recreated { was, metadata });
        }
        (None, Some(state)) => return Start::StateOnly { offset: state.next_offset },
        (Some(offset), state) => (offset, state),
    };
    let why = match (state, metadata) {
        (None, _) if state_of.is_some() => {
            "the state folder has windows of an earlier topic of this name".to_owned()
        }
        (None, _) => "the state folder has no windows of it".to_owned(),
        (Some(_), None) => "the commit carries no metadata of this program".to_owned(),
        (Some(_), Some(m)) if m.instance != instance => {
            format!("it was committed by another instance, {}", m.instance)
        }
        (Some(state), Some(m)) => {
            // The image holds delivered epochs only, so being ahead of the commit is no mismatch.
            let same = (m.epoch, offset) == (state.epoch, state.next_offset);
            if same || (m.epoch < state.epoch && offset <= state.next_offset) {
                return Start::Resumed { offset: state.next_offset };
            }
            format!(
                "epoch {} is committed at offset {offset}, the state folder has epoch {} at \
                 offset {}",
                m.epoch, state.epoch, state.next_offset
            )
        }
    };
    Start::CommittedOnly { offset, why, metadata: metadata.cloned() }
}

fn holds(image: &StateImage, partition: PartitionId) -> bool {
    image.partitions.contains_key(&partition)
        || image.partials.keys().any(|(holder, _)| *holder == partition)
}
