//! The files of rows in memory, for tests: a disk that a crash leaves as a disk may be left.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::RowDisk;

/// Files that outlive the process that writes them.
#[derive(Debug, Clone, Default)]
pub struct MemoryRowDisk(Arc<Mutex<Files>>);

#[derive(Debug, Clone, Default)]
struct Files {
    files: BTreeMap<String, MemoryFile>,
    /// Writes and removals that are still done; then each fails.
    room: Option<usize>,
}

#[derive(Debug, Clone, Default)]
struct MemoryFile {
    bytes: Vec<u8>,
    /// So many of them are on disk for certain; `None`: not even the name is.
    synced: Option<usize>,
}

impl Files {
    fn writes(&mut self) -> io::Result<()> {
        match &mut self.room {
            Some(0) => Err(io::ErrorKind::StorageFull.into()),
            Some(room) => {
                *room -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn get(&self, name: &str) -> io::Result<&MemoryFile> {
        self.files.get(name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl MemoryRowDisk {
    /// The machine stops. Of what was not synced, `kept` says how many bytes stay of so many; a
    /// file whose name was not is gone if none do.
    pub fn crash(&self, mut kept: impl FnMut(usize) -> usize) {
        let mut files = self.files();
        files.room = None;
        files.files.retain(|_, file| {
            let synced = file.synced.unwrap_or(0);
            let keeps = kept(file.bytes.len() - synced);
            file.bytes.truncate(synced + keeps);
            file.synced.is_some() || keeps > 0
        });
        files.files.values_mut().for_each(|file| file.synced = Some(file.bytes.len()));
    }

    /// So many writes and removals more are done, and none after them.
    pub fn fill_after(&self, writes: Option<usize>) {
        self.files().room = writes;
    }

    /// The disk as it is now, on another one.
    #[must_use]
    pub fn image(&self) -> Self {
        let files = Files { room: None, ..self.files().clone() };
        Self(Arc::new(Mutex::new(files)))
    }

    /// Changes a file.
    ///
    /// # Panics
    /// When there is none of this name.
    pub fn damage(&self, name: &str, damage: impl FnOnce(&mut Vec<u8>)) {
        let mut files = self.files();
        damage(&mut files.files.get_mut(name).expect("it is there").bytes);
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RowDisk for MemoryRowDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.files().files.keys().cloned().collect())
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        Ok(self.files().get(name)?.bytes.len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let files = self.files();
        let begin = usize::try_from(offset).map_err(io::Error::other)?;
        let end = begin.saturating_add(into.len());
        let read = files.get(name)?.bytes.get(begin..end);
        into.copy_from_slice(read.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.files();
        files.writes()?;
        files.files.entry(name.to_owned()).or_default().bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut files = self.files();
        files.writes()?;
        let file = files.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        file.synced = Some(file.bytes.len());
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut files = self.files();
        files.writes()?;
        files.files.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
