//! The partition of a key, as the Java client chooses it.
//!
//! Pure; used by the workers, so that an output record of one key is always in one partition, the
//! same that any Java producer would use. Formula: Kafka's `Utils.murmur2`, seed `0x9747b28c`,
//! sign bit cleared, modulo the number of partitions.
#![forbid(unsafe_code)]

use crate::ids::PartitionId;

const SEED: u32 = 0x9747_b28c;
const MIX: u32 = 0x5bd1_e995;
const SHIFT: u32 = 24;

/// Bytes that are hashed at once.
const WORD_BYTES: usize = size_of::<u32>();

/// Chooses partitions of one topic.
#[derive(Debug, Clone, Copy)]
pub struct Partitioner {
    partitions: u32,
}

impl Partitioner {
    /// For a topic of `partitions` partitions.
    ///
    /// # Panics
    /// When `partitions` is not positive.
    pub fn new(partitions: i32) -> Self {
        assert!(partitions > 0, "a topic has at least one partition, not {partitions}");
        Self { partitions: partitions as u32 }
    }

    /// The partition that a Java producer gives to a record with this key.
    #[inline]
    pub fn partition_of(&self, key: &[u8]) -> PartitionId {
        let positive = murmur2(key) & 0x7fff_ffff;
        PartitionId((positive % self.partitions) as i32)
    }
}

fn murmur2(data: &[u8]) -> u32 {
    let mut hash = SEED ^ data.len() as u32;
    let (words, left) = data.as_chunks::<WORD_BYTES>();
    for word in words {
        let mixed = u32::from_le_bytes(*word).wrapping_mul(MIX);
        let mixed = (mixed ^ (mixed >> SHIFT)).wrapping_mul(MIX);
        hash = hash.wrapping_mul(MIX) ^ mixed;
    }
    if !left.is_empty() {
        let mut last = [0; WORD_BYTES];
        last[..left.len()].copy_from_slice(left);
        hash = (hash ^ u32::from_le_bytes(last)).wrapping_mul(MIX);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The values that Kafka's `UtilsTest` expects; the empty key is from librdkafka's test.
    #[test]
    fn hashes_are_those_of_the_java_client() {
        let cases: [(&[u8], i32); 7] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
            (b"", 275_646_681),
        ];
        for (key, expected) in cases {
            assert_eq!(murmur2(key) as i32, expected, "{}", String::from_utf8_lossy(key));
        }
    }

    /// One byte at a time, as the published description reads.
    fn naive(data: &[u8]) -> u32 {
        let byte = |i: usize| u32::from(data[i]);
        let mut h = SEED ^ data.len() as u32;
        let mut i = 0;
        while data.len() - i >= 4 {
            let mut k = byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24;
            k = k.wrapping_mul(MIX);
            k ^= k >> 24;
            k = k.wrapping_mul(MIX);
            h = h.wrapping_mul(MIX);
            h ^= k;
            i += 4;
        }
        let rest = data.len() - i;
        if rest >= 3 {
            h ^= byte(i + 2) << 16;
        }
        if rest >= 2 {
            h ^= byte(i + 1) << 8;
        }
        if rest >= 1 {
            h ^= byte(i);
            h = h.wrapping_mul(MIX);
        }
        h ^= h >> 13;
        h = h.wrapping_mul(MIX);
        h ^ h >> 15
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_form(key in proptest::collection::vec(any::<u8>(), 0..64),
                                      partitions in 1..2000_i32) {
            prop_assert_eq!(murmur2(&key), naive(&key));
            let positive = (murmur2(&key) & 0x7fff_ffff) as i32;
            let partition = Partitioner::new(partitions).partition_of(&key);
            prop_assert_eq!(partition.0, positive % partitions);
        }
    }
}
