//! What commands read of a folder, and what a reset removes.

use super::*;
use crate::state::{StateError, reset, stored_copy};

#[test]
fn the_copy_that_a_run_left_is_read_without_knowing_whose_it_is() {
    let (_parent, dir) = new_folder();
    drop(worked_in(&dir));
    let stored = stored_copy(&dir).expect("readable");
    assert_eq!((stored.of, stored.copied.journal), (of(), journal()));
    let partition = &stored.copied.partitions[&PartitionId(0)];
    assert_eq!((partition.position, partition.records.len()), (Offset(5), 1));
    assert_eq!(partition.records[0].1.value, b"value");
    assert!(stored.bytes > 0);
}

#[test]
fn a_damaged_copy_is_named_and_stays_where_it_is() {
    let (_parent, dir) = new_folder();
    drop(worked_in(&dir));
    fs::write(dir.join("journal").join("db"), vec![0xa5; 1 << 16]).expect("writable");
    let error = stored_copy(&dir).expect_err("damaged");
    assert!(matches!(error, StateError::Unreadable { .. }), "{error}");
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("without --offline"), "{error}");
    let names =
        fs::read_dir(&dir).expect("readable").map(|entry| entry.expect("entry").file_name());
    assert_eq!(names.collect::<BTreeSet<_>>(), ["journal", "lock"].map(Into::into).into());
    // A reset is what clears it.
    assert!(reset(&dir).expect("ours").removed_bytes > 0);
}

#[test]
fn nothing_is_created_where_there_is_no_copy() {
    let (_parent, dir) = new_folder();
    let none = |dir: &Path| {
        assert!(matches!(stored_copy(dir), Err(StateError::NoState { .. })));
        assert!(matches!(reset(dir), Err(StateError::NoState { .. })));
    };
    none(&dir);
    assert!(!dir.exists());
    fs::create_dir_all(&dir).expect("writable");
    none(&dir);
    assert_eq!(fs::read_dir(&dir).expect("readable").count(), 0);
    left_by_an_earlier_release(&dir);
    let before = image(&dir);
    none(&dir);
    assert_eq!(image(&dir), before);
}

#[test]
fn a_reset_removes_the_copy_and_names_what_it_leaves() {
    let (_parent, dir) = new_folder();
    drop(worked_in(&dir));
    let mut expected = left_by_an_earlier_release(&dir);
    let aside = dir.join("journal.broken-20260101T000000Z");
    fs::create_dir(&aside).expect("writable");
    expected.push(aside);
    let report = reset(&dir).expect("ours");
    assert_eq!((&report.removed, &report.kept), (&dir.join("journal"), &expected));
    assert!(report.removed_bytes > 0 && expected.iter().all(|path| path.exists()));
    assert!(!dir.join("journal").exists());
    // And a run begins a new one.
    drop(worked_in(&dir));
}

#[test]
fn a_reset_refuses_a_folder_with_anything_else_in_it() {
    let (_parent, dir) = new_folder();
    drop(worked_in(&dir));
    fs::write(dir.join("thesis.txt"), "years of work").expect("writable");
    let before = image(&dir);
    let error = reset(&dir).expect_err("not ours alone");
    assert!(matches!(error, StateError::NotAStateFolder { .. }), "{error}");
    assert!(error.to_string().contains("thesis.txt"), "{error}");
    assert_eq!(image(&dir), before);
}
