//! Looks at a state folder without changing a byte of it, for `logintide check-config`.
//!
//! In:  the folder of a run that may be under way or never have been.
//! Out: every reason why a run could not use it, what it holds, and the free space.
//! Holds: nothing is created, written or moved in the folder. sled writes when it opens, so the
//! database is read from a copy in the system's temporary folder; the folder's lock is held only
//! while that copy is made, and shared.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access, statvfs};

use super::{
    Identity,
    database::{Fault, check_identity},
    error::StateError,
    folder::{self, DB, LOCK, not_writable},
    inspect::{self, StateSummary},
};
use crate::limits::STATE_PEEK_MAX_BYTES;

/// What a look at a state folder showed.
#[derive(Debug)]
pub struct Peek {
    /// Why a run would not start on it, or would start without its windows.
    pub problems: Vec<StateError>,
    /// What it holds; `None` for a folder without state, and where it cannot be read now.
    pub summary: Option<StateSummary>,
    /// Bytes that this user may still write to its disk.
    pub free_bytes: Option<u64>,
    /// Size of a database that is too large to be copied for a look, bytes.
    pub unread_bytes: Option<u64>,
}

/// Looks.
pub fn peek(dir: &Path) -> Peek {
    let mut peek =
        Peek { problems: Vec::new(), summary: None, free_bytes: None, unread_bytes: None };
    if let Err(error) = peek.look(dir) {
        peek.problems.push(error);
    }
    peek
}

/// Refuses state of another topic, group, window size or, where it is known, cluster.
pub fn fits(dir: &Path, stored: &Identity, configured: &Identity) -> Result<(), StateError> {
    check_identity(dir, stored, configured)
}

impl Peek {
    fn look(&mut self, dir: &Path) -> Result<(), StateError> {
        let place = nearest_existing(dir);
        let of_system = |errno: rustix::io::Errno| not_writable(dir, errno.into());
        if !place.is_dir() {
            return Err(not_writable(dir, io::ErrorKind::NotADirectory.into()));
        }
        let disk = statvfs(&place).map_err(of_system)?;
        self.free_bytes = Some(disk.f_bavail.saturating_mul(disk.f_frsize));
        access(&place, Access::WRITE_OK | Access::EXEC_OK).map_err(of_system)?;
        if place != dir {
            return Ok(());
        }
        folder::refuse_foreign_db(dir)?;
        let lock = lock_shared(dir)?;
        let db = dir.join(DB);
        if !db.exists() {
            return Ok(());
        }
        let bytes = inspect::size_of(&db).map_err(|source| not_writable(dir, source))?;
        if bytes > STATE_PEEK_MAX_BYTES {
            self.unread_bytes = Some(bytes);
            return Ok(());
        }
        let copied = tempfile::Builder::new().prefix("logintide-check-").tempdir();
        let copied = copied.and_then(|copy| copy_files(&db, &copy.path().join(DB)).map(|()| copy));
        let copy =
            copied.map_err(|source| unreadable(dir, format!("no copy to read: {source}")))?;
        drop(lock);
        let read = inspect::read_summary(copy.path());
        self.summary = read.map_err(|fault| of_copy(dir, fault))?;
        Ok(())
    }
}

/// The folder itself, or the one in which it would be created.
fn nearest_existing(dir: &Path) -> PathBuf {
    let mut ancestors = dir.ancestors().filter(|path| !path.as_os_str().is_empty());
    ancestors.find(|path| path.exists()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Keeps a starting process out while the database is copied.
fn lock_shared(dir: &Path) -> Result<Option<File>, StateError> {
    let path = dir.join(LOCK);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(not_writable(dir, source)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&path).ok().and_then(|pid| pid.trim().parse().ok());
            Err(StateError::Locked { dir: dir.to_owned(), pid })
        }
        Err(TryLockError::Error(source)) => Err(not_writable(dir, source)),
    }
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_files(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The copy's trouble, told of the folder it is a copy of.
fn of_copy(dir: &Path, fault: Fault) -> StateError {
    match fault {
        Fault::Refuse(StateError::NewerFormat { stored, supported, .. }) => {
            StateError::NewerFormat { dir: dir.to_owned(), stored, supported }
        }
        fault => unreadable(dir, fault.reason()),
    }
}

fn unreadable(dir: &Path, reason: String) -> StateError {
    StateError::Unreadable { dir: dir.to_owned(), reason }
}
