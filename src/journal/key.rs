//! Streams of the journal and the keys of their records. Pure.
//!
//! Keys are text, so that Kafka's own tools show them. The cleaner keeps the newest record of a
//! key: of an epoch record's slot in the ring, or of one of the two places of snapshots.
//! Holds: a key has one form; what is not written here is refused.

use std::fmt;

use super::row::RowKey;
use crate::{
    ids::{InstanceId, PartitionId},
    limits::{JOURNAL_CHUNKS_MAX, JOURNAL_RING_SLOTS},
};

/// A chain of records: of one input partition, or of the merger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// What the merger has published and announced.
    Merger,
    /// What an input partition has contributed.
    Partition(PartitionId),
}

impl Stream {
    /// The journal partition that holds it, of so many.
    pub fn journal_partition(self, partitions: u32) -> PartitionId {
        match self {
            Self::Merger => PartitionId(0),
            Self::Partition(p) => PartitionId(p.0.rem_euclid(partitions as i32)),
        }
    }

    /// A number of its own: 0, or one more than the partition.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Merger => 0,
            Self::Partition(p) => u64::from(p.0.unsigned_abs()) + 1,
        }
    }

    /// The stream with this number.
    pub(super) fn of_number(number: u64) -> Option<Self> {
        match number.checked_sub(1) {
            None => Some(Self::Merger),
            Some(p) => Some(Self::Partition(PartitionId(i32::try_from(p).ok()?))),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            MERGER => Some(Self::Merger),
            number => Some(Self::Partition(PartitionId(decimal(number)?))),
        }
    }
}

impl fmt::Display for Stream {
    /// Prints `m` or the partition.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merger => f.write_str(MERGER),
            Self::Partition(p) => p.fmt(f),
        }
    }
}

/// Where a snapshot lies. One of several chunks never replaces the newest one: if only some of its
/// chunks are committed, the cleaner would leave neither of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `snapshot-a`.
    A,
    /// `snapshot-b`.
    B,
}

impl Place {
    /// The other one.
    #[must_use]
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Which of a stream's records a chunk belongs to, as far as its key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// The epoch records whose sequence number has this rest.
    Ring(u64),
    /// A snapshot.
    Snapshot(Place),
}

impl Spot {
    /// The slot of an epoch record.
    pub(super) fn of_epoch_record(seq: u64) -> Self {
        Self::Ring(seq % JOURNAL_RING_SLOTS)
    }
}

/// A record's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// Whose journal this is.
    Identity,
    /// What an instance says of itself.
    Instance(InstanceId),
    /// A row of an input partition.
    Row {
        /// The partition.
        partition: PartitionId,
        /// Which of its rows.
        row: RowKey,
    },
    /// One chunk of an epoch record or a snapshot.
    Chunk {
        /// Its stream.
        stream: Stream,
        /// Its record.
        spot: Spot,
        /// Its index, from 0.
        index: u32,
    },
}

const MERGER: &str = "m";
const IDENTITY: &str = "identity";
const INSTANCE: &str = "instance";
const ROW: &str = "row";
const SNAPSHOT_A: &str = "snapshot-a";
const SNAPSHOT_B: &str = "snapshot-b";

impl Key {
    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let text = match self {
            Self::Identity => IDENTITY.to_owned(),
            Self::Instance(name) => format!("{INSTANCE}/{name}"),
            Self::Row { partition, row } => format!("{partition}/{ROW}/{row}"),
            Self::Chunk { stream, spot, index } => match spot {
                Spot::Ring(slot) => format!("{stream}/{slot}/{index}"),
                Spot::Snapshot(Place::A) => format!("{stream}/{SNAPSHOT_A}/{index}"),
                Spot::Snapshot(Place::B) => format!("{stream}/{SNAPSHOT_B}/{index}"),
            },
        };
        text.into_bytes()
    }

    /// The key with these bytes; `None` when there is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        if text == IDENTITY {
            return Some(Self::Identity);
        }
        if let Some((INSTANCE, name)) = text.split_once('/') {
            return InstanceId::parse(name).map(Self::Instance);
        }
        let mut parts = text.split('/');
        let stream = Stream::parse(parts.next()?)?;
        let spot = match parts.next()? {
            ROW => {
                let Stream::Partition(partition) = stream else { return None };
                let row = RowKey::parse(parts.next()?)?;
                return parts.next().is_none().then_some(Self::Row { partition, row });
            }
            SNAPSHOT_A => Spot::Snapshot(Place::A),
            SNAPSHOT_B => Spot::Snapshot(Place::B),
            slot => Spot::Ring(decimal(slot).filter(|slot| *slot < JOURNAL_RING_SLOTS)?),
        };
        let index = decimal(parts.next()?).filter(|index| *index < JOURNAL_CHUNKS_MAX)?;
        parts.next().is_none().then_some(Self::Chunk { stream, spot, index })
    }
}

/// A number without a sign and without zeros in front.
fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_shortest = text == "0" || !text.starts_with('0');
    (is_plain && is_shortest).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Key> {
        let stream = prop_oneof![
            Just(Stream::Merger),
            (0..=i32::MAX).prop_map(|p| Stream::Partition(PartitionId(p))),
        ];
        let spot = prop_oneof![
            any::<u64>().prop_map(Spot::of_epoch_record),
            Just(Spot::Snapshot(Place::A)),
            Just(Spot::Snapshot(Place::B)),
        ];
        let chunk = (stream, spot, 0..JOURNAL_CHUNKS_MAX)
            .prop_map(|(stream, spot, index)| Key::Chunk { stream, spot, index });
        let instance = "[a-zA-Z0-9._-]{1,20}"
            .prop_map(|name| Key::Instance(InstanceId::parse(&name).expect("valid")));
        let row = prop_oneof![Just(RowKey::Partition), any::<u64>().prop_map(RowKey::Entity),];
        let row =
            (0..=i32::MAX, row).prop_map(|(p, row)| Key::Row { partition: PartitionId(p), row });
        prop_oneof![1 => Just(Key::Identity), 1 => instance, 2 => row, 9 => chunk]
    }

    proptest! {
        #[test]
        fn a_key_comes_back(key in key()) {
            prop_assert_eq!(Key::parse(&key.encode()), Some(key.clone()));
            if let Key::Chunk { stream, .. } = key {
                prop_assert_eq!(Stream::of_number(stream.number()), Some(stream));
            }
        }

        #[test]
        fn a_key_has_one_form(
            text in "(m|[0-9]{0,11})/(snapshot-[abc]|row|[0-9]{0,4})/([0-9]{0,5}|[0-9a-fA-F]{16})",
        ) {
            if let Some(key) = Key::parse(text.as_bytes()) {
                prop_assert_eq!(key.encode(), text.into_bytes());
            }
        }
    }

    #[test]
    fn keys_are_text_for_kafka_s_tools() {
        let stream = Stream::Partition(PartitionId(17));
        let chunk = |stream, spot| Key::Chunk { stream, spot, index: 2 }.encode();
        assert_eq!(chunk(stream, Spot::of_epoch_record(300)), b"17/44/2");
        assert_eq!(chunk(Stream::Merger, Spot::Snapshot(Place::B)), b"m/snapshot-b/2");
        assert_eq!(Key::Identity.encode(), b"identity");
        let row = |row| Key::Row { partition: PartitionId(17), row }.encode();
        assert_eq!(row(RowKey::Entity(0xab)), b"17/row/00000000000000ab");
        assert_eq!(row(RowKey::Partition), b"17/row/partition");
        let name = InstanceId::parse("node-1").expect("valid");
        assert_eq!(Key::Instance(name).encode(), b"instance/node-1");
    }

    #[test]
    fn other_keys_are_refused() {
        for text in [
            "",
            "identity/",
            "instance",
            "instance/",
            "instance/a/0",
            "instance/a b",
            "m",
            "m/0",
            "m/0/0/0",
            "m/256/0",
            "m/00/0",
            "m/0/4096",
            "m/snapshot/0",
            "m/row/partition",
            "1/row/ab",
            "1/row/00000000000000AB",
            "1/row/partition/0",
            "+1/0/0",
            "01/0/0",
            "2147483648/0/0",
            "-1/0/0",
            "M/0/0",
        ] {
            assert_eq!(Key::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Key::parse(b"\xff/0/0"), None);
    }

    #[test]
    fn streams_are_spread_over_the_journal_and_the_merger_is_in_partition_0() {
        let of = |stream: Stream| stream.journal_partition(8).0;
        let partitions = [0, 7, 8, 1001].map(|p| of(Stream::Partition(PartitionId(p))));
        assert_eq!((of(Stream::Merger), partitions), (0, [0, 7, 0, 1]));
        assert_eq!(Stream::of_number(1 << 31), Some(Stream::Partition(PartitionId(i32::MAX))));
        assert_eq!(Stream::of_number((1 << 31) + 1), None);
    }
}
