//! How far event time has come, and what that closes.
//!
//! Pure; part of the merger's side of an epoch. In: every owned partition's watermark, and as of
//! when it is idle. Out: the global watermark and the conditions under which a window closes.
//! Holds: the global watermark never goes back, also when a slower partition is assigned or an
//! idle one wakes up; no time runs past the moment at which a broker was asked for records of an
//! idle partition.

use super::WindowRules;
use crate::ids::{EventTimeMs, WindowStart};

/// One owned partition's event time at an epoch's end.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartitionTime {
    /// Highest event time seen; `None` before the first event.
    pub(super) watermark: Option<EventTimeMs>,
    /// Silent; up to this moment it had nothing to say.
    pub(super) idle_as_of: Option<EventTimeMs>,
}

/// What decides in one epoch whether an open window closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    /// Global watermark after the epoch.
    pub(super) watermark: Option<EventTimeMs>,
    /// The wall clock, where it rules: when all partitions are idle, as of the oldest answer.
    pub(super) idle_clock: Option<EventTimeMs>,
    /// Windows that end at or before this are dropped in this epoch and must be published before.
    pub(super) horizon: Option<EventTimeMs>,
    /// Everything closes.
    pub(super) close_all: bool,
}

impl Closing {
    /// True when an open window has to close. If it holds for a window, it holds for all earlier.
    pub(super) fn is_due(&self, rules: &WindowRules, start: WindowStart) -> bool {
        let closes_at = rules.closes_at(start);
        self.close_all
            || self.watermark.is_some_and(|watermark| closes_at <= watermark)
            || self.idle_clock.is_some_and(|now| closes_at <= now)
            || rules.is_late(start, self.horizon)
    }
}

/// The global watermark: the lowest of the partitions that are not idle, and never lower than
/// before. A partition without events holds it until it is idle. An idle one holds it at the moment
/// of its answer: what came later is not known. Stays where it is when all are idle.
pub(super) fn global(
    before: Option<EventTimeMs>,
    partitions: impl Iterator<Item = PartitionTime> + Clone,
) -> Option<EventTimeMs> {
    // `None` orders below every time, which is just what a partition without events means.
    let awake = partitions.clone().filter(|p| p.idle_as_of.is_none());
    let lowest = awake.map(|p| p.watermark).min().flatten();
    let answered = |p: PartitionTime| p.idle_as_of.map(|as_of| p.watermark.max(Some(as_of)));
    let answered = partitions.filter_map(answered).min().flatten();
    let lowest = lowest.map(|lowest| answered.map_or(lowest, |answered| lowest.min(answered)));
    lowest.max(before)
}

/// The oldest answer, when all partitions are idle.
pub(super) fn all_idle_as_of(
    partitions: impl Iterator<Item = PartitionTime>,
) -> Option<EventTimeMs> {
    partitions.map(|p| p.idle_as_of).min().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as its watermark, and whether a broker has just said that it is idle.
    fn times(partitions: &[(Option<i64>, bool)]) -> impl Iterator<Item = PartitionTime> + Clone {
        partitions.iter().map(|&(time, idle)| PartitionTime {
            watermark: time.map(EventTimeMs),
            idle_as_of: idle.then_some(EventTimeMs(100)),
        })
    }

    #[test]
    fn the_slowest_partition_that_is_not_idle_rules() {
        assert_eq!(
            global(None, times(&[(Some(5), false), (Some(3), false)])),
            Some(EventTimeMs(3))
        );
        assert_eq!(global(None, times(&[(Some(5), false), (Some(3), true)])), Some(EventTimeMs(5)));
    }

    #[test]
    fn a_partition_without_events_holds_the_watermark_until_it_is_idle() {
        let before = Some(EventTimeMs(2));
        assert_eq!(global(before, times(&[(Some(5), false), (None, false)])), before);
        assert_eq!(global(before, times(&[(Some(5), false), (None, true)])), Some(EventTimeMs(5)));
    }

    #[test]
    fn an_idle_partition_holds_the_watermark_at_its_answer_or_its_own() {
        let global_beside = |watermark: Option<i64>| {
            global(None, times(&[(Some(120), false), (watermark, true), (Some(130), true)]))
        };
        assert_eq!(global_beside(None), Some(EventTimeMs(100)));
        assert_eq!(global_beside(Some(5)), Some(EventTimeMs(100)));
        assert_eq!(global_beside(Some(110)), Some(EventTimeMs(110)), "its clock is ahead of ours");
    }

    #[test]
    fn all_are_idle_as_of_the_oldest_answer() {
        let idle = |as_of: &[Option<i64>]| {
            let as_of = as_of.iter().map(|as_of| as_of.map(EventTimeMs));
            all_idle_as_of(as_of.map(|idle_as_of| PartitionTime { watermark: None, idle_as_of }))
        };
        assert_eq!(idle(&[Some(9), Some(7), Some(8)]), Some(EventTimeMs(7)));
        assert_eq!(idle(&[Some(9), None]), None);
        assert_eq!(idle(&[]), None);
    }

    #[test]
    fn the_watermark_never_goes_back_and_stays_when_all_are_idle() {
        let before = Some(EventTimeMs(4));
        assert_eq!(global(before, times(&[(Some(3), false)])), before);
        assert_eq!(global(before, times(&[(Some(9), true)])), before);
        assert_eq!(global(before, times(&[])), before);
        assert_eq!(global(None, times(&[])), None);
    }

    #[test]
    fn a_window_is_due_at_its_end_plus_grace_on_the_ruling_clock() {
        let rules = WindowRules { size_ms: 10, grace_ms: 7, allowed_lateness_ms: 100 };
        let none = Closing { watermark: None, idle_clock: None, horizon: None, close_all: false };
        let due = |closing: Closing| closing.is_due(&rules, WindowStart(10));
        let at = |ms| Some(EventTimeMs(ms));
        assert!(!due(none));
        assert!(!due(Closing { watermark: at(26), idle_clock: at(26), horizon: at(19), ..none }));
        assert!(due(Closing { watermark: at(27), ..none }));
        assert!(due(Closing { idle_clock: at(27), ..none }));
        assert!(due(Closing { horizon: at(20), ..none }));
        assert!(due(Closing { close_all: true, ..none }));
    }
}
