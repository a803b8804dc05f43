//! What is written comes back, and both stores do the same.

use proptest::prelude::*;

use super::*;
use crate::state::MemoryStore;

#[derive(Debug, Clone)]
enum Step {
    /// A further epoch, the one before it committed or rolled back.
    Write {
        committed: bool,
        skip: u64,
    },
    Settle(bool),
    /// Settled first.
    Forget(PartitionId),
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (prop::bool::weighted(0.8), 0..3_u64)
            .prop_map(|(committed, skip)| Step::Write { committed, skip }),
        1 => any::<bool>().prop_map(Step::Settle),
        1 => (0..PARTITIONS).prop_map(|partition| Step::Forget(PartitionId(partition))),
        2 => Just(Step::Restart),
    ]
}

fn step(store: &mut impl Store, step: &Step) {
    match step {
        Step::Write { committed, skip } => {
            let loaded = store.load().expect("readable");
            let redo = change(loaded.highest_epoch.0 + 1 + skip);
            let before = loaded.redo.filter(|_| *committed);
            store.write_epoch(before.as_ref(), &redo).expect("writable");
        }
        Step::Settle(apply) => store.settle(*apply).expect("writable"),
        Step::Forget(partition) => {
            store.settle(true).expect("writable");
            store.forget(&[*partition]).expect("writable");
        }
        Step::Restart => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_store_on_disk_does_what_its_twin_does(
        steps in prop::collection::vec(any_step(), 1..16),
    ) {
        let (_parent, dir) = new_folder();
        let mut disk = open(&dir);
        let mut memory = MemoryStore::new();
        for next in &steps {
            step(&mut disk, next);
            step(&mut memory, next);
            if matches!(next, Step::Restart) {
                drop(disk);
                disk = open(&dir);
                memory = memory.reopen();
            }
            prop_assert_eq!(disk.load().expect("readable"), memory.load().expect("readable"));
        }
        drop(disk);
        let loaded = open(&dir).load().expect("readable");
        prop_assert_eq!(loaded, memory.load().expect("readable"));
    }
}

#[test]
fn every_epoch_comes_back_after_a_restart() {
    let (_parent, dir) = new_folder();
    for epoch in 1..=12 {
        let mut store = open(&dir);
        assert_eq!(store.load().expect("readable"), after(epoch - 1));
        write_to(&mut store, epoch);
        assert_eq!(store.load().expect("readable"), after(epoch));
    }
}

#[test]
fn a_redo_record_of_many_chunks_comes_back_and_shrinks_again() {
    let (_parent, dir) = new_folder();
    let mut large = change(1);
    let filling = partial(40);
    for window in 0..3000 {
        large.partials.insert((PartitionId(0), WindowStart(window)), Some(filling.clone()));
    }
    let mut store = open(&dir);
    let stats = store.write_epoch(None, &large).expect("writable");
    assert!(stats.bytes > 3 * crate::limits::REDO_CHUNK_BYTES as u64, "{stats:?}");
    drop(store);
    let mut store = open(&dir);
    assert_eq!(store.load().expect("readable").redo.as_ref(), Some(&large));
    let mut base = StateImage::default();
    base.apply(&large);
    let mut before = large;
    for epoch in 2..=3 {
        store.write_epoch(Some(&before), &change(epoch)).expect("writable");
        before = change(epoch);
    }
    base.apply(&change(2));
    drop(store);
    let loaded = open(&dir).load().expect("readable");
    assert_eq!((loaded.base, loaded.redo), (base, Some(before)));
}

#[test]
fn a_fold_writes_no_more_than_the_change_names() {
    let (_parent, dir) = new_folder();
    let mut store = open(&dir);
    write_to(&mut store, 30);
    let (before, mut small) = (change(30), change(31));
    small.partials.clear();
    small.windows.clear();
    // Two redo rows; of the base's rows those of epoch 30, and the head row.
    let folded = before.partials.len() + before.partitions.len() + before.windows.len() + 1;
    let stats = store.write_epoch(Some(&before), &small).expect("writable");
    assert_eq!(stats.keys, folded + 2);
}

#[test]
#[should_panic(expected = "epoch numbers grow")]
fn an_epoch_number_is_never_written_twice() {
    let (_parent, dir) = new_folder();
    let mut store = open(&dir);
    write_to(&mut store, 2);
    store.settle(false).expect("writable");
    drop(store);
    drop(open(&dir).write_epoch(None, &change(2)));
}

#[test]
#[should_panic(expected = "only the written epoch can be folded")]
fn an_epoch_that_was_not_written_is_not_folded() {
    let (_parent, dir) = new_folder();
    let mut store = open(&dir);
    write_to(&mut store, 2);
    drop(store.write_epoch(Some(&change(1)), &change(3)));
}
