//! Clearing a state folder, for `logintide state reset`.
//!
//! Runs in the command's own process, never beside a running one: both take the folder's lock.
//! Holds: only a folder in which nothing but our own files stands is touched.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    error::StateError,
    folder::{self, FolderLock, JOURNAL, not_writable},
};

/// What a reset did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetReport {
    /// The local copy that was removed.
    pub removed: PathBuf,
    /// Bytes that it took.
    pub removed_bytes: u64,
    /// What was moved aside earlier; it is left for whoever wants to look at it.
    pub kept: Vec<PathBuf>,
}

/// Removes the local copy. What was moved aside stays.
///
/// Fails with `NoState`, `Locked`, `NotAStateFolder` or `NotWritable`.
pub fn reset(dir: &Path) -> Result<ResetReport, StateError> {
    let _lock = lock_existing(dir)?;
    let removed = dir.join(JOURNAL);
    let removed_bytes = size_of(&removed).map_err(|source| not_writable(dir, source))?;
    fs::remove_dir_all(&removed).map_err(|source| not_writable(dir, source))?;
    Ok(ResetReport { removed, removed_bytes, kept: folder::quarantined(dir) })
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
