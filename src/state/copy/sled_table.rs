//! The copy's table in a sled database of its own, below the state folder.
//!
//! Holds: the caller has the folder's lock for as long as the table lives. sled is opened with the
//! first look at the table, on the thread that uses it.

use std::path::{Path, PathBuf};

use tracing::warn;

use super::{
    CopyFault,
    record_copy::{Table, TableRow, TakeRow},
};
use crate::state::{
    folder::{self, JOURNAL},
    sled_file::{Fault, SledFile},
};

/// The row that a table begins with. sled opens a file of which it can read nothing as an empty
/// database; without this row it is not one of ours.
const BEGUN: &[u8] = b"begun";

/// Rows in sled.
#[derive(Debug)]
pub struct SledTable {
    dir: PathBuf,
    file: Option<SledFile>,
}

impl SledTable {
    /// The table in this state folder, which exists.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), file: None }
    }

    fn file(&mut self) -> Result<&mut SledFile, CopyFault> {
        if self.file.is_none() {
            let mut file = SledFile::open(&self.dir, JOURNAL).map_err(|error| fault(&error))?;
            if !file.had_bytes() {
                let begin =
                    |db: &sled::Db| db.insert(BEGUN, &[]).and_then(|_| db.flush().map(drop));
                file.write(begin).map_err(|error| fault(&error))?;
            }
            self.file = Some(file);
        }
        Ok(self.file.as_mut().expect("it was just opened"))
    }
}

impl Table for SledTable {
    fn read(&mut self, each: &mut TakeRow<'_>) -> Result<(), CopyFault> {
        let file = self.file()?;
        let mut rows = file.read(|db| Ok(db.iter())).map_err(|error| fault(&error))?;
        let mut is_begun = false;
        while let Some((key, value)) =
            file.read(|_| rows.next().transpose()).map_err(|error| fault(&error))?
        {
            if key == BEGUN {
                is_begun = true;
            } else {
                each(&key, &value)?;
            }
        }
        if is_begun { Ok(()) } else { Err(CopyFault("its beginning is missing".to_owned())) }
    }

    fn write(&mut self, rows: Vec<TableRow>) -> Result<(), CopyFault> {
        let mut batch = sled::Batch::default();
        for (key, value) in rows {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.file()?.write(|db| db.apply_batch(batch)).map_err(|error| fault(&error))
    }

    fn remove(&mut self, prefix: &[u8]) -> Result<(), CopyFault> {
        let file = self.file()?;
        let mut batch = sled::Batch::default();
        let mut keys =
            file.read(|db| Ok(db.scan_prefix(prefix).keys())).map_err(|error| fault(&error))?;
        while let Some(key) =
            file.read(|_| keys.next().transpose()).map_err(|error| fault(&error))?
        {
            batch.remove(key);
        }
        file.write(|db| db.apply_batch(batch)).map_err(|error| fault(&error))
    }

    fn flush(&mut self) -> Result<(), CopyFault> {
        self.file()?.write(|db| db.flush().map(drop)).map_err(|error| fault(&error))
    }

    fn set_aside(&mut self, reason: &str) -> Result<(), CopyFault> {
        self.file = None;
        if self.dir.join(JOURNAL).exists() {
            let now = jiff::Timestamp::now();
            let moved =
                folder::quarantine(&self.dir, now).map_err(|error| CopyFault(error.to_string()))?;
            warn!(
                reason, moved_to = %moved.display(),
                "the local copy of the journal is of no use; it is moved aside, and the journal is \
                 read from its start"
            );
        }
        self.file().map(drop)
    }

    fn size_bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, SledFile::size_bytes)
    }
}

fn fault(fault: &Fault) -> CopyFault {
    CopyFault(fault.reason())
}
