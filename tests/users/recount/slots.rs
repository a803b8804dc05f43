//! The *slots* of a profile: a few values with a count and a last day.

/// One value, in a list by how long the values are there.
struct Slot<V> {
    value: V,
    count: u32,
    last_day: i64,
}

/// The values of one kind.
pub(super) struct Slots<V> {
    most: usize,
    slots: Vec<Slot<V>>,
}

impl<V: Clone + PartialEq> Slots<V> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, slots: Vec::new() }
    }

    pub(super) fn has(&self, value: &V) -> bool {
        self.slots.iter().any(|slot| slot.value == *value)
    }

    /// Count of the value, 0 if it is not there.
    pub(super) fn count(&self, value: &V) -> u32 {
        self.slots.iter().find(|slot| slot.value == *value).map_or(0, |slot| slot.count)
    }

    pub(super) fn sum(&self) -> u32 {
        self.slots.iter().map(|slot| slot.count).sum()
    }

    pub(super) fn remove_before(&mut self, first_day: i64) {
        self.slots.retain(|slot| slot.last_day >= first_day);
    }

    pub(super) fn take_up(&mut self, value: Option<&V>, day: i64) {
        let Some(value) = value else { return };
        if let Some(index) = self.slots.iter().position(|slot| slot.value == *value) {
            if self.slots[index].count == 255 {
                for slot in &mut self.slots {
                    slot.count = slot.count.div_ceil(2);
                }
            }
            let slot = &mut self.slots[index];
            slot.count += 1;
            slot.last_day = slot.last_day.max(day);
            return;
        }
        if self.slots.len() == self.most {
            self.give_one_up();
        }
        self.slots.push(Slot { value: value.clone(), count: 1, last_day: day });
    }

    /// Earliest last day, then smallest count, then there longest.
    fn give_one_up(&mut self) {
        let mut given_up = 0;
        for index in 1..self.slots.len() {
            let (slot, other) = (&self.slots[index], &self.slots[given_up]);
            if (slot.last_day, slot.count) < (other.last_day, other.count) {
                given_up = index;
            }
        }
        self.slots.remove(given_up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_halved_upwards_before_the_256th() {
        let mut slots = Slots::new(3);
        for _ in 0..255 {
            slots.take_up(Some(&'a'), 1);
        }
        for _ in 0..3 {
            slots.take_up(Some(&'b'), 1);
        }
        assert_eq!((slots.count(&'a'), slots.count(&'b')), (255, 3));
        slots.take_up(Some(&'a'), 1);
        assert_eq!((slots.count(&'a'), slots.count(&'b')), (129, 2));
        assert_eq!(slots.sum(), 131);
    }

    #[test]
    fn the_slot_given_up_is_the_stalest_then_the_smallest_then_the_longest_there() {
        let mut slots = Slots::new(3);
        for (value, day) in [('a', 5), ('b', 4), ('b', 2), ('c', 4)] {
            slots.take_up(Some(&value), day);
        }
        slots.take_up(Some(&'d'), 4);
        assert!(!slots.has(&'c'), "b is of the same day, with a larger count");
        slots.take_up(Some(&'e'), 4);
        assert!(!slots.has(&'d'));
        slots.take_up(Some(&'e'), 4);
        slots.take_up(Some(&'f'), 9);
        assert!(!slots.has(&'b'), "b and e are of the same day and count, b is there longer");
        assert!(slots.has(&'a') && slots.has(&'e') && slots.has(&'f'));
    }

    #[test]
    fn a_slot_of_the_first_day_stays() {
        let mut slots = Slots::new(3);
        slots.take_up(Some(&'a'), 3);
        slots.take_up(Some(&'b'), 4);
        slots.take_up(None, 9);
        slots.remove_before(4);
        assert!(!slots.has(&'a') && slots.has(&'b'));
    }
}
