//! The demo's temporary folder: window state and log.
//!
//! On the main thread. Holds: an ordinary end removes it; after a kill, the next start does.
//! Whether the demo that made a folder still lives is asked of a lock, which a dead process cannot
//! hold.

use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tempfile::TempDir;

use crate::{error::RunError, limits};

const PREFIX: &str = "logintide-demo-";
const LOCK: &str = "lock";

/// A folder that is removed when dropped.
#[derive(Debug)]
pub(super) struct Folder {
    dir: TempDir,
    /// Held as long as the process lives.
    _lock: File,
}

impl Folder {
    /// Makes one in the system's place for temporary files, and removes those of dead demos.
    pub(super) fn create() -> Result<Self, RunError> {
        let parent = env::temp_dir();
        Self::create_in(&parent).map_err(|error| {
            RunError::Refused(format!(
                "the demo cannot make a folder in {}: {error}; set TMPDIR to a writable folder",
                parent.display()
            ))
        })
    }

    fn create_in(parent: &Path) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let owner = fs::metadata(dir.path())?.uid();
        // NOTE: renamed after it is locked, so that no other demo ever sees it unlocked.
        let unlocked = dir.path().join("lock.new");
        let lock = File::create(&unlocked)?;
        lock.try_lock().map_err(io::Error::from)?;
        fs::rename(&unlocked, dir.path().join(LOCK))?;
        remove_dead(parent, owner);
        Ok(Self { dir, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the pipeline's log goes.
    pub(super) fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// Keeps the folder, and with it the log, until the next demo removes it.
    pub(super) fn keep(mut self) -> PathBuf {
        self.dir.disable_cleanup(true);
        self.dir.path().to_owned()
    }
}

/// Removes the folders of demos that have ended. A folder that cannot be removed stays; it does no
/// harm.
fn remove_dead(parent: &Path, owner: u32) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // Of the entry itself: a link is not followed.
        let is_folder = entry.metadata().is_ok_and(|data| data.is_dir() && data.uid() == owner);
        if is_ours && is_folder && is_dead(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_dead(folder: &Path) -> bool {
    match File::open(folder.join(LOCK)).map(|lock| lock.try_lock()) {
        Ok(Ok(())) => true,
        Ok(Err(TryLockError::WouldBlock | TryLockError::Error(_))) => false,
        Err(_) => is_old(folder).unwrap_or(false),
    }
}

/// A folder without a lock is being made, or its demo was killed at this very moment.
fn is_old(folder: &Path) -> io::Result<bool> {
    let modified = fs::symlink_metadata(folder)?.modified()?;
    let age = SystemTime::now().duration_since(modified).unwrap_or_default();
    Ok(age >= limits::DEMO_UNLOCKED_FOLDER_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_removes_what_the_dead_left_and_nothing_else() {
        let parent = tempfile::tempdir().expect("a folder");
        let living = Folder::create_in(parent.path()).expect("a folder");
        let dead = Folder::create_in(parent.path()).expect("a folder").keep();
        let other = parent.path().join("logintide-other");
        let unlocked = parent.path().join("logintide-demo-unlocked");
        fs::create_dir(&other).expect("a folder");
        fs::create_dir(&unlocked).expect("a folder");
        std::os::unix::fs::symlink(&other, parent.path().join("logintide-demo-link"))
            .expect("a link");
        fs::write(other.join(LOCK), "").expect("a file");
        assert!(dead.exists());
        let next = Folder::create_in(parent.path()).expect("a folder");
        assert!(!dead.exists(), "no process holds its lock");
        assert!(living.path().exists() && next.path().exists());
        assert!(other.exists(), "through a link nothing is removed");
        assert!(unlocked.exists(), "it may be one that is being made");
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }
}
