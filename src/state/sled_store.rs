//! The store on disk. Owned by the sink thread.
//!
//! In:  epoch changes. Out: what was written, after a restart.
//! Holds: one batch per call, flushed before it returns; once a write has failed, nobody knows
//! what is on disk, so the store is poisoned and refuses every further write.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use tracing::warn;

use super::{
    Identity, Loaded, Opened, Store, WriteStats,
    database::{Database, Fault, check_identity},
    error::StateError,
    folder::{self, FolderLock},
    reader::Contents,
    rows::{self, Row, StoredRows},
};
use crate::{
    ids::{Epoch, PartitionId},
    window::EpochChange,
};

const POISONED: &str = "an earlier write failed";
const REMEDY: &str = "restart; what was committed is intact, what was not is read again";
const REMEDY_FULL: &str = "free space there, or name a --state-dir on a larger disk, and restart";

/// Window state in a sled database.
#[derive(Debug)]
pub struct SledStore {
    // NOTE: dropped before the lock, which lets the next process in.
    db: Database,
    dir: PathBuf,
    /// What the database holds, or, after a failed write, may hold.
    stored: StoredRows,
    /// What the open has read, until it is asked for or outdated.
    first: Option<Loaded>,
    poisoned: bool,
    _lock: FolderLock,
}

impl SledStore {
    /// Opens the state folder, creating it if need be, and checks everything in it.
    ///
    /// Fails with the variants of `StateError` whose exit code is 2, and then changes nothing;
    /// with `WriteFailed` when a new database cannot be written. A damaged database is moved
    /// aside and an empty one opened.
    pub fn open(dir: &Path, identity: &Identity) -> Result<Opened, StateError> {
        folder::prepare(dir)?;
        let lock = FolderLock::take(dir)?;
        let mut quarantined = None;
        let (db, contents) = match open_and_read(dir, identity) {
            Err(Fault::Broken(reason)) => {
                let moved = folder::quarantine(dir, jiff::Timestamp::now())?;
                warn!(
                    %reason, moved_to = %moved.display(),
                    "the state database cannot be read; it is moved aside and the state is lost"
                );
                quarantined = Some(moved);
                open_and_read(dir, identity)
            }
            opened => opened,
        }
        .map_err(|fault| start_error(dir, fault))?;
        let Contents { loaded, stored, .. } = contents;
        let store = Self {
            db,
            dir: dir.to_owned(),
            stored,
            first: Some(loaded),
            poisoned: false,
            _lock: lock,
        };
        Ok(Opened { store, quarantined })
    }

    /// `folds` is the epoch that the rows fold into the base.
    fn write(&mut self, folds: Option<Epoch>, rows: Vec<Row>) -> Result<WriteStats, StateError> {
        let started = Instant::now();
        if self.poisoned {
            return Err(self.write_failed(POISONED.to_owned(), REMEDY));
        }
        self.first = None;
        let (keys, bytes) = (rows.len(), rows::size_bytes(&rows));
        if let Err(fault) = self.db.write(folds.map(rows::committed), rows) {
            self.poisoned = true;
            let remedy = if is_full(&fault) { REMEDY_FULL } else { REMEDY };
            return Err(self.write_failed(fault.reason(), remedy));
        }
        Ok(WriteStats { bytes, keys, duration: started.elapsed() })
    }

    fn write_failed(&self, reason: String, remedy: &'static str) -> StateError {
        StateError::WriteFailed { dir: self.dir.clone(), reason, remedy }
    }

    fn unreadable(&self, fault: &Fault) -> StateError {
        StateError::Unreadable { dir: self.dir.clone(), reason: fault.reason() }
    }
}

impl Store for SledStore {
    fn load(&mut self) -> Result<Loaded, StateError> {
        match self.first.take() {
            Some(loaded) => Ok(loaded),
            None => match self.db.read_all() {
                Ok(contents) => Ok(contents.loaded),
                Err(fault) => Err(self.unreadable(&fault)),
            },
        }
    }

    fn write_epoch(
        &mut self,
        committed: Option<&EpochChange>,
        redo: &EpochChange,
    ) -> Result<WriteStats, StateError> {
        let stored = self.stored.redo.map(|mark| mark.epoch);
        assert!(redo.epoch > self.stored.highest_epoch(), "epoch numbers grow, none is used twice");
        let mut rows = Vec::new();
        if let Some(change) = committed {
            assert_eq!(stored, Some(change.epoch), "only the written epoch can be folded");
            rows = self.stored.fold(change);
        }
        rows.extend(self.stored.write_redo(redo));
        self.write(committed.map(|change| change.epoch), rows)
    }

    fn settle(&mut self, apply: bool) -> Result<(), StateError> {
        if self.stored.redo.is_none() {
            return Ok(());
        }
        if apply {
            let redo = self.load()?.redo.expect("a marked redo record was readable at the open");
            self.stored.redo = None;
            let rows = self.stored.fold(&redo);
            self.write(Some(redo.epoch), rows).map(drop)
        } else {
            let rows = self.stored.discard_redo();
            self.write(None, rows).map(drop)
        }
    }

    fn forget(&mut self, partitions: &[PartitionId]) -> Result<(), StateError> {
        assert!(self.stored.redo.is_none(), "the redo record is settled before");
        if partitions.is_empty() {
            return Ok(());
        }
        let rows = self.stored.forget(partitions);
        self.write(None, rows).map(drop)
    }

    fn size_bytes(&self) -> u64 {
        self.db.size_bytes()
    }
}

/// Opens the database and reads it all, so that damage shows now and not at the first fold.
fn open_and_read(dir: &Path, identity: &Identity) -> Result<(Database, Contents), Fault> {
    let mut db = Database::open(dir)?;
    match db.identity()? {
        // Before the rest is read: damaged or not, state of another topic is not ours to move.
        Some(stored) => check_identity(dir, &stored, identity).map_err(Fault::Refuse)?,
        None => db.write_identity(identity)?,
    }
    let contents = db.read_all()?;
    if !contents.repair.is_empty() {
        let (rows, epoch) = (contents.repair.len(), contents.loaded.base.epoch);
        warn!(rows, %epoch, "an earlier write of the state was cut off; it is completed");
        db.write(None, contents.repair.clone())?;
    }
    Ok((db, contents))
}

fn start_error(dir: &Path, fault: Fault) -> StateError {
    match fault {
        Fault::Refuse(error) => error,
        Fault::Io(source) => folder::not_writable(dir, source),
        Fault::Broken(reason) => StateError::Unreadable { dir: dir.to_owned(), reason },
    }
}

fn is_full(fault: &Fault) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(fault, Fault::Io(error) if matches!(error.kind(), StorageFull | QuotaExceeded))
}
