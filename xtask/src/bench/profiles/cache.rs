//! The rows that are in memory, bounded; changed ones stay until they are taken to be written.
//!
//! Holds: what is dirty is never evicted; the second chance is given once per access (CLOCK).

use std::ops::Range;

use hashbrown::HashTable;

use super::{
    layout::{STRIPES, stripe_of},
    workload::{Row, VALUE_BYTES, Value},
};

/// A slot, its part of the index at its fullest, and its places in the lists of changes.
const SLOT_BYTES: usize = size_of::<Slot>() + 12 + 8;

struct Slot {
    key: u64,
    value: Value,
    /// Since the hand came by.
    is_used: bool,
    /// Not yet written.
    is_dirty: bool,
    /// Not yet logged.
    is_changed: bool,
}

const _: () = assert!(size_of::<Slot>() <= 8 + VALUE_BYTES + 8);

pub(super) struct Cache {
    slots: Vec<Slot>,
    index: HashTable<u32>,
    capacity: usize,
    hand: usize,
    /// By stripe.
    dirty: Vec<Vec<u32>>,
    dirty_slots: usize,
    changed: Vec<u32>,
}

impl Cache {
    /// Of so many bytes, all of them taken with the rows that come.
    pub(super) fn new(bytes: usize) -> Self {
        let capacity = (bytes / SLOT_BYTES).max(2);
        Self {
            slots: Vec::with_capacity(capacity),
            index: HashTable::with_capacity(capacity),
            capacity,
            hand: 0,
            dirty: vec![Vec::new(); STRIPES],
            dirty_slots: 0,
            changed: Vec::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.slots.len() == self.capacity
    }

    /// Share of the slots that wait to be written.
    pub(super) fn dirty_share(&self) -> f64 {
        self.dirty_slots as f64 / self.capacity as f64
    }

    /// The slot of a row that is in memory.
    pub(super) fn find(&mut self, key: u64) -> Option<u32> {
        let slot = *self.index.find(key, |slot| self.slots[*slot as usize].key == key)?;
        self.slots[slot as usize].is_used = true;
        Some(slot)
    }

    /// Takes a row in that is not in memory, in the place of another if need be.
    pub(super) fn admit(&mut self, key: u64, value: Value) -> u32 {
        let new = Slot { key, value, is_used: false, is_dirty: false, is_changed: false };
        let slot = if self.is_full() {
            let slot = self.evict();
            self.slots[slot as usize] = new;
            slot
        } else {
            self.slots.push(new);
            self.slots.len() as u32 - 1
        };
        let slots = &self.slots;
        self.index.insert_unique(key, slot, |slot| slots[*slot as usize].key);
        slot
    }

    fn evict(&mut self) -> u32 {
        assert!(self.dirty_slots < self.capacity, "everything in memory waits to be written");
        loop {
            self.hand = (self.hand + 1) % self.capacity;
            let slot = &mut self.slots[self.hand];
            if slot.is_dirty || slot.is_changed {
                continue;
            }
            if slot.is_used {
                slot.is_used = false;
                continue;
            }
            let hand = self.hand as u32;
            let place = self.index.find_entry(slot.key, |slot| *slot == hand);
            place.expect("a slot is in the index").remove();
            return hand;
        }
    }

    pub(super) fn value(&self, slot: u32) -> (u64, &Value) {
        let slot = &self.slots[slot as usize];
        (slot.key, &slot.value)
    }

    /// Replaces a value, which then has to be logged and written.
    pub(super) fn change(&mut self, slot: u32, value: Value) {
        let number = slot;
        let slot = &mut self.slots[slot as usize];
        slot.value = value;
        if !slot.is_dirty {
            slot.is_dirty = true;
            self.dirty_slots += 1;
            self.dirty[stripe_of(slot.key)].push(number);
        }
        if !slot.is_changed {
            slot.is_changed = true;
            self.changed.push(number);
        }
    }

    /// What has changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> Vec<Row> {
        let row = |slot: u32| {
            let slot = &mut self.slots[slot as usize];
            slot.is_changed = false;
            (slot.key, slot.value)
        };
        self.changed.drain(..).map(row).collect()
    }

    /// What is not yet written of these stripes, in the order of the keys.
    pub(super) fn take_dirty(&mut self, stripes: Range<usize>) -> Vec<Row> {
        let mut rows = Vec::new();
        for slot in self.dirty[stripes].iter_mut().flat_map(|stripe| stripe.drain(..)) {
            let slot = &mut self.slots[slot as usize];
            slot.is_dirty = false;
            rows.push((slot.key, slot.value));
        }
        self.dirty_slots -= rows.len();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::{super::workload::key_of, *};

    #[test]
    fn changed_rows_stay_and_others_make_room() {
        let mut cache = Cache::new(10 * SLOT_BYTES);
        for user in 0..3 {
            let slot = cache.admit(key_of(user), [1; VALUE_BYTES]);
            cache.change(slot, [2; VALUE_BYTES]);
        }
        for user in 3..100 {
            cache.admit(key_of(user), [1; VALUE_BYTES]);
        }
        assert!(cache.is_full() && cache.find(key_of(50)).is_none());
        for user in 0..3 {
            let slot = cache.find(key_of(user)).expect("what is dirty stays");
            assert_eq!(cache.value(slot), (key_of(user), &[2; VALUE_BYTES]));
        }
        let (changed, dirty) = (cache.take_changed(), cache.take_dirty(0..STRIPES));
        assert_eq!((changed.len(), dirty.len()), (3, 3));
        assert!(dirty.is_sorted_by_key(|(key, _)| *key));
        assert!(cache.take_dirty(0..STRIPES).is_empty() && cache.dirty_share() == 0.0);
    }
}
