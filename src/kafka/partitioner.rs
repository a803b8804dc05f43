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

/// The partition among `partitions` that a Java producer gives to a record with this key.
///
/// # Panics
/// When `partitions` is not positive.
pub fn murmur2_partition(key: &[u8], partitions: i32) -> PartitionId {
    assert!(partitions > 0, "a topic has at least one partition, not {partitions}");
    let positive = (murmur2(key) & 0x7fff_ffff) as i32;
    PartitionId(positive % partitions)
}

fn murmur2(data: &[u8]) -> u32 {
    let mut hash = SEED ^ data.len() as u32;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(MIX);
        k = (k ^ (k >> SHIFT)).wrapping_mul(MIX);
        hash = hash.wrapping_mul(MIX) ^ k;
    }
    if !tail.is_empty() {
        for (i, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * i);
        }
        hash = hash.wrapping_mul(MIX);
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
            let partition = murmur2_partition(&key, partitions);
            prop_assert!((0..partitions).contains(&partition.0));
        }
    }
}
