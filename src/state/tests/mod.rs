//! Tests of the store as a whole: one file per kind of trouble.

mod background;
mod child;
mod damage;
mod folder;
mod peeking;
mod recovery;
mod topics;
mod twin;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;

use super::{Identity, Loaded, Opened, SledStore, Store};
use crate::{
    ids::{Epoch, EventTimeMs, Offset, PartitionId, TopicId, WindowStart},
    window::{Completeness, EpochChange, Partial, PartitionState, StateImage, WindowMeta},
};

const PARTITIONS: i32 = 3;

/// Epochs after which `change` evicts what it once wrote.
const RETAINED: i64 = 4;

fn identity() -> Identity {
    Identity {
        cluster_id: "cluster".to_owned(),
        topic: "user-login".to_owned(),
        group_id: "group".to_owned(),
        window_size_ms: 10_000,
    }
}

/// A folder that is removed with the test, and a path in it that does not exist yet.
fn new_folder() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().expect("a folder for the test");
    let dir = parent.path().join("deep").join("state");
    (parent, dir)
}

fn open(dir: &Path) -> SledStore {
    let Opened { store, quarantined, .. } = SledStore::open(dir, &identity()).expect("opens");
    assert_eq!(quarantined, None, "nothing was damaged");
    store
}

/// `events` distinct events.
fn partial(events: u64) -> Arc<Partial> {
    let mut partial = Partial::new();
    for event in 0..events {
        let version = ["1.0", "2.0"][usize::from(event % 3 == 0)];
        partial.count(event as i64, ["CA", "android", version].into(), &format!("user-{event}"));
    }
    Arc::new(partial)
}

/// The topic that the state is of.
const TOPIC: TopicId = TopicId(7 << 96);

/// The change of an epoch: the same for the same number, another for every other.
fn change(epoch: u64) -> EpochChange {
    let number = epoch as i64;
    let partitions = (0..PARTITIONS).map(PartitionId);
    let mut partials = BTreeMap::new();
    for partition in partitions.clone() {
        let events = epoch % 40 + 10 * partition.0 as u64;
        partials.insert((partition, WindowStart(number * 10_000)), Some(partial(events)));
        partials.insert((partition, WindowStart(-10_000)), Some(partial(events + 1)));
        partials.insert((partition, WindowStart((number - RETAINED) * 10_000)), None);
    }
    let meta = WindowMeta { revision: epoch as u32, late_events: 1 };
    let state = PartitionState {
        epoch: Epoch(epoch),
        next_offset: Offset(number * 100),
        watermark: Some(EventTimeMs(number)),
        completeness: Completeness::After(WindowStart(number)),
        topic: Some(TOPIC),
    };
    EpochChange {
        epoch: Epoch(epoch),
        partials,
        partitions: partitions.map(|partition| (partition, state)).collect(),
        windows: [
            (WindowStart(number * 10_000), Some(meta)),
            (WindowStart((number - RETAINED) * 10_000), None),
        ]
        .into(),
        watermark: Some(EventTimeMs(number)),
        horizon: (epoch > 3).then_some(EventTimeMs(number - 3)),
    }
}

/// The image after epochs 1 to `epoch`.
fn image(epoch: u64) -> StateImage {
    let mut image = StateImage::default();
    (1..=epoch).for_each(|epoch| image.apply(&change(epoch)));
    image
}

/// What a store holds when `epoch` was the last to be written, each one committed before.
fn after(epoch: u64) -> Loaded {
    Loaded {
        base: image(epoch.saturating_sub(1)),
        redo: (epoch > 0).then(|| change(epoch)),
        highest_epoch: Epoch(epoch),
    }
}

/// Writes epochs up to and including `last` after what is there.
fn write_to(store: &mut impl Store, last: u64) {
    let loaded = store.load().expect("readable");
    let mut before = loaded.redo;
    for epoch in loaded.highest_epoch.0 + 1..=last {
        let change = change(epoch);
        store.write_epoch(before.as_ref(), &change).expect("writable");
        before = Some(change);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("writable");
    for entry in std::fs::read_dir(from).expect("readable") {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("readable");
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).expect("copied");
        }
    }
}
