//! Folders that are refused, shown and cleared.

use std::fs;

use super::*;
use crate::state::{
    FORMAT_VERSION, IdentityField, StateError, database::Database, describe, folder, keys::Key,
    reset,
};

fn refused(dir: &Path, identity: &Identity) -> StateError {
    let error = SledStore::open(dir, identity).expect_err("must be refused");
    assert_eq!(error.exit_code(), 2, "{error}");
    assert!(error.to_string().contains("--state-dir"), "{error}");
    assert!(error.to_string().contains(&*dir.to_string_lossy()), "{error}");
    error
}

/// Overwrites a row with raw bytes.
fn plant(dir: &Path, key: Key, value: &[u8]) {
    let mut database = Database::open(dir).expect("opens");
    database.write(None, vec![(key, Some(value.to_vec()))]).expect("writable");
}

#[test]
fn each_other_identity_is_named_with_both_values() {
    let (_parent, dir) = new_folder();
    write_to(&mut open(&dir), 3);
    let other = "other".to_owned();
    let cases = [
        (Identity { topic: other.clone(), ..identity() }, IdentityField::Topic, "user-login"),
        (Identity { group_id: other.clone(), ..identity() }, IdentityField::Group, "group"),
        (Identity { cluster_id: other, ..identity() }, IdentityField::Cluster, "cluster"),
        (Identity { window_size_ms: 60_000, ..identity() }, IdentityField::Window, "10000 ms"),
    ];
    for (configured, field, was) in cases {
        match refused(&dir, &configured) {
            StateError::OtherIdentity { what, stored, configured, .. } => {
                assert_eq!((what, &*stored), (field, was));
                assert!(["other", "60000 ms"].contains(&&*configured), "{configured}");
            }
            error => panic!("{error}"),
        }
    }
    assert_eq!(open(&dir).load().expect("unchanged"), after(3));
    assert!(folder::quarantined(&dir).is_empty());
}

#[test]
fn the_message_names_the_setting() {
    let (_parent, dir) = new_folder();
    drop(open(&dir));
    let configured = Identity { topic: "logins".to_owned(), ..identity() };
    let text = refused(&dir, &configured).to_string();
    for part in ["--input-topic", "\"user-login\"", "\"logins\"", "logintide state reset"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
}

#[test]
fn a_newer_format_is_refused_and_kept() {
    let (_parent, dir) = new_folder();
    write_to(&mut open(&dir), 2);
    let key = Key::BaseHead.encode();
    let mut value = vec![FORMAT_VERSION + 1, 7, 7];
    let crc = crc32c::crc32c_append(crc32c::crc32c(&key), &value);
    value.extend_from_slice(&crc.to_le_bytes());
    plant(&dir, Key::BaseHead, &value);
    for error in [refused(&dir, &identity()), describe(&dir).expect_err("cannot be read")] {
        assert!(matches!(error, StateError::NewerFormat { .. }), "{error}");
        assert!(error.to_string().contains("format 2"), "{error}");
    }
    assert!(folder::quarantined(&dir).is_empty());
}

#[test]
fn a_database_of_a_later_sled_is_refused_and_kept() {
    let (_parent, dir) = new_folder();
    drop(open(&dir));
    let conf = dir.join("db").join("conf");
    let text = fs::read_to_string(&conf).map_err(drop).unwrap_or_default();
    assert!(text.is_empty() || text.contains("version: 0.34"), "{text}");
    fs::write(&conf, "segment_size: 524288\nuse_compression: false\nversion: 1.0\n????")
        .expect("writable");
    let error = refused(&dir, &identity());
    assert!(matches!(error, StateError::NewerFormat { .. }), "{error}");
    assert!(folder::quarantined(&dir).is_empty());
}

#[test]
fn a_folder_in_use_is_refused_by_everyone_with_the_holder() {
    let (_parent, dir) = new_folder();
    let store = open(&dir);
    let me = format!("process {}", std::process::id());
    for error in [
        refused(&dir, &identity()),
        describe(&dir).expect_err("in use"),
        reset(&dir).expect_err("in use"),
    ] {
        assert!(matches!(error, StateError::Locked { .. }), "{error}");
        assert!(error.to_string().contains(&me), "{error}");
    }
    drop(store);
    open(&dir);
}

#[test]
fn a_folder_that_cannot_be_made_is_refused() {
    let parent = tempfile::tempdir().expect("a folder for the test");
    let file = parent.path().join("file");
    fs::write(&file, "in the way").expect("writable");
    let error = refused(&file.join("state"), &identity());
    assert!(matches!(error, StateError::NotWritable { .. }), "{error}");
    assert_eq!(fs::read_to_string(&file).expect("unchanged"), "in the way");
}

#[test]
fn a_file_in_the_place_of_the_database_is_refused() {
    let (_parent, dir) = new_folder();
    fs::create_dir_all(&dir).expect("writable");
    fs::write(dir.join("db"), "not a folder").expect("writable");
    refused(&dir, &identity());
    assert_eq!(fs::read_to_string(dir.join("db")).expect("unchanged"), "not a folder");
}

#[test]
fn another_programs_database_is_left_alone() {
    let (_parent, dir) = new_folder();
    let foreign = dir.join("db").join("table.ibd");
    fs::create_dir_all(dir.join("db")).expect("writable");
    fs::write(&foreign, "theirs").expect("writable");
    for error in [refused(&dir, &identity()), reset(&dir).expect_err("theirs")] {
        assert!(matches!(error, StateError::NotAStateFolder { .. }), "{error}");
        assert!(error.to_string().contains("table.ibd"), "{error}");
    }
    assert_eq!(fs::read_to_string(&foreign).expect("unchanged"), "theirs");
}

#[test]
fn describe_shows_what_is_there() {
    let (_parent, dir) = new_folder();
    write_to(&mut open(&dir), 9);
    let summary = describe(&dir).expect("readable");
    let base = image(8);
    assert_eq!(summary.identity, identity());
    assert_eq!(summary.epoch, Epoch(8));
    assert_eq!((summary.watermark, summary.horizon), (base.watermark, base.horizon));
    assert_eq!(summary.windows, base.windows.len());
    assert_eq!(summary.partitions.len(), PARTITIONS as usize);
    for shown in &summary.partitions {
        let state = base.partitions[&shown.partition];
        assert_eq!((shown.epoch, shown.next_offset), (state.epoch, state.next_offset));
        assert_eq!((shown.watermark, shown.completeness), (state.watermark, state.completeness));
        assert_eq!(shown.windows, RETAINED as usize + 1);
    }
    let redo = summary.redo.expect("epoch 9 may be committed");
    assert_eq!((redo.epoch, redo.partials), (Epoch(9), change(9).partials.len()));
    assert!(redo.bytes > 0 && summary.size_bytes > redo.bytes, "{redo:?}");
    assert_eq!(open(&dir).load().expect("unchanged"), after(9));
}

#[test]
fn describe_and_reset_create_nothing() {
    let (_parent, dir) = new_folder();
    assert!(matches!(describe(&dir), Err(StateError::NoState { .. })));
    assert!(matches!(reset(&dir), Err(StateError::NoState { .. })));
    assert!(!dir.exists());
    fs::create_dir_all(&dir).expect("writable");
    assert!(matches!(describe(&dir), Err(StateError::NoState { .. })));
    assert_eq!(fs::read_dir(&dir).expect("readable").count(), 0);
}

#[test]
fn reset_removes_the_database_and_nothing_else() {
    let (_parent, dir) = new_folder();
    write_to(&mut open(&dir), 4);
    let aside = dir.join("db.broken-20260101T000000Z");
    fs::create_dir(&aside).expect("writable");
    let report = reset(&dir).expect("ours");
    assert_eq!((&report.removed, &report.kept), (&dir.join("db"), &vec![aside.clone()]));
    assert!(report.removed_bytes > 0 && aside.exists());
    assert_eq!(open(&dir).load().expect("new"), Loaded::default());
}

#[test]
fn reset_refuses_a_folder_with_anything_else_in_it() {
    let (_parent, dir) = new_folder();
    write_to(&mut open(&dir), 1);
    fs::write(dir.join("thesis.txt"), "years of work").expect("writable");
    let error = reset(&dir).expect_err("not ours alone");
    assert!(matches!(error, StateError::NotAStateFolder { .. }), "{error}");
    assert!(error.to_string().contains("thesis.txt"), "{error}");
    assert_eq!(open(&dir).load().expect("unchanged"), after(1));
}
