//! Times a state in which nothing is read. Main thread, part of the watchdog.
//!
//! In:  what the source waits for, and the cluster's diagnosis of it.
//! Out: a log line every few seconds with the cause and the remedy; unhealthy after the stall
//! timeout; the run's failure after twice that, if a restart could help.
//! Holds: each state has a clock of its own; time without an answer from any broker does not count;
//! a cluster whose fault has just been mended gets the time of a new wait; standing by has no time
//! limit.

use std::time::{Duration, Instant};

use super::diagnosis::{Cause, Diagnosis};
use crate::{limits, metrics::Waiting};

/// What follows from the time waited and its cause.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The wait goes on and is logged.
    Waits,
    /// The stall timeout has passed.
    Stalled,
    /// Twice the stall timeout has passed, and a restart could help.
    Failed,
}

#[derive(Debug)]
pub(super) struct WaitClock {
    waiting: Waiting,
    /// A counter that grows when the wait makes progress.
    progress: u64,
    since: Instant,
    /// When the wait began, or the cluster last showed a fault.
    sound_since: Instant,
    said: Instant,
}

impl WaitClock {
    pub(super) fn new(waiting: Waiting, progress: u64, now: Instant) -> Self {
        Self { waiting, progress, since: now, sound_since: now, said: now }
    }

    /// Whether this is still the same wait, without progress.
    pub(super) fn is_of(&self, waiting: Waiting, progress: u64) -> bool {
        self.waiting == waiting && self.progress == progress
    }

    /// How long the wait has lasted.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Whether it is time to query and log the cause. After `true` the next time is an interval
    /// later.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let interval = if self.waiting.should_end() {
            limits::REPEATED_LOG_INTERVAL
        } else {
            limits::STANDBY_LOG_INTERVAL
        };
        let due = now.saturating_duration_since(self.said) >= interval;
        if due {
            self.said = now;
        }
        due
    }

    /// Decides what follows from the cause.
    pub(super) fn judge(
        &mut self,
        diagnosis: &Diagnosis,
        timeout: Duration,
        now: Instant,
    ) -> Verdict {
        let Diagnosis::Cause(Cause { restart_helps, .. }) = diagnosis else {
            (self.since, self.sound_since) = (now, now);
            return Verdict::Waits;
        };
        if !restart_helps {
            self.sound_since = now;
        }
        if !self.waiting.should_end() || self.waited(now) < timeout {
            Verdict::Waits
        } else if now.saturating_duration_since(self.sound_since) >= timeout * 2 {
            Verdict::Failed
        } else {
            Verdict::Stalled
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_mins(1);

    fn cause(restart_helps: bool) -> Diagnosis {
        Diagnosis::Cause(Cause { text: String::new(), restart_helps })
    }

    #[test]
    fn a_wait_is_said_every_few_seconds_and_stalls_after_the_timeout() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = WaitClock::new(Waiting::Assignment, 0, start);
        assert!(!clock.is_due(at(1)), "an ordinary start is not commented");
        assert!(clock.is_due(at(5)) && !clock.is_due(at(6)) && clock.is_due(at(10)));
        assert_eq!(clock.judge(&cause(false), TIMEOUT, at(59)), Verdict::Waits);
        assert_eq!(clock.judge(&cause(false), TIMEOUT, at(60)), Verdict::Stalled);
        assert_eq!(clock.judge(&cause(false), TIMEOUT, at(6000)), Verdict::Stalled, "stays");
    }

    #[test]
    fn a_run_fails_when_the_cluster_has_had_time_enough_without_a_fault() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = WaitClock::new(Waiting::Assignment, 0, start);
        assert_eq!(clock.judge(&cause(true), TIMEOUT, at(119)), Verdict::Stalled);
        assert_eq!(clock.judge(&cause(true), TIMEOUT, at(120)), Verdict::Failed);
        let mut clock = WaitClock::new(Waiting::Assignment, 0, start);
        assert_eq!(clock.judge(&cause(false), TIMEOUT, at(500)), Verdict::Stalled);
        assert_eq!(clock.judge(&cause(true), TIMEOUT, at(619)), Verdict::Stalled, "just mended");
        assert_eq!(clock.judge(&cause(true), TIMEOUT, at(620)), Verdict::Failed);
    }

    #[test]
    fn the_time_in_which_no_broker_answers_does_not_count() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = WaitClock::new(Waiting::Registration, 0, start);
        assert_eq!(clock.judge(&Diagnosis::BrokerAway(None), TIMEOUT, at(500)), Verdict::Waits);
        assert_eq!(clock.judge(&cause(true), TIMEOUT, at(559)), Verdict::Waits);
        assert_eq!(clock.judge(&cause(true), TIMEOUT, at(560)), Verdict::Stalled);
    }

    #[test]
    fn standing_by_is_said_once_a_minute_and_never_stalls() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = WaitClock::new(Waiting::Standby, 0, start);
        assert!(!clock.is_due(at(59)) && clock.is_due(at(60)));
        assert_eq!(clock.judge(&cause(true), TIMEOUT, at(86_400)), Verdict::Waits);
    }

    #[test]
    fn another_state_or_progress_begins_anew() {
        let clock = WaitClock::new(Waiting::State, 7, Instant::now());
        assert!(clock.is_of(Waiting::State, 7));
        assert!(!clock.is_of(Waiting::State, 8) && !clock.is_of(Waiting::Offsets, 7));
    }
}
