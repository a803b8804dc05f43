//! The partial result of one window: what one worker, one input partition, or all have counted.
//!
//! The same type is the worker's epoch delta, the ledger's entry per (partition, window) and the
//! merger's sum, since all of them only count and add.
//! Holds: each dimension's counts add up to `total`; merging is associative and commutative (the
//! names kept beyond a dimension's cap excepted).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Dimension, PerDimension, UserSketch, ValueCounts};

/// Events counted in one window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Partial {
    /// Events.
    pub total: u64,
    /// Events per value of each dimension.
    pub counts: PerDimension<ValueCounts>,
    /// Distinct users.
    pub users: UserSketch,
}

impl Partial {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one event; returns by how many bytes this grew. Allocates only for the first
    /// appearance of a value.
    #[inline]
    pub fn count(&mut self, values: PerDimension<&str>, user_id: &str) -> usize {
        self.total += 1;
        Dimension::sum(|dimension| self.counts[dimension].add(values[dimension], 1))
            + self.users.insert(user_id)
    }

    /// Adds another partial of the same window.
    pub fn merge(&mut self, other: &Self) {
        self.total += other.total;
        for (dimension, counts) in self.counts.iter_mut() {
            counts.merge(&other.counts[dimension]);
        }
        self.users.merge(&other.users);
    }

    /// Adds what an input partition has counted since it had `before`.
    pub fn replace(&mut self, before: Option<&Self>, now: &Self) {
        let Some(before) = before else { return self.merge(now) };
        self.total += now.total - before.total;
        for (dimension, counts) in self.counts.iter_mut() {
            counts.replace(&before.counts[dimension], &now.counts[dimension]);
        }
        self.users.merge(&now.users);
    }

    /// Whether it can have grown out of another one, as counts of a partition do unless some were
    /// lost.
    pub fn continues(&self, before: &Self) -> bool {
        let grows = |(dimension, counts): (Dimension, &ValueCounts)| {
            counts.continues(&before.counts[dimension])
        };
        self.total >= before.total && self.counts.iter().all(grows)
    }

    /// Whether another one, in another place, says the same.
    pub(super) fn is_same(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        // The total decides mostly, and the names are put in order for a comparison.
        !Arc::ptr_eq(self, other) && self.total == other.total && **self == **other
    }

    /// Bytes in memory, this struct and its heap. Constant time.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + Dimension::sum(|dimension| self.counts[dimension].heap_bytes())
            + self.users.heap_bytes()
    }

    /// Occurrences, over all dimensions, counted as `other` because a cap was reached.
    pub fn capped(&self) -> u64 {
        self.counts.iter().map(|(_, counts)| counts.capped()).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;
    use crate::limits;

    type Event = (String, String, String, String);

    fn event() -> impl Strategy<Value = Event> {
        ("[A-C]{2}", "iOS|android|unknown", "[12]\\.[0-9]", "u[0-9]{1,2}")
    }

    fn count(partial: &mut Partial, (locale, device, version, user): &Event) -> usize {
        partial.count([&**locale, device, version].into(), user)
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
            for (_, counts) in whole.counts.iter() {
                prop_assert_eq!(counts.sum(), whole.total);
            }
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
    fn the_stored_form_is_the_one_that_was_always_written() {
        let mut partial = Partial::new();
        partial.count(["NY", "iOS", "2.3.0"].into(), "u1");
        partial.count(["CA", "iOS", "2.3.0"].into(), "u2");
        partial.count(["NY", "other", "2.3.0"].into(), "u1");
        let bytes: &[u8] = b"\x03\
            \x02\x02CA\x01\x02NY\x02\x00\x00\
            \x01\x03iOS\x02\x01\x00\
            \x01\x052.3.0\x03\x00\x00\
            \x08\x36\xa1\xf0\x49\x75\x4f\x50\x5e";
        assert_eq!(postcard::to_stdvec(&partial).expect("writes"), bytes);
        assert_eq!(postcard::from_bytes::<Partial>(bytes).expect("reads"), partial);
    }

    #[test]
    fn a_flood_of_values_stays_small_and_loses_nothing() {
        let mut partial = Partial::new();
        for number in 0..100_000 {
            let long = format!("{number}{}", "x".repeat(60));
            partial.count([&*number.to_string(), &long, "1.0"].into(), &long);
        }
        assert!(partial.memory_bytes() < 256 * 1024, "{}", partial.memory_bytes());
        let cap = limits::MAX_VALUES_PER_DIMENSION as u64;
        let counts = |dimension| &partial.counts[dimension];
        let locations = counts(Dimension::Location);
        assert_eq!((locations.sum(), locations.get("other")), (100_000, 99_000));
        assert_eq!(counts(Dimension::Device).sum(), 100_000);
        assert_eq!(counts(Dimension::Version).get("1.0"), 100_000);
        assert_eq!(locations.capped(), 100_000 - cap);
    }
}
