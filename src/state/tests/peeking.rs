//! A look at a state folder changes nothing in it.

use std::{collections::BTreeMap, fs, time::SystemTime};

use super::*;
use crate::state::{Peek, StateError, peek};

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

#[test]
fn a_stopped_runs_folder_is_read_without_a_change() {
    let (_parent, dir) = new_folder();
    write_to(&mut open(&dir), 3);
    let before = image(&dir);
    let Peek { problems, summary, free_bytes, .. } = peek(&dir);
    assert!(problems.is_empty(), "{problems:?}");
    let summary = summary.expect("a state");
    assert_eq!(summary.identity, identity());
    assert!(free_bytes.is_some_and(|bytes| bytes > 0));
    assert_eq!(image(&dir), before);
}

#[test]
fn a_folder_that_is_not_there_is_not_created() {
    let (parent, dir) = new_folder();
    let seen = peek(&dir);
    assert!(seen.problems.is_empty() && seen.summary.is_none() && seen.free_bytes.is_some());
    assert_eq!(fs::read_dir(parent.path()).expect("a folder").count(), 0);
}

#[test]
fn a_folder_in_use_a_file_and_a_foreign_database_are_named() {
    let (_parent, dir) = new_folder();
    let store = open(&dir);
    let seen = peek(&dir);
    let own = std::process::id();
    let [StateError::Locked { pid, .. }] = seen.problems.as_slice() else { panic!("{seen:?}") };
    assert_eq!(*pid, Some(own));
    drop(store);
    fs::write(dir.join("db").join("foreign"), "x").expect("writable");
    assert!(matches!(peek(&dir).problems.as_slice(), [StateError::NotAStateFolder { .. }]));
    let file = dir.join("lock").join("below-a-file");
    assert!(matches!(peek(&file).problems.as_slice(), [StateError::NotWritable { .. }]));
}

#[test]
fn a_damaged_database_is_named_and_stays_where_it_is() {
    let (_parent, dir) = new_folder();
    write_to(&mut open(&dir), 3);
    fs::write(dir.join("db").join("db"), vec![0xa5; 1 << 16]).expect("writable");
    let before = image(&dir);
    let seen = peek(&dir);
    assert!(matches!(seen.problems.as_slice(), [StateError::Unreadable { .. }]), "{seen:?}");
    assert_eq!(image(&dir), before);
}
