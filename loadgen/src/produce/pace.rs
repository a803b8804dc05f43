//! The schedule of send times.
//!
//! Holds: the schedule is start + number / rate; a delay of one event does not move the next one's
//! time. A late event is sent at once.

use std::{
    cell::Cell,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;

/// Longest sleep: signals and delivery reports are handled between two sleeps.
const LONGEST_SLEEP: Duration = Duration::from_millis(5);

/// The schedule of a run, if it has a rate.
pub(super) struct Pace {
    started: Instant,
    started_us: u64,
    rate: Option<f64>,
    most_behind_s: Cell<f64>,
}

impl Pace {
    /// Starts the schedule now; `None` means as fast as possible.
    pub(super) fn start(rate: Option<f64>) -> Self {
        let started_us = Timestamp::now().as_microsecond() as u64;
        Self { started: Instant::now(), started_us, rate, most_behind_s: Cell::new(0.0) }
    }

    /// Seconds from the start to the scheduled time of an event; 0 without a rate.
    pub(super) fn due_s(&self, event_no: u64) -> f64 {
        self.rate.map_or(0.0, |rate| event_no as f64 / rate)
    }

    /// Scheduled send time in epoch microseconds; without a schedule, now.
    pub(super) fn sent_us(&self, event_no: u64) -> u64 {
        let from_start_us = match self.rate {
            Some(_) => (self.due_s(event_no) * 1e6) as u64,
            None => self.started.elapsed().as_micros() as u64,
        };
        self.started_us + from_start_us
    }

    /// Waits until an event is due, and calls `meanwhile` regularly; false if `is_stopped` was true
    /// before.
    pub(super) fn wait(
        &self,
        event_no: u64,
        is_stopped: impl Fn() -> bool,
        meanwhile: impl Fn(),
    ) -> bool {
        if self.rate.is_none() {
            return true;
        }
        loop {
            let ahead_s = self.due_s(event_no) - self.elapsed_s();
            if ahead_s <= 0.0 {
                self.most_behind_s.set(self.most_behind_s.get().max(-ahead_s));
                return true;
            }
            if is_stopped() {
                return false;
            }
            meanwhile();
            thread::sleep(LONGEST_SLEEP.min(Duration::from_secs_f64(ahead_s.min(1.0))));
        }
    }

    /// Seconds since the start.
    pub(super) fn elapsed_s(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Largest delay of an event behind its schedule.
    pub(super) fn most_behind_s(&self) -> f64 {
        self.most_behind_s.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_does_not_depend_on_when_events_are_sent() {
        let pace = Pace::start(Some(1_000.0));
        let before = pace.sent_us(5_000);
        assert!(pace.wait(20, || false, || {}));
        assert!(pace.elapsed_s() >= 0.02);
        assert_eq!(pace.sent_us(5_000), before);
        assert_eq!(pace.sent_us(5_000) - pace.sent_us(4_000), 1_000_000);
    }

    #[test]
    fn a_stop_ends_the_wait_and_no_rate_never_waits() {
        let pace = Pace::start(Some(0.001));
        assert!(!pace.wait(1, || true, || {}));
        assert!(Pace::start(None).wait(u64::MAX, || true, || {}));
    }
}
