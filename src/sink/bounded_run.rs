//! The group's bounded runs, as one instance knows them. Pure; owned by the sink.
//!
//! In:  what the journal says of the newest run; the ends that this instance's source has asked
//! for, if it merges. Out: the run that the merger's head names; whether this process may end.
//! Holds: the run that is done counts for a process that began before it was done, and for no
//! other; a run changes at a commit only, and what the journal says replaces what was planned.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    epoch::RunEnds,
    failpoint::{self, Fault},
    ids::{Offset, PartitionId},
    window::BoundedRun,
};

/// What is known of bounded runs.
#[derive(Debug, Default)]
pub(super) struct Runs {
    newest: Option<BoundedRun>,
    /// Number of the newest run that was done when this process first learned of any; 0: there was
    /// none. `None` before it has learned anything.
    done_at_start: Option<u64>,
}

impl Runs {
    /// Takes what all of the journal says of the newest run. Whether that is new.
    pub(super) fn learn(&mut self, newest: Option<BoundedRun>) -> bool {
        let done =
            |run: &BoundedRun| if run.done { run.number } else { run.number.saturating_sub(1) };
        self.done_at_start.get_or_insert_with(|| newest.as_ref().map_or(0, done));
        let is_new = self.newest != newest;
        self.newest = newest;
        is_new
    }

    /// This instance merges, and its source wants to end where the logs ended when it asked. A run
    /// that others have begun, perhaps before much of that was written, goes on up to there; one is
    /// begun if there is none.
    pub(super) fn want(&mut self, wanted: &RunEnds) {
        let done_at_start = *self.done_at_start.get_or_insert(0);
        let is_over = self.is_over();
        match self.newest.as_mut().filter(|run| !run.done) {
            Some(run) if wanted.replaces => run.ends = Arc::new(wanted.ends.clone()),
            Some(run) => {
                let mut ends = BTreeMap::clone(&run.ends);
                for (p, end) in &wanted.ends {
                    let known = ends.entry(*p).or_insert(*end);
                    *known = (*known).max(*end);
                }
                run.ends = Arc::new(ends);
            }
            None if is_over => {}
            None => {
                let last = self.newest.as_ref().map_or(0, |run| run.number).max(done_at_start);
                let ends = Arc::new(wanted.ends.clone());
                self.newest = Some(BoundedRun { number: last + 1, ends, done: false });
            }
        }
    }

    /// Where the run ends that is not done.
    pub(super) fn ends(&self) -> Option<&Arc<BTreeMap<PartitionId, Offset>>> {
        self.newest.as_ref().filter(|run| !run.done).map(|run| &run.ends)
    }

    /// Whether a run is done that was not when this process began.
    pub(super) fn is_over(&self) -> bool {
        let is_ours = |run: &BoundedRun| {
            self.done_at_start.is_some_and(|before| run.number > before)
                || failpoint::is_planted(Fault::YesterdaysRun)
        };
        self.newest.as_ref().is_some_and(|run| run.done && is_ours(run))
    }

    /// Whether there is a run that is not done, and every partition has reached its end. `all`: so
    /// many are known; a takeover will add those that the run does not name. `next` gives the next
    /// offset of one that has a head.
    pub(super) fn is_reached(
        &self,
        all: u32,
        next: impl Fn(PartitionId) -> Option<Offset>,
    ) -> bool {
        let is_reached = |(p, end): (&PartitionId, &Offset)| next(*p).is_some_and(|at| at >= *end);
        self.ends().is_some_and(|ends| ends.len() >= all as usize && ends.iter().all(is_reached))
    }

    /// The newest run as an epoch's head names it; `is_done`: with this epoch.
    pub(super) fn after(&self, is_done: bool) -> Option<BoundedRun> {
        let run = self.newest.clone();
        run.map(|run| BoundedRun { done: run.done || is_done, ..run })
    }

    /// The epoch is committed whose head says that the run is done.
    pub(super) fn set_done(&mut self) {
        self.newest.as_mut().expect("a run that is done").done = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P0: PartitionId = PartitionId(0);
    const P1: PartitionId = PartitionId(1);

    fn ends(p0: i64, p1: i64) -> BTreeMap<PartitionId, Offset> {
        BTreeMap::from([(P0, Offset(p0)), (P1, Offset(p1))])
    }

    fn wanted(p0: i64, p1: i64) -> RunEnds {
        RunEnds { ends: ends(p0, p1), replaces: false }
    }

    fn run(number: u64, done: bool) -> BoundedRun {
        BoundedRun { number, ends: Arc::new(ends(5, 7)), done }
    }

    #[test]
    fn a_run_is_over_for_who_began_before_it_was_done() {
        let mut runs = Runs::default();
        assert!(!runs.is_over());
        assert!(runs.learn(Some(run(4, true))));
        assert!(!runs.is_over(), "yesterday's");
        assert!(!runs.learn(Some(run(4, true))));
        assert!(runs.learn(Some(run(5, false))));
        assert!(!runs.is_over());
        runs.learn(Some(run(5, true)));
        assert!(runs.is_over());
        let mut late = Runs::default();
        late.learn(Some(run(5, false)));
        late.learn(Some(run(5, true)));
        assert!(late.is_over(), "it came while the run went on");
    }

    #[test]
    fn a_merger_begins_a_run_after_the_last_one_and_none_once_its_own_is_over() {
        let mut runs = Runs::default();
        runs.learn(Some(run(4, true)));
        runs.want(&wanted(9, 9));
        assert_eq!(runs.after(false).map(|run| (run.number, run.done)), Some((5, false)));
        // Nothing of it was committed.
        runs.learn(Some(run(4, true)));
        runs.want(&wanted(9, 9));
        assert_eq!(runs.after(true).map(|run| (run.number, run.done)), Some((5, true)));
        assert!(!runs.is_over(), "not before the commit");
        runs.set_done();
        assert!(runs.is_over());
        runs.want(&wanted(12, 12));
        assert_eq!(runs.ends(), None);
        // A journal that was lost.
        let mut runs = Runs::default();
        runs.learn(Some(run(4, true)));
        runs.learn(None);
        runs.want(&wanted(1, 1));
        assert_eq!(runs.after(false).map(|run| run.number), Some(5));
    }

    #[test]
    fn a_run_of_others_goes_on_up_to_what_was_asked_for_as_well() {
        let mut runs = Runs::default();
        runs.learn(Some(run(1, false)));
        runs.want(&wanted(3, 9));
        let known = runs.ends().map(|ends| BTreeMap::clone(ends));
        assert_eq!(known, Some(ends(5, 9)));
        runs.want(&RunEnds { ends: ends(4, 4), replaces: true });
        let known = runs.ends().map(|ends| BTreeMap::clone(ends));
        assert_eq!(known, Some(ends(4, 4)), "the logs have become shorter");
    }

    #[test]
    fn a_run_is_reached_when_every_partition_has_a_head_at_its_end() {
        let mut runs = Runs::default();
        let is_reached = |runs: &Runs, p0: i64, p1: Option<i64>| {
            runs.is_reached(2, |p| if p == P0 { Some(Offset(p0)) } else { p1.map(Offset) })
        };
        assert!(!is_reached(&runs, 9, Some(9)), "there is none");
        runs.learn(Some(run(1, false)));
        for (p0, p1, expected) in
            [(5, Some(7), true), (6, Some(8), true), (5, Some(6), false), (5, None, false)]
        {
            assert_eq!(is_reached(&runs, p0, p1), expected, "{p0} {p1:?}");
        }
        assert!(!runs.is_reached(3, |_| Some(Offset(9))), "a partition is not named");
        runs.learn(Some(run(1, true)));
        assert!(!is_reached(&runs, 5, Some(7)), "it is done");
    }
}
