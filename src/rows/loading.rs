//! What a start finds in the files. Used once, by the replica.
//!
//! In:  the files. Out: where rows are, segments and the last commit; or why the files are of no
//! use.
//! Holds: only what the last commit names counts, and all of that is there.

use std::{io, sync::Arc};

use super::{
    RowDisk, RowFilesSettings,
    commits::{self, Commit, Failed},
    files::DAMAGED,
    hint::{self, Entry, EntryKind},
    record::{self, Logged, Owner},
    segments::{Segments, hint_name, number_of, segment_name},
    shard::{Place, RowReader, lock},
};
use crate::{ids::PartitionId, journal::RowValue};

/// Why files are of no use.
pub(super) enum Unusable {
    /// They are removed.
    For(String),
    /// The disk does not work.
    Disk(Failed),
}

impl From<Failed> for Unusable {
    fn from(failed: Failed) -> Self {
        let Failed(name, error) = &failed;
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => {
                Self::For(format!("its file '{name}' is missing or too short"))
            }
            _ => Self::Disk(failed),
        }
    }
}

struct Loading<'a> {
    reader: &'a RowReader,
    settings: &'a RowFilesSettings,
    commit: Commit,
    segments: Segments,
}

/// Takes in what the files with these names hold; `None` when there are none.
pub(super) fn load(
    reader: &RowReader,
    settings: &RowFilesSettings,
    names: &[String],
) -> Result<Option<(Segments, Commit)>, Unusable> {
    let unusable = |reason: &str| Err(Unusable::For(reason.to_owned()));
    let disk = &reader.disk;
    if names.iter().any(|name| name == DAMAGED) {
        return unusable("a row in them is damaged");
    }
    let Some(commit) = commits::read(&**disk, names)? else {
        let is_ours = |name: &String| number_of(name).is_some() || commits::is_one(name);
        return if names.iter().any(is_ours) {
            unusable("nothing in them counts")
        } else {
            Ok(None)
        };
    };
    if !commit.is_known_format() {
        return unusable("they are of another version of this program");
    }
    if commit.of != settings.of {
        return unusable("they are of another cluster, consumer group or journal topic");
    }
    let highest = names.iter().filter_map(|name| number_of(name)).max();
    let next = highest.map_or(0, |highest| highest + 1);
    let segments = Segments::new(Arc::clone(disk), settings.segment_bytes, &commit.segments, next);
    let mut loading = Loading { reader, settings, commit, segments };
    loading.load(names)?;
    Ok(Some((loading.segments, loading.commit)))
}

impl Loading<'_> {
    fn load(&mut self, names: &[String]) -> Result<(), Unusable> {
        for (number, bytes) in self.commit.segments.clone() {
            self.load_segment(number, bytes)?;
        }
        for number in names.iter().filter_map(|name| number_of(name)) {
            if !self.commit.segments.contains_key(&number) {
                self.segments.remove_files(number)?;
            }
        }
        for (partition, incarnation) in &self.commit.incarnations {
            let shard = self.reader.shard(PartitionId(*partition)).shard;
            lock(&shard).incarnation = *incarnation;
        }
        for (_, shard) in self.reader.all() {
            let mut shard = lock(&shard);
            if let Some(place) = shard.partition_place {
                shard.partition_row = read_partition_row(&*self.reader.disk, place)?;
            }
        }
        Ok(())
    }

    fn load_segment(&mut self, number: u32, bytes: u64) -> Result<(), Unusable> {
        let disk = &self.reader.disk;
        let size = disk.size(&segment_name(number));
        if size.map_err(|error| Failed(segment_name(number), error))? < bytes {
            return Err(Unusable::For(format!("its file '{}' is too short", segment_name(number))));
        }
        let hint = disk.read(&hint_name(number)).ok();
        let entries = match hint.and_then(|hint| hint::decode(&hint, bytes)) {
            Some(entries) => entries,
            None => self.scan(number, bytes)?,
        };
        for entry in entries {
            let Owner { partition, incarnation } = entry.owner();
            if incarnation == *self.commit.incarnations.get(&partition.0).unwrap_or(&0) {
                let place = Place::of(number, entry.at as usize, entry.bytes as usize);
                let Some(place) = place.filter(|_| u64::from(entry.at) < bytes) else {
                    return Err(Unusable::For(format!(
                        "its file '{}' is damaged",
                        hint_name(number)
                    )));
                };
                self.load_entry(place, partition, entry.kind);
            }
        }
        Ok(())
    }

    /// The entries of a segment without a hint, which it gets.
    fn scan(&self, number: u32, bytes: u64) -> Result<Vec<Entry>, Unusable> {
        let read = self.segments.read(number, bytes)?;
        let mut entries = Vec::new();
        let scanned = record::each(&read, |of, logged, at| {
            let mark = logged.mark(self.settings.mark_of);
            entries.push(Entry::new(of, &logged, mark, at));
        });
        if let Err(at) = scanned {
            let name = segment_name(number);
            return Err(Unusable::For(format!("its file '{name}' is damaged at byte {at}")));
        }
        // One that is damaged is replaced.
        match self.reader.disk.remove(&hint_name(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failed(hint_name(number), error).into());
            }
            _ => {}
        }
        self.segments.write_hint(number, bytes, entries.clone())?;
        Ok(entries)
    }

    fn load_entry(&mut self, place: Place, partition: PartitionId, kind: EntryKind) {
        let shard = self.reader.shard(partition).shard;
        let mut shard = lock(&shard);
        let (place, former) = match kind {
            EntryKind::Partition => (place, shard.partition_place.replace(place)),
            EntryKind::Entity { entity, mark } => {
                shard.mark(entity, mark);
                (place, shard.rows.insert(entity, place))
            }
            EntryKind::Removed { entity } => {
                shard.mark(entity, None);
                (place.removed(), shard.rows.insert(entity, place.removed()))
            }
        };
        self.segments.lives(place);
        self.segments.replaced(former);
    }
}

fn read_partition_row(disk: &dyn RowDisk, place: Place) -> Result<Option<RowValue>, Failed> {
    let failed = |error| Failed(segment_name(place.segment()), error);
    let bytes = place.read(disk).map_err(failed)?;
    match Logged::read(&bytes) {
        Some((_, Logged::Partition(row), _)) => Ok((!row.is_empty()).then(|| row.into())),
        _ => Err(failed(io::ErrorKind::UnexpectedEof.into())),
    }
}
