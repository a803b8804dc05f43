//! The partial result of one window: what one worker, one input partition, or all have counted.
//!
//! The same type is the worker's epoch delta, the ledger's entry per (partition, window) and the
//! merger's sum, since all of them only count and add.
//! Holds: each dimension's counts add up to `total`; merging is associative and commutative (the
//! names kept beyond a dimension's cap excepted).

use serde::{Deserialize, Serialize};

use super::{UserSketch, ValueCounts};

/// Events counted in one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Partial {
    /// Events.
    pub total: u64,
    /// Lowest offset of an event counted here, `i64::MAX` while there is none. Means something for
    /// partials of one input partition only.
    pub first_offset: i64,
    /// Events per `locale`.
    pub locations: ValueCounts,
    /// Events per `device_type`.
    pub devices: ValueCounts,
    /// Events per `app_version`.
    pub versions: ValueCounts,
    /// Distinct users.
    pub users: UserSketch,
}

impl Default for Partial {
    fn default() -> Self {
        Self::new()
    }
}

impl Partial {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self {
            total: 0,
            first_offset: i64::MAX,
            locations: ValueCounts::default(),
            devices: ValueCounts::default(),
            versions: ValueCounts::default(),
            users: UserSketch::default(),
        }
    }

    /// Counts one event; returns by how many bytes this grew. Allocates only for the first
    /// appearance of a value.
    #[inline]
    pub fn count(
        &mut self,
        offset: i64,
        locale: &str,
        device: &str,
        version: &str,
        user_id: &str,
    ) -> usize {
        self.total += 1;
        self.first_offset = self.first_offset.min(offset);
        self.locations.add(locale, 1)
            + self.devices.add(device, 1)
            + self.versions.add(version, 1)
            + self.users.insert(user_id)
    }

    /// Adds another partial of the same window.
    pub fn merge(&mut self, other: &Self) {
        self.total += other.total;
        self.first_offset = self.first_offset.min(other.first_offset);
        self.locations.merge(&other.locations);
        self.devices.merge(&other.devices);
        self.versions.merge(&other.versions);
        self.users.merge(&other.users);
    }

    /// Adds what an input partition has counted since it had `before`.
    pub fn replace(&mut self, before: Option<&Self>, now: &Self) {
        let Some(before) = before else { return self.merge(now) };
        self.total += now.total - before.total;
        self.first_offset = self.first_offset.min(now.first_offset);
        self.locations.replace(&before.locations, &now.locations);
        self.devices.replace(&before.devices, &now.devices);
        self.versions.replace(&before.versions, &now.versions);
        self.users.merge(&now.users);
    }

    /// Bytes in memory, this struct and its heap. Constant time.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.locations.heap_bytes()
            + self.devices.heap_bytes()
            + self.versions.heap_bytes()
            + self.users.heap_bytes()
    }

    /// Occurrences, over all dimensions, counted as `other` because a cap was reached.
    pub fn capped(&self) -> u64 {
        self.locations.capped() + self.devices.capped() + self.versions.capped()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;
    use crate::limits;

    type Event = (i64, String, String, String, String);

    fn event() -> impl Strategy<Value = Event> {
        (0..1000_i64, "[A-C]{2}", "iOS|android|unknown", "[12]\\.[0-9]", "u[0-9]{1,2}")
    }

    fn count(partial: &mut Partial, (offset, locale, device, version, user): &Event) -> usize {
        partial.count(*offset, locale, device, version, user)
    }

    proptest! {
        #[test]
        fn any_split_and_merge_order_gives_the_whole(
            events in vec((event(), any::<Index>()), 0..200),
            order in Just((0..4).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let mut whole = Partial::new();
            let mut parts = vec![Partial::new(); 4];
            for (event, part) in &events {
                count(&mut whole, event);
                count(part.get_mut(&mut parts), event);
            }
            let mut merged = Partial::new();
            for at in order {
                let bytes = postcard::to_stdvec(&parts[at]).expect("writes");
                merged.merge(&postcard::from_bytes(&bytes).expect("reads"));
            }
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(whole.total, events.len() as u64);
            for sum in [&whole.locations, &whole.devices, &whole.versions].map(ValueCounts::sum) {
                prop_assert_eq!(sum, whole.total);
            }
            let lowest = events.iter().map(|((offset, ..), _)| *offset).min();
            prop_assert_eq!(whole.first_offset, lowest.unwrap_or(i64::MAX));
        }

        #[test]
        fn growth_adds_up_to_the_memory(events in vec(event(), 0..300)) {
            let mut partial = Partial::new();
            let mut bytes = partial.memory_bytes();
            for event in &events {
                bytes += count(&mut partial, event);
            }
            prop_assert_eq!(partial.memory_bytes(), bytes);
        }
    }

    #[test]
    fn a_flood_of_values_stays_small_and_loses_nothing() {
        let mut partial = Partial::new();
        for number in 0..100_000 {
            let long = format!("{number}{}", "x".repeat(60));
            partial.count(number, &number.to_string(), &long, "1.0", &long);
        }
        assert!(partial.memory_bytes() < 256 * 1024, "{}", partial.memory_bytes());
        let cap = limits::MAX_VALUES_PER_DIMENSION as u64;
        assert_eq!((partial.locations.sum(), partial.locations.get("other")), (100_000, 99_000));
        assert_eq!((partial.devices.sum(), partial.versions.get("1.0")), (100_000, 100_000));
        assert_eq!(partial.locations.capped(), 100_000 - cap);
    }
}
