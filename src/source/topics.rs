//! Topics that change while they are in use. Owned by the source thread.
//!
//! In:  the newest look at the topics.
//! Out: new numbers of output partitions at an epoch cut; a reason to roll back when the input is
//! another topic.
//! Holds: all processed events of an epoch go by the same number of partitions; what the sink makes
//! of the epoch that is being cut may already go by the next numbers.

use super::lanes::{Lanes, PeerGone};
use crate::{
    epoch::ToSink,
    ids::{Epoch, TopicId},
    topics::{PerOutput, PerTopic, Topic, TopicBoard},
};

/// What is known of the topics.
#[derive(Debug)]
pub(super) struct KnownTopics {
    /// Version of the newest look that was taken in.
    version: u64,
    /// The topic that is read, as of the last recovery; `None` where the brokers have no ids.
    input: Option<TopicId>,
    /// The journal, likewise.
    journal: Option<TopicId>,
    /// The input's partitions as last seen; 0 before the first look.
    input_partitions: u32,
    /// The output topics' partitions as last seen, and those that are in use.
    seen: PerOutput<i32>,
    in_use: PerOutput<i32>,
}

impl KnownTopics {
    pub(super) fn new(outputs: PerOutput<i32>) -> Self {
        Self {
            version: 0,
            input: None,
            journal: None,
            input_partitions: 0,
            seen: outputs,
            in_use: outputs,
        }
    }

    /// Takes in what has changed since the last look. Returns why everything has to be recovered,
    /// if it has.
    pub(super) fn look(&mut self, board: &TopicBoard, names: &PerTopic<String>) -> Option<String> {
        let seen = board.newer(&mut self.version)?;
        self.seen = seen.outputs;
        self.input_partitions = seen.input_partitions as u32;
        let recreated = |topic: Topic, now: Option<TopicId>, used: Option<TopicId>| {
            let (now, used) = now.zip(used).filter(|(now, used)| now != used)?;
            let name = &names[topic];
            Some(format!(
                "topic {name} was deleted and created again: its id is {now}, and {used} was used"
            ))
        };
        recreated(Topic::Input, seen.input, self.input)
            .or_else(|| recreated(Topic::Journal, seen.journal, self.journal))
    }

    /// Partitions of the input as last seen; 0 before the first look.
    pub(super) fn input_partitions(&self) -> u32 {
        self.input_partitions
    }

    /// Notes which topics are used from now on.
    pub(super) fn uses(&mut self, input: Option<TopicId>, journal: Option<TopicId>) {
        (self.input, self.journal) = (input, journal);
    }

    /// Whether a topic is not the one that was read before.
    pub(super) fn is_another(&self, input: Option<TopicId>) -> bool {
        self.input.is_some() && input.is_some() && self.input != input
    }

    /// The numbers of output partitions that are in use.
    pub(super) fn outputs(&self) -> PerOutput<i32> {
        self.in_use
    }

    /// Puts the numbers of output partitions that were seen last in force, for the epoch that is
    /// cut after this call, or the incarnation that begins. True: they have changed.
    pub(super) fn adopt(
        &mut self,
        names: &PerTopic<String>,
        epoch: Epoch,
        lanes: &mut Lanes,
    ) -> Result<bool, PeerGone> {
        let (before, now) = (self.in_use, self.seen);
        if now == before {
            return Ok(false);
        }
        for (topic, now) in now.iter() {
            let before = &before[topic];
            if before != now {
                tracing::warn!(
                    topic = names[topic],
                    before,
                    now,
                    epoch = epoch.0,
                    "the topic has another number of partitions: records after this epoch go to all \
                     of them; keys move, so what was written of a key before may stand in another \
                     partition"
                );
            }
        }
        self.in_use = now;
        lanes.tell_sink(ToSink::OutputPartitions(now))?;
        Ok(true)
    }
}
