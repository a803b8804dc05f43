//! What commands do with a state folder while no run has it: read its copy, or clear it.
//!
//! Runs in the command's own process, never beside a running one: both take the folder's lock.
//! Holds: nothing is created or moved aside; only a folder in which nothing but our own files
//! stands is touched.

use crate::journal::CopyOf;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    copy::{self, Copied, CopyFault, JournalCopy, RecordCopy, SledTable},
    error::StateError,
    folder::{self, FolderLock, JOURNAL, ROWS, not_writable},
};

/// The copy in a state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCopy {
    /// Whose journal it is of.
    pub of: CopyOf,
    /// Its records.
    pub copied: Copied,
    /// Bytes that it takes on disk.
    pub bytes: u64,
}

/// What a reset did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetReport {
    /// The local copy that was removed.
    pub removed: PathBuf,
    /// Bytes that it took.
    pub removed_bytes: u64,
    /// What was moved aside earlier, and what an earlier release has left.
    pub kept: Vec<PathBuf>,
}

/// Reads the local copy.
///
/// # Errors
/// `NoState`, `Locked`, `NotAStateFolder`, `NotWritable` or `Unreadable`.
pub fn stored_copy(dir: &Path) -> Result<StoredCopy, StateError> {
    let _lock = lock_existing(dir)?;
    let bytes = size_of(&dir.join(JOURNAL)).map_err(|source| not_writable(dir, source))?;
    let found = read(dir).map_err(|CopyFault(reason)| {
        let dir = dir.to_owned();
        StateError::Unreadable { dir, reason }
    })?;
    let (of, copied) = found.ok_or_else(|| StateError::NoState { dir: dir.to_owned() })?;
    Ok(StoredCopy { of, copied, bytes })
}

fn read(dir: &Path) -> Result<Option<(CopyOf, Copied)>, CopyFault> {
    let mut table = SledTable::new(dir);
    let Some(of) = copy::owner(&mut table)? else { return Ok(None) };
    let copied = RecordCopy::new(table, of.clone()).load()?;
    Ok(copied.map(|copied| (of, copied)))
}

/// Removes the local copy, rows of users included. Everything else stays.
///
/// # Errors
/// `NoState`, `Locked`, `NotAStateFolder` or `NotWritable`.
pub fn reset(dir: &Path) -> Result<ResetReport, StateError> {
    let _lock = lock_existing(dir)?;
    let removed = dir.join(JOURNAL);
    let mut removed_bytes = 0;
    // Rows go first: without them the rest is read again too.
    for name in [ROWS, JOURNAL] {
        let path = dir.join(name);
        if path.exists() {
            removed_bytes += size_of(&path).map_err(|source| not_writable(dir, source))?;
            fs::remove_dir_all(&path).map_err(|source| not_writable(dir, source))?;
        }
    }
    Ok(ResetReport { removed, removed_bytes, kept: folder::left_over(dir) })
}

/// Locks a folder that is certainly ours and has a copy, and creates nothing otherwise.
fn lock_existing(dir: &Path) -> Result<FolderLock, StateError> {
    match fs::metadata(dir.join(JOURNAL)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StateError::NoState { dir: dir.to_owned() });
        }
        Err(source) => return Err(not_writable(dir, source)),
    }
    folder::refuse_foreign(dir)?;
    FolderLock::take(dir)
}

fn size_of(path: &Path) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + size_of(&entry?.path())?))
}
