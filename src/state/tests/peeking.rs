//! A look at a state folder changes nothing in it.

use super::*;
use crate::state::{StateError, peek};

#[test]
fn a_stopped_runs_folder_is_looked_at_without_a_change() {
    let (_parent, dir) = new_folder();
    drop(worked_in(&dir));
    let before = image(&dir);
    let seen = peek(&dir);
    assert!(seen.problems.is_empty(), "{seen:?}");
    assert!(seen.has_copy && seen.free_bytes.is_some_and(|bytes| bytes > 0), "{seen:?}");
    assert_eq!(image(&dir), before);
}

#[test]
fn a_folder_that_is_not_there_is_not_created() {
    let (parent, dir) = new_folder();
    let seen = peek(&dir);
    assert!(seen.problems.is_empty() && !seen.has_copy && seen.free_bytes.is_some(), "{seen:?}");
    assert_eq!(fs::read_dir(parent.path()).expect("a folder").count(), 0);
}

#[test]
fn a_folder_in_use_a_file_and_a_foreign_database_are_named() {
    let (_parent, dir) = new_folder();
    let folder = worked_in(&dir);
    let seen = peek(&dir);
    let own = std::process::id();
    let [StateError::Locked { pid, .. }] = seen.problems.as_slice() else { panic!("{seen:?}") };
    assert_eq!(*pid, Some(own));
    drop(folder);
    fs::write(dir.join("journal").join("foreign"), "x").expect("writable");
    assert!(matches!(peek(&dir).problems.as_slice(), [StateError::NotAStateFolder { .. }]));
    let file = dir.join("lock").join("below-a-file");
    assert!(matches!(peek(&file).problems.as_slice(), [StateError::NotWritable { .. }]));
}

#[test]
fn an_earlier_releases_folder_is_no_problem_and_has_no_copy() {
    let (_parent, dir) = new_folder();
    left_by_an_earlier_release(&dir);
    let before = image(&dir);
    let seen = peek(&dir);
    assert!(seen.problems.is_empty() && !seen.has_copy, "{seen:?}");
    assert_eq!(image(&dir), before);
}
