//! State that moves with its partitions.

use super::{
    super::{Completeness, StateImage, Windows},
    run::{RULES, Run, delta, summary},
};
use crate::ids::{EventTimeMs, Offset, PartitionId, WindowStart};

fn owning(image: &StateImage, owned: &[i32], owns_all: bool) -> Run {
    let owned: Vec<_> = owned.iter().copied().map(PartitionId).collect();
    let windows = Windows::new(RULES, image, &owned, owns_all);
    Run { windows, image: image.clone(), ..Run::of(0) }
}

/// Two partitions with events at 3 and 12, window 0 closed.
fn shared_image() -> StateImage {
    let mut run = Run::of(2);
    run.epoch(&[(0, 3), (0, 12), (0, 15), (1, 4), (1, 15)]);
    run.image
}

#[test]
fn partitions_that_are_not_owned_are_left_alone_and_nothing_is_complete() {
    let mut run = owning(&shared_image(), &[0], false);
    assert_eq!(run.windows.partitions().count(), 1);
    run.close_all = true;
    let prepared = run.epoch(&[]);
    assert_eq!(prepared.merge.records.iter().map(summary).collect::<Vec<_>>(), [(10, 1, 3, 0)]);
    assert!(!prepared.merge.records[0].complete);
    assert_eq!(prepared.partitions.len(), 1);
    assert_eq!(run.image.partitions.len(), 2, "the other's state stays in the image");
}

#[test]
fn revisions_go_on_where_the_image_left_them_also_without_partials() {
    let image = shared_image();
    let mut run = owning(&image, &[0, 1], true);
    assert_eq!(run.published(&[(1, 5)]), [(0, 2, 3, 1)]);

    let mut without = image.clone();
    without.partials.clear();
    let mut run = owning(&without, &[1], true);
    assert_eq!((run.windows.retained_windows(), run.windows.open_windows()), (1, 0));
    assert_eq!(run.published(&[(1, 5)]), [(0, 2, 1, 1)]);
    run.epoch(&[(1, 60)]);
    run.epoch(&[(1, 61)]);
    run.epoch(&[(1, 62)]);
    assert!(run.image.windows.is_empty(), "its memory is dropped like any other");
}

/// Partition 0 went away with an open window; its events were in no record when it came back
/// after the horizon had passed them.
#[test]
fn what_a_partition_that_is_away_has_counted_is_published() {
    let mut run = owning(&shared_image(), &[1], false);
    assert_eq!(run.published(&[(1, 40)]), [(10, 1, 3, 0)], "two of them are partition 0's");
    run.epoch(&[(1, 60)]);
    run.epoch(&[(1, 61)]);
    run.epoch(&[(1, 62)]);
    assert_eq!(run.windows.horizon(), Some(EventTimeMs(31)));
    let mut run = owning(&run.image, &[0, 1], true);
    assert_eq!(run.published(&[(0, 63)]), []);
    assert!(run.image.partials.keys().all(|(p, start)| p.0 == 1 || start.0 == 60));
}

#[test]
fn a_partition_that_comes_back_behind_the_horizon_leaves_its_old_counts() {
    let mut run = owning(&shared_image(), &[1], false);
    run.epoch(&[(1, 40)]);
    run.epoch(&[(1, 41)]);
    run.epoch(&[(1, 41)]);
    let horizon = Some(EventTimeMs(11));
    assert_eq!(run.windows.horizon(), horizon);
    let old = (PartitionId(0), WindowStart(0));
    assert!(run.image.partials.contains_key(&old));

    let mut run = owning(&run.image, &[0, 1], true);
    assert_eq!(run.windows.contents().partials.get(&old), None);
    assert_eq!(run.windows.lowest_open_window(), Some(WindowStart(40)));
    run.epoch(&[(0, 42)]);
    assert!(!run.image.partials.contains_key(&old));
    assert!(run.epoch(&[(0, 43)]).partitions[0].dropped.is_empty(), "once");
}

#[test]
fn a_slower_partition_does_not_take_the_watermark_back() {
    let mut run = owning(&shared_image(), &[1], false);
    run.epoch(&[(1, 40)]);
    let mut run = owning(&run.image, &[0, 1], true);
    assert_eq!(run.windows.watermark(), Some(EventTimeMs(40)));
    run.epoch(&[(0, 16)]);
    assert_eq!(run.windows.watermark(), Some(EventTimeMs(40)));
}

#[test]
#[should_panic(expected = "recovery gives every owned partition a state")]
fn an_owned_partition_without_state_is_a_bug() {
    drop(owning(&shared_image(), &[2], true));
}

#[test]
fn several_workers_may_report_one_partition() {
    let run = Run::new(RULES, &[Completeness::FromStart]);
    let mut input = run.input(&[]);
    input.deltas = vec![delta(0, &[(0, 3), (2, 15)]), delta(0, &[(1, 4)]), delta(0, &[(3, 5)])];
    input.progress[0].next_offset = Offset(4);
    let prepared = run.windows.prepare(input);
    assert_eq!(prepared.merge.records.iter().map(summary).collect::<Vec<_>>(), [(0, 1, 3, 0)]);
    assert_eq!(prepared.partitions[0].partials.len(), 2);
}
