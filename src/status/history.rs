//! The rate of the last seconds and a point a second. Owned by the reporter.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::HistoryPoint;
use crate::limits;

/// The rate is that of so many last seconds: several epochs.
const RATE_OVER: Duration = Duration::from_secs(3);

/// What there was before now.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Moments and input counts of the last seconds.
    marks: VecDeque<(Instant, u64)>,
    /// One a second, oldest first.
    points: VecDeque<HistoryPoint>,
}

impl History {
    /// Input records per second over the last seconds, now that there were so many.
    pub(super) fn rate(&mut self, now: Instant, events: u64) -> f64 {
        let is_old = |at: Instant| now - at > RATE_OVER;
        // One mark older than the span stays, as its beginning.
        while self.marks.get(1).is_some_and(|(at, _)| is_old(*at)) {
            self.marks.pop_front();
        }
        self.marks.push_back((now, events));
        let (since, before) = self.marks.front().copied().expect("one was just added");
        let seconds = (now - since).as_secs_f64();
        if seconds > 0.0 { (events - before) as f64 / seconds } else { 0.0 }
    }

    /// All points, this one among them if a second has passed since the last.
    pub(super) fn with(&mut self, point: HistoryPoint) -> Arc<Vec<HistoryPoint>> {
        if self.points.back().is_none_or(|last| point.at_ms - last.at_ms >= 1000) {
            self.points.push_back(point);
            let surplus = self.points.len().saturating_sub(limits::HISTORY_POINTS);
            self.points.drain(..surplus);
        }
        Arc::new(self.points.iter().copied().collect())
    }
}
