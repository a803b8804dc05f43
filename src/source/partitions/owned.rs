//! One partition that is read: position, idleness, and what hides its records. Owned by the source
//! thread.
//!
//! In:  what the table notes. Out: whether it is idle, before its bound, or held by a transaction.
//! Holds: a hold counts only at the offset for which it was found.

use std::time::{Duration, Instant};

use crate::{
    failpoint::{self, Fault},
    ids::{EventTimeMs, Offset},
    limits,
};

/// A partition that is read.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) next: Offset,
    pub(super) at_end: bool,
    /// When a broker was asked that last answered for this partition, if nothing has failed since.
    pub(super) answered: Option<Asked>,
    pub(super) last_record: Instant,
    pub(super) pause: Option<Pause>,
    pub(super) routed: u64,
    pub(super) tombstones: u64,
    /// Offset after which a bounded run is done with this partition.
    pub(super) bound: Option<Offset>,
    /// Something that comes next could not be read: what is given may lie behind it.
    pub(super) doubtful: bool,
    /// The end of the log as the last fetch saw it, records of open transactions included.
    pub(super) log_end: Option<Offset>,
    /// The open transaction at which it was found to stand.
    pub(super) held: Option<Hold>,
    /// Lag, hold and whether it was at its end as of the last cut.
    pub(super) told: (Option<u64>, bool, bool),
}

/// Why a partition is not read for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// The merger has not announced it.
    Unannounced,
    /// It is too far ahead in event time.
    Ahead,
}

/// The moment before a question was sent: its answer says nothing of what came later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    /// The same on the wall clock.
    pub(crate) wall: EventTimeMs,
}

/// A position behind which an open transaction hides records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) at: Offset,
    /// Brokers should have ended the transaction long ago.
    pub(super) hanging: bool,
}

impl Owned {
    pub(super) fn new(next: Offset, now: Instant) -> Self {
        Self {
            next,
            at_end: false,
            answered: None,
            last_record: now,
            pause: None,
            routed: 0,
            tombstones: 0,
            bound: None,
            doubtful: false,
            log_end: None,
            held: None,
            told: (None, false, false),
        }
    }

    /// What is told at a cut.
    pub(super) fn to_tell(&self) -> (Option<u64>, bool, bool) {
        (self.lag(), self.hold().is_some(), self.at_end)
    }

    /// Records between the position and the end of the log; `None` while that is not known.
    pub(super) fn lag(&self) -> Option<u64> {
        self.log_end.map(|end| (end.0 - self.next.0).max(0) as u64)
    }

    /// Whether it stands at the end of what may be read, and its log goes on: an open transaction
    /// hides the rest, or the rest is on its way.
    pub(super) fn hides_records(&self) -> bool {
        self.at_end && self.log_end.is_some_and(|end| end > self.next)
    }

    /// The hold, as long as it lasts.
    pub(super) fn hold(&self) -> Option<Hold> {
        self.held.filter(|held| held.at == self.next && self.hides_records())
    }

    pub(super) fn is_hanging(&self) -> bool {
        self.hold().is_some_and(|held| held.hanging)
    }

    /// Whether it stands at its end and will have more by itself.
    pub(super) fn expects_more(&self) -> bool {
        self.hides_records() && !self.is_hanging()
    }

    pub(super) fn is_silent(&self, now: Instant, idle_timeout: Duration) -> bool {
        now.saturating_duration_since(self.last_record) >= idle_timeout
    }

    /// As of when it is idle, if it is. An answer counts for two idle timeouts: it is asked for
    /// again after one.
    pub(super) fn idle_as_of(&self, now: Instant, idle_timeout: Duration) -> Option<EventTimeMs> {
        let valid = idle_timeout.saturating_mul(2).max(limits::PROBE_TIMEOUT * 2);
        let is_valid = |asked: &Asked| now.saturating_duration_since(asked.at) <= valid;
        let mut as_of = self.answered.filter(is_valid).map(|asked| asked.wall);
        if failpoint::is_planted(Fault::IdleAsOfNow) {
            as_of = as_of.map(|_| EventTimeMs(i64::MAX));
        }
        if failpoint::is_planted(Fault::IdleUnasked) {
            as_of = Some(EventTimeMs(i64::MAX));
        }
        let is_idle = self.at_end && self.is_silent(now, idle_timeout) && !self.expects_more();
        as_of.filter(|_| is_idle)
    }

    /// Whether a broker is to be asked whether it is idle: nobody has, or long ago, or before the
    /// moment at which a window is to be `closed`.
    pub(super) fn is_to_be_asked(
        &self,
        now: Instant,
        idle_timeout: Duration,
        closed: Option<EventTimeMs>,
    ) -> bool {
        let is_old = |asked: Asked| {
            now.saturating_duration_since(asked.at) >= idle_timeout
                || closed.is_some_and(|closed| asked.wall < closed)
        };
        self.at_end && self.is_silent(now, idle_timeout) && self.answered.is_none_or(is_old)
    }

    /// Offsets to its bound, if it has not reached it.
    pub(super) fn before_bound(&self) -> Option<i64> {
        self.bound.map(|bound| bound.0 - self.next.0).filter(|left| *left > 0)
    }
}
