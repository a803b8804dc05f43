//! Histories that once broke a promise, as short as they were found.

use crate::{
    kafka::{Fate, Mode},
    process::StartUp,
    world::{Ending, Next, Step, World},
};

const COMMITTED: Ending = Ending { fate: Fate::Committed, dies: false };
const FAILED: Ending = Ending { fate: Fate::Failed, dies: false };

fn read(partition: i32, records: i64) -> Step {
    Step::Read { partition, records }
}

fn epoch(idle: u8, ending: Ending) -> Step {
    Step::Epoch { idle, first_worker: 0, ending }
}

/// One worker; each rebalance takes the next of these sets of partitions, a bit each.
fn check(mode: Mode, jitter: &[i16], owned: &[u8], arrive: u8, steps: &[Step]) {
    let next = |owned: &u8| Next {
        start: StartUp { workers: 1, owned: *owned, dies_after: u8::MAX },
        arrive,
    };
    let mut world = World::new(mode, jitter.to_vec(), owned.iter().map(next).collect());
    for step in steps {
        world.step(step);
    }
    world.drain();
    world.check().expect("every promise is kept");
}

#[test]
fn a_partition_that_goes_away_with_an_open_window_leaves_no_event_behind() {
    let jitter = [8528, -2760, 0, 0, 0, 0, 10478];
    let steps = [read(0, 3), epoch(6, COMMITTED), Step::Rebalance, read(1, 1), epoch(0, COMMITTED)];
    for mode in [Mode::ExactlyOnce, Mode::AtLeastOnce] {
        check(mode, &jitter, &[6], 0, &steps);
    }
}

#[test]
fn a_committed_epoch_whose_partitions_all_went_away_is_folded() {
    let steps =
        [Step::Rebalance, read(1, 1), epoch(0, COMMITTED), Step::Rebalance, Step::Rebalance];
    for mode in [Mode::ExactlyOnce, Mode::AtLeastOnce] {
        check(mode, &[0], &[7, 2, 1, 7], 0, &steps);
    }
}

#[test]
fn an_event_that_was_counted_before_a_rollback_and_is_late_after_it_is_in_one_place() {
    let jitter = [2782, 0, 0, 19961, 0, 0];
    let late = [read(0, 15), epoch(6, COMMITTED), read(0, 1), epoch(0, FAILED)];
    check(Mode::AtLeastOnce, &jitter, &[7], 0, &late);
    let steps = [&late[..], &[epoch(0, COMMITTED)]].concat();
    check(Mode::AtLeastOnce, &jitter, &[7], 0, &steps);
}

#[test]
fn an_event_that_an_epoch_without_commit_made_late_stays_late() {
    let steps = [
        read(0, 4),
        epoch(6, COMMITTED),
        epoch(0, COMMITTED),
        read(1, 2),
        Step::Work { worker: 0, messages: 2 },
    ];
    check(Mode::AtLeastOnce, &[0, 32, -13857, 0, 0, 0, 0], &[7], 122, &steps);
}
