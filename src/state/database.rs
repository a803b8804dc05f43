//! Reading and writing the database of the window state. Owned by the sink thread, under the
//! folder's lock.

use std::path::{Path, PathBuf};

use super::{
    Identity,
    codec::{self, Flaw},
    error::{IdentityField, StateError},
    folder::DB,
    keys::Key,
    reader::{Contents, Reader},
    rows::Row,
    sled_file::{Fault, SledFile},
};
use crate::failpoint::{self, Point};

/// An opened database.
#[derive(Debug)]
pub(super) struct Database {
    file: SledFile,
    dir: PathBuf,
}

impl Database {
    /// Opens the database of this state folder, creating it if there is none.
    pub(super) fn open(dir: &Path) -> Result<Self, Fault> {
        Ok(Self { file: SledFile::open(dir, DB)?, dir: dir.to_owned() })
    }

    /// What the database belongs to; `None` when it is new.
    pub(super) fn identity(&self) -> Result<Option<Identity>, Fault> {
        let key = Key::Identity.encode();
        match self.file.read(|db| db.get(&key))? {
            Some(value) => Ok(Some(self.sound(codec::decode(&key, &value))?)),
            None if self.file.had_bytes() => {
                Err(Fault::Broken("its identity is missing".to_owned()))
            }
            None => Ok(None),
        }
    }

    /// Writes the identity of a new database.
    pub(super) fn write_identity(&mut self, identity: &Identity) -> Result<(), Fault> {
        let value = codec::encode(&Key::Identity.encode(), identity);
        self.write(None, vec![(Key::Identity, Some(value))])
    }

    /// Reads and checks every row.
    pub(super) fn read_all(&self) -> Result<Contents, Fault> {
        let mut reader = Reader::default();
        let mut rows = self.file.read(|db| Ok(db.iter()))?;
        while let Some((key, value)) = self.file.read(|_| rows.next().transpose())? {
            self.sound(reader.take(&key, &value))?;
        }
        self.sound(reader.finish())
    }

    /// Writes all rows or none (when the disk is full, sled may write some), and returns once they
    /// are on disk. `first` is there if any of the others is.
    pub(super) fn write(&mut self, first: Option<Row>, rows: Vec<Row>) -> Result<(), Fault> {
        let mut batch = sled::Batch::default();
        for (key, value) in rows {
            match value {
                Some(value) => batch.insert(key.encode(), value),
                None => batch.remove(key.encode()),
            }
        }
        self.file.write(|db| {
            // NOTE: sled recovers a prefix of what was written, so the order is what counts.
            if let Some((key, Some(value))) = first {
                db.insert(key.encode(), value)?;
                failpoint::reached(Point::InFold);
            }
            db.apply_batch(batch)?;
            db.flush().map(drop)
        })
    }

    /// Bytes on disk; 0 when they cannot be found out.
    pub(super) fn size_bytes(&self) -> u64 {
        self.file.size_bytes()
    }

    fn sound<T>(&self, read: Result<T, Flaw>) -> Result<T, Fault> {
        read.map_err(|flaw| Fault::from_flaw(&self.dir, flaw))
    }
}

/// Refuses state of another topic, group, cluster or window size.
pub(super) fn check_identity(
    dir: &Path,
    stored: &Identity,
    configured: &Identity,
) -> Result<(), StateError> {
    let ms = |identity: &Identity| format!("{} ms", identity.window_size_ms);
    let fields = [
        (IdentityField::Cluster, stored.cluster_id.clone(), configured.cluster_id.clone()),
        (IdentityField::Topic, stored.topic.clone(), configured.topic.clone()),
        (IdentityField::Group, stored.group_id.clone(), configured.group_id.clone()),
        (IdentityField::Window, ms(stored), ms(configured)),
    ];
    match fields.into_iter().find(|(_, stored, configured)| stored != configured) {
        None => Ok(()),
        Some((what, stored, configured)) => {
            Err(StateError::OtherIdentity { what, stored, configured, dir: dir.to_owned() })
        }
    }
}
