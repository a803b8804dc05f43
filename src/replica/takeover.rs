//! A request that waits until the journal is read far enough. Owned by the replica.
//!
//! In:  what the sink asks, and the logs as the brokers have them now.
//! Out: where partitions are begun; whether all is reached; a word about what is waited for.
//! Holds: nothing is reached before the logs were looked at: one that ends below the position was
//! cut off, and what was known of it does not count.

use std::{fmt::Write as _, time::Instant};

use tracing::warn;

use super::{
    follower::{Follower, Then},
    reader::{JournalReader, Logs},
    request::{BeginAt, FollowRequest},
};
use crate::{
    client::{Clock, RecordConsumer},
    error::RunError,
    ids::{Offset, PartitionId},
    limits,
};

/// The request.
#[derive(Debug)]
pub(super) struct Takeover {
    request: FollowRequest,
    since: Instant,
    said_at: Option<Instant>,
    step: Step,
}

/// How far it is.
///
/// `New` → `Identified` → `Begun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing was done about it.
    New,
    /// What is read is of the journal that it names.
    Identified,
    /// All partitions are read from where it says.
    Begun,
}

impl Takeover {
    pub(super) fn new(request: FollowRequest, now: Instant) -> Self {
        Self { request, since: now, said_at: None, step: Step::New }
    }

    /// Does what the request says, as soon as it is known where the streams are.
    pub(super) fn advance<R: RecordConsumer>(
        &mut self,
        follower: &mut Follower,
        reader: &mut JournalReader<R>,
        clock: &impl Clock,
    ) -> Result<(), RunError> {
        if self.step == Step::New {
            if follower.is_of(self.request.journal) == Then::Assign {
                reader.outdated();
            }
            self.step = Step::Identified;
        }
        if self.step == Step::Identified && follower.knows_partitions() && reader.is_reading() {
            let partitions: Vec<_> = follower.partitions().collect();
            let Some(logs) = reader.logs(&partitions, clock)? else { return Ok(()) };
            let before = follower.starts();
            self.begin(follower, &logs);
            if follower.starts() != before {
                reader.outdated();
            }
            // If not, the copy was of no use, and everything is read from the start.
            if follower.knows_partitions() {
                self.step = Step::Begun;
            }
        }
        Ok(())
    }

    fn begin(&self, follower: &mut Follower, logs: &Logs) {
        for (&partition, &(start, end)) in logs {
            let position = follower.position(partition);
            if position < start || position > end {
                follower.lost(partition, start);
                if !follower.knows_partitions() {
                    return;
                }
                continue;
            }
            match self.request.begin.get(&partition) {
                // One behind the end is of a log that was cut off.
                Some(&BeginAt::AtLeast(offset)) if offset > position && offset <= end => {
                    follower.begin_at(partition, offset);
                }
                Some(&BeginAt::Again(offset)) => follower.read_again(partition, offset.max(start)),
                Some(BeginAt::AtLeast(_)) | None => {}
            }
        }
    }

    /// Whether everything is read.
    pub(super) fn is_reached<R: RecordConsumer>(
        &self,
        follower: &Follower,
        reader: &JournalReader<R>,
    ) -> bool {
        self.step == Step::Begun
            && reader.is_reading()
            && follower.knows_partitions()
            && self.missing(follower).next().is_none()
    }

    /// The request, which is answered.
    pub(super) fn request(&self) -> &FollowRequest {
        &self.request
    }

    /// Partitions that are not read far enough, with the offsets to be reached.
    fn missing(&self, follower: &Follower) -> impl Iterator<Item = (PartitionId, Offset)> {
        let until = |p| self.request.until.get(&p).map(|until| (p, *until));
        let wanted = follower.partitions().filter_map(until);
        wanted.filter(|(p, until)| follower.position(*p) < *until)
    }

    /// Says what is waited for, when it takes long.
    pub(super) fn say(&mut self, follower: &Follower, now: Instant) {
        let is_long = now - self.since >= limits::FOLLOW_WAIT_NOTED;
        let is_said = |at| now - at < limits::REPEATED_LOG_INTERVAL;
        if !is_long || self.said_at.is_some_and(is_said) {
            return;
        }
        self.said_at = Some(now);
        let (mut partitions, mut is_hidden) = (String::new(), true);
        for (p, until) in self.missing(follower) {
            let _infallible = write!(partitions, " {p}: {} of {until};", follower.position(p));
            is_hidden &= follower.is_at_end(p);
        }
        let waited_s = (now - self.since).as_secs();
        if is_hidden && !partitions.is_empty() {
            warn!(
                waited_s,
                partitions,
                "the takeover waits for the journal: an open transaction of another process hides \
                 its end; it ends at its transaction timeout at the latest"
            );
        } else {
            warn!(waited_s, partitions, "the takeover waits for the journal, which is being read");
        }
    }
}
