//! Notices when the pipeline stands still although there is work. Main thread.
//!
//! In:  what the threads say they are doing; whether a broker answers.
//! Out: unhealthy once nothing has moved for the stall timeout, the run's failure after twice that.
//! Holds: a quiet topic is no stall, nor is a broker that is away: it is waited for.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use crate::{
    control::{Activity, Control},
    error::RunError,
    kafka::{Admin, ClientSettings},
    limits,
    metrics::{self, Metric},
};

/// What is compared between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    /// Whether something should move.
    work: bool,
    taken: u64,
    handled: u64,
    finished: u64,
}

impl Look {
    fn at(activity: &Activity) -> Self {
        let reading = activity.reading.load(Relaxed);
        let waits = activity.cut_open.load(Relaxed) || !activity.at_end.load(Relaxed);
        Self {
            work: reading && waits,
            taken: activity.taken.load(Relaxed),
            handled: activity.workers.iter().map(|worker| worker.handled.load(Relaxed)).sum(),
            finished: activity.finished.load(Relaxed),
        }
    }
}

/// Since when nothing moved.
#[derive(Debug)]
struct Watch {
    look: Look,
    /// Since when no record was taken or handled, and no epoch finished.
    moved: Instant,
    /// Since when no epoch finished while one waited.
    finished: Instant,
    cut_open: bool,
}

impl Watch {
    fn new(now: Instant) -> Self {
        let look = Look { work: false, taken: 0, handled: 0, finished: 0 };
        Self { look, moved: now, finished: now, cut_open: false }
    }

    /// How long the pipeline has stood still, although there was work.
    fn look(&mut self, look: Look, cut_open: bool, now: Instant) -> Duration {
        if look != self.look || !look.work {
            self.moved = now;
        }
        if look.finished != self.look.finished || !cut_open || !self.cut_open {
            self.finished = now;
        }
        self.look = look;
        self.cut_open = cut_open;
        now - self.moved.min(self.finished)
    }

    /// Begins anew.
    fn restart(&mut self, now: Instant) {
        (self.moved, self.finished) = (now, now);
    }
}

/// The watchdog.
pub(super) struct Watchdog {
    control: Arc<Control>,
    client: ClientSettings,
    timeout: Duration,
    watch: Watch,
    stalled: bool,
    away: Option<Instant>,
}

impl Watchdog {
    pub(super) fn new(control: Arc<Control>, client: ClientSettings, timeout: Duration) -> Self {
        let watch = Watch::new(Instant::now());
        Self { control, client, timeout, watch, stalled: false, away: None }
    }

    /// Looks once. An error ends the run.
    pub(super) fn look(&mut self) -> Result<(), RunError> {
        let now = Instant::now();
        let activity = self.control.activity();
        let cut_open = activity.cut_open.load(Relaxed);
        let still = self.watch.look(Look::at(activity), cut_open, now);
        if still < self.timeout {
            if self.stalled || self.away.is_some() && still.is_zero() {
                tracing::info!("the pipeline moves again");
                self.stalled = false;
                self.away = None;
                self.control.health().set_stalled(false);
                self.control.health().set_broker_away(false);
            }
            return Ok(());
        }
        if !self.stalled && !self.broker_answers() {
            let away = *self.away.get_or_insert(now);
            self.control.health().set_broker_away(true);
            tracing::warn!(
                away_s = (now - away).as_secs(),
                "no progress, and no broker answers: waiting for it"
            );
            self.watch.restart(now);
            return Ok(());
        }
        let seconds = still.as_secs();
        if !self.stalled {
            self.stalled = true;
            self.control.health().set_stalled(true);
            metrics::add(Metric::Stalls, 1);
            tracing::error!(
                "stalled: a broker answers and there is work, but nothing moved for {seconds} s \
                 (--stall-timeout); {activity}"
            );
        }
        if still >= self.timeout * 2 {
            return Err(RunError::Failed(format!(
                "stalled for {seconds} s, twice --stall-timeout; nothing is lost: what was not \
                 committed is read again at the next start; {activity}"
            )));
        }
        Ok(())
    }

    /// Whether a broker answers a client that has nothing to do with the one that stands still.
    fn broker_answers(&self) -> bool {
        let asked = Admin::new(&self.client)
            .and_then(|admin| admin.cluster_id(limits::BROKER_QUERY_TIMEOUT));
        // An answer that refuses is an answer.
        asked.map_or_else(|error| !error.is_retriable(), |_| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(work: bool, taken: u64, finished: u64) -> Look {
        Look { work, taken, handled: taken, finished }
    }

    #[test]
    fn only_work_that_does_not_move_is_a_stall() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut watch = Watch::new(start);
        let mut still = |look, cut, seconds| watch.look(look, cut, at(seconds)).as_secs();
        assert_eq!(still(look(false, 0, 0), false, 100), 0, "nothing assigned, or quiet");
        assert_eq!(still(look(true, 5, 0), false, 200), 0, "records move");
        assert_eq!(still(look(true, 5, 0), false, 230), 30);
        assert_eq!(still(look(true, 6, 0), false, 240), 0);
        assert_eq!(still(look(true, 6, 0), true, 250), 10);
        assert_eq!(still(look(true, 7, 0), true, 270), 20, "records move, no epoch commits");
        assert_eq!(still(look(true, 8, 1), true, 290), 0, "an epoch commits");
        assert_eq!(still(look(false, 8, 1), false, 900), 0, "at the end");
    }
}
