//! A store that another thread writes to.

use std::{sync::Arc, thread};

use super::change;
use crate::{
    ids::Epoch,
    state::{BackgroundStore, MemoryStore, StateError, Store, StoredEpoch, in_background},
};

fn finished(store: &mut BackgroundStore) -> Result<StoredEpoch, StateError> {
    loop {
        if let Some(written) = store.finished() {
            return written;
        }
        thread::yield_now();
    }
}

#[test]
fn it_is_away_until_an_epoch_is_written_and_back_afterwards() {
    let disk = MemoryStore::new();
    let (mut store, writer) = in_background(Box::new(disk.clone()));
    assert!(store.finished().is_none(), "nothing was begun");
    store.begin(None, Arc::new(change(1)));
    assert!(store.finished().is_none(), "nobody writes yet");
    let writer = thread::spawn(|| writer.run());
    assert!(finished(&mut store).expect("written").write.keys > 0);
    store.begin(Some(Arc::new(change(1))), Arc::new(change(2)));
    let loaded = store.wait().and_then(Store::load).expect("written, and readable");
    assert_eq!(loaded.base.epoch, Epoch(1));
    assert_eq!(loaded.redo, Some(change(2)));
    assert!(store.finished().is_none(), "the wait took the answer");
    // Nobody waits for the last write, and it is done.
    store.begin(Some(Arc::new(change(2))), Arc::new(change(3)));
    drop(store);
    writer.join().expect("ends");
    assert_eq!(disk.reopen().load().expect("readable").redo, Some(change(3)));
}

#[test]
fn a_write_that_failed_is_told_by_whoever_asks_first() {
    let disk = MemoryStore::new();
    let (mut store, writer) = in_background(Box::new(disk.clone()));
    thread::spawn(|| writer.run());
    disk.break_disk(true);
    store.begin(None, Arc::new(change(1)));
    finished(&mut store).expect_err("the disk is broken");
    store.begin(None, Arc::new(change(1)));
    store.wait().map(drop).expect_err("and stays so");
    store.wait().map(drop).expect("the store is there again");
}
