//! Rows against a plain model, over crashes and full disks; damage of any byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::*;
use crate::{
    ids::{Epoch, Offset, PartitionId},
    journal::{CopyOf, RowKey, RowValue},
    limits,
};

/// The journal partition of all input partitions.
const JOURNAL: PartitionId = PartitionId(0);
const PARTITIONS: u64 = 3;
const ENTITIES: u64 = 40;

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % n
    }
}

/// A row's first byte is its mark, if that is odd.
fn mark_of(row: &[u8]) -> Option<i64> {
    row.first().filter(|first| *first % 2 == 1).map(|first| i64::from(*first))
}

fn of(group: &str) -> CopyOf {
    let [cluster_id, group_id, topic] = ["cluster", group, "journal"].map(str::to_owned);
    CopyOf { cluster_id, group_id, topic }
}

fn open(disk: &MemoryRowDisk, segment_bytes: u64) -> Result<RowFiles, RowFault> {
    let settings =
        RowFilesSettings { of: of("group"), mark_of, waiting_bytes: 1 << 20, segment_bytes };
    RowFiles::open(&shared(disk.clone()), settings)
}

fn shared(disk: impl RowDisk + 'static) -> Arc<dyn RowDisk> {
    Arc::new(disk)
}

type JournalRow = (PartitionId, RowKey, Option<RowValue>);

/// What rows there are.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Model(BTreeMap<(PartitionId, RowKey), RowValue>);

impl Model {
    fn of(journal: &[JournalRow]) -> Self {
        let mut model = Self::default();
        for (partition, key, value) in journal {
            match value {
                Some(value) => model.0.insert((*partition, *key), Arc::clone(value)),
                None => model.0.remove(&(*partition, *key)),
            };
        }
        model
    }

    /// What files say, asked for everything that there may be.
    fn read(files: &RowFiles) -> Result<Self, RowFault> {
        let (mut model, reader) = (Self::default(), files.reader());
        for partition in (0..PARTITIONS as i32).map(PartitionId) {
            let shard = reader.shard(partition);
            let all = shard.partition_row().map(|row| ((partition, RowKey::Partition), row));
            model.0.extend(all);
            let mut marked = BTreeSet::new();
            for entity in 0..ENTITIES {
                if let Some(row) = shard.get(entity)? {
                    marked.extend(mark_of(&row).map(|mark| (mark, entity)));
                    model.0.insert((partition, RowKey::Entity(entity)), row);
                }
            }
            assert_eq!(shard.marked().into_iter().collect::<BTreeSet<_>>(), marked);
        }
        Ok(model)
    }
}

fn any_row(random: &mut Random) -> JournalRow {
    let partition = PartitionId(random.below(PARTITIONS) as i32);
    let mut value = |most| {
        let bytes = 1 + random.below(most);
        (0..bytes).map(|_| random.below(256) as u8).collect::<Vec<_>>()
    };
    let (small, large) = (value(30), value(200));
    match random.below(12) {
        0 => (partition, RowKey::Partition, Some(large.into())),
        1 => (partition, RowKey::Entity(random.below(ENTITIES)), None),
        _ => (partition, RowKey::Entity(random.below(ENTITIES)), Some(small.into())),
    }
}

/// A process that follows a journal, and its machine.
struct History {
    random: Random,
    segment_bytes: u64,
    disk: MemoryRowDisk,
    files: RowFiles,
    journal: Vec<JournalRow>,
    /// Where the log begins; everything before is gone.
    start: usize,
    /// How far it was followed.
    read: usize,
    cleared: bool,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let segment_bytes = 128 << random.below(5);
        let disk = MemoryRowDisk::default();
        let files = open(&disk, segment_bytes).expect("an empty disk");
        let (journal, start, read, cleared) = (Vec::new(), 0, 0, false);
        Self { random, segment_bytes, disk, files, journal, start, read, cleared }
    }

    fn follow(&mut self, until: usize) {
        for (partition, key, value) in &self.journal[self.read..until] {
            self.files.take(*partition, *key, value.clone());
        }
        self.read = until;
    }

    fn write(&mut self) -> Result<(), RowFault> {
        let before = self.disk.names().expect("memory works");
        let written = self.files.write(&[(JOURNAL, Offset(self.read as i64))].into());
        let after = self.disk.names().expect("memory works");
        self.cleared |= before.iter().any(|name| !after.contains(name));
        written
    }

    /// The process ends, perhaps with its machine, and starts again.
    fn restart(&mut self) {
        if self.random.below(2) == 0 {
            let random = &mut self.random;
            self.disk.crash(|unsynced| match random.below(3) {
                0 => 0,
                1 => unsynced,
                _ => random.below(unsynced as u64 + 1) as usize,
            });
        }
        self.disk.fill_after(None);
        self.files = open(&self.disk, self.segment_bytes).expect("the disk works");
        let position = self.files.position(JOURNAL).map_or(self.start, |at| at.0 as usize);
        assert!(position <= self.read.max(self.start), "it is not ahead");
        let until = self.read;
        self.read = position;
        self.follow(until);
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..8 => {
                for _ in 0..=self.random.below(20) {
                    let row = any_row(&mut self.random);
                    self.journal.push(row);
                }
                self.follow(self.journal.len());
            }
            8..15 => self.write().expect("there is room"),
            15 => {
                self.disk.fill_after(Some(self.random.below(12) as usize));
                if self.write().is_err() {
                    self.restart();
                }
                self.disk.fill_after(None);
            }
            16 => {
                // The log has lost what was before some offset; all is read again.
                self.start += self.random.below((self.read - self.start) as u64 + 1) as usize;
                let dropped = self.files.drop_partitions(Some(JOURNAL), |_| true);
                dropped.expect("there is room");
                let until = self.read;
                self.read = self.start;
                self.follow(until);
            }
            _ => self.restart(),
        }
    }
}

/// Whatever happens to process and machine, what is read is what the journal says.
#[test]
fn rows_are_those_of_the_journal_over_crashes_and_full_disks() {
    let (first, histories) = match std::env::var("LOGINTIDE_SEED") {
        Ok(seed) => (seed.parse().expect("a number"), 1),
        Err(_) => (0, 1_500),
    };
    let (mut cleared, mut rows) = (0, 0);
    for seed in first..first + histories {
        let mut history = History::new(seed);
        for step in 0..60 {
            history.step();
            let expected = Model::of(&history.journal[history.start..history.read]);
            let found = Model::read(&history.files).expect("the disk works");
            assert_eq!(found, expected, "LOGINTIDE_SEED={seed}, step {step}");
            rows += found.0.len();
        }
        cleared += usize::from(history.cleared);
    }
    assert!(histories == 1 || cleared > 1_000, "segments are cleared: {cleared}");
    assert!(rows > 0);
}

/// Files as a process may leave them: several segments, removed rows, one that is written.
fn some_files() -> (MemoryRowDisk, Vec<JournalRow>) {
    let mut history = History::new(7);
    history.segment_bytes = 512;
    history.files = open(&history.disk, 512).expect("an empty disk");
    for _ in 0..12 {
        for _ in 0..12 {
            let row = any_row(&mut history.random);
            history.journal.push(row);
        }
        history.follow(history.journal.len());
        history.write().expect("there is room");
    }
    (history.disk, history.journal)
}

/// Damage is found, at the start or when the row is read, or it changes nothing.
#[test]
fn a_flipped_bit_anywhere_is_found_or_harmless() {
    let (disk, journal) = some_files();
    let expected = Model::of(&journal);
    let (mut at_start, mut at_read, mut harmless) = (0, 0, 0);
    for name in disk.names().expect("memory works") {
        for at in 0..disk.size(&name).expect("memory works") as usize {
            let damaged = disk.image();
            damaged.damage(&name, |bytes| bytes[at] ^= 1 << (at % 8));
            let mut files = open(&damaged, 512).expect("the disk works");
            let Some(position) = files.position(JOURNAL) else {
                assert_eq!(Model::read(&files).expect("nothing to read"), Model::default());
                at_start += 1;
                continue;
            };
            for (partition, key, value) in &journal[position.0 as usize..] {
                files.take(*partition, *key, value.clone());
            }
            match Model::read(&files) {
                Ok(found) => {
                    assert_eq!(found, expected, "{name}, byte {at}");
                    harmless += 1;
                }
                Err(fault) => {
                    assert!(fault.to_string().contains("damaged"), "{fault}");
                    let again = open(&damaged, 512).expect("the disk works");
                    assert_eq!(again.position(JOURNAL), None, "the next start reads the journal");
                    at_read += 1;
                }
            }
        }
    }
    assert!(at_start > 100 && at_read > 100 && harmless > 100, "{at_start} {at_read} {harmless}");
}

#[test]
fn files_that_lack_anything_are_removed() {
    let (disk, _) = some_files();
    let names = disk.names().expect("memory works");
    assert!(names.len() > 8, "{names:?}");
    for name in names.iter().filter(|name| !name.starts_with("hint-")) {
        let lacking = disk.image();
        lacking.remove(name).expect("memory works");
        let files = open(&lacking, 512).expect("the disk works");
        assert_eq!(files.position(JOURNAL), None, "without {name}");
        assert_eq!(lacking.names().expect("memory works"), [""; 0], "without {name}");
        let short = disk.image();
        short.damage(name, |bytes| bytes.truncate(bytes.len() / 2));
        let files = open(&short, 512).expect("the disk works");
        let is_found = files.position(JOURNAL).is_none();
        // Commits before the last one count; what they name is still there, or is missed.
        assert!(is_found || name.starts_with("commits-"), "half of {name}");
    }
}

#[test]
fn files_of_another_group_are_removed() {
    let (disk, _) = some_files();
    let settings =
        RowFilesSettings { of: of("other"), mark_of, waiting_bytes: 1, segment_bytes: 512 };
    let files = RowFiles::open(&shared(disk.clone()), settings).expect("the disk works");
    assert_eq!(files.position(JOURNAL), None);
    assert_eq!(Model::read(&files), Ok(Model::default()));
}

#[test]
fn who_reads_a_partition_that_is_read_again_is_refused() {
    let mut files = RowFiles::in_memory(mark_of);
    let (p, key) = (PartitionId(1), RowKey::Entity(7));
    files.take(p, key, Some(RowValue::from(&b"x"[..])));
    files.taken(p, Epoch(3));
    let before = files.reader().shard(p);
    assert_eq!(before.get(7), Ok(Some(RowValue::from(&b"x"[..]))));
    assert_eq!(before.taken(), Some(Epoch(3)));
    files.drop_partitions(None, |partition| partition == p).expect("memory works");
    let fault = before.get(7).expect_err("it is another journal's");
    assert!(fault.to_string().contains("start again"), "{fault}");
    assert_eq!(files.reader().shard(p).get(7), Ok(None));
    assert_eq!(files.reader().shard(p).taken(), None);
}

#[test]
fn a_folder_holds_rows_and_is_cleared() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let open = || {
        let disk = FolderDisk::open(folder.path()).expect("a folder");
        let of = of("group");
        let settings = RowFilesSettings { of, mark_of, waiting_bytes: 100, segment_bytes: 4_096 };
        RowFiles::open(&shared(disk), settings).expect("it works")
    };
    let mut files = open();
    let row = |n: u64| RowValue::from(vec![n as u8; 90]);
    for round in 0..20 {
        for entity in 0..ENTITIES {
            files.take(PartitionId(0), RowKey::Entity(entity), Some(row(round)));
        }
        assert!(files.is_full());
        files.write(&[(JOURNAL, Offset(round as i64))].into()).expect("written");
        assert!(!files.is_full());
    }
    let live = ENTITIES * 120;
    assert!(files.size_bytes() < 3 * live + 4 * 4_096, "{}", files.size_bytes());
    assert!(files.memory_bytes() >= ENTITIES as usize * limits::ROW_INDEX_BYTES);
    drop(files);
    let files = open();
    assert_eq!(files.position(JOURNAL), Some(Offset(19)));
    for entity in 0..ENTITIES {
        assert_eq!(files.reader().shard(PartitionId(0)).get(entity), Ok(Some(row(19))));
    }
}
