//! What the files of rows need of a file system.

use std::{
    collections::HashMap,
    fmt::Debug,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

/// Files with names in one place. Used by the replica, which writes, and by workers, which read.
pub trait RowDisk: Debug + Send + Sync {
    /// Names of all files.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Bytes of a file.
    fn size(&self, name: &str) -> io::Result<u64>;

    /// Reads exactly so many bytes as `into` has.
    fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes behind the end of a file, which is made if it is not there. They may not be on disk.
    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Returns when all of a file is on disk, and its name.
    fn sync(&self, name: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// All of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.size(name)? as usize];
        self.read_at(name, 0, &mut bytes)?;
        Ok(bytes)
    }
}

/// A folder.
#[derive(Debug)]
pub struct FolderDisk {
    folder: PathBuf,
    open: RwLock<HashMap<String, Opened>>,
}

#[derive(Debug, Clone)]
struct Opened {
    file: Arc<File>,
    /// The folder may not have its name on disk.
    is_new: bool,
}

impl FolderDisk {
    /// This folder, which is made if it is not there.
    ///
    /// # Errors
    /// When that fails.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), open: RwLock::default() })
    }

    fn file(&self, name: &str, may_create: bool) -> io::Result<Opened> {
        let opened = self.open.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(opened) = opened {
            return Ok(opened);
        }
        // NOTE: under the lock, so that a file that is being removed is not noted.
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join(name);
        let is_new = may_create && !path.exists();
        let file = File::options().read(true).append(may_create).create(may_create).open(&path)?;
        // One row is read, and none beside it.
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random)?;
        let opened = Opened { file: Arc::new(file), is_new };
        open.insert(name.to_owned(), opened.clone());
        Ok(opened)
    }
}

impl RowDisk for FolderDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.folder.join(name))?.len())
    }

    fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.file(name, false)?.file.read_exact_at(into, offset)
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        (&*self.file(name, true)?.file).write_all(bytes)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let opened = self.file(name, false)?;
        opened.file.sync_data()?;
        if opened.is_new {
            File::open(&self.folder)?.sync_all()?;
            let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
            open.insert(name.to_owned(), Opened { is_new: false, ..opened });
        }
        Ok(())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.folder.join(name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.remove(name);
        fs::remove_file(self.folder.join(name))
    }
}
