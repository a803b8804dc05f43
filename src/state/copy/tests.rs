//! The copy of whatever was written, whatever became of the writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{journal::CopyOf, limits::COPY_ROW_BYTES};

fn of(topic: &str) -> CopyOf {
    CopyOf {
        cluster_id: "cluster".to_owned(),
        group_id: "group".to_owned(),
        topic: topic.to_owned(),
    }
}

fn journal() -> CopiedJournal {
    let identity = Identity {
        cluster_id: "cluster".to_owned(),
        group_id: "group".to_owned(),
        topic: "user-login".to_owned(),
        topic_id: None,
        window_size_ms: 10_000,
        journal_partitions: 3,
        first_partitions: 3,
        began_ms: 0,
    };
    CopiedJournal { topic_id: Some(TopicId(7)), identity }
}

fn on(disk: &MemoryDisk) -> RecordCopy<MemoryTable> {
    RecordCopy::new(disk.table(), of("journal"))
}

/// What a copy should hold.
#[derive(Debug, Clone, Default)]
struct Model {
    records: BTreeMap<(PartitionId, Vec<u8>), CopiedRecord>,
    positions: BTreeMap<PartitionId, Offset>,
}

impl Model {
    fn apply(&mut self, change: &CopyChange) {
        self.records.retain(|(partition, _), _| !change.dropped.contains(partition));
        self.positions.retain(|partition, _| !change.dropped.contains(partition));
        for (place, record) in &change.records {
            match record {
                Some(record) => self.records.insert(place.clone(), record.clone()),
                None => self.records.remove(place),
            };
        }
        self.positions.extend(&change.positions);
    }

    fn of(copied: Option<Copied>) -> Self {
        let mut model = Self::default();
        for (p, partition) in copied.map(|copied| copied.partitions).unwrap_or_default() {
            model.positions.insert(p, partition.position);
            let offsets: Vec<_> =
                partition.records.iter().map(|(_, record)| record.offset).collect();
            assert!(offsets.is_sorted(), "{offsets:?}");
            let records = partition.records.into_iter();
            model.records.extend(records.map(|(key, record)| ((p, key), record)));
        }
        model
    }

    /// Without what has no position: nothing of it counts.
    fn loaded(mut self) -> Self {
        self.records.retain(|(partition, _), _| self.positions.contains_key(partition));
        self
    }
}

/// Sizes around that of a row.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![
        6 => 0..40_usize,
        2 => COPY_ROW_BYTES - 1..COPY_ROW_BYTES + 2,
        1 => 2 * COPY_ROW_BYTES..3 * COPY_ROW_BYTES,
    ];
    (bytes, any::<u8>()).prop_map(|(bytes, byte)| vec![byte; bytes])
}

/// A change of some of nine keys in three partitions. Offsets are given later.
fn change() -> impl Strategy<Value = CopyChange> {
    let record = (0..3_i32, 0..3_u8, proptest::option::weighted(0.8, value()));
    let dropped = proptest::option::weighted(0.2, 0..3_i32);
    (vec(record, 0..8), dropped, any::<[bool; 3]>()).prop_map(|(records, dropped, moved)| {
        let record = |(p, key, value): (i32, u8, Option<Vec<u8>>)| {
            let record =
                value.map(|value| CopiedRecord { offset: Offset(0), appended_ms: 5, value });
            ((PartitionId(p), vec![b'k', b'/', key]), record)
        };
        let positions = (0..3).zip(moved).filter(|(_, moved)| *moved);
        CopyChange {
            journal: journal(),
            dropped: dropped.into_iter().map(PartitionId).collect(),
            records: records.into_iter().map(record).collect(),
            positions: positions.map(|(p, _)| (PartitionId(p), Offset(0))).collect(),
        }
    })
}

/// Offsets grow from one change to the next, and a change's positions lie behind its records.
fn numbered(mut changes: Vec<CopyChange>) -> Vec<CopyChange> {
    let mut next = 0;
    for change in &mut changes {
        for record in change.records.values_mut().flatten() {
            record.offset = Offset(next);
            next += 1;
        }
        for position in change.positions.values_mut() {
            *position = Offset(next);
        }
    }
    changes
}

fn same(found: &Model, expected: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(&found.positions, &expected.positions);
    prop_assert!(found.records == expected.records, "{:?}", found.records.keys());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_comes_back(changes in vec(change(), 1..6)) {
        let (disk, mut model) = (MemoryDisk::default(), Model::default());
        let mut copy = on(&disk);
        copy.load().expect("empty");
        for change in numbered(changes) {
            copy.write(&change).expect("there is room");
            model.apply(&change);
            disk.crash(|| false);
            let copied = on(&disk).load().expect("sound");
            prop_assert_eq!(copied.as_ref().map(|copied| &copied.journal), Some(&journal()));
            same(&Model::of(copied), &model.clone().loaded())?;
        }
        prop_assert!(disk.set_aside().is_empty());
    }

    /// The process or the machine stops at any moment of the last write, and any of what was not
    /// flushed is lost.
    #[test]
    fn a_position_is_never_newer_than_its_records(
        changes in vec(change(), 1..5),
        room in 0..40_usize,
        keeps in vec(any::<bool>(), 1..40),
    ) {
        let (disk, mut before) = (MemoryDisk::default(), Model::default());
        let mut copy = on(&disk);
        copy.load().expect("empty");
        let mut changes = numbered(changes);
        let last = changes.pop().expect("there is one");
        for change in &changes {
            copy.write(change).expect("there is room");
            before.apply(change);
        }
        let mut after = before.clone();
        after.apply(&last);
        disk.fill_after(Some(room));
        let is_written = copy.write(&last).is_ok();
        let mut keeps = keeps.into_iter().cycle();
        disk.crash(|| keeps.next() == Some(true));
        disk.fill_after(None);
        let mut copy = on(&disk);
        let found = Model::of(copy.load().expect("sound"));
        if is_written {
            same(&found, &after.clone().loaded())?;
        }
        for (p, position) in &found.positions {
            let here = |((of, _), _): &(&(PartitionId, Vec<u8>), &CopiedRecord)| of == p;
            let is_as_in = |model: &Model| {
                model.positions.get(p) == Some(position)
                    && found.records.iter().filter(here).eq(model.records.iter().filter(here))
            };
            if before.positions.get(p) != Some(position) {
                prop_assert!(is_as_in(&after), "partition {p} at {position:?}");
                continue;
            }
            if last.dropped.contains(p) {
                prop_assert!(is_as_in(&before) || is_as_in(&after), "partition {p}");
                continue;
            }
            for (place, record) in before.records.iter().filter(here) {
                let is_there = found.records.get(place) == Some(record);
                prop_assert!(is_there || last.records.contains_key(place), "{place:?}");
            }
        }
        // What was cut off is no matter for what is written next.
        let (dropped, positions) = (BTreeSet::new(), [(PartitionId(1), Offset(900))].into());
        let next = CopyChange { journal: journal(), dropped, records: BTreeMap::new(), positions };
        let mut expected = found;
        expected.apply(&next);
        copy.write(&next).expect("there is room");
        same(&Model::of(on(&disk).load().expect("sound")), &expected)?;
    }

    #[test]
    fn a_changed_bit_is_noticed(row in 0..60_usize, at: prop::sample::Index, bit in 0..8) {
        let disk = MemoryDisk::default();
        on(&disk).write(&filled()).expect("there is room");
        disk.damage(row, |value| {
            let at = at.index(value.len());
            value[at] ^= 1_u8 << bit;
        });
        prop_assert!(on(&disk).load().is_err());
    }
}

/// Records of one and of three rows.
fn filled() -> CopyChange {
    let record = |number: u8| {
        let value = vec![number; if number.is_multiple_of(5) { 3 * COPY_ROW_BYTES } else { 20 }];
        let offset = Offset(number.into());
        let place = (PartitionId(i32::from(number) % 3), vec![number]);
        (place, Some(CopiedRecord { offset, appended_ms: 5, value }))
    };
    CopyChange {
        journal: journal(),
        dropped: BTreeSet::new(),
        records: (0..30).map(record).collect(),
        positions: (0..3).map(|p| (PartitionId(p), Offset(30))).collect(),
    }
}

#[test]
fn a_copy_of_another_journal_is_refused_by_name() {
    let disk = MemoryDisk::default();
    on(&disk).write(&filled()).expect("there is room");
    let mut other = RecordCopy::new(disk.table(), of("another"));
    let CopyFault(text) = other.load().expect_err("not ours");
    assert!(text.contains("'journal'") && text.contains("'another'"), "{text}");
    other.set_aside(&text).expect("moved");
    assert_eq!(other.load().expect("empty"), None);
}

/// A state folder, which is removed with the test.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

fn in_folder(dir: &Path) -> RecordCopy<SledTable> {
    RecordCopy::new(SledTable::new(dir), of("journal"))
}

fn aside(dir: &Path) -> usize {
    let names = fs::read_dir(dir).expect("readable").map(|entry| entry.expect("entry").file_name());
    names.filter(|name| name.to_string_lossy().starts_with("journal.broken-")).count()
}

#[test]
fn sled_keeps_what_was_written() {
    let dir = folder();
    let mut copy = in_folder(dir.path());
    assert_eq!(copy.load().expect("empty"), None);
    let (mut model, mut change) = (Model::default(), filled());
    copy.write(&change).expect("writable");
    model.apply(&change);
    change.dropped = [PartitionId(2)].into();
    change.records = [((PartitionId(0), vec![15]), None)].into();
    change.positions = [(PartitionId(0), Offset(31))].into();
    copy.write(&change).expect("writable");
    model.apply(&change);
    assert!(copy.size_bytes() > 0);
    drop(copy);
    let found = Model::of(in_folder(dir.path()).load().expect("sound"));
    same(&found, &model.loaded()).expect("the same");
    assert_eq!(aside(dir.path()), 0);
}

#[test]
fn a_copy_that_was_never_written_is_empty_at_the_next_start() {
    let dir = folder();
    for _ in 0..2 {
        assert_eq!(in_folder(dir.path()).load().expect("empty"), None);
    }
    assert_eq!(aside(dir.path()), 0);
}

#[test]
fn a_database_that_cannot_be_read_is_moved_aside_and_begun_anew() {
    let dir = folder();
    in_folder(dir.path()).write(&filled()).expect("writable");
    let file = dir.path().join("journal").join("db");
    let mut bytes = fs::read(&file).expect("readable");
    for byte in &mut bytes {
        *byte ^= 0x5a;
    }
    fs::write(&file, bytes).expect("writable");
    let mut copy = in_folder(dir.path());
    let CopyFault(reason) = copy.load().expect_err("nothing of it is left");
    copy.set_aside(&reason).expect("moved");
    assert_eq!((aside(dir.path()), copy.load().expect("empty")), (1, None));
    copy.write(&filled()).expect("writable");
    drop(copy);
    assert!(in_folder(dir.path()).load().expect("sound").is_some());
}

#[test]
fn a_folder_that_cannot_be_written_is_a_fault_and_no_panic() {
    let dir = folder();
    fs::write(dir.path().join("journal"), "in the way").expect("writable");
    let mut copy = in_folder(dir.path());
    let CopyFault(reason) = copy.load().expect_err("there is a file");
    // What is in the way goes out of it.
    copy.set_aside(&reason).expect("moved");
    assert_eq!((aside(dir.path()), copy.load().expect("empty")), (1, None));
    drop(copy);
    fs::remove_dir_all(dir.path()).expect("ours");
    fs::write(dir.path(), "no folder").expect("writable");
    assert!(in_folder(dir.path()).load().is_err());
    assert!(in_folder(dir.path()).set_aside("it is of no use").is_err());
}
