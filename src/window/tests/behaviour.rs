//! Closing, revising, dropping: one rule per test.

use std::sync::Arc;

use super::{
    super::{Completeness, WindowRules, Windows},
    reopened,
    run::{RULES, Run, delta, summary},
};
use crate::ids::{EventTimeMs, Offset, PartitionId, WindowStart};

#[test]
fn a_window_closes_when_the_watermark_reaches_its_end_plus_grace() {
    let mut run = Run::of(1);
    assert_eq!(run.published(&[(0, 3), (0, 14)]), []);
    assert_eq!(
        (run.windows.open_windows(), run.windows.facts().lowest_open),
        (2, Some(WindowStart(0)))
    );
    assert_eq!(run.published(&[(0, 15)]), [(0, 1, 1, 0)]);
    assert_eq!(run.windows.facts().lowest_open, Some(WindowStart(10)));
    assert_eq!((run.windows.open_windows(), run.windows.retained_windows()), (1, 2));
}

#[test]
fn the_slowest_partition_holds_windows_open_until_it_is_idle() {
    let mut run = Run::of(2);
    assert_eq!(run.published(&[(0, 3), (0, 40)]), []);
    assert_eq!(run.windows.watermark(), None);
    assert_eq!(run.published(&[(1, 14)]), []);
    assert_eq!(run.windows.watermark(), Some(EventTimeMs(14)));
    run.idle.insert(1);
    assert_eq!(run.published(&[]), [(0, 1, 1, 0), (10, 1, 1, 0)]);
    assert_eq!(run.windows.watermark(), Some(EventTimeMs(40)));
    let watermarks = [(PartitionId(0), EventTimeMs(40)), (PartitionId(1), EventTimeMs(14))];
    assert_eq!(run.windows.partition_watermarks(), watermarks);
}

#[test]
fn each_later_epoch_with_events_of_a_closed_window_revises_it() {
    let mut run = Run::of(1);
    run.epoch(&[(0, 3), (0, 15)]);
    assert_eq!(run.published(&[(0, 4), (0, 5)]), [(0, 2, 3, 2)]);
    assert_eq!(run.published(&[(0, 16)]), []);
    assert_eq!(run.published(&[(0, 6)]), [(0, 3, 4, 3)]);
    assert_eq!(run.image.windows[&WindowStart(0)].late_events, 3);
}

#[test]
fn a_window_that_appears_after_its_time_closes_at_once_with_one_record() {
    let mut run = Run::of(1);
    run.epoch(&[(0, 35)]);
    assert_eq!(run.published(&[(0, 12), (0, 13)]), [(10, 1, 2, 0)]);
    assert_eq!(run.published(&[(0, 14)]), [(10, 2, 3, 1)]);
}

#[test]
fn when_all_partitions_are_idle_the_clock_closes_windows_and_the_watermark_stays() {
    let mut run = Run::of(2);
    run.epoch(&[(0, 3), (1, 12)]);
    run.idle.extend([0, 1]);
    run.now_ms = 14;
    assert!(run.epoch(&[]).is_empty, "no window is due");
    run.now_ms = 15;
    let prepared = run.epoch(&[]);
    assert!(!prepared.is_empty, "output without input");
    assert_eq!(prepared.records().iter().map(summary).collect::<Vec<_>>(), [(0, 1, 1, 0)]);
    assert_eq!(run.windows.watermark(), Some(EventTimeMs(3)));
    assert_eq!(run.windows.facts().lowest_open, Some(WindowStart(10)));

    run.idle.remove(&0);
    run.now_ms = 1000;
    assert_eq!(run.published(&[(0, 9)]), [(0, 2, 2, 1)], "the clock no longer rules");
}

#[test]
fn silence_closes_no_window_beyond_the_oldest_answer() {
    let mut run = Run::of(2);
    run.epoch(&[(0, 3), (1, 12)]);
    run.idle.extend([0, 1]);
    run.now_ms = 1000;
    run.idle_as_of = EventTimeMs(14);
    assert_eq!(run.published(&[]), [], "what came after it may be of the first window");
    run.idle_as_of = EventTimeMs(15);
    assert_eq!(run.published(&[]), [(0, 1, 1, 0)]);

    run.idle.remove(&0);
    run.idle_as_of = EventTimeMs(24);
    assert_eq!(run.published(&[(0, 90)]), [], "nor does a partition that is awake");
    assert_eq!(run.windows.watermark(), Some(EventTimeMs(24)));
    run.idle_as_of = EventTimeMs(25);
    assert_eq!(run.published(&[]), [(10, 1, 1, 0)]);
}

#[test]
fn the_end_of_the_input_closes_everything() {
    let mut run = Run::of(2);
    run.epoch(&[(0, 3), (0, 1_000_000)]);
    run.close_all = true;
    assert_eq!(run.published(&[(1, 40)]), [(0, 1, 1, 0), (40, 1, 1, 0), (1_000_000, 1, 1, 0)]);
    assert_eq!(run.windows.open_windows(), 0);
    assert!(run.epoch(&[]).is_empty, "once");
}

#[test]
fn what_a_barrier_has_passed_is_dropped_with_the_next_epoch() {
    let mut run = Run::of(1);
    run.epoch(&[(0, 3), (0, 12), (0, 39)]);
    assert_eq!(run.windows.horizon(), Some(EventTimeMs(9)));
    run.epoch(&[(0, 40)]);
    assert_eq!(
        (run.windows.adopted(), run.windows.horizon()),
        (Some(EventTimeMs(9)), Some(EventTimeMs(10)))
    );
    run.epoch(&[(0, 41)]);
    assert_eq!(run.windows.adopted(), Some(EventTimeMs(10)));
    assert_eq!(run.windows.retained_windows(), 4);

    let prepared = run.epoch(&[(0, 41)]);
    assert!(prepared.partitions[0].dropped.contains(&WindowStart(0)));
    assert!(prepared.merge.as_ref().expect("it merges").change.dropped.contains(&WindowStart(0)));
    assert_eq!(run.image.windows.keys().collect::<Vec<_>>(), [&WindowStart(10)]);
    assert_eq!(run.windows.retained_windows(), 3);
}

#[test]
fn an_event_of_the_epoch_in_which_its_window_is_dropped_is_still_published() {
    let mut run = Run::of(1);
    run.epoch(&[(0, 3), (0, 40)]);
    assert_eq!(run.windows.horizon(), Some(EventTimeMs(10)));
    assert_eq!(run.published(&[(0, 4)]), [(0, 2, 2, 1)]);
    run.epoch(&[(0, 41)]);
    assert_eq!(run.windows.retained_windows(), 1);

    let mut run = Run::of(1);
    run.epoch(&[(0, 40)]);
    assert_eq!(run.published(&[(0, 4)]), [(0, 1, 1, 0)], "also a window that was never open");
    run.epoch(&[(0, 41)]);
    assert_eq!((run.windows.retained_windows(), run.windows.open_windows()), (1, 1));
}

#[test]
fn a_lateness_below_the_grace_publishes_windows_before_it_drops_them() {
    let rules = WindowRules { grace_ms: 50, allowed_lateness_ms: 5, ..RULES };
    let mut run = Run::new(rules, &[Completeness::FromStart]);
    assert_eq!(run.published(&[(0, 3), (0, 15)]), []);
    assert_eq!(run.published(&[(0, 16)]), [(0, 1, 1, 0)]);
    run.epoch(&[(0, 17)]);
    assert_eq!(run.windows.retained_windows(), 1);
}

#[test]
#[should_panic(expected = "behind the horizon")]
fn counting_an_event_behind_the_horizon_is_a_bug() {
    let mut run = Run::of(1);
    run.epoch(&[(0, 40)]);
    run.epoch(&[(0, 41)]);
    run.epoch(&[(0, 9)]);
}

#[test]
fn the_restored_horizon_is_in_force_at_once_and_never_goes_back() {
    let mut run = Run::of(1);
    run.epoch(&[(0, 40)]);
    run.epoch(&[(0, 41)]);
    let horizon = Some(EventTimeMs(11));
    let patient = WindowRules { allowed_lateness_ms: 1000, ..RULES };
    let windows = reopened(patient, &run.image);
    assert_eq!(windows.horizon(), horizon);
}

#[test]
fn an_epoch_without_output_and_progress_is_empty() {
    let mut run = Run::of(2);
    assert!(run.epoch(&[]).is_empty);
    assert!(!run.epoch(&[(0, 3)]).is_empty);
    run.idle.insert(1);
    assert!(run.epoch(&[]).is_empty, "a watermark that closes nothing is no progress");

    let mut input = run.input(&[]);
    input.progress[1].next_offset = Offset(7);
    assert!(!run.windows.prepare(input).is_empty, "dead letters and late events are progress");
}

#[test]
fn what_an_empty_epoch_would_drop_is_dropped_with_a_later_one() {
    let mut run = Run::of(1);
    run.epoch(&[(0, 3), (0, 40)]);
    let input = run.input(&[]);
    assert_eq!(input.horizon, Some(EventTimeMs(10)));
    let prepared = run.windows.prepare(input);
    assert!(prepared.is_empty);
    drop(prepared);
    run.epoch(&[(0, 42)]);
    run.epoch(&[(0, 42)]);
    assert_eq!(run.windows.retained_windows(), 1);
}

#[test]
fn an_epoch_commits_every_owned_partition_moved_or_not() {
    let mut run = Run::of(3);
    let prepared = run.epoch(&[(1, 3), (1, 4)]);
    let next: Vec<_> = prepared.partitions.iter().map(|change| change.state.next_offset).collect();
    assert_eq!(next, [Offset(0), Offset(2), Offset(0)]);
}

#[test]
fn only_changed_windows_are_in_the_change_and_the_others_are_not_copied() {
    let mut run = Run::of(1);
    run.epoch(&[(0, 3), (0, 12)]);
    let untouched = Arc::clone(&run.windows.contents().windows[&WindowStart(10)].sum);
    let prepared = run.epoch(&[(0, 4)]);
    let changed: Vec<_> = prepared.partitions[0].partials.keys().collect();
    assert_eq!(changed, [&WindowStart(0)]);
    assert!(
        prepared.merge.as_ref().expect("it merges").change.published.is_empty(),
        "an open window has no memory"
    );
    assert!(Arc::ptr_eq(&untouched, &run.windows.contents().windows[&WindowStart(10)].sum));
}

#[test]
fn values_beyond_the_cap_are_reported_once() {
    let mut run = Run::of(1);
    for (events, capped) in [(1005, 5), (1, 0), (3, 3)] {
        let mut input = run.input(&[(0, 3)]);
        let partial = &mut input.deltas[0].windows[0].1;
        for number in 0..events {
            partial.count(["NY", &format!("{events}-{number}"), "1.0"].into(), "u");
        }
        // The one event that the harness counts brings a value of its own.
        let prepared = run.windows.prepare(input);
        let new = if capped == 5 { 6 } else { events };
        assert_eq!(prepared.merge.as_ref().expect("it merges").capped, new, "{events}");
        run.windows.commit(&prepared);
    }
}

#[test]
fn a_change_applied_twice_is_a_change_applied_once() {
    let mut run = Run::of(1);
    run.epoch(&[(0, 3), (0, 40)]);
    let prepared = run.epoch(&[(0, 4), (0, 12)]);
    let once = run.image.clone();
    run.image.take(&prepared);
    assert_eq!(run.image, once);
    assert_eq!(reopened(RULES, &once).contents(), run.windows.contents());
}

#[test]
#[should_panic(expected = "comes after")]
fn an_epoch_number_is_used_once() {
    let mut run = Run::of(1);
    let input = run.input(&[]);
    run.epoch(&[(0, 1)]);
    drop(run.windows.prepare(input));
}

#[test]
#[should_panic(expected = "reports every owned partition")]
fn an_epoch_that_forgets_a_partition_is_a_bug() {
    let run = Run::of(2);
    let mut input = run.input(&[]);
    input.progress.pop();
    drop(run.windows.prepare(input));
}

#[test]
#[should_panic(expected = "went back")]
fn an_offset_that_goes_back_is_a_bug() {
    let mut run = Run::of(1);
    run.epoch(&[(0, 1), (0, 2)]);
    let mut input = run.input(&[]);
    input.progress[0].next_offset = Offset(1);
    drop(run.windows.prepare(input));
}

#[test]
#[should_panic(expected = "is not owned")]
fn counts_of_a_partition_that_is_not_owned_are_a_bug() {
    let run = Run::of(1);
    let mut input = run.input(&[]);
    input.deltas.push(delta(5, &[(0, 3)]));
    drop(run.windows.prepare(input));
}

#[test]
fn no_partition_at_all_is_a_state_too() {
    let windows = Windows::new(RULES, &super::run::image(&[]), &[]);
    assert_eq!((windows.open_windows(), windows.memory_bytes()), (0, 0));
    let run = Run::of(0);
    assert!(run.windows.prepare(run.input(&[])).records().is_empty());
}
