//! Clears a segment most of which does not count any more. Used by the replica.
//!
//! Holds: what counts is moved to the end of the log, and only then the segment is retired. That a
//! thing has no row is moved too, until no older segment can have one.

use super::{
    RowFault,
    files::DAMAGED,
    record::{self, Logged},
    segments::{Segments, segment_name},
    shard::{MarkOf, Place, RowReader, lock},
};
use crate::journal::RowKey;

/// Moves what counts of a segment to the end of the log.
pub(super) fn clear(
    reader: &RowReader,
    segments: &mut Segments,
    mark_of: MarkOf,
    (number, bytes): (u32, u64),
) -> Result<(), RowFault> {
    if segments.is_dead(number) {
        segments.retire(number);
        return Ok(());
    }
    let is_oldest = segments.is_oldest(number);
    let read = segments.read(number, bytes)?;
    let (mut moved, mut failed) = (Vec::new(), None);
    let scanned = record::each(&read, |owner, logged, (at, taken)| {
        let place = Place::new(number, at, taken);
        if failed.is_some() {
            return;
        }
        let shard = reader.shard(owner.partition).shard;
        let key = match logged {
            Logged::Partition(_) => RowKey::Partition,
            Logged::Entity(entity, _) | Logged::Removed(entity) => RowKey::Entity(entity),
        };
        let place = if matches!(logged, Logged::Removed(_)) { place.removed() } else { place };
        let counts = {
            let shard = lock(&shard);
            match key {
                RowKey::Partition => shard.partition_place == Some(place),
                RowKey::Entity(entity) => shard.rows.get(&entity) == Some(&place),
            }
        };
        if !counts {
            return;
        }
        if is_oldest && place.is_removed() {
            // No older record of it is left.
            moved.push((shard, key, (place, None)));
            return;
        }
        match segments.append(owner, logged, logged.mark(mark_of)) {
            Ok(new) => moved.push((shard, key, (place, Some(new)))),
            Err(error) => failed = Some(error),
        }
    });
    if let Some(failed) = failed {
        return Err(failed.into());
    }
    if scanned.is_err() {
        let name = segment_name(number);
        // The next start must not go by these files. If this fails, it finds it anew.
        let _ = reader.disk.append(DAMAGED, name.as_bytes());
        return Err(RowFault::damaged(&name));
    }
    segments.flush()?;
    for (shard, key, (old, new)) in moved {
        let mut shard = lock(&shard);
        match (key, new) {
            (RowKey::Partition, new) => shard.partition_place = new,
            (RowKey::Entity(entity), Some(new)) => {
                shard.rows.insert(entity, new);
            }
            (RowKey::Entity(entity), None) => {
                shard.rows.remove(&entity);
            }
        }
        segments.dies(old);
    }
    segments.retire(number);
    Ok(())
}
