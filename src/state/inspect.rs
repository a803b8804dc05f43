//! Looking at a state folder and clearing it, for `logintide state show` and `state reset`.
//!
//! Runs in the command's own process, never beside a running one: both take the folder's lock.
//! Holds: `describe` creates nothing and moves nothing aside; `reset` only touches a folder in
//! which nothing but our own files stands.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    FORMAT_VERSION, Identity,
    database::Database,
    error::StateError,
    folder::{self, DB, FolderLock, JOURNAL, not_writable},
    instance,
    sled_file::Fault,
};
use crate::{
    ids::{Epoch, EventTimeMs, Offset, PartitionId},
    window::Completeness,
};

/// What a state folder holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StateSummary {
    /// What the state belongs to.
    pub identity: Identity,
    /// Ids of the topics that the partitions' positions are of: one, unless the topic was created
    /// again; none where the brokers have no ids.
    pub topic_ids: BTreeSet<String>,
    /// Format version of the stored values.
    pub format: u8,
    /// The generated instance id, if there is one.
    pub instance_id: Option<String>,
    /// Last epoch in the base.
    pub epoch: Epoch,
    /// Global watermark of the base.
    pub watermark: Option<EventTimeMs>,
    /// Retention horizon of the base.
    pub horizon: Option<EventTimeMs>,
    /// Windows the merger remembers.
    pub windows: usize,
    /// Progress per partition of the base.
    pub partitions: Vec<PartitionSummary>,
    /// The redo record, if there is one.
    pub redo: Option<RedoSummary>,
    /// Bytes of the database on disk.
    pub size_bytes: u64,
    /// Databases that could not be read and were moved aside.
    pub quarantined: Vec<PathBuf>,
}

/// Progress of one partition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartitionSummary {
    /// The partition.
    pub partition: PartitionId,
    /// The last epoch that committed it.
    pub epoch: Epoch,
    /// Next offset to read.
    pub next_offset: Offset,
    /// Highest event time seen.
    pub watermark: Option<EventTimeMs>,
    /// Which windows may miss input.
    pub completeness: Completeness,
    /// Windows with a partial result.
    pub windows: usize,
}

/// The redo record: an epoch of which only Kafka knows whether it was committed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RedoSummary {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its size.
    pub bytes: u64,
    /// Partial results it changes.
    pub partials: usize,
}

/// What a reset did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResetReport {
    /// The database that was removed.
    pub removed: PathBuf,
    /// Bytes that it took.
    pub removed_bytes: u64,
    /// Databases moved aside earlier; they are left for whoever wants to look at them.
    pub kept: Vec<PathBuf>,
}

/// Reads a state folder.
///
/// Fails with `NoState`, `Locked`, `NotWritable`, `NewerFormat` or `Unreadable`.
pub fn describe(dir: &Path) -> Result<StateSummary, StateError> {
    let _lock = lock_existing(dir)?;
    read_summary(dir)
        .map_err(|fault| match fault {
            Fault::Refuse(error) => error,
            Fault::Io(source) => not_writable(dir, source),
            Fault::Broken(reason) => StateError::Unreadable { dir: dir.to_owned(), reason },
        })?
        .ok_or_else(|| StateError::NoState { dir: dir.to_owned() })
}

/// Removes the database and the local copy of the journal. The instance id and what was moved aside
/// stay.
///
/// Fails with `NoState`, `Locked`, `NotAStateFolder` or `NotWritable`.
pub fn reset(dir: &Path) -> Result<ResetReport, StateError> {
    let _lock = lock_existing(dir)?;
    let removed = dir.join(DB);
    let removed_bytes = size_of(&removed).map_err(|source| not_writable(dir, source))?;
    let gone = fs::remove_dir_all(&removed).and_then(|()| {
        let removed = fs::remove_dir_all(dir.join(JOURNAL));
        removed.or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
    });
    gone.map_err(|source| not_writable(dir, source))?;
    Ok(ResetReport { removed, removed_bytes, kept: folder::quarantined(dir) })
}

/// Locks a folder that is certainly ours and has a database, and creates nothing otherwise.
fn lock_existing(dir: &Path) -> Result<FolderLock, StateError> {
    match fs::metadata(dir.join(DB)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StateError::NoState { dir: dir.to_owned() });
        }
        Err(source) => return Err(not_writable(dir, source)),
    }
    folder::refuse_foreign(dir)?;
    FolderLock::take(dir)
}

pub(super) fn read_summary(dir: &Path) -> Result<Option<StateSummary>, Fault> {
    let db = Database::open(dir)?;
    let Some(identity) = db.identity()? else { return Ok(None) };
    let contents = db.read_all()?;
    let base = contents.loaded.base;
    let partitions = base.partitions.iter().map(|(partition, state)| PartitionSummary {
        partition: *partition,
        epoch: state.epoch,
        next_offset: state.next_offset,
        watermark: state.watermark,
        completeness: state.completeness,
        windows: base.partials.keys().filter(|(holder, _)| holder == partition).count(),
    });
    let topic_ids = base.partitions.values().filter_map(|state| state.topic);
    let redo = contents.loaded.redo.as_ref().zip(contents.stored.redo);
    Ok(Some(StateSummary {
        identity,
        topic_ids: topic_ids.map(|id| id.to_string()).collect(),
        format: FORMAT_VERSION,
        instance_id: instance::read(dir),
        epoch: base.epoch,
        watermark: base.watermark,
        horizon: base.horizon,
        windows: base.windows.len(),
        partitions: partitions.collect(),
        redo: redo.map(|(change, mark)| RedoSummary {
            epoch: change.epoch,
            bytes: mark.bytes,
            partials: change.partials.len(),
        }),
        size_bytes: db.size_bytes(),
        quarantined: folder::quarantined(dir),
    }))
}

pub(super) fn size_of(path: &Path) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + size_of(&entry?.path())?))
}
