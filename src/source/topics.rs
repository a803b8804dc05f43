//! Topics that change while they are in use. Owned by the source thread.
//!
//! In:  the newest look at the topics.
//! Out: new numbers of output partitions at an epoch cut; a rollback when the input is another
//! topic.
//! Holds: all processed events of an epoch go by the same number of partitions; what the sink makes
//! of the epoch that is being cut may already go by the next numbers.

use super::{Halt, Source, unreadable::Unreadable};
use crate::{epoch::ToSink, ids::TopicId, topics::Topic};

impl Source {
    /// Takes in what has changed since the last turn.
    pub(super) fn check_topics(&mut self) -> Result<(), Halt> {
        // Where nothing can be rolled back, what was seen is looked at later.
        if !self.phase.can_roll_back() {
            return Ok(());
        }
        let Some(seen) = self.control.topics().newer(&mut self.topics_version) else {
            return Ok(());
        };
        self.seen_outputs = seen.outputs;
        match (seen.input, self.topic) {
            // Recovery decides what that means, by what is committed and stored.
            (Some(now), Some(read)) if now != read => self.roll_back(&format!(
                "topic {} was deleted and created again: its id is {now}, and {read} was read",
                self.settings.topic
            )),
            _ => Ok(()),
        }
    }

    /// Forgets what was known by offsets of a topic that had this one's name.
    pub(super) fn forget_another_topic(&mut self, topic: Option<TopicId>) {
        if self.topic.is_some() && topic.is_some() && self.topic != topic {
            self.fresh_starts.clear();
            self.bounds.clear();
            self.unreadable = Unreadable::default();
        }
    }

    /// Puts the numbers of output partitions that were seen last in force, for the epoch that is
    /// cut after this call, or the incarnation that begins. True: they have changed.
    pub(super) fn adopt_outputs(&mut self) -> Result<bool, Halt> {
        let (before, now) = (self.outputs, self.seen_outputs);
        if now == before {
            return Ok(false);
        }
        for topic in Topic::OUTPUTS {
            let (before, now) = (before[topic], now[topic]);
            if before != now {
                tracing::warn!(
                    topic = self.settings.topics[topic],
                    before,
                    now,
                    epoch = self.epoch.0,
                    "the topic has another number of partitions: records after this epoch go to all \
                     of them; keys move, so what was written of a key before may stand in another \
                     partition"
                );
            }
        }
        self.outputs = now;
        self.intake.lanes.tell_sink(ToSink::OutputPartitions(now))?;
        Ok(true)
    }
}
