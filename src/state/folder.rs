//! The state folder itself: what may be in it, its lock, and moving a database aside.
//!
//! Layout: `journal/` (the local copy of the journal, a database), `rows/` (the files of users'
//! rows), `lock`, and `journal.broken-<UTC time>/` (databases that could not be read). An earlier
//! release has left `db/`, `db.broken-<UTC time>/` and `instance-id`; nobody reads them.
//! Holds: a folder with anything else in it is not cleared; a database is only opened, moved or
//! removed under the lock.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::error::StateError;

/// The folder of the local copy of the journal.
pub(super) const JOURNAL: &str = "journal";
/// The folder of the files of rows.
pub const ROWS: &str = "rows";
/// The file whose lock keeps other processes out.
pub(super) const LOCK: &str = "lock";
const BROKEN: &str = ".broken-";
/// What an earlier release kept its state in.
const EARLIER_DB: &str = "db";
/// Where it kept the name of its instance.
const EARLIER_INSTANCE_ID: &str = "instance-id";

/// Keeps other processes out of the folder until dropped, or until the process ends however.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock, without waiting.
    pub(super) fn take(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(LOCK);
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|source| not_writable(dir, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let read = file.read_to_string(&mut pid);
                let pid = read.ok().and_then(|_| pid.trim().parse().ok());
                return Err(StateError::Locked { dir: dir.to_owned(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(not_writable(dir, source)),
        }
        // Only for the message another process shows; the lock itself is the kernel's.
        let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        noted.map_err(|source| not_writable(dir, source))?;
        Ok(Self { _file: file })
    }
}

/// A state folder that this process has for itself.
#[derive(Debug)]
pub struct StateFolder {
    _lock: FolderLock,
}

impl StateFolder {
    /// Takes the folder, which is created if need be.
    ///
    /// Fails with `NotAStateFolder`, `NotWritable` or `Locked`.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        prepare(dir)?;
        Ok(Self { _lock: FolderLock::take(dir)? })
    }
}

/// Creates the folder if need be and refuses one that is not ours.
pub(super) fn prepare(dir: &Path) -> Result<(), StateError> {
    fs::create_dir_all(dir).map_err(|source| not_writable(dir, source))?;
    refuse_foreign_copy(dir)
}

/// Refuses a folder in which anything stands that no release of this program makes.
pub(super) fn refuse_foreign(dir: &Path) -> Result<(), StateError> {
    for name in names(dir).map_err(|source| not_writable(dir, source))? {
        let text = name.to_string_lossy();
        if ![JOURNAL, ROWS, LOCK].contains(&&*text) && !is_left_over(&text) {
            return Err(StateError::NotAStateFolder { dir: dir.to_owned(), found: name });
        }
    }
    refuse_foreign_copy(dir)
}

/// Refuses a copy's folder that another program made.
pub(super) fn refuse_foreign_copy(dir: &Path) -> Result<(), StateError> {
    let found = match names(&dir.join(JOURNAL)) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(not_writable(dir, source)),
    };
    for name in found {
        let text = name.to_string_lossy();
        if !["blobs", "conf", "db"].contains(&&*text) && !text.starts_with("snap.") {
            let found = Path::new(JOURNAL).join(name);
            return Err(StateError::NotAStateFolder { dir: dir.to_owned(), found });
        }
    }
    Ok(())
}

/// Moves a database out of the way, to a name that says when. Nothing is deleted.
pub(super) fn quarantine(dir: &Path, now: jiff::Timestamp) -> Result<PathBuf, StateError> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let mut target = dir.join(format!("{JOURNAL}{BROKEN}{stamp}"));
    let mut serial = 1;
    while target.exists() {
        serial += 1;
        target = dir.join(format!("{JOURNAL}{BROKEN}{stamp}-{serial}"));
    }
    fs::rename(dir.join(JOURNAL), &target).map_err(|source| not_writable(dir, source))?;
    Ok(target)
}

/// What nobody reads any more, by name: databases that were moved aside, and what an earlier
/// release has left.
pub(super) fn left_over(dir: &Path) -> Vec<PathBuf> {
    let mut found = names(dir).unwrap_or_default();
    found.retain(|name| is_left_over(&name.to_string_lossy()));
    found.sort();
    found.into_iter().map(|name| dir.join(name)).collect()
}

/// The error of an operation in the folder that the operating system refused.
pub(super) fn not_writable(dir: &Path, source: io::Error) -> StateError {
    StateError::NotWritable { dir: dir.to_owned(), source }
}

fn is_left_over(name: &str) -> bool {
    let is_broken = |of: &str| name.strip_prefix(of).is_some_and(|rest| rest.starts_with(BROKEN));
    [EARLIER_DB, EARLIER_INSTANCE_ID].contains(&name) || is_broken(JOURNAL) || is_broken(EARLIER_DB)
}

fn names(dir: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(dir)?.map(|entry| Ok(PathBuf::from(entry?.file_name()))).collect()
}
