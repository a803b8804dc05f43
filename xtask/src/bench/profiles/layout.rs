//! What a layout on disk has to do, and which there are.

use std::{ops::Range, path::Path};

use super::{
    range_files::RangeFiles,
    sled_ranges::SledRanges,
    sled_rows::SledRows,
    workload::{Row, Value},
};

/// Parts of the keys, in their order, that can be written one after the other.
pub(super) const STRIPES: usize = 1024;

pub(super) fn stripe_of(key: u64) -> usize {
    (key >> (64 - STRIPES.ilog2())) as usize
}

/// Rows on disk. A position is the number of the last write that is there, as the place in the
/// journal is in the real thing.
pub(super) trait Layout: Sync {
    /// Takes all rows, in the order of their keys, with the position 0.
    fn load(&mut self, rows: &mut dyn Iterator<Item = Row>) -> anyhow::Result<()>;

    fn read(&self, key: u64) -> anyhow::Result<Option<Value>>;

    /// In how many seconds everything that has changed is written once.
    fn turn_s(&self) -> usize;

    /// Keeps what has changed within the last second, where a layout has a log of its own.
    fn log(&mut self, _changed: &[Row]) -> anyhow::Result<()> {
        Ok(())
    }

    /// Writes what has changed in these stripes, in the order of the keys; then the position. Both
    /// are on disk when it returns.
    fn write(&mut self, of: Range<usize>, rows: &[Row], position: u64) -> anyhow::Result<()>;

    fn position(&self) -> anyhow::Result<u64>;

    /// The rows of the log, the newest of each last.
    fn logged(&self) -> anyhow::Result<Vec<Row>> {
        Ok(Vec::new())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// All rows in memory, nothing on disk: what the others cost beyond it
    Memory,
    /// A row of sled for each profile
    SledRows,
    /// A row of sled for the profiles of 8 KiB, and a log
    SledRanges8,
    /// The same with 32 KiB
    SledRanges32,
    /// Files of ranges of 4 KiB
    Files4,
    /// Files of ranges of 8 KiB
    Files8,
    /// Files of ranges of 16 KiB
    Files16,
}

impl Kind {
    /// Opens what is in this folder, or begins it.
    pub(super) fn open(self, folder: &Path, users: u64) -> anyhow::Result<Box<dyn Layout>> {
        Ok(match self {
            Self::Memory => Box::new(Memory),
            Self::SledRows => Box::new(SledRows::open(folder)?),
            Self::SledRanges8 => Box::new(SledRanges::open(folder, users, 8 << 10)?),
            Self::SledRanges32 => Box::new(SledRanges::open(folder, users, 32 << 10)?),
            Self::Files4 => Box::new(RangeFiles::open(folder, users, 4 << 10)?),
            Self::Files8 => Box::new(RangeFiles::open(folder, users, 8 << 10)?),
            Self::Files16 => Box::new(RangeFiles::open(folder, users, 16 << 10)?),
        })
    }
}

/// Nothing on disk: the cache holds all rows.
struct Memory;

impl Layout for Memory {
    fn load(&mut self, _rows: &mut dyn Iterator<Item = Row>) -> anyhow::Result<()> {
        Ok(())
    }

    fn read(&self, _key: u64) -> anyhow::Result<Option<Value>> {
        Ok(None)
    }

    fn turn_s(&self) -> usize {
        1
    }

    fn write(&mut self, _of: Range<usize>, _rows: &[Row], _position: u64) -> anyhow::Result<()> {
        Ok(())
    }

    fn position(&self) -> anyhow::Result<u64> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::{
        super::{
            cache::Cache,
            workload::{Draw, Users, key_of, logins_of, value_of},
        },
        *,
    };

    /// Every login is counted once in what is on disk, also when it is opened again.
    #[test]
    fn no_layout_loses_a_login() {
        const USERS: u64 = 20_000;
        const LOGINS: u64 = 60_000;
        for &kind in Kind::value_variants().iter().filter(|kind| **kind != Kind::Memory) {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let mut layout = kind.open(folder.path(), USERS).expect("opened");
            layout.load(&mut super::super::workload::rows(USERS)).expect("loaded");
            let (mut cache, mut draw) = (Cache::new(1 << 20), Draw::new(Users::Zipf, USERS, 1));
            let mut position = 0;
            for login in 1..=LOGINS {
                let key = draw.key();
                let slot = cache.find(key).unwrap_or_else(|| {
                    let value = layout.read(key).expect("read").expect("it was loaded");
                    cache.admit(key, value)
                });
                let logins = logins_of(key, cache.value(slot).1);
                cache.change(slot, value_of(key, logins + 1));
                if login % 1000 == 0 {
                    position += 1;
                    let at = position as usize % 8 * (STRIPES / 8);
                    layout.log(&cache.take_changed()).expect("logged");
                    let stripes = at..at + STRIPES / 8;
                    let rows = cache.take_dirty(stripes.clone());
                    layout.write(stripes, &rows, position).expect("written");
                }
            }
            let rows = cache.take_dirty(0..STRIPES);
            layout.write(0..STRIPES, &rows, position + 1).expect("written");
            drop(layout);
            let layout = kind.open(folder.path(), USERS).expect("opened again");
            assert_eq!(layout.position().expect("a position"), position + 1, "{kind:?}");
            let logins_of_user = |user| {
                let key = key_of(user);
                logins_of(key, &layout.read(key).expect("read").expect("it was loaded"))
            };
            assert_eq!((0..USERS).map(logins_of_user).sum::<u64>(), LOGINS, "{kind:?}");
            assert_eq!(layout.read(key_of(USERS)).expect("read"), None, "{kind:?}");
        }
    }
}
