//! The copy's table in memory, for tests: a disk that a crash leaves as a disk may be left.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    CopyFault,
    record_copy::{Table, TableRow, TakeRow},
};

/// Rows that outlive the process that writes them.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Rows>>);

#[derive(Debug, Default)]
struct Rows {
    /// What is on disk.
    flushed: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What was written since the last flush.
    written: Vec<TableRow>,
    /// Rows that are still written; then every write fails.
    room: Option<usize>,
    /// Why what was here has been moved aside.
    set_aside: Vec<String>,
}

impl Rows {
    fn put((key, value): TableRow, rows: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
        match value {
            Some(value) => rows.insert(key, value),
            None => rows.remove(&key),
        };
    }

    fn write(&mut self, row: TableRow) -> Result<(), CopyFault> {
        match &mut self.room {
            Some(0) => return Err(CopyFault("no space left on device".to_owned())),
            Some(room) => *room -= 1,
            None => {}
        }
        self.written.push(row);
        Ok(())
    }
}

impl MemoryDisk {
    /// A table on this disk.
    pub fn table(&self) -> MemoryTable {
        MemoryTable(self.clone())
    }

    /// The machine stops: of what was not flushed, the rows stay that `keeps` says, which is asked
    /// for each in the order of the writes.
    pub fn crash(&self, mut keeps: impl FnMut() -> bool) {
        let mut rows = self.rows();
        for row in std::mem::take(&mut rows.written) {
            if keeps() {
                Rows::put(row, &mut rows.flushed);
            }
        }
    }

    /// From now on so many rows are written, and none after them.
    pub fn fill_after(&self, rows: Option<usize>) {
        self.rows().room = rows;
    }

    /// Why what was on it has been moved aside, each time.
    pub fn set_aside(&self) -> Vec<String> {
        self.rows().set_aside.clone()
    }

    /// The disk as it is now, on another one.
    #[must_use]
    pub fn image(&self) -> Self {
        let rows = self.rows();
        let (flushed, written) = (rows.flushed.clone(), rows.written.clone());
        Self(Arc::new(Mutex::new(Rows { flushed, written, ..Rows::default() })))
    }

    /// Changes a row on the disk, chosen by its number in the order of keys.
    pub fn damage(&self, number: usize, damage: impl FnOnce(&mut Vec<u8>)) {
        let mut rows = self.rows();
        let count = rows.flushed.len();
        assert!(count > 0, "there is something to damage");
        let value = rows.flushed.values_mut().nth(number % count).expect("counted");
        damage(value);
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows on a `MemoryDisk`.
#[derive(Debug)]
pub struct MemoryTable(MemoryDisk);

impl Table for MemoryTable {
    fn read(&mut self, each: &mut TakeRow<'_>) -> Result<(), CopyFault> {
        let rows = self.0.rows();
        let mut seen = rows.flushed.clone();
        rows.written.iter().cloned().for_each(|row| Rows::put(row, &mut seen));
        seen.iter().try_for_each(|(key, value)| each(key, value))
    }

    fn write(&mut self, rows: Vec<TableRow>) -> Result<(), CopyFault> {
        let mut disk = self.0.rows();
        rows.into_iter().try_for_each(|row| disk.write(row))
    }

    fn remove(&mut self, prefix: &[u8]) -> Result<(), CopyFault> {
        let mut disk = self.0.rows();
        let mut keys: Vec<_> = disk.flushed.keys().cloned().collect();
        keys.extend(disk.written.iter().map(|(key, _)| key.clone()));
        keys.retain(|key| key.starts_with(prefix));
        keys.into_iter().try_for_each(|key| disk.write((key, None)))
    }

    fn flush(&mut self) -> Result<(), CopyFault> {
        let mut disk = self.0.rows();
        for row in std::mem::take(&mut disk.written) {
            Rows::put(row, &mut disk.flushed);
        }
        Ok(())
    }

    fn set_aside(&mut self, reason: &str) -> Result<(), CopyFault> {
        let mut disk = self.0.rows();
        disk.flushed.clear();
        disk.written.clear();
        disk.set_aside.push(reason.to_owned());
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        let bytes = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.len() + value.len()) as u64;
        self.0.rows().flushed.iter().map(bytes).sum()
    }
}
