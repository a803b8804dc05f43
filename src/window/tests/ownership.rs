//! State that moves with its partitions, and several instances that share them.

use std::sync::Arc;

use super::{
    super::{
        Completeness, GroupFacts, News, PartitionHead, PartitionNews, PartitionTotals, StateImage,
        Windows,
    },
    run::{RULES, Run, delta, image, summary},
};
use crate::ids::{EventTimeMs, Offset, PartitionId, WindowStart};

/// The instances of a group, and the journal between them.
struct Group {
    runs: Vec<Run>,
    journal: StateImage,
}

fn owning(image: &StateImage, owned: &[i32]) -> Run {
    let owned: Vec<_> = owned.iter().copied().map(PartitionId).collect();
    let windows = Windows::new(RULES, image, &owned);
    Run { windows, image: image.clone(), ..Run::of(0) }
}

impl Group {
    /// Of a journal in which nothing is announced. The first instance merges.
    fn new(owned: &[&[i32]]) -> Self {
        let count: usize = owned.iter().map(|owned| owned.len()).sum();
        let begin = image(&vec![Completeness::FromStart; count]);
        let runs = owned.iter().map(|owned| {
            let mut own = begin.clone();
            own.partitions.retain(|p, _| owned.contains(&p.0));
            owning(&own, owned)
        });
        Self { runs: runs.collect(), journal: StateImage::default() }
    }

    /// An epoch of one instance, which the others read. Returns what it published.
    fn epoch(&mut self, instance: usize, events: &[(i32, i64)]) -> Vec<(i64, u32, u64, u64)> {
        let prepared = self.runs[instance].epoch(events);
        self.journal.take(&prepared);
        for run in &mut self.runs {
            run.windows.take(news(&self.journal));
        }
        prepared.records().iter().map(summary).collect()
    }

    fn facts(&self, instance: usize) -> GroupFacts {
        self.runs[instance].windows.facts()
    }
}

/// All that a journal says.
fn news(journal: &StateImage) -> News {
    let partitions = journal.partitions.iter().map(|(p, state)| {
        let windows = journal.partials_of(*p).map(|((_, start), sum)| (*start, Arc::clone(sum)));
        let totals = PartitionTotals::default();
        let head = PartitionHead { state: *state, at_end: false, totals };
        (*p, PartitionNews { head, windows: windows.collect() })
    });
    let open = journal.open_windows();
    let group = GroupFacts {
        watermark: journal.watermark,
        horizon: journal.horizon,
        forgotten: journal.forgotten,
        announced: journal.announced,
        open_windows: open.len(),
        lowest_open: open.first().copied(),
    };
    News { partitions: partitions.collect(), group: Some(group) }
}

#[test]
fn the_merger_waits_for_a_head_of_every_partition_that_is_announced() {
    let mut group = Group::new(&[&[0], &[1, 2]]);
    // The brokers have named three partitions.
    let mut input = group.runs[0].input(&[(0, 3), (0, 40)]);
    input.partitions = 3;
    let prepared = group.runs[0].windows.prepare(input);
    assert!(prepared.records().is_empty());
    group.runs[0].windows.commit(&prepared);
    group.journal.take(&prepared);
    assert_eq!(group.facts(0).announced, 3);
    group.epoch(1, &[(1, 60), (2, 50)]);
    assert_eq!(group.facts(0).watermark, None);
    assert_eq!(group.epoch(0, &[]), [(0, 1, 1, 0)]);
    assert_eq!(group.facts(0).watermark, Some(EventTimeMs(40)));
}

#[test]
fn no_revision_is_published_before_a_new_partition_has_a_head() {
    let mut group = Group::new(&[&[0], &[1], &[2]]);
    group.epoch(1, &[(1, 16)]);
    assert_eq!(group.epoch(0, &[(0, 3), (0, 17)]), [(0, 1, 1, 0)]);
    let mut input = group.runs[0].input(&[(0, 4)]);
    input.partitions = 3;
    let prepared = group.runs[0].windows.prepare(input);
    assert!(prepared.records().is_empty(), "it would say that it is incomplete");
    group.runs[0].windows.commit(&prepared);
    group.journal.take(&prepared);
    group.epoch(2, &[(2, 5)]);
    assert_eq!(group.epoch(0, &[]), [(0, 2, 3, 2)]);
    assert!(group.runs[0].windows.newest_closed(1)[0].complete);
}

#[test]
fn nothing_is_forgotten_before_a_new_partition_has_a_head() {
    let mut group = Group::new(&[&[0], &[1], &[2]]);
    group.epoch(1, &[(1, 3)]);
    group.epoch(0, &[(0, 4)]);
    group.epoch(1, &[(1, 60)]);
    assert_eq!(group.epoch(0, &[(0, 61)]), [(0, 1, 2, 0)]);
    group.epoch(0, &[(0, 62)]);
    // Its last count of the window, and the horizon behind it, in one epoch.
    group.epoch(1, &[(1, 5)]);
    let mut input = group.runs[0].input(&[]);
    input.partitions = 3;
    let prepared = group.runs[0].windows.prepare(input);
    let merge = prepared.merge.as_ref().expect("it merges");
    assert!(merge.records.is_empty() && !merge.change.dropped.contains(&WindowStart(0)));
    group.runs[0].windows.commit(&prepared);
    group.journal.take(&prepared);
    group.epoch(2, &[]);
    group.epoch(2, &[(2, 70)]);
    assert_eq!(group.epoch(0, &[]), [(0, 2, 3, 1)]);
}

#[test]
fn the_merger_adds_up_what_others_have_counted() {
    let mut group = Group::new(&[&[0, 1], &[2]]);
    group.epoch(1, &[]);
    assert_eq!(group.epoch(0, &[(0, 3), (1, 4), (0, 16), (1, 17)]), []);
    assert_eq!(group.facts(0).watermark, None, "nothing is known of partition 2");
    assert_eq!(group.epoch(1, &[(2, 5), (2, 15)]), [], "it does not merge");
    assert_eq!(group.facts(1).lowest_open, Some(WindowStart(0)));
    assert_eq!(group.epoch(0, &[]), [(0, 1, 3, 0)]);
    assert!(group.runs[0].windows.newest_closed(1)[0].complete);
    assert_eq!(group.facts(1).watermark, Some(EventTimeMs(15)));
    assert_eq!(group.facts(1).lowest_open, Some(WindowStart(10)));

    assert!(!group.runs[0].windows.has_news());
    group.epoch(1, &[(2, 6)]);
    assert!(group.runs[0].windows.has_news());
    assert_eq!(group.epoch(0, &[]), [(0, 2, 4, 1)], "an event of another instance that came late");
    assert!(!group.runs[0].windows.has_news());
}

#[test]
fn nothing_is_forgotten_before_every_owner_has_adopted_the_horizon() {
    let mut group = Group::new(&[&[0], &[1]]);
    group.epoch(1, &[(1, 3)]);
    group.epoch(0, &[(0, 4)]);
    group.epoch(1, &[(1, 60)]);
    assert_eq!(group.epoch(0, &[(0, 61)]), [(0, 1, 2, 0)]);
    let horizon = Some(EventTimeMs(30));
    assert_eq!(group.facts(0).horizon, horizon);
    group.epoch(0, &[(0, 62)]);
    group.epoch(0, &[(0, 63)]);
    let forgotten = group.facts(0).forgotten;
    assert!(forgotten < Some(EventTimeMs(10)), "instance 1 may still count: {forgotten:?}");
    // It adopts the horizon with this epoch, and counts what came before.
    group.epoch(1, &[(1, 5)]);
    assert_eq!(group.epoch(0, &[(0, 64)]), [(0, 2, 3, 1)]);
    assert_eq!(group.facts(0).forgotten, horizon);
    assert_eq!(group.journal.windows.len(), 0, "published and forgotten in one epoch");
    assert_eq!(group.runs[0].windows.usage().map(|usage| usage.iter().count()), Some(3));
    let prepared = group.runs[1].epoch(&[]);
    assert!(prepared.partitions[0].dropped.contains(&WindowStart(0)));
}

#[test]
fn a_new_merger_publishes_what_is_due_or_more_than_was_published() {
    let mut group = Group::new(&[&[0], &[1]]);
    group.epoch(1, &[(1, 3), (1, 16)]);
    assert_eq!(group.epoch(0, &[(0, 4), (0, 17)]), [(0, 1, 2, 0)]);
    group.epoch(1, &[(1, 5)]);
    // Instance 1 takes over everything.
    let mut heir = owning(&group.journal, &[0, 1]);
    assert_eq!(heir.published(&[]), [(0, 2, 3, 1)]);
    assert_eq!(heir.published(&[]), []);
}

#[test]
fn a_sum_below_the_published_one_is_not_published() {
    let mut group = Group::new(&[&[0], &[1]]);
    group.epoch(1, &[(1, 3), (1, 16)]);
    assert_eq!(group.epoch(0, &[(0, 4), (0, 17)]), [(0, 1, 2, 0)]);
    group.journal.partials.remove(&(PartitionId(1), WindowStart(0)));
    let run = owning(&group.journal, &[0]);
    let shrunk = |run: &Run| {
        let merge = run.windows.prepare(run.input(&[])).merge.expect("it merges");
        assert!(merge.records.is_empty());
        merge.shrunk
    };
    assert_eq!(shrunk(&run), [WindowStart(0)]);

    let state = group.journal.partitions.get_mut(&PartitionId(1)).expect("it has a head");
    state.completeness = Completeness::After(WindowStart(0));
    let run = owning(&group.journal, &[0]);
    assert_eq!(shrunk(&run), [], "its partition says that it has lost counts");
    group.journal.partitions.remove(&PartitionId(1));
    let run = owning(&group.journal, &[0]);
    assert_eq!(shrunk(&run), [], "or does not say anything");
}

#[test]
fn what_a_partition_has_lost_is_taken_out_of_open_windows() {
    let mut group = Group::new(&[&[0], &[1]]);
    group.epoch(1, &[(1, 3)]);
    group.epoch(0, &[(0, 4)]);
    group.journal.partials.remove(&(PartitionId(1), WindowStart(0)));
    group.runs[0].windows.take(news(&group.journal));
    let open = group.runs[0].windows.newest_open(5);
    assert_eq!(open.iter().map(summary).collect::<Vec<_>>(), [(0, 0, 1, 0)]);
}

#[test]
fn what_is_the_same_in_the_journal_is_in_memory_once() {
    let mut group = Group::new(&[&[0]]);
    group.epoch(0, &[(0, 3), (0, 12)]);
    let mut decoded = group.journal.clone();
    for partial in decoded.partials.values_mut() {
        *partial = Arc::new(partial.as_ref().clone());
    }
    group.runs[0].epoch(&[(0, 13)]);
    group.runs[0].windows.take(news(&decoded));
    let windows = &group.runs[0].windows;
    for (start, is_shared) in [(0, true), (10, false)] {
        let key = (PartitionId(0), WindowStart(start));
        let same = Arc::ptr_eq(&windows.ledger().partials()[&key], &decoded.partials[&key]);
        assert_eq!(same, is_shared, "window {start}");
    }
    assert_eq!(windows.ledger().partials()[&(PartitionId(0), WindowStart(10))].total, 2);
    let of_partials = windows.ledger().partials();
    let bytes: usize = of_partials.values().map(|partial| partial.memory_bytes()).sum();
    assert_eq!(windows.ledger().memory_bytes(), bytes);
    let sums = group.runs[0].windows.newest_open(5);
    assert_eq!(sums.iter().map(summary).collect::<Vec<_>>(), [(10, 0, 2, 0), (0, 0, 1, 0)]);
}

#[test]
fn who_owns_everything_is_alone() {
    let mut group = Group::new(&[&[0], &[1]]);
    group.epoch(0, &[]);
    assert!(group.runs[0].windows.is_alone(), "nothing is known of the other one");
    group.epoch(1, &[]);
    assert!(!group.runs[0].windows.is_alone());
    assert!(!group.runs[1].windows.is_alone());
    assert!(owning(&group.journal, &[0, 1]).windows.is_alone());
}

#[test]
fn a_slower_partition_does_not_take_the_watermark_back() {
    let mut run = Run::of(1);
    run.epoch(&[(0, 40)]);
    let state = super::PartitionState::new(Offset(0), Completeness::FromStart);
    run.image.partitions.insert(PartitionId(1), state);
    let mut run = owning(&run.image, &[0, 1]);
    run.epoch(&[(1, 16)]);
    assert_eq!(run.windows.watermark(), Some(EventTimeMs(40)));
}

#[test]
#[should_panic(expected = "recovery gives every owned partition a state")]
fn an_owned_partition_without_state_is_a_bug() {
    drop(owning(&image(&[Completeness::FromStart]), &[2]));
}

#[test]
fn several_workers_may_report_one_partition() {
    let run = Run::new(RULES, &[Completeness::FromStart]);
    let mut input = run.input(&[]);
    input.deltas = vec![delta(0, &[(0, 3), (2, 15)]), delta(0, &[(1, 4)]), delta(0, &[(3, 5)])];
    input.progress[0].next_offset = Offset(4);
    let prepared = run.windows.prepare(input);
    assert_eq!(prepared.records().iter().map(summary).collect::<Vec<_>>(), [(0, 1, 3, 0)]);
    assert_eq!(prepared.partitions[0].partials.len(), 2);
}
