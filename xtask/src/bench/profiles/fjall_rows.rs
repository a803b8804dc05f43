//! A row of fjall for each profile: what has changed is written once a second, with the position.

use std::{ops::Range, path::Path};

use anyhow::Context;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{
    layout::Layout,
    workload::{Row, Value},
};

/// fjall's cache of blocks: the rows that matter are in the bounded cache before it.
const FJALL_CACHE_BYTES: u64 = 64 << 20;

const MEMTABLE_BYTES: u64 = 32 << 20;

const POSITION: &[u8] = b"position";

/// Rows that are written at once.
const BATCH_ROWS: usize = 1000;

pub(super) struct FjallRows {
    db: Database,
    rows: Keyspace,
    positions: Keyspace,
}

impl FjallRows {
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let db = Database::builder(folder).cache_size(FJALL_CACHE_BYTES);
        let db = db.manual_journal_persist(true).worker_threads(2).open()?;
        let options = || {
            let options = KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
            options.expect_point_read_hits(true)
        };
        let rows = db.keyspace("rows", options)?;
        let positions = db.keyspace("positions", KeyspaceCreateOptions::default)?;
        Ok(Self { db, rows, positions })
    }

    fn write_rows(&self, rows: &[Row]) -> anyhow::Result<()> {
        for rows in rows.chunks(BATCH_ROWS) {
            let mut batch = self.db.batch();
            for (key, value) in rows {
                batch.insert(&self.rows, key.to_be_bytes(), &value[..]);
            }
            batch.commit()?;
        }
        Ok(())
    }

    fn write_position(&self, position: u64) -> anyhow::Result<()> {
        // Behind the rows in the same journal: it is not there without them.
        self.positions.insert(POSITION, position.to_be_bytes())?;
        Ok(self.db.persist(PersistMode::SyncData)?)
    }
}

impl Layout for FjallRows {
    fn load(&mut self, rows: &mut dyn Iterator<Item = Row>) -> anyhow::Result<()> {
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        for row in rows {
            batch.push(row);
            if batch.len() == BATCH_ROWS {
                self.write_rows(&batch)?;
                batch.clear();
            }
        }
        self.write_rows(&batch)?;
        self.write_position(0)
    }

    fn read(&self, key: u64) -> anyhow::Result<Option<Value>> {
        let value = self.rows.get(key.to_be_bytes())?;
        value.map(|value| Ok(value.as_ref().try_into()?)).transpose()
    }

    fn turn_s(&self) -> usize {
        1
    }

    fn write(&mut self, _of: Range<usize>, rows: &[Row], position: u64) -> anyhow::Result<()> {
        self.write_rows(rows)?;
        self.write_position(position)
    }

    fn position(&self) -> anyhow::Result<u64> {
        let position = self.positions.get(POSITION)?.context("no position")?;
        Ok(u64::from_be_bytes(position.as_ref().try_into().context("eight bytes")?))
    }
}
