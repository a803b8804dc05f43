//! The merger on its own: changes come from anywhere, in any order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    super::{
        Completeness, Dimension, Merger, MergerInput, Partial, PartitionChange, PartitionState,
        StateImage,
    },
    run::{RULES, image},
};
use crate::{
    ids::{EventTimeMs, Offset, PartitionId, WindowStart},
    limits,
};

const WINDOW: WindowStart = WindowStart(10);

/// What a partition has counted in the window: one event of each location in a range.
fn change(p: i32, locations: std::ops::Range<usize>) -> PartitionChange {
    let mut partial = Partial::new();
    for number in locations {
        let user = format!("{p}-{number}");
        let location = format!("L{number}");
        partial.count([location.as_str(), "iOS", "1.0"].into(), &user);
    }
    PartitionChange {
        partition: PartitionId(p),
        state: PartitionState {
            watermark: Some(EventTimeMs(WINDOW.0)),
            ..PartitionState::new(Offset(partial.total as i64), Completeness::FromStart)
        },
        partials: BTreeMap::from([(WINDOW, Arc::new(partial))]),
        dropped: BTreeSet::new(),
    }
}

fn merger() -> Merger {
    let image: StateImage = image(&[Completeness::FromStart; 2]);
    Merger::new(RULES, &image)
}

/// Merges one epoch after the other; returns the window's sum.
fn merged(epochs: &[&[PartitionChange]]) -> Partial {
    let mut merger = merger();
    for changes in epochs {
        let input = MergerInput { partitions: 0, now_ms: 0, close_all: false };
        let merge = merger.prepare(changes, input);
        merger.commit(&merge);
    }
    Partial::clone(&merger.last_record(WINDOW).sum)
}

#[test]
fn a_change_replaces_what_the_partition_had() {
    let sum = merged(&[&[change(0, 0..3)], &[change(0, 0..5), change(1, 4..6)]]);
    assert_eq!(sum.total, 7);
    let counts = [("L0", 1), ("L1", 1), ("L2", 1), ("L3", 1), ("L4", 2), ("L5", 1)];
    assert_eq!(sum.counts[Dimension::Location].sorted(), counts);
    assert_eq!(sum.counts[Dimension::Device].sorted(), [("iOS", 7)]);
    assert_eq!(sum.users.estimate(), 7);
    assert_eq!(sum, merged(&[&[change(1, 4..6)], &[change(0, 0..5)]]));
}

#[test]
fn a_change_that_comes_twice_counts_once() {
    let changes: &[_] = &[change(0, 0..3)];
    assert_eq!(merged(&[changes, changes]), merged(&[changes]));
}

/// Which names keep an entry beyond the cap depends on the order of adding.
#[test]
fn beyond_the_cap_the_order_of_arrival_does_not_matter() {
    let most = limits::MAX_VALUES_PER_DIMENSION;
    let (small, large) = (change(0, 0..most - 100), change(0, 0..most - 50));
    let other = change(1, most - 200..most + 150);
    let sum = merged(&[&[large.clone(), other.clone()]]);
    assert_eq!(sum.counts[Dimension::Location].get("other"), 150);
    for epochs in [
        [std::slice::from_ref(&other), std::slice::from_ref(&large)],
        [&[small.clone(), other.clone()], std::slice::from_ref(&large)],
        [std::slice::from_ref(&small), &[large.clone(), other.clone()]],
    ] {
        assert_eq!(merged(&epochs), sum);
    }
}

#[test]
fn what_a_merge_forgets_is_in_its_snapshot_as_it_was_published_last() {
    let mut merger = merger();
    let goes_on = |horizon: Option<EventTimeMs>| {
        [0, 1].map(|p| {
            let mut change = change(p, 0..3);
            change.state.watermark = Some(EventTimeMs(1_000));
            change.state.horizon = horizon;
            change
        })
    };
    let forgets = (0..4).find_map(|_| {
        let input = MergerInput { partitions: 0, now_ms: 0, close_all: false };
        let merge = merger.prepare(&goes_on(merger.horizon()), input);
        let (forgets, after) =
            (merge.change.dropped.contains(&WINDOW), merger.published_after(&merge));
        merger.commit(&merge);
        forgets.then_some(after)
    });
    let after = forgets.expect("the window is forgotten");
    assert_eq!(after[&WINDOW].total, 6);
    assert!(!merger.published().contains_key(&WINDOW));
}
