//! The few values of one kind that a profile remembers. Pure.
//!
//! Holds: at most `MOST` values, each once; which one gives way depends on the slots alone.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

/// A remembered value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot<K> {
    /// Which one.
    pub value: K,
    /// How often it came, beside the others of its kind.
    pub count: u8,
    /// UTC day of its last login, days since the Unix epoch.
    pub last_day: u32,
}

/// Values in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots<K, const MOST: usize> {
    slots: ArrayVec<Slot<K>, MOST>,
}

impl<K, const MOST: usize> Default for Slots<K, MOST> {
    fn default() -> Self {
        Self { slots: ArrayVec::new() }
    }
}

impl<K: Copy + PartialEq, const MOST: usize> Slots<K, MOST> {
    /// The slot of a value.
    pub fn find(&self, value: K) -> Option<&Slot<K>> {
        self.slots.iter().find(|slot| slot.value == value)
    }

    /// How often a value came; 0 for one that is not remembered.
    pub fn count(&self, value: K) -> u32 {
        self.find(value).map_or(0, |slot| u32::from(slot.count))
    }

    /// How often all of them came.
    pub fn total(&self) -> u32 {
        self.slots.iter().map(|slot| u32::from(slot.count)).sum()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Slot<K>> {
        self.slots.iter()
    }

    /// Takes a value up that came on a UTC day. Returns the index of its slot, and the index of the
    /// one that was given up for it: the indices behind that are one lower now.
    pub fn take_up(&mut self, value: K, day: u32) -> Taken {
        if let Some(index) = self.slots.iter().position(|slot| slot.value == value) {
            if self.slots[index].count == u8::MAX {
                self.slots.iter_mut().for_each(|slot| slot.count = slot.count.div_ceil(2));
            }
            let slot = &mut self.slots[index];
            slot.count += 1;
            slot.last_day = slot.last_day.max(day);
            return Taken { index, removed: None };
        }
        let removed = self.slots.is_full().then(|| self.least());
        if let Some(least) = removed {
            self.slots.remove(least);
        }
        self.slots.push(Slot { value, count: 1, last_day: day });
        Taken { index: self.slots.len() - 1, removed }
    }

    /// Removes what came last before a day.
    pub fn expire(&mut self, before: u32) {
        self.slots.retain(|slot| slot.last_day >= before);
    }

    /// Index of the slot that is given up first.
    fn least(&self) -> usize {
        let order = |(index, slot): &(usize, &Slot<K>)| (slot.last_day, slot.count, *index);
        let least = self.slots.iter().enumerate().min_by_key(order);
        least.expect("it is full").0
    }
}

/// Where a value is that was taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Its index.
    pub index: usize,
    /// Index of the one that was given up for it.
    pub removed: Option<usize>,
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn what_is_kept_is_what_a_plain_list_keeps(
            logins in vec((0_u8..6, 0_u32..4), 0..400),
        ) {
            let mut slots = Slots::<u8, 3>::default();
            let mut plain: Vec<(u8, u32, u32)> = Vec::new();
            for (value, day) in logins {
                slots.take_up(value, day);
                if let Some(at) = plain.iter().position(|kept| kept.0 == value) {
                    if plain[at].1 == 255 {
                        for kept in &mut plain {
                            kept.1 = kept.1 / 2 + kept.1 % 2;
                        }
                    }
                    plain[at].1 += 1;
                    plain[at].2 = plain[at].2.max(day);
                } else {
                    if plain.len() == 3 {
                        let first = plain.iter().map(|kept| (kept.2, kept.1)).min();
                        let at = plain.iter().position(|kept| Some((kept.2, kept.1)) == first);
                        plain.remove(at.expect("it is full"));
                    }
                    plain.push((value, 1, day));
                }
                let kept = slots.iter();
                let kept = kept.map(|it| (it.value, u32::from(it.count), it.last_day));
                prop_assert_eq!(kept.collect::<Vec<_>>(), plain.clone());
                prop_assert_eq!(slots.total(), plain.iter().map(|kept| kept.1).sum::<u32>());
            }
        }
    }

    #[test]
    fn a_count_that_is_full_halves_all_of_its_kind() {
        let mut slots = Slots::<u8, 2>::default();
        (0..3).for_each(|_| _ = slots.take_up(1, 0));
        (0..255).for_each(|_| _ = slots.take_up(2, 0));
        assert_eq!((slots.count(1), slots.count(2)), (3, 255));
        slots.take_up(2, 0);
        assert_eq!((slots.count(1), slots.count(2)), (2, 129));
        slots.expire(1);
        assert_eq!(slots.total(), 0);
    }
}
