//! Detects stalls: there is work, but the pipeline makes no progress. Main thread.
//!
//! In:  the threads' activity; whether a broker answers.
//! Out: unhealthy after the stall timeout without progress, the run's failure after twice that.
//! Holds: neither an idle topic nor a broker that is away counts as a stall. While nothing is read
//! at all, `WaitClock` decides.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::{
    diagnosis::{Diagnosis, Questions},
    waits::{Verdict, WaitClock},
};
use crate::{
    control::{Activity, Control},
    error::RunError,
    kafka::{Admin, cluster_id},
    limits,
    metrics::{self, Metric, Waiting},
};

/// The counters whose change is progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    /// Whether there is work, so that some counter should change.
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

/// The times of the last progress.
#[derive(Debug)]
struct Watch {
    look: Look,
    /// When a record was last read or handled, or an epoch finished, or there was no work.
    moved: Instant,
    /// When an epoch last finished, or none was cut and unfinished.
    finished: Instant,
    cut_open: bool,
}

impl Watch {
    fn new(now: Instant) -> Self {
        let look = Look { work: false, taken: 0, handled: 0, finished: 0 };
        Self { look, moved: now, finished: now, cut_open: false }
    }

    /// How long the pipeline has made no progress although there was work.
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

    /// Counts `now` as progress.
    fn restart(&mut self, now: Instant) {
        (self.moved, self.finished) = (now, now);
    }
}

/// Detects and reports stalls.
pub(super) struct Watchdog {
    control: Arc<Control>,
    questions: Questions,
    timeout: Duration,
    watch: Watch,
    /// Set while nothing is read.
    wait: Option<WaitClock>,
    stalled: bool,
    away: Option<Instant>,
}

impl Watchdog {
    pub(super) fn new(control: Arc<Control>, questions: Questions, timeout: Duration) -> Self {
        let watch = Watch::new(Instant::now());
        Self { control, questions, timeout, watch, wait: None, stalled: false, away: None }
    }

    /// Checks once. An error ends the run.
    pub(super) fn look(&mut self) -> Result<(), RunError> {
        let now = Instant::now();
        let waiting = self.control.health().waiting();
        let reading = self.control.activity().reading.load(Relaxed);
        if waiting != Waiting::Nothing || !reading {
            self.watch.restart(now);
            return self.look_at_wait(waiting, now);
        }
        if self.wait.take().is_some() {
            self.moves();
        }
        let activity = self.control.activity();
        let cut_open = activity.cut_open.load(Relaxed);
        let still = self.watch.look(Look::at(activity), cut_open, now);
        if still < self.timeout {
            if self.stalled || still.is_zero() {
                self.moves();
            }
            return Ok(());
        }
        if !self.stalled && !self.broker_answers() {
            self.broker_is_away(now, self.questions.unreachable());
            self.watch.restart(now);
            return Ok(());
        }
        let seconds = still.as_secs();
        if !self.stalled {
            tracing::error!(
                "stalled: a broker answers and there is work, but no progress for {seconds} s \
                 (--stall-timeout); {activity}"
            );
        }
        if still >= self.timeout * 2 {
            return Err(RunError::Failed(format!(
                "stalled for {seconds} s, twice --stall-timeout; nothing is lost: the next start \
                 reads again what was not committed; {activity}"
            )));
        }
        self.stalls();
        Ok(())
    }

    /// Checks a state in which nothing is read. An error ends the run.
    fn look_at_wait(&mut self, waiting: Waiting, now: Instant) -> Result<(), RunError> {
        let progress = self.control.activity().followed.load(Relaxed);
        let Some(clock) = self.wait.as_mut().filter(|clock| clock.is_of(waiting, progress)) else {
            self.wait = Some(WaitClock::new(waiting, progress, now));
            // Not `moves`: a broker that is away may still be away in the next state.
            self.stalls_no_more();
            return Ok(());
        };
        if waiting == Waiting::Nothing || !clock.is_due(now) {
            return Ok(());
        }
        let diagnosis = self.questions.why(waiting);
        if self.control.stopping() || self.control.health().waiting() != waiting {
            return Ok(());
        }
        let verdict = clock.judge(&diagnosis, self.timeout, now);
        let waited_s = clock.waited(now).as_secs();
        let cause = match diagnosis {
            Diagnosis::Cause(cause) => cause,
            Diagnosis::BrokerAway(unreachable) => {
                self.stalls_no_more();
                self.broker_is_away(now, unreachable);
                return Ok(());
            }
        };
        self.answers_again();
        let text = if waiting == Waiting::Workers {
            self.control.activity().to_string()
        } else {
            cause.text
        };
        match verdict {
            Verdict::Waits if waiting.should_end() => tracing::warn!(waited_s, "{waiting}: {text}"),
            Verdict::Waits => tracing::info!("{waiting}; {text}"),
            Verdict::Stalled => {
                self.stalls();
                tracing::error!(waited_s, "stalled (--stall-timeout), {waiting}: {text}");
            }
            Verdict::Failed => {
                return Err(RunError::Failed(format!(
                    "stalled for {waited_s} s, twice --stall-timeout, {waiting}: {text}; nothing \
                     is lost: the next start reads again what was not committed"
                )));
            }
        }
        Ok(())
    }

    /// The pipeline makes progress.
    fn moves(&mut self) {
        if self.stalled || self.away.is_some() {
            tracing::info!("the pipeline makes progress again");
        }
        self.answers_again();
        self.stalls_no_more();
    }

    fn stalls_no_more(&mut self) {
        self.stalled = false;
        self.control.health().set_stalled(false);
    }

    fn stalls(&mut self) {
        if !self.stalled {
            self.stalled = true;
            self.control.health().set_stalled(true);
            metrics::add(Metric::Stalls, 1);
        }
    }

    fn broker_is_away(&mut self, now: Instant, unreachable: Option<String>) {
        let away = *self.away.get_or_insert(now);
        self.control.health().set_broker_away(true);
        let away_s = (now - away).as_secs();
        let what = unreachable
            .map_or(", and no broker answers".to_owned(), |unreachable| format!(": {unreachable}"));
        tracing::warn!(away_s, "no progress{what}; retrying");
    }

    fn answers_again(&mut self) {
        if self.away.take().is_some() {
            self.control.health().set_broker_away(false);
        }
    }

    /// Whether a broker answers a client other than the stalled one.
    fn broker_answers(&self) -> bool {
        let asked = Admin::new(&self.questions.client)
            .and_then(|admin| cluster_id(&admin, limits::BROKER_QUERY_TIMEOUT));
        // A refusal is also an answer.
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
