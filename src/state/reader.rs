//! Puts the rows of a database together again. Pure.
//!
//! In:  all rows, in any order. Out: base and redo record, and rows still to write.
//! Holds: what comes out is complete and undamaged. Where the base is neither of an epoch nor of
//! the next, a fold was cut off; the redo record of that fold then still stands in its slot, its
//! epoch noted as committed, and writing it once more completes the base. If that does not help,
//! the database is broken.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Loaded,
    codec::{self, Flaw, broken},
    keys::{Key, Slot},
    rows::{BaseHead, RedoHead, RedoMark, Row, StoredRows, unpack},
};
use crate::{
    ids::Epoch,
    limits::REDO_CHUNKS_MAX,
    window::{EpochChange, StateImage},
};

/// All that a database holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) loaded: Loaded,
    pub(super) stored: StoredRows,
    /// The fold that was cut off; already contained in the two others.
    pub(super) repair: Vec<Row>,
}

/// Takes rows until there are no more.
#[derive(Debug, Default)]
pub(super) struct Reader {
    base: StateImage,
    counted: StoredRows,
    head: BaseHead,
    committed: Epoch,
    heads: BTreeMap<Slot, RedoHead>,
    chunks: BTreeMap<(Slot, u32), Vec<u8>>,
}

/// A complete redo record.
#[derive(Debug)]
struct Redo {
    head: RedoHead,
    slot: Slot,
    rows: Vec<Row>,
}

impl Reader {
    /// Takes the next row.
    pub(super) fn take(&mut self, bytes: &[u8], value: &[u8]) -> Result<(), Flaw> {
        let key = Key::parse(bytes).ok_or_else(|| broken(bytes, "has an unknown key"))?;
        match key {
            // Read and checked before everything else.
            Key::Identity => {}
            Key::BaseHead => self.head = codec::decode(bytes, value)?,
            Key::Committed => self.committed = codec::decode(bytes, value)?,
            // A write that replaces a record removes what the one before it had beyond.
            Key::RedoChunk(_, index) if index >= REDO_CHUNKS_MAX => {
                return Err(broken(bytes, "has an impossible number"));
            }
            Key::RedoHead(slot) => drop(self.heads.insert(slot, codec::decode(bytes, value)?)),
            Key::RedoChunk(slot, index) => {
                self.chunks.insert((slot, index), codec::unseal(bytes, value)?.to_vec());
            }
            Key::MergerWindow(_) | Key::Partition(_) | Key::Window(..) => {
                let row = (key, Some(value.to_vec()));
                apply(&mut self.base, &row)?;
                self.counted.take(&[row]);
            }
        }
        Ok(())
    }

    /// All rows have been taken.
    pub(super) fn finish(mut self) -> Result<Contents, Flaw> {
        let redos = self.redos();
        let sum = |head: &BaseHead| (head.rows, head.digest);
        let mut repair = Vec::new();
        if sum(&self.counted.head) == sum(&self.head) {
            self.counted.head = self.head;
        } else {
            let completes = |redo: &&Redo| {
                let after = head_of(&redo.rows);
                redo.head.epoch == self.committed
                    && after.is_some_and(|after| self.counted.sum_with(&redo.rows) == sum(&after))
            };
            let Some(redo) = redos.iter().find(completes) else {
                return Err(broken(&Key::BaseHead.encode(), "does not match the rows present"));
            };
            for row in &redo.rows {
                apply(&mut self.base, row)?;
            }
            self.counted.take(&redo.rows);
            repair.clone_from(&redo.rows);
        }
        let Self { mut base, counted: mut stored, chunks, .. } = self;
        base.epoch = stored.head.epoch;
        base.watermark = stored.head.watermark;
        base.horizon = stored.head.horizon;
        let settled = stored.head.epoch.max(stored.head.discarded);
        let pending = |redo: &&Redo| redo.head.epoch > settled && redo.head.base == base.epoch;
        let redo = redos.iter().filter(pending).max_by_key(|redo| redo.head.epoch);
        stored.redo = redo.map(|Redo { head, slot, .. }| RedoMark {
            epoch: head.epoch,
            slot: *slot,
            bytes: head.bytes,
        });
        stored.highest = redos.iter().map(|redo| redo.head.epoch).max().unwrap_or_default();
        for (slot, index) in chunks.keys() {
            stored.chunks.insert(*slot, index + 1);
        }
        let redo = redo.map(|redo| change_of(redo.head.epoch, &redo.rows)).transpose()?;
        let loaded = Loaded { base, redo, highest_epoch: stored.highest_epoch() };
        Ok(Contents { loaded, stored, repair })
    }

    /// The complete redo records. An incomplete one was never committed to Kafka, because its
    /// write did not finish; or it is damaged, and then the commit tells that it is missing.
    fn redos(&self) -> Vec<Redo> {
        let complete = |(slot, head): (&Slot, &RedoHead)| {
            let mut body = Vec::new();
            for index in 0..head.chunks {
                body.extend_from_slice(self.chunks.get(&(*slot, index))?);
            }
            let sound = body.len() as u64 == head.bytes && crc32c::crc32c(&body) == head.crc;
            let rows = sound.then(|| unpack(&body))??;
            Some(Redo { head: *head, slot: *slot, rows })
        };
        self.heads.iter().filter_map(complete).collect()
    }
}

/// The head row of a fold.
fn head_of(rows: &[Row]) -> Option<BaseHead> {
    let (key, value) = rows.last().filter(|(key, _)| *key == Key::BaseHead)?;
    codec::decode(&key.encode(), value.as_deref()?).ok()
}

/// Applies a fold's row to the image, the head row aside.
fn apply(base: &mut StateImage, (key, value): &Row) -> Result<(), Flaw> {
    let bytes = key.encode();
    match (key, value) {
        (Key::MergerWindow(start), Some(value)) => {
            base.windows.insert(*start, codec::decode(&bytes, value)?);
        }
        (Key::MergerWindow(start), None) => drop(base.windows.remove(start)),
        (Key::Partition(partition), Some(value)) => {
            base.partitions.insert(*partition, codec::decode(&bytes, value)?);
        }
        (Key::Partition(partition), None) => drop(base.partitions.remove(partition)),
        (Key::Window(partition, start), Some(value)) => {
            let partial = Arc::new(codec::decode(&bytes, value)?);
            base.partials.insert((*partition, *start), partial);
        }
        (Key::Window(partition, start), None) => {
            base.partials.remove(&(*partition, *start));
        }
        _ => {}
    }
    Ok(())
}

/// The change of which these are the rows.
fn change_of(epoch: Epoch, rows: &[Row]) -> Result<EpochChange, Flaw> {
    let key = || Key::BaseHead.encode();
    let head = head_of(rows).filter(|head| head.epoch == epoch);
    let head = head.ok_or_else(|| broken(&key(), "is missing in the redo record"))?;
    let mut change = EpochChange {
        epoch,
        partials: BTreeMap::new(),
        partitions: BTreeMap::new(),
        windows: BTreeMap::new(),
        watermark: head.watermark,
        horizon: head.horizon,
    };
    for (key, value) in rows {
        let bytes = key.encode();
        match key {
            Key::MergerWindow(start) => {
                let meta = value.as_ref().map(|value| codec::decode(&bytes, value)).transpose()?;
                change.windows.insert(*start, meta);
            }
            Key::Window(partition, start) => {
                let partial = value.as_ref().map(|value| codec::decode(&bytes, value));
                change.partials.insert((*partition, *start), partial.transpose()?.map(Arc::new));
            }
            Key::Partition(partition) => {
                let value = value.as_ref().ok_or_else(|| broken(&bytes, "is removed"))?;
                change.partitions.insert(*partition, codec::decode(&bytes, value)?);
            }
            _ => {}
        }
    }
    Ok(change)
}
