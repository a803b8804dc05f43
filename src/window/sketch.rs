//! Distinct users of a window, estimated: a `HyperLogLog` sketch with 4096 registers.
//!
//! Owned by the `Partial` it is part of. The estimate is read from the registers alone, never from
//! the order of insertion, so that any split into partials and any merge order gives the same
//! number. Standard error 1.04 / sqrt(4096) = 1.6 %; up to some hundred users it is practically
//! exact. The hash and its seed are fixed: sketches of different processes and versions add up.
//! Holds: 40 bytes while empty or nearly so, at most 4 KiB, on the heap and stored.

use datasketches::{
    hash::value::raw_bytes,
    hll::{HllSketch, HllType, HllUnion},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Binary logarithm of the number of registers.
const LG_REGISTERS: u8 = 12;

/// Registers, one byte each.
const REGISTERS: usize = 1 << LG_REGISTERS;

/// Bytes before the registers in the stored form of a full sketch (the `DataSketches` HLL layout).
const REGISTERS_AT: usize = 40;

/// Where the stored form says how many registers there are.
const LG_REGISTERS_AT: usize = 3;

/// Where it says how they are kept, in two bits of a byte.
const MODE_AT: usize = 7;
const TYPE_MASK: u8 = 0b1100;
const HLL8: u8 = 0b1000;

/// The size of the stored form of a full sketch.
const FULL_BYTES: usize = REGISTERS_AT + REGISTERS;

/// A set of user ids of which only the size can be asked.
#[derive(Debug, Clone)]
pub struct UserSketch {
    sketch: HllSketch,
    /// What the sketch has on the heap; it grows to `REGISTERS` in a few steps.
    heap_bytes: usize,
}

impl Default for UserSketch {
    fn default() -> Self {
        let sketch = HllSketch::new(LG_REGISTERS, HllType::Hll8);
        Self::from(sketch.expect("12 is in the crate's 4 to 21"))
    }
}

impl From<HllSketch> for UserSketch {
    fn from(sketch: HllSketch) -> Self {
        Self { heap_bytes: sketch.estimated_size(), sketch }
    }
}

impl UserSketch {
    /// Adds a user; returns by how many bytes the sketch grew.
    #[inline]
    pub fn insert(&mut self, user_id: &str) -> usize {
        self.sketch.update(raw_bytes::from_str(user_id));
        if self.heap_bytes == REGISTERS {
            return 0;
        }
        let before = std::mem::replace(&mut self.heap_bytes, self.sketch.estimated_size());
        self.heap_bytes - before
    }

    /// Adds all users of another sketch.
    pub fn merge(&mut self, other: &Self) {
        if self.sketch.is_empty() {
            *self = other.clone();
            return;
        }
        let mut union = HllUnion::new(LG_REGISTERS).expect("12 is in the crate's 4 to 21");
        union.update(&self.sketch);
        union.update(&other.sketch);
        *self = Self::from(union.to_sketch(HllType::Hll8));
    }

    /// The estimated number of distinct users.
    pub fn estimate(&self) -> u64 {
        self.sketch.composite_estimate().round() as u64
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }
}

impl PartialEq for UserSketch {
    /// The same estimate now and after any further merge: equal registers, whatever the order in
    /// which they were filled.
    fn eq(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.sketch.serialize(), other.sketch.serialize());
        match (mine.len(), theirs.len()) {
            (FULL_BYTES, FULL_BYTES) => mine[REGISTERS_AT..] == theirs[REGISTERS_AT..],
            _ => self.sketch == other.sketch,
        }
    }
}

impl Serialize for UserSketch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.sketch.serialize())
    }
}

impl<'de> Deserialize<'de> for UserSketch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        // Looked at before it is read: the bytes of another size decide how much is allocated.
        let layout = bytes.get(MODE_AT).map(|mode| mode & TYPE_MASK);
        if bytes.get(LG_REGISTERS_AT) != Some(&LG_REGISTERS) || layout != Some(HLL8) {
            return Err(de::Error::custom("a user sketch of another size or layout"));
        }
        let sketch = HllSketch::deserialize(bytes).map_err(de::Error::custom)?;
        // The crate also reads a list with empty places in it, and then writes what it cannot read.
        if sketch.serialize().len() != bytes.len() {
            return Err(de::Error::custom("a user sketch that was not written like this"));
        }
        Ok(Self::from(sketch))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch_of(family: u32, users: std::ops::Range<u32>) -> UserSketch {
        let mut sketch = UserSketch::default();
        for user in users {
            sketch.insert(&format!("{family}-{user}"));
        }
        sketch
    }

    fn stored(sketch: &UserSketch) -> Vec<u8> {
        postcard::to_stdvec(sketch).expect("writes")
    }

    #[test]
    fn a_few_hundred_users_are_counted_exactly() {
        for users in [0, 1, 8, 9, 17, 100, 380] {
            let sketch = sketch_of(0, 0..users);
            assert_eq!(sketch.estimate(), u64::from(users));
            let mut twice = sketch.clone();
            twice.merge(&sketch);
            assert_eq!(twice, sketch);
        }
    }

    #[test]
    fn the_standard_error_is_as_stated() {
        const FAMILIES: u32 = 40;
        for users in [500, 3_000, 12_000, 60_000] {
            let mut squares = 0.0;
            for family in 0..FAMILIES {
                let estimate = sketch_of(family, 0..users).estimate() as f64;
                let error = estimate / f64::from(users) - 1.0;
                assert!(error.abs() < 5.0 * 0.016_25, "{family}: {estimate} of {users}");
                squares += error * error;
            }
            let standard = (squares / f64::from(FAMILIES)).sqrt();
            // Of 40 draws a standard deviation is known to 11 %.
            assert!(standard < 1.3 * 0.016_25, "{standard} for {users} users");
        }
    }

    #[test]
    fn small_sets_are_small_in_memory_and_stored() {
        let mut grown = UserSketch::default().heap_bytes();
        let mut sketch = UserSketch::default();
        for user in 0..5_000_u32 {
            grown += sketch.insert(&user.to_string());
            assert_eq!(sketch.heap_bytes(), grown);
            let (heap, bytes) = match user {
                0..7 => (128, 40),
                7..24 => (128, 120),
                24..300 => (2048, 1300),
                _ => (REGISTERS, FULL_BYTES + 2),
            };
            assert!(grown <= heap, "{grown} bytes for {user} users");
            if user % 100 == 7 {
                assert!(stored(&sketch).len() <= bytes, "{user}");
            }
        }
        assert_eq!(grown, REGISTERS);
    }

    #[test]
    fn damaged_or_foreign_bytes_are_refused() {
        let full = sketch_of(0, 0..1000);
        for foreign in [
            HllSketch::new(LG_REGISTERS, HllType::Hll4).expect("a sketch"),
            HllSketch::new(11, HllType::Hll8).expect("a sketch"),
        ] {
            let bytes = postcard::to_stdvec(foreign.serialize().as_slice()).expect("writes");
            assert!(postcard::from_bytes::<UserSketch>(&bytes).is_err());
        }
        let cut = &full.sketch.serialize()[..FULL_BYTES - 1];
        let bytes = postcard::to_stdvec(cut).expect("writes");
        assert!(postcard::from_bytes::<UserSketch>(&bytes).is_err());
    }

    /// Some twenty bytes that say 2^21 registers made a table of a MiB, and were refused then.
    #[test]
    fn a_small_sketch_of_another_size_is_refused_before_it_is_made() {
        let header = [3, 1, 7, 21, 18, 8, 0, 9, 0, 0, 0, 0];
        HllSketch::deserialize(&header).expect("sound in itself");
        let bytes = postcard::to_stdvec(&header[..]).expect("writes");
        let error = postcard::from_bytes::<UserSketch>(&bytes).expect_err("refused");
        assert_eq!(error, postcard::Error::SerdeDeCustom);
    }

    #[test]
    fn a_list_with_an_empty_place_is_refused() {
        let places = [1 << 26 | 5, 0].map(u32::to_le_bytes).concat();
        let list = [&[2, 1, 7, 12, 3, 8, 2, 8][..], &places].concat();
        let read = HllSketch::deserialize(&list).expect("the crate takes it");
        assert!(HllSketch::deserialize(&read.serialize()).is_err(), "but not what it makes of it");
        let bytes = postcard::to_stdvec(list.as_slice()).expect("writes");
        assert!(postcard::from_bytes::<UserSketch>(&bytes).is_err());
    }

    #[test]
    fn sketches_of_different_users_differ() {
        for users in [3, 30, 3000] {
            assert_ne!(sketch_of(0, 0..users), sketch_of(1, 0..users));
            assert_ne!(sketch_of(0, 0..users), sketch_of(0, 0..2 * users));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_split_and_merge_order_gives_the_same_sketch(
            sizes in proptest::collection::vec((0..3000_u32, 0..900_u32), 1..6),
            order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let range = |&(from, len): &(u32, u32)| from..from + len;
            let mut whole = UserSketch::default();
            for users in sizes.iter().map(range) {
                for user in users {
                    whole.insert(&format!("0-{user}"));
                }
            }
            let mut merged = UserSketch::default();
            for part in order.into_iter().filter_map(|at| sizes.get(at)) {
                let bytes = stored(&sketch_of(0, range(part)));
                merged.merge(&postcard::from_bytes(&bytes).expect("reads"));
            }
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(merged.estimate(), whole.estimate());
            prop_assert_eq!(merged.heap_bytes(), whole.heap_bytes());
            let again: UserSketch = postcard::from_bytes(&stored(&merged)).expect("reads");
            prop_assert_eq!(again.estimate(), whole.estimate());
        }
    }
}
