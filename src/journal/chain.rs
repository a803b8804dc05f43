//! How far one stream has been followed, and which record continues it. Pure.
//!
//! Holds: what was applied is the state of the stream right after record `seq`, whatever the
//! cleaner has removed: a record is applied when it is the next one, or a newer snapshot.

use super::{
    header::{RecordId, RecordKind},
    key::Place,
};
use crate::ids::{Epoch, InstanceId};

/// State of one stream's chain. An empty one is of a stream of which nothing was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    last: Option<Last>,
    /// Highest sequence number of a whole record that could not be applied.
    skipped: u64,
    /// Highest sequence number in any header.
    highest: u64,
}

/// The record that was applied last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Last {
    seq: u64,
    epoch: Epoch,
    writer: InstanceId,
    snapshot: LastSnapshot,
    bytes_since: u64,
}

/// The snapshot that a chain stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastSnapshot {
    pub(super) seq: u64,
    pub(super) bytes: u64,
    pub(super) place: Place,
}

/// What is known of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Its state is that of the newest record that was read.
    Whole,
    /// Newer records were read than could be applied; the next snapshot ends this.
    Gap,
    /// No record of it was read.
    Unseen,
}

/// How a record relates to a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It is the next one, or a newer snapshot.
    Continues,
    /// It, or one that came after it, was applied.
    Old,
    /// Another record of this number was applied.
    Forked,
    /// Some before it are missing.
    Gap,
}

impl Chain {
    /// What is known of the stream.
    pub fn condition(&self) -> Condition {
        match &self.last {
            _ if self.skipped > self.applied_seq() => Condition::Gap,
            Some(_) => Condition::Whole,
            None => Condition::Unseen,
        }
    }

    /// Sequence number of the record applied last; 0 before the first.
    pub fn applied_seq(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.seq)
    }

    /// Epoch and writer of the record applied last.
    pub fn applied_by(&self) -> Option<(Epoch, &InstanceId)> {
        self.last.as_ref().map(|last| (last.epoch, &last.writer))
    }

    /// The number that the stream's next record follows. Of a stream that is not whole it is the
    /// highest one seen: numbers never go back.
    pub(super) fn tail_seq(&self) -> u64 {
        match self.condition() {
            Condition::Whole => self.applied_seq(),
            Condition::Gap | Condition::Unseen => self.highest.max(self.applied_seq()),
        }
    }

    /// The snapshot that a writer goes on from, and the bytes of the records since; `None` when the
    /// stream is not whole.
    pub(super) fn tail_snapshot(&self) -> Option<(LastSnapshot, u64)> {
        let last = self.last.as_ref().filter(|_| self.condition() == Condition::Whole)?;
        Some((last.snapshot, last.bytes_since))
    }

    /// Remembers that there is a record of this number.
    pub(super) fn see(&mut self, seq: u64) {
        self.highest = self.highest.max(seq);
    }

    /// Judges a record. Changes nothing.
    pub(super) fn link(&self, id: &RecordId) -> Link {
        let next = match &self.last {
            Some(last) if id.seq == last.seq => {
                let same = (id.epoch, &id.writer) == (last.epoch, &last.writer);
                return if same { Link::Old } else { Link::Forked };
            }
            Some(last) if id.seq < last.seq => return Link::Old,
            Some(last) => Some(last.seq + 1),
            None => None,
        };
        match id.kind {
            RecordKind::Snapshot => Link::Continues,
            RecordKind::Epoch if Some(id.seq) == next => Link::Continues,
            RecordKind::Epoch => Link::Gap,
        }
    }

    /// Skips a whole record that does not continue the chain.
    pub(super) fn skip(&mut self, id: &RecordId) {
        self.skipped = self.skipped.max(id.seq);
    }

    /// Applies a newer snapshot whose body has so many bytes.
    pub(super) fn apply_snapshot(&mut self, id: &RecordId, place: Place, bytes: u64) {
        debug_assert_eq!(self.link(id), Link::Continues);
        let (seq, epoch, writer) = (id.seq, id.epoch, id.writer.clone());
        let snapshot = LastSnapshot { seq, bytes, place };
        self.last = Some(Last { seq, epoch, writer, snapshot, bytes_since: 0 });
    }

    /// Applies the next epoch record, whose body has so many bytes.
    pub(super) fn apply_next(&mut self, id: &RecordId, bytes: u64) {
        debug_assert_eq!(self.link(id), Link::Continues);
        let last = self.last.as_mut().expect("an epoch record continues a chain");
        (last.seq, last.epoch, last.writer) = (id.seq, id.epoch, id.writer.clone());
        last.bytes_since = last.bytes_since.saturating_add(bytes);
    }

    /// Forgets what was applied, so that the stream can be read again from further back, or begins
    /// anew with a snapshot. What numbers it has used stays known.
    pub fn restart(&mut self) {
        *self = Self { last: None, skipped: 0, highest: self.highest.max(self.applied_seq()) };
    }
}
