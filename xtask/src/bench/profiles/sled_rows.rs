//! A row of sled for each profile: what has changed is written once a second.

use std::{
    ops::Range,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

use super::{
    layout::Layout,
    workload::{Row, Value},
};

/// sled's page cache: the rows that matter are in the bounded cache before it.
pub(super) const SLED_CACHE_BYTES: u64 = 32 << 20;

const POSITION: &[u8] = b"position";

/// Rows that are written at once.
const BATCH_ROWS: usize = 1000;

/// A database that is dropped is let go of only when sled's own threads are done with it.
const LOCK_WAIT: Duration = Duration::from_mins(1);

pub(super) fn open(folder: &Path) -> anyhow::Result<sled::Db> {
    let config = sled::Config::new().path(folder).cache_capacity(SLED_CACHE_BYTES);
    let config = config.flush_every_ms(None);
    let began = Instant::now();
    loop {
        match config.open() {
            Err(error)
                if error.to_string().contains("could not acquire lock")
                    && began.elapsed() < LOCK_WAIT =>
            {
                thread::sleep(Duration::from_millis(10));
            }
            opened => return opened.context("sled"),
        }
    }
}

/// Writes the position, once what it stands for is on disk.
pub(super) fn write_position(db: &sled::Db, position: u64) -> anyhow::Result<()> {
    db.flush()?;
    // Keys of rows have eight bytes: the tree of the position is another.
    db.open_tree(POSITION)?.insert(POSITION, &position.to_be_bytes())?;
    db.flush()?;
    Ok(())
}

pub(super) fn read_position(db: &sled::Db) -> anyhow::Result<u64> {
    let position = db.open_tree(POSITION)?.get(POSITION)?.context("no position")?;
    Ok(u64::from_be_bytes(position.as_ref().try_into().context("eight bytes")?))
}

pub(super) struct SledRows {
    db: sled::Db,
}

impl SledRows {
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self { db: open(folder)? })
    }
}

impl Layout for SledRows {
    fn load(&mut self, rows: &mut dyn Iterator<Item = Row>) -> anyhow::Result<()> {
        for (key, value) in rows {
            self.db.insert(key.to_be_bytes(), &value[..])?;
        }
        write_position(&self.db, 0)
    }

    fn read(&self, key: u64) -> anyhow::Result<Option<Value>> {
        let value = self.db.get(key.to_be_bytes())?;
        value.map(|value| Ok(value.as_ref().try_into()?)).transpose()
    }

    fn turn_s(&self) -> usize {
        1
    }

    fn write(&mut self, _of: Range<usize>, rows: &[Row], position: u64) -> anyhow::Result<()> {
        for rows in rows.chunks(BATCH_ROWS) {
            let mut batch = sled::Batch::default();
            for (key, value) in rows {
                batch.insert(&key.to_be_bytes(), &value[..]);
            }
            self.db.apply_batch(batch)?;
        }
        write_position(&self.db, position)
    }

    fn position(&self) -> anyhow::Result<u64> {
        read_position(&self.db)
    }
}
