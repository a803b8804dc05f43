//! The store's twin in memory, for tests. Owned by whoever tests.
//!
//! Clones share one "disk", so dropping one and going on with another is a restart. Holds: it
//! does what `SledStore` does, call for call (a property test compares them).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Loaded, Store, WriteStats, error::StateError};
use crate::{ids::PartitionId, window::EpochChange};

/// Window state that lives as long as one of its clones.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    disk: Arc<Mutex<Disk>>,
    poisoned: bool,
}

#[derive(Debug, Default)]
struct Disk {
    loaded: Loaded,
    /// Writes until all fail, if they are to fail.
    writes_left: Option<u32>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same disk after a restart.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self { disk: Arc::clone(&self.disk), poisoned: false }
    }

    /// A disk of its own with the same on it.
    #[must_use]
    pub fn copy(&self) -> Self {
        let disk = Disk { loaded: self.disk().loaded.clone(), writes_left: None };
        Self { disk: Arc::new(Mutex::new(disk)), poisoned: false }
    }

    /// Lets all writes fail from now on, or lets them succeed again after a reopen.
    pub fn break_disk(&self, broken: bool) {
        self.disk().writes_left = broken.then_some(0);
    }

    /// Lets all writes fail after so many more.
    pub fn break_disk_after(&self, writes: u32) {
        self.disk().writes_left = Some(writes);
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        // A test that panicked elsewhere has left whole values: every change is one assignment.
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&mut self, change: impl FnOnce(&mut Loaded)) -> Result<(), StateError> {
        let is_broken = self.disk().writes_left == Some(0);
        if self.poisoned || is_broken {
            self.poisoned = true;
            return Err(StateError::WriteFailed {
                dir: "memory".into(),
                reason: "the test broke the disk".to_owned(),
                remedy: "reopen it",
            });
        }
        let mut disk = self.disk();
        disk.writes_left = disk.writes_left.map(|left| left - 1);
        change(&mut disk.loaded);
        Ok(())
    }
}

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Loaded, StateError> {
        Ok(self.disk().loaded.clone())
    }

    fn write_epoch(
        &mut self,
        committed: Option<&EpochChange>,
        redo: &EpochChange,
    ) -> Result<WriteStats, StateError> {
        {
            let disk = self.disk();
            assert!(redo.epoch > disk.loaded.highest_epoch, "epoch numbers grow");
            let stored = disk.loaded.redo.as_ref().map(|redo| redo.epoch);
            let folded = committed.map(|change| change.epoch);
            assert!(folded.is_none() || folded == stored, "only the written epoch can be folded");
        }
        self.write(|loaded| {
            if let Some(change) = committed {
                loaded.base.apply(change);
            }
            loaded.redo = Some(redo.clone());
            loaded.highest_epoch = redo.epoch;
        })?;
        let keys = redo.partials.len() + redo.partitions.len() + redo.windows.len();
        Ok(WriteStats { bytes: 0, keys, duration: Duration::ZERO })
    }

    fn settle(&mut self, apply: bool) -> Result<(), StateError> {
        self.write(|loaded| {
            if let Some(redo) = loaded.redo.take().filter(|_| apply) {
                loaded.base.apply(&redo);
            }
        })
    }

    fn forget(&mut self, partitions: &[PartitionId]) -> Result<(), StateError> {
        assert!(self.disk().loaded.redo.is_none(), "the redo record is settled first");
        self.write(|loaded| {
            loaded.base.partials.retain(|(partition, _), _| !partitions.contains(partition));
            loaded.base.partitions.retain(|partition, _| !partitions.contains(partition));
        })
    }

    fn size_bytes(&self) -> u64 {
        0
    }
}
