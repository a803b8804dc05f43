//! Looks at a state folder without changing a byte of it, for `logintide check-config`.
//!
//! In:  the folder of a run that may be under way or never have been.
//! Out: every reason why a run could not use it, and the free space.
//! Holds: nothing is created, written or moved in the folder. The folder's lock is taken only for a
//! moment, and shared.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access, statvfs};

use super::{
    error::StateError,
    folder::{self, JOURNAL, LOCK, not_writable},
};

/// What a look at a state folder showed.
#[derive(Debug)]
pub struct Peek {
    /// Why a run would not start on it.
    pub problems: Vec<StateError>,
    /// Bytes that this user may still write to its disk.
    pub free_bytes: Option<u64>,
    /// Whether there is a local copy of the journal.
    pub has_copy: bool,
}

/// Looks.
pub fn peek(dir: &Path) -> Peek {
    let mut peek = Peek { problems: Vec::new(), free_bytes: None, has_copy: false };
    if let Err(error) = peek.look(dir) {
        peek.problems.push(error);
    }
    peek
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
        folder::refuse_foreign_copy(dir)?;
        self.has_copy = dir.join(JOURNAL).exists();
        lock_shared(dir).map(drop)
    }
}

/// The folder itself, or the one in which it would be created.
fn nearest_existing(dir: &Path) -> PathBuf {
    let mut ancestors = dir.ancestors().filter(|path| !path.as_os_str().is_empty());
    ancestors.find(|path| path.exists()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Takes the lock beside others that only look; fails while a process works in the folder.
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
