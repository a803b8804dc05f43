//! Which records say that input may be missing.

use super::{
    super::{Completeness, PartitionDelta},
    run::{RULES, Run, delta},
};
use crate::ids::{Offset, WindowStart};

const UNTIL_FIRST: Completeness = Completeness::UntilFirstEvent { at_least: None };

fn after(start: i64) -> Completeness {
    Completeness::After(WindowStart(start))
}

/// What an epoch published, as (window, complete).
fn published(run: &mut Run, events: &[(i32, i64)]) -> Vec<(i64, bool)> {
    run.epoch(events).records().iter().map(|record| (record.start.0, record.complete)).collect()
}

#[test]
fn everything_is_complete_when_all_was_read_from_the_start() {
    let mut run = Run::of(1);
    run.close_all = true;
    assert_eq!(published(&mut run, &[(0, 3), (0, 12)]), [(0, true), (10, true)]);
}

#[test]
fn windows_up_to_the_first_event_of_a_partition_are_incomplete() {
    let mut run = Run::new(RULES, &[Completeness::FromStart, UNTIL_FIRST]);
    run.close_all = true;
    let events = [(0, 3), (0, 13), (0, 23), (1, 12), (1, 4)];
    assert_eq!(published(&mut run, &events), [(0, false), (10, false), (20, true)]);
    assert_eq!(run.completeness(1), after(10));
}

#[test]
fn as_long_as_a_partition_had_no_event_every_window_is_incomplete() {
    let mut run = Run::new(RULES, &[Completeness::FromStart, UNTIL_FIRST]);
    run.idle.insert(1);
    assert_eq!(published(&mut run, &[(0, 3), (0, 35)]), [(0, false)]);
    assert_eq!(published(&mut run, &[(1, 4)]), [(0, false)]);
    assert_eq!(published(&mut run, &[(0, 50)]), [(30, true)]);
}

#[test]
fn the_first_event_is_the_one_with_the_lowest_offset_whichever_worker_had_it() {
    let late: PartitionDelta = delta(0, &[(5, 31), (7, 2)]);
    let early = delta(0, &[(4, 15), (6, 42)]);
    for deltas in [[late, early].map(Some), [early_again(), late_again()].map(Some)] {
        let run = Run::new(RULES, &[UNTIL_FIRST]);
        let mut input = run.input(&[]);
        input.deltas = deltas.into_iter().flatten().collect();
        input.progress[0].next_offset = Offset(8);
        let changes = run.windows.prepare(input).partitions;
        assert_eq!(changes[0].state.completeness, after(10));
    }
}

fn early_again() -> PartitionDelta {
    delta(0, &[(4, 15), (6, 42)])
}

fn late_again() -> PartitionDelta {
    delta(0, &[(5, 31), (7, 2)])
}

#[test]
fn what_lost_state_had_reached_stays_incomplete() {
    for (at_least, expected) in [(20, 20), (0, 10)] {
        let lost = Completeness::UntilFirstEvent { at_least: Some(WindowStart(at_least)) };
        let mut run = Run::new(RULES, &[lost]);
        run.epoch(&[(0, 12)]);
        assert_eq!(run.completeness(0), after(expected));
        run.epoch(&[(0, 45)]);
        assert_eq!(run.completeness(0), after(expected));
    }
}

#[test]
fn a_revision_says_what_is_known_by_then() {
    let mut run = Run::new(RULES, &[Completeness::FromStart, UNTIL_FIRST]);
    run.idle.insert(1);
    assert_eq!(published(&mut run, &[(0, 12), (0, 25)]), [(10, false)]);
    assert_eq!(published(&mut run, &[(1, 3), (1, 13)]), [(0, false), (10, true)]);
}
