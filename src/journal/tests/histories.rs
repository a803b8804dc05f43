//! Random histories of a compacted journal: no reader ever has a wrong state, and whoever begins at
//! or below the newest snapshot has the newest state. And faults that must be found.

use proptest::{collection::vec, prelude::*};

use super::group::{Group, Limits, Outcome};
use crate::limits::{JOURNAL_RING_SLOTS, JOURNAL_SNAPSHOT_RECORDS};

const LIMITS: Limits =
    Limits { snapshot_records: JOURNAL_SNAPSHOT_RECORDS, chunk_bytes: 150, one_place: false };

#[derive(Debug, Clone)]
enum Step {
    Epochs { count: usize, windows: Vec<i64>, ms: i64 },
    Fails(Vec<i64>, Outcome),
    TakeOver { cold: bool },
    Follow(usize, usize),
    Compact { p: usize, hundredths: i64, removes: Vec<bool> },
    Forget,
    CheckFrom(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let windows = || vec(0..6_i64, 0..3);
    let outcome = prop_oneof![
        1 => Just(Outcome::Aborted),
        3 => (0..100_usize).prop_map(Outcome::Torn),
    ];
    prop_oneof![
        6 => (1..40_usize, windows(), 1..2000_i64)
            .prop_map(|(count, windows, ms)| Step::Epochs { count, windows, ms }),
        4 => (windows(), outcome).prop_map(|(windows, outcome)| Step::Fails(windows, outcome)),
        2 => any::<bool>().prop_map(|cold| Step::TakeOver { cold }),
        4 => (0..2_usize, 0..200_usize).prop_map(|(p, records)| Step::Follow(p, records)),
        4 => (0..2_usize, 0..=100_i64, vec(any::<bool>(), 1..9))
            .prop_map(|(p, hundredths, removes)| Step::Compact { p, hundredths, removes }),
        1 => Just(Step::Forget),
        2 => (0..=100_i64).prop_map(Step::CheckFrom),
    ]
}

fn take(group: &mut Group, step: Step) -> Result<(), String> {
    match step {
        Step::Epochs { count, windows, ms } => {
            (0..count).try_for_each(|_| group.epoch(&windows, ms, Outcome::Committed))
        }
        Step::Fails(windows, outcome) => group.epoch(&windows, 100, outcome),
        Step::TakeOver { cold } => group.take_over("other", cold),
        Step::Follow(p, records) => group.follow(p, records),
        Step::Compact { p, hundredths, removes } => {
            let mut removes = removes.into_iter().cycle();
            group.compact(p, hundredths, || removes.next() == Some(true));
            Ok(())
        }
        Step::Forget => {
            group.forget();
            Ok(())
        }
        Step::CheckFrom(hundredths) => group.check_from(hundredths),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_history_loses_or_invents_a_state(
        snapshot_records in prop_oneof![Just(JOURNAL_SNAPSHOT_RECORDS), 3..20_u64],
        steps in vec(step(), 1..40),
    ) {
        let mut group = Group::new(Limits { snapshot_records, ..LIMITS });
        for step in steps.into_iter().chain([Step::CheckFrom(0), Step::TakeOver { cold: true }]) {
            take(&mut group, step).map_err(TestCaseError::fail)?;
        }
    }
}

/// Epochs so close together that only the ring makes a snapshot due, then the cleaner, then a start
/// without a local copy; again and again, since the cleaner may come at any time.
fn ring(snapshot_records: u64) -> Result<(), String> {
    let mut group = Group::new(Limits { snapshot_records, ..LIMITS });
    for _ in 0..JOURNAL_RING_SLOTS / 4 {
        for _ in 0..9 {
            group.epoch(&[0], 0, Outcome::Committed)?;
        }
        (0..2).try_for_each(|p| group.follow(p, usize::MAX))?;
        (0..2).for_each(|p| group.compact(p, 100, || true));
        group.check_from(0)?;
        group.take_over("other", true)?;
    }
    Ok(())
}

#[test]
fn a_snapshot_comes_before_the_ring_is_full() {
    ring(JOURNAL_SNAPSHOT_RECORDS).expect("restored");
    ring(JOURNAL_RING_SLOTS).expect("restored");
}

#[test]
fn a_snapshot_distance_above_the_ring_loses_the_state() {
    let lost = ring(2 * JOURNAL_RING_SLOTS).expect_err("a slot was used twice");
    assert!(lost.contains("is Gap at "), "{lost}");
}

/// A snapshot of several chunks that is committed in part, then the cleaner, then a start.
fn torn_snapshot(limits: Limits) -> Result<(), String> {
    (0..100).step_by(5).try_for_each(|hundredths| {
        let mut group = Group::new(Limits { snapshot_records: 4, ..limits });
        let windows = [0, 1, 2, 3, 4, 5];
        // Every epoch is a candidate for the one that is cut off.
        for epochs in 1..12 {
            (0..epochs).try_for_each(|_| group.epoch(&windows, 2000, Outcome::Committed))?;
            (0..2).try_for_each(|p| group.follow(p, usize::MAX))?;
            group.epoch(&windows, 2000, Outcome::Torn(hundredths))?;
            (0..2).for_each(|p| group.compact(p, 100, || true));
            group.take_over("other", true)?;
        }
        Ok(())
    })
}

#[test]
fn a_snapshot_that_is_cut_off_leaves_the_last_one() {
    torn_snapshot(LIMITS).expect("restored");
}

#[test]
fn with_one_place_for_snapshots_one_that_is_cut_off_loses_the_state() {
    let lost = torn_snapshot(Limits { one_place: true, ..LIMITS }).expect_err("overwritten");
    assert!(lost.contains("stream"), "{lost}");
}
