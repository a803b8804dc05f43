//! Tests of the folder; the copy in it has its own.

mod folder;
mod offline;
mod peeking;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tempfile::TempDir;

use super::{
    CopiedJournal, CopiedRecord, CopyChange, JournalCopy, RecordCopy, SledTable, StateFolder,
};
use crate::{
    ids::{Offset, PartitionId, TopicId},
    journal::{CopyOf, Identity},
};

/// A folder that is removed with the test, and a path in it that does not exist yet.
fn new_folder() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().expect("a folder for the test");
    let dir = parent.path().join("deep").join("state");
    (parent, dir)
}

fn of() -> CopyOf {
    CopyOf {
        cluster_id: "cluster".to_owned(),
        group_id: "group".to_owned(),
        topic: "group-journal".to_owned(),
    }
}

fn journal() -> CopiedJournal {
    let identity = Identity {
        cluster_id: "cluster".to_owned(),
        group_id: "group".to_owned(),
        topic: "user-login".to_owned(),
        topic_id: None,
        window_size_ms: 10_000,
        journal_partitions: 1,
        first_partitions: 1,
        began_ms: 0,
    };
    CopiedJournal { topic_id: Some(TopicId(7)), identity }
}

/// Does what a run does: takes the folder, and writes its copy.
fn worked_in(dir: &Path) -> StateFolder {
    let folder = StateFolder::open(dir).expect("ours");
    let record = CopiedRecord { offset: Offset(4), appended_ms: 5, value: b"value".to_vec() };
    let change = CopyChange {
        journal: journal(),
        dropped: BTreeSet::new(),
        records: [((PartitionId(0), b"0/1/0".to_vec()), Some(record))].into(),
        positions: [(PartitionId(0), Offset(5))].into(),
    };
    RecordCopy::new(SledTable::new(dir), of()).write(&change).expect("writable");
    folder
}

/// Every file below, with its content and the time of its last change.
fn image(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(image(&path));
        } else {
            let changed = fs::metadata(&path).and_then(|it| it.modified()).expect("a time");
            files.insert(path.clone(), (fs::read(&path).expect("readable"), changed));
        }
    }
    files
}

/// Puts what an earlier release kept into the folder, with a database that it had moved aside.
fn left_by_an_earlier_release(dir: &Path) -> Vec<PathBuf> {
    let names = ["db", "db.broken-20250101T000000Z", "instance-id"];
    for database in &names[..2] {
        fs::create_dir_all(dir.join(database)).expect("writable");
        fs::write(dir.join(database).join("db"), "counts").expect("writable");
    }
    fs::write(dir.join("instance-id"), "host-00c0ffee\n").expect("writable");
    names.iter().map(|name| dir.join(name)).collect()
}
