//! How often each value of one dimension occurred: value → count, with a cap on the values.
//!
//! Owned by the `Partial` it is part of: a worker's epoch delta, the ledger, the merger. Names
//! stand in one string in the order of their appearance; nothing is ever removed.
//! Holds: the sum over all entries, [`OTHER`] included, is the number of values added; at most
//! [`limits::MAX_VALUES_PER_DIMENSION`] names. Which values keep their name beyond the cap depends
//! on the order in which they came, the sums do not.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, Hasher},
};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits;

/// The entry that takes what has no entry of its own. An ordinary value of this name shares it.
pub const OTHER: &str = "other";

/// Entries up to which comparing one after the other is faster than hashing: with an index from the
/// first entry on, a worker takes 2 % more instructions per event (benches/instructions.rs).
const LINEAR_ENTRIES: usize = 8;

/// Bytes of a name that stand in its entry.
const HEAD_BYTES: usize = size_of::<u64>();

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The name's first bytes: they decide most comparisons without a look at the name. When names
    /// are compared instead, a worker takes 1.1 % more instructions per event and 3 % more
    /// processor time (benches/instructions.rs).
    head: u64,
    start: u32,
    len: u32,
    count: u64,
}

/// Counts per value of one dimension.
#[derive(Debug, Clone, Default)]
pub struct ValueCounts {
    names: String,
    entries: Vec<Entry>,
    /// Positions in `entries`; empty while there are at most `LINEAR_ENTRIES`.
    index: HashTable<u16>,
    /// Seeded by chance, so that nobody can send values that collide. It shows in no result.
    hash: RandomState,
    other: u64,
    capped: u64,
}

impl ValueCounts {
    /// Adds `n` occurrences of a value; returns by how many bytes this grew. No allocation for a
    /// value that has an entry.
    #[inline]
    pub fn add(&mut self, value: &str, n: u64) -> usize {
        if let Some(position) = self.find(value) {
            self.entries[position].count += n;
            return 0;
        }
        self.add_new(value, n)
    }

    /// Adds all of another's counts; returns by how many bytes this grew. When not all names fit,
    /// the most frequent of the new ones are kept.
    pub fn merge(&mut self, other: &Self) -> usize {
        let mut growth = 0;
        if self.entries.len() + other.entries.len() <= limits::MAX_VALUES_PER_DIMENSION {
            for entry in &other.entries {
                growth += self.add(other.name(entry), entry.count);
            }
        } else {
            let mut entries: Vec<_> =
                other.entries.iter().map(|entry| (entry.count, other.name(entry))).collect();
            entries.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
            for (count, name) in entries {
                growth += self.add(name, count);
            }
        }
        self.other += other.other;
        self.capped += other.capped;
        growth
    }

    /// Whether it can have grown out of another one, by its sums.
    pub fn continues(&self, before: &Self) -> bool {
        self.other >= before.other && self.capped >= before.capped
    }

    /// Adds what `now`, which has grown out of `before`, has more.
    pub fn replace(&mut self, before: &Self, now: &Self) {
        for entry in &now.entries {
            let name = now.name(entry);
            let had = before.find(name).map_or(0, |at| before.entries[at].count);
            if entry.count > had {
                self.add(name, entry.count - had);
            }
        }
        self.other += now.other - before.other;
        self.capped += now.capped - before.capped;
    }

    /// Every value with its count, [`OTHER`] where it is not 0, sorted by value.
    pub fn sorted(&self) -> Vec<(&str, u64)> {
        let named = self.entries.iter().map(|entry| (self.name(entry), entry.count));
        let other = (self.other > 0).then_some((OTHER, self.other));
        let mut all: Vec<_> = named.chain(other).collect();
        all.sort_unstable_by_key(|&(name, _)| name);
        all
    }

    /// As `sorted`, but at most `entries` of them: the rarest values are added to [`OTHER`].
    pub fn most_frequent(&self, entries: usize) -> Vec<(&str, u64)> {
        let mut all = self.sorted();
        if all.len() <= entries {
            return all;
        }
        let mut other = self.other;
        all.retain(|(name, _)| *name != OTHER);
        all.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        other += all.split_off(entries.saturating_sub(1)).iter().map(|(_, n)| n).sum::<u64>();
        all.push((OTHER, other));
        all.sort_unstable_by_key(|&(name, _)| name);
        all
    }

    /// How many occurrences were counted as [`OTHER`] because the cap was reached.
    pub fn capped(&self) -> u64 {
        self.capped
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.names.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.index.allocation_size()
    }

    #[inline]
    fn find(&self, value: &str) -> Option<usize> {
        let (head, len) = (head_of(value.as_bytes()), value.len());
        if self.entries.len() > LINEAR_ENTRIES {
            return self.find_hashed(head, value);
        }
        // Without an early exit: which of a few values comes next is what no branch predictor
        // knows.
        let mut found = None;
        for (at, entry) in self.entries.iter().enumerate() {
            if entry.head == head && entry.len as usize == len {
                found = Some(at);
            }
        }
        if len <= HEAD_BYTES || found.is_none() {
            return found;
        }
        self.entries.iter().position(|entry| self.is_named(entry, head, value))
    }

    fn find_hashed(&self, head: u64, value: &str) -> Option<usize> {
        if value.len() > limits::MAX_VALUE_BYTES {
            return None;
        }
        let named = |&at: &u16| self.is_named(&self.entries[usize::from(at)], head, value);
        let hash = hash_of(&self.hash, head, value.as_bytes());
        self.index.find(hash, named).map(|&at| usize::from(at))
    }

    #[cold]
    fn add_new(&mut self, value: &str, n: u64) -> usize {
        if value == OTHER || value.len() > limits::MAX_VALUE_BYTES {
            self.other += n;
            return 0;
        }
        if self.entries.len() == limits::MAX_VALUES_PER_DIMENSION {
            self.other += n;
            self.capped += n;
            return 0;
        }
        let before = self.heap_bytes();
        let start = self.names.len() as u32;
        self.names.push_str(value);
        let head = head_of(value.as_bytes());
        self.entries.push(Entry { head, start, len: value.len() as u32, count: n });
        match self.entries.len() {
            0..=LINEAR_ENTRIES => {}
            len if self.index.is_empty() => (0..len).for_each(|at| self.index_entry(at)),
            len => self.index_entry(len - 1),
        }
        self.heap_bytes() - before
    }

    fn index_entry(&mut self, at: usize) {
        let Self { names, entries, index, hash, .. } = self;
        let hash_at = |&at: &u16| {
            let entry = &entries[usize::from(at)];
            hash_of(hash, entry.head, entry.name(names).as_bytes())
        };
        let at = at as u16;
        index.insert_unique(hash_at(&at), at, hash_at);
    }

    #[inline]
    fn is_named(&self, entry: &Entry, head: u64, value: &str) -> bool {
        entry.head == head
            && entry.len as usize == value.len()
            && (value.len() <= HEAD_BYTES || entry.name(&self.names) == value)
    }

    fn name(&self, entry: &Entry) -> &str {
        entry.name(&self.names)
    }
}

impl Entry {
    fn name<'a>(&self, names: &'a str) -> &'a str {
        let start = self.start as usize;
        &names[start..start + self.len as usize]
    }
}

/// The first eight bytes of a name, or all of a shorter one with zeros behind them; the first byte
/// is the lowest.
#[inline]
fn head_of(name: &[u8]) -> u64 {
    if let Some(first) = name.first_chunk::<HEAD_BYTES>() {
        return u64::from_le_bytes(*first);
    }
    let len = name.len();
    if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        // Where the two overlap they hold the same bytes at the same place.
        let last = u64::from(u32::from_le_bytes(*last)) << (8 * (len - 4));
        return u64::from(u32::from_le_bytes(*first)) | last;
    }
    match *name {
        [] => 0,
        [a] => u64::from(a),
        [a, .., z] => u64::from(a) | u64::from(name[1]) << 8 | u64::from(z) << (8 * (len - 1)),
    }
}

#[inline]
fn hash_of(state: &RandomState, head: u64, name: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    if name.len() <= HEAD_BYTES {
        hasher.write_u64(head);
    } else {
        hasher.write(name);
    }
    hasher.finish()
}

impl PartialEq for ValueCounts {
    /// The same counts, whatever the order in which the values came.
    fn eq(&self, other: &Self) -> bool {
        self.other == other.other && self.capped == other.capped && self.sorted() == other.sorted()
    }
}

/// The stored form. A map, so that equal counts have equal bytes.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    named: BTreeMap<&'a str, u64>,
    other: u64,
    capped: u64,
}

impl Serialize for ValueCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named = self.entries.iter().map(|entry| (self.name(entry), entry.count)).collect();
        Stored { named, other: self.other, capped: self.capped }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ValueCounts {
    /// Reads borrowed names: the input must lie in memory as a whole.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        if stored.named.len() > limits::MAX_VALUES_PER_DIMENSION {
            return Err(de::Error::custom("more values in a dimension than its cap"));
        }
        let all = stored.named.values().chain([&stored.other]);
        if all.copied().try_fold(0, u64::checked_add).is_none() {
            return Err(de::Error::custom("more events in a dimension than can be counted"));
        }
        let mut counts = Self::default();
        for (name, count) in stored.named {
            counts.add(name, count);
        }
        counts.other += stored.other;
        counts.capped += stored.capped;
        Ok(counts)
    }
}

#[cfg(test)]
mod tests;
