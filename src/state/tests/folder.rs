//! Folders that a run takes, and those that it refuses.

use super::*;
use crate::state::{CopyFault, StateError, folder, reset, stored_copy};

fn refused(dir: &Path) -> StateError {
    let error = StateFolder::open(dir).expect_err("must be refused");
    assert_eq!(error.exit_code(), 2, "{error}");
    assert!(error.to_string().contains("--state-dir"), "{error}");
    assert!(error.to_string().contains(&*dir.to_string_lossy()), "{error}");
    error
}

#[test]
fn a_folder_in_use_is_refused_by_everyone_with_the_holder() {
    let (_parent, dir) = new_folder();
    let folder = worked_in(&dir);
    let me = format!("process {}", std::process::id());
    for error in
        [refused(&dir), stored_copy(&dir).expect_err("in use"), reset(&dir).expect_err("in use")]
    {
        assert!(matches!(error, StateError::Locked { .. }), "{error}");
        assert!(error.to_string().contains(&me), "{error}");
    }
    drop(folder);
    StateFolder::open(&dir).expect("free again");
}

#[test]
fn a_holder_that_has_not_noted_itself_is_another_process() {
    let (_parent, dir) = new_folder();
    let _folder = worked_in(&dir);
    fs::write(dir.join("lock"), "").expect("writable");
    let text = refused(&dir).to_string();
    assert!(text.contains("in use by another process; stop that process"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_made_is_refused() {
    let parent = tempfile::tempdir().expect("a folder for the test");
    let file = parent.path().join("file");
    fs::write(&file, "in the way").expect("writable");
    for dir in [file.join("state"), file.clone()] {
        let error = refused(&dir);
        assert!(matches!(error, StateError::NotWritable { .. }), "{error}");
        assert!(error.to_string().contains("make it a folder this user may write to"), "{error}");
    }
    assert_eq!(fs::read_to_string(&file).expect("unchanged"), "in the way");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    // A folder where the lock should be stops every user, root too.
    let (_parent, dir) = new_folder();
    fs::create_dir_all(dir.join("lock")).expect("writable");
    let error = refused(&dir);
    assert!(matches!(error, StateError::NotWritable { .. }), "{error}");
}

#[test]
fn a_file_in_the_place_of_the_copy_is_refused() {
    let (_parent, dir) = new_folder();
    fs::create_dir_all(&dir).expect("writable");
    fs::write(dir.join("journal"), "not a folder").expect("writable");
    refused(&dir);
    assert_eq!(fs::read_to_string(dir.join("journal")).expect("unchanged"), "not a folder");
}

#[test]
fn another_programs_database_is_left_alone() {
    let (_parent, dir) = new_folder();
    let foreign = dir.join("journal").join("table.ibd");
    fs::create_dir_all(dir.join("journal")).expect("writable");
    fs::write(&foreign, "theirs").expect("writable");
    for error in
        [refused(&dir), reset(&dir).expect_err("theirs"), stored_copy(&dir).expect_err("theirs")]
    {
        assert!(matches!(error, StateError::NotAStateFolder { .. }), "{error}");
        assert!(error.to_string().contains("table.ibd"), "{error}");
    }
    assert_eq!(fs::read_to_string(&foreign).expect("unchanged"), "theirs");
}

#[test]
fn a_folder_of_an_earlier_release_is_usable_and_what_it_has_is_left_alone() {
    let (_parent, dir) = new_folder();
    left_by_an_earlier_release(&dir);
    let before = image(&dir);
    drop(worked_in(&dir));
    let after = image(&dir);
    assert!(before.iter().all(|(path, content)| after.get(path) == Some(content)));
    assert_eq!(stored_copy(&dir).expect("readable").copied.journal, journal());
}

#[test]
fn a_database_of_a_later_sled_is_moved_aside_unopened() {
    let (_parent, dir) = new_folder();
    drop(worked_in(&dir));
    let conf = dir.join("journal").join("conf");
    let text = fs::read_to_string(&conf).map_err(drop).unwrap_or_default();
    assert!(text.is_empty() || text.contains("version: 0.34"), "{text}");
    fs::write(&conf, "segment_size: 524288\nuse_compression: false\nversion: 1.0\n????")
        .expect("writable");
    let before = image(&dir.join("journal"));
    let mut copy = RecordCopy::new(SledTable::new(&dir), of());
    let CopyFault(reason) = copy.load().expect_err("a later one");
    assert_eq!(reason, "it is a database of the later sled 1.0");
    assert_eq!(image(&dir.join("journal")), before);
    copy.set_aside(&reason).expect("movable");
    assert_eq!(copy.load().expect("a new one"), None);
    let [aside] = &folder::left_over(&dir)[..] else { panic!("one was moved aside") };
    let contents = |image: BTreeMap<PathBuf, (Vec<u8>, SystemTime)>| -> Vec<Vec<u8>> {
        image.into_values().map(|(content, _)| content).collect()
    };
    assert_eq!(contents(image(aside)), contents(before));
}

#[test]
fn databases_that_are_moved_aside_in_one_second_get_names_of_their_own() {
    let (_parent, dir) = new_folder();
    let now = "2026-01-02T03:04:05Z".parse().expect("a time");
    let mut moved = Vec::new();
    for content in ["one", "two", "three"] {
        fs::create_dir_all(dir.join("journal")).expect("writable");
        fs::write(dir.join("journal").join("db"), content).expect("writable");
        moved.push(folder::quarantine(&dir, now).expect("movable"));
    }
    let names =
        ["", "-2", "-3"].map(|end| dir.join(format!("journal.broken-20260102T030405Z{end}")));
    assert_eq!(moved, names);
    assert_eq!(folder::left_over(&dir), names);
    assert_eq!(fs::read_to_string(names[2].join("db")).expect("readable"), "three");
}
