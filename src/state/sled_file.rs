//! A database of sled: opened, guarded, closed. Owned by the thread that works on it, under the
//! folder's lock.
//!
//! Holds: no panic and no error of sled gets past this file as such; it becomes a `Fault`.

use std::{
    fs, io, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
    time::Instant,
};

use tracing::warn;

use crate::limits::{SLED_CACHE_BYTES, SLED_FLUSH_EVERY_MS, SLED_LOCK_RETRY, SLED_LOCK_WAIT};

/// Why an operation on the database failed.
#[derive(Debug)]
pub(super) struct Fault(String);

impl Fault {
    /// What went wrong, for an error's text.
    pub(super) fn reason(&self) -> String {
        self.0.clone()
    }

    fn from_sled(error: sled::Error) -> Self {
        match error {
            // sled hands out copies, whose text is a debug print of the original.
            sled::Error::Io(error) => {
                let original = error.raw_os_error().map(io::Error::from_raw_os_error);
                Self(original.unwrap_or(error).to_string())
            }
            other => Self(other.to_string()),
        }
    }

    /// Whether another process, or this one a moment ago, has the database open.
    fn is_lock(&self) -> bool {
        self.0.contains("could not acquire lock")
    }
}

/// An opened database.
#[derive(Debug)]
pub(super) struct SledFile {
    /// Taken only by the drop.
    db: Option<sled::Db>,
    /// A write failed.
    failed: bool,
    had_bytes: bool,
}

impl SledFile {
    /// Opens the database of this name in a folder, creating it if there is none.
    pub(super) fn open(dir: &Path, name: &str) -> Result<Self, Fault> {
        let path = dir.join(name);
        remove_unfinished_snapshots(&path).map_err(|error| Fault(error.to_string()))?;
        refuse_later_sled(&path)?;
        let had_bytes = fs::metadata(path.join("db")).is_ok_and(|file| file.len() > 0);
        let config = sled::Config::new()
            .path(&path)
            .cache_capacity(SLED_CACHE_BYTES)
            .flush_every_ms(Some(SLED_FLUSH_EVERY_MS));
        let started = Instant::now();
        loop {
            match guarded(|| config.open()) {
                Ok(db) => return Ok(Self { db: Some(db), failed: false, had_bytes }),
                Err(fault) if fault.is_lock() && started.elapsed() <= SLED_LOCK_WAIT => {
                    thread::sleep(SLED_LOCK_RETRY);
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Whether its file had something in it before it was opened: sled opens a file of which it
    /// can read nothing as an empty database.
    pub(super) fn had_bytes(&self) -> bool {
        self.had_bytes
    }

    /// Reads.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> Result<T, Fault> {
        guarded(|| work(self.db()))
    }

    /// Writes. After a write that failed nobody knows what is on disk.
    pub(super) fn write(
        &mut self,
        work: impl FnOnce(&sled::Db) -> sled::Result<()>,
    ) -> Result<(), Fault> {
        let written = guarded(|| work(self.db()));
        self.failed |= written.is_err();
        written
    }

    /// Bytes on disk; 0 when they cannot be found out.
    pub(super) fn size_bytes(&self) -> u64 {
        guarded(|| self.db().size_on_disk()).unwrap_or(0)
    }

    fn db(&self) -> &sled::Db {
        self.db.as_ref().expect("the database is taken by the drop only")
    }
}

impl Drop for SledFile {
    fn drop(&mut self) {
        // NOTE: after a failed write sled's drop waits for ever for its own flush. The process is
        // about to end; until then its file lock keeps the half-written database to itself.
        let db = self.db.take();
        if self.failed {
            mem::forget(db);
            return;
        }
        let dropped = guarded(|| {
            drop(db);
            Ok(())
        });
        if let Err(fault) = dropped {
            warn!(reason = fault.reason(), "closing the state database failed");
        }
    }
}

/// Runs a piece of sled; its panics, which it prefers to errors when files are damaged, are
/// damage.
fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Fault::from_sled(error)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Fault(format!("sled panicked: {}", text.unwrap_or("without a message"))))
        }
    }
}

/// sled writes a snapshot under a name of its own and renames it; when the process dies in
/// between, sled takes the half-written file for the newest snapshot and calls it corrupt. The
/// one before it is still there and complete.
fn remove_unfinished_snapshots(db: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(db) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text.starts_with("snap.") && text.ends_with(".generating") {
            fs::remove_file(db.join(&name))?;
        }
    }
    Ok(())
}

/// A database of a later sled is not opened: this one would take it for damaged, or damage it.
fn refuse_later_sled(db: &Path) -> Result<(), Fault> {
    const OURS: (u32, u32) = (0, 34);
    let Ok(bytes) = fs::read(db.join("conf")) else { return Ok(()) };
    let text = String::from_utf8_lossy(&bytes);
    let version = text.split_inclusive('\n').find_map(|line| {
        let (major, minor) = line.strip_prefix("version: ")?.strip_suffix('\n')?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    match version {
        Some((major, minor)) if (major, minor) > OURS => {
            Err(Fault(format!("it is a database of the later sled {major}.{minor}")))
        }
        _ => Ok(()),
    }
}
