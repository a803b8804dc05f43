//! Damaged files: the state that is left, or none, but never a panic and never a mixture.

use std::{fs, sync::LazyLock};

use proptest::prelude::*;

use super::*;
use crate::state::{
    StateError, codec,
    database::Database,
    describe, folder,
    keys::{Key, Slot},
    reader::Reader,
};

const LAST: u64 = 30;

/// A database of `LAST` epochs as a killed process leaves it, to be copied.
static DATABASE: LazyLock<TempDir> = LazyLock::new(|| {
    let (_parent, dir) = new_folder();
    let killed = tempfile::tempdir().expect("a folder for the test");
    let mut store = open(&dir);
    write_to(&mut store, LAST);
    copy(&dir.join("db"), &killed.path().join("db"));
    killed
});

#[derive(Debug, Clone)]
enum Damage {
    Flip(u8),
    Truncate,
    Zero(usize),
    Noise(Vec<u8>),
}

fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (0..8_u8).prop_map(Damage::Flip),
        Just(Damage::Truncate),
        (1..5000_usize).prop_map(Damage::Zero),
        prop::collection::vec(any::<u8>(), 1..64).prop_map(Damage::Noise),
    ]
}

fn damage(path: &Path, at: prop::sample::Index, damage: &Damage) {
    let mut bytes = fs::read(path).expect("readable");
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
    let at = at.index(used);
    match damage {
        Damage::Flip(bit) => bytes[at] ^= 1 << bit,
        Damage::Truncate => bytes.truncate(at),
        Damage::Zero(length) => bytes.iter_mut().skip(at).take(*length).for_each(|byte| *byte = 0),
        Damage::Noise(noise) => {
            bytes.iter_mut().skip(at).zip(noise).for_each(|(byte, noise)| *byte = *noise);
        }
    }
    fs::write(path, bytes).expect("writable");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_damaged_file_gives_an_epoch_that_was_or_is_moved_aside(
        at: prop::sample::Index,
        kind in any_damage(),
    ) {
        let (_parent, dir) = new_folder();
        copy(DATABASE.path(), &dir);
        damage(&dir.join("db").join("db"), at, &kind);
        let opened = SledStore::open(&dir, &identity());
        let Opened { mut store, quarantined, .. } = opened.expect("never refused");
        let loaded = store.load().expect("readable");
        if let Some(moved) = quarantined {
            prop_assert_eq!(&loaded, &Loaded::default());
            prop_assert!(moved.join("db").exists(), "kept for whoever wants to look");
        } else {
            prop_assert_eq!(&loaded, &after(loaded.highest_epoch.0));
        }
        store.write_epoch(None, &change(LAST + 1)).expect("goes on");
        drop(store);
        let redo = open(&dir).load().expect("readable").redo;
        prop_assert_eq!(redo, Some(change(LAST + 1)));
    }
}

/// A database in which the row of one window is damaged: sled itself has nothing to object.
fn broken_row(dir: &Path) {
    write_to(&mut open(dir), 3);
    let key = Key::Window(PartitionId(0), WindowStart(-10_000));
    let mut value = codec::encode(&key.encode(), &*partial(3));
    value[1] ^= 1;
    let mut database = Database::open(dir).expect("opens");
    database.write(None, vec![(key, Some(value))]).expect("writable");
}

#[test]
fn a_broken_row_moves_the_database_aside() {
    let (_parent, dir) = new_folder();
    broken_row(&dir);
    let opened = SledStore::open(&dir, &identity()).expect("opens");
    let moved = opened.quarantined.clone().expect("moved aside");
    assert!(moved.file_name().expect("named").to_string_lossy().starts_with("db.broken-2"));
    assert_eq!(folder::quarantined(&dir), [moved]);
    drop(opened);
    open(&dir);
}

/// The number after it did not exist, and removing chunks up to it would never have ended.
#[test]
fn a_chunk_with_the_highest_number_is_damage() {
    let key = Key::RedoChunk(Slot::A, u32::MAX).encode();
    let flaw = Reader::default().take(&key, &codec::seal(&key, b"chunk")).expect_err("refused");
    assert!(format!("{flaw:?}").contains("impossible number"), "{flaw:?}");
}

#[test]
fn two_broken_databases_get_two_names() {
    let (_parent, dir) = new_folder();
    let now = jiff::Timestamp::UNIX_EPOCH;
    for _ in 0..2 {
        drop(open(&dir));
        folder::quarantine(&dir, folder::DB, now).expect("moved");
    }
    let names = ["db.broken-19700101T000000Z", "db.broken-19700101T000000Z-2"];
    assert_eq!(folder::quarantined(&dir), names.map(|name| dir.join(name)));
}

#[test]
fn describe_reports_a_broken_database_and_leaves_it_there() {
    let (_parent, dir) = new_folder();
    broken_row(&dir);
    let error = describe(&dir).expect_err("broken");
    assert!(matches!(error, StateError::Unreadable { .. }), "{error}");
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("fails its checksum"), "{error}");
    assert!(folder::quarantined(&dir).is_empty());
}

#[test]
fn a_broken_database_of_another_topic_is_refused_and_not_moved() {
    let (_parent, dir) = new_folder();
    broken_row(&dir);
    let other = Identity { topic: "other".to_owned(), ..identity() };
    let error = SledStore::open(&dir, &other).expect_err("refused");
    assert!(matches!(error, StateError::OtherIdentity { .. }), "{error}");
    assert!(folder::quarantined(&dir).is_empty());
}

#[test]
fn a_half_written_snapshot_of_sled_is_no_damage() {
    let (_parent, dir) = new_folder();
    write_to(&mut open(&dir), 5);
    let unfinished = dir.join("db").join("snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&unfinished, "half").expect("writable");
    assert_eq!(open(&dir).load().expect("readable"), after(5));
    assert!(!unfinished.exists());
}

#[test]
fn a_database_that_sled_finds_empty_is_moved_aside() {
    let (_parent, dir) = new_folder();
    write_to(&mut open(&dir), 5);
    for entry in fs::read_dir(dir.join("db")).expect("readable") {
        let path = entry.expect("readable").path();
        if path.to_string_lossy().contains("snap.") {
            fs::remove_file(path).expect("writable");
        }
    }
    let length = fs::metadata(dir.join("db").join("db")).expect("readable").len();
    fs::write(dir.join("db").join("db"), vec![0; length as usize]).expect("writable");
    let opened = SledStore::open(&dir, &identity()).expect("opens");
    assert!(opened.quarantined.is_some());
}
