//! Keys of the stored values. Pure.
//!
//! Numbers are big-endian with the sign bit flipped, so that the byte order of keys is the order
//! of partitions and window starts, and everything of one partition stands together.

use crate::ids::{PartitionId, WindowStart};

const IDENTITY: &[u8] = b"identity";

const WINDOW: &[u8] = b"window/";
const PARTITION: &[u8] = b"partition/";
const PROGRESS: &[u8] = b"merger/progress";
const MERGER_WINDOW: &[u8] = b"merger/window/";
const COMMITTED: &[u8] = b"redo/committed";
const REDO: &[u8] = b"redo/";
const HEAD: &[u8] = b"/head";
const CHUNK: &[u8] = b"/chunk/";

/// One of the two places for redo records, used in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    A,
    B,
}

/// What a stored value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// What the state belongs to.
    Identity,
    /// Epoch, watermark, horizon and checksum of the base.
    BaseHead,
    /// The merger's memory of a window.
    MergerWindow(WindowStart),
    /// Progress of a partition.
    Partition(PartitionId),
    /// The epoch that is being folded, or was last: its commit is known.
    Committed,
    /// Epoch, chunk count and checksum of the redo record.
    RedoHead(Slot),
    /// A piece of the redo record, numbered from 0.
    RedoChunk(Slot, u32),
    /// The partial result of a partition's window.
    Window(PartitionId, WindowStart),
}

impl Slot {
    /// The place that is not this one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn letter(self) -> u8 {
        match self {
            Self::A => b'a',
            Self::B => b'b',
        }
    }
}

impl Key {
    /// Whether the base's checksum covers this row.
    pub(super) fn is_counted(self) -> bool {
        matches!(self, Self::MergerWindow(_) | Self::Partition(_) | Self::Window(..))
    }

    /// Bytes under which the value is stored.
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Identity => IDENTITY.to_vec(),
            Self::BaseHead => PROGRESS.to_vec(),
            Self::MergerWindow(start) => [MERGER_WINDOW, &ordered_i64(start.0)].concat(),
            Self::Partition(partition) => [PARTITION, &ordered_i32(partition.0)].concat(),
            Self::Committed => COMMITTED.to_vec(),
            Self::RedoHead(slot) => [REDO, &[slot.letter()], HEAD].concat(),
            Self::RedoChunk(slot, index) => {
                [REDO, &[slot.letter()], CHUNK, &index.to_be_bytes()].concat()
            }
            Self::Window(partition, start) => {
                [WINDOW, &ordered_i32(partition.0), b"/", &ordered_i64(start.0)].concat()
            }
        }
    }

    /// The key of these bytes, if this version of the program knows it.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes {
            IDENTITY => return Some(Self::Identity),
            PROGRESS => return Some(Self::BaseHead),
            COMMITTED => return Some(Self::Committed),
            _ => {}
        }
        if let Some(rest) = bytes.strip_prefix(MERGER_WINDOW) {
            Some(Self::MergerWindow(WindowStart(parse_i64(rest)?)))
        } else if let Some(rest) = bytes.strip_prefix(PARTITION) {
            Some(Self::Partition(PartitionId(parse_i32(rest)?)))
        } else if let Some((letter, rest)) = bytes.strip_prefix(REDO).and_then(<[u8]>::split_first)
        {
            let slot = [Slot::A, Slot::B].into_iter().find(|slot| slot.letter() == *letter)?;
            if rest == HEAD {
                return Some(Self::RedoHead(slot));
            }
            let index = rest.strip_prefix(CHUNK)?.try_into().ok()?;
            Some(Self::RedoChunk(slot, u32::from_be_bytes(index)))
        } else {
            let (partition, rest) = bytes.strip_prefix(WINDOW)?.split_at_checked(4)?;
            let start = rest.strip_prefix(b"/")?;
            Some(Self::Window(PartitionId(parse_i32(partition)?), WindowStart(parse_i64(start)?)))
        }
    }
}

fn ordered_i32(number: i32) -> [u8; 4] {
    (number ^ i32::MIN).to_be_bytes()
}

fn ordered_i64(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

fn parse_i32(bytes: &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.try_into().ok()?) ^ i32::MIN)
}

fn parse_i64(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?) ^ i64::MIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_slot() -> impl Strategy<Value = Slot> {
        prop_oneof![Just(Slot::A), Just(Slot::B)]
    }

    fn any_key() -> impl Strategy<Value = Key> {
        prop_oneof![
            Just(Key::Identity),
            Just(Key::BaseHead),
            Just(Key::Committed),
            any_slot().prop_map(Key::RedoHead),
            any::<i64>().prop_map(|start| Key::MergerWindow(WindowStart(start))),
            any::<i32>().prop_map(|partition| Key::Partition(PartitionId(partition))),
            (any_slot(), any::<u32>()).prop_map(|(slot, index)| Key::RedoChunk(slot, index)),
            (any::<i32>(), any::<i64>())
                .prop_map(|(p, start)| Key::Window(PartitionId(p), WindowStart(start))),
        ]
    }

    proptest! {
        #[test]
        fn every_key_comes_back(key in any_key()) {
            prop_assert_eq!(Key::parse(&key.encode()), Some(key));
        }

        #[test]
        fn bytes_of_window_keys_have_the_order_of_their_numbers(
            a in (-3..3_i32, any::<i64>()),
            b in (-3..3_i32, any::<i64>()),
        ) {
            let key = |(p, start)| Key::Window(PartitionId(p), WindowStart(start)).encode();
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            if let Some(key) = Key::parse(&bytes) {
                prop_assert_eq!(key.encode(), bytes);
            }
        }
    }

    #[test]
    fn unknown_and_cut_keys_are_none() {
        let unknown = [&b""[..], b"window/", b"window/1234x12345678", b"redo/a/chunk/123", b"else"];
        for bytes in unknown {
            assert_eq!(Key::parse(bytes), None, "{bytes:?}");
        }
    }
}
