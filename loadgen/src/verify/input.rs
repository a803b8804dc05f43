//! The input in the judge's memory: a small entry per record, found by position or by its expected
//! output.
//!
//! In:  input records in the order of their partitions. Out: the expected outputs.
//! Holds: values are not kept, only hashes of them.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use super::record::Record;
use crate::{
    json,
    rules::{Broken, Reading},
};

/// Marks an event without a number.
const NO_NUMBER: u64 = u64::MAX;

/// The expected outcome of an input record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// No output: it has no value.
    Skipped,
    /// No output: processing began after it.
    Unseen,
    /// A dead letter.
    Rejected(Broken),
    /// An output, and a count in its window (or a late record).
    Valid,
}

/// One input record.
pub(super) struct Entry {
    pub(super) offset: i64,
    /// Kafka's timestamp in epoch milliseconds.
    pub(super) timestamp_ms: i64,
    event_no: u64,
    /// Hash of key and value.
    pub(super) raw: u128,
    /// Hash of the user.
    pub(super) user: u64,
    /// Start of the window in epoch seconds.
    pub(super) window_s: i64,
    /// Numbers of the counted values: location, device, version.
    pub(super) counted: [u32; 3],
    pub(super) fate: Fate,
    pub(super) dead_letters: u8,
    pub(super) late_records: u8,
}

/// The outputs with one content: how many are expected, and how many were seen.
#[derive(Clone, Copy)]
pub(super) struct ExpectedOutput {
    pub(super) expected: u32,
    pub(super) seen: u32,
    /// The first input with this content: partition and index.
    first: (u32, u32),
}

/// All input records.
#[derive(Default)]
pub(super) struct Input {
    partitions: Vec<Vec<Entry>>,
    names: ValueNumbers,
    outputs: HashMap<u128, ExpectedOutput, BuildHasherDefault<AlreadyHashed>>,
}

impl Input {
    /// Adds a record without a value, or one that must be rejected.
    pub(super) fn add_other(&mut self, record: &Record<'_>, fate: Fate) {
        self.push(
            record,
            Entry {
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
                event_no: NO_NUMBER,
                raw: raw_hash(record),
                user: 0,
                window_s: 0,
                counted: [0; 3],
                fate,
                dead_letters: 0,
                late_records: 0,
            },
        );
    }

    /// Adds a valid event.
    pub(super) fn add_valid(&mut self, record: &Record<'_>, reading: &Reading<'_>, window_s: i64) {
        let user = json::hash(reading.user_id.as_bytes()) as u64;
        let counted = [0, 1, 2].map(|index| self.names.number(&reading.counted[index]));
        let first = self.push(
            record,
            Entry {
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
                event_no: reading.event_no.unwrap_or(NO_NUMBER),
                raw: raw_hash(record),
                user,
                window_s,
                counted,
                fate: Fate::Valid,
                dead_letters: 0,
                late_records: 0,
            },
        );
        let empty = ExpectedOutput { expected: 0, seen: 0, first };
        self.outputs.entry(reading.fingerprint).or_insert(empty).expected += 1;
    }

    /// The expectation for an output of this content.
    pub(super) fn output(&mut self, fingerprint: u128) -> Option<&mut ExpectedOutput> {
        self.outputs.get_mut(&fingerprint)
    }

    /// The record at a position.
    pub(super) fn find(&mut self, partition: i32, offset: i64) -> Option<&mut Entry> {
        let entries = self.partitions.get_mut(usize::try_from(partition).ok()?)?;
        let index = entries.binary_search_by_key(&offset, |entry| entry.offset).ok()?;
        Some(&mut entries[index])
    }

    /// All entries with their positions as text.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Position, &Entry)> {
        self.partitions.iter().enumerate().flat_map(|(partition, entries)| {
            entries.iter().map(move |entry| {
                let event_no = (entry.event_no != NO_NUMBER).then_some(entry.event_no);
                (Position { partition, offset: entry.offset, event_no }, entry)
            })
        })
    }

    /// The contents with fewer outputs than expected: the first input of each, and how many are
    /// missing.
    pub(super) fn missing(&self) -> impl Iterator<Item = (Position, u32)> {
        self.outputs.values().filter(|slot| slot.seen < slot.expected).map(|slot| {
            let (partition, index) = (slot.first.0 as usize, slot.first.1 as usize);
            let entry = &self.partitions[partition][index];
            let event_no = (entry.event_no != NO_NUMBER).then_some(entry.event_no);
            let position = Position { partition, offset: entry.offset, event_no };
            (position, slot.expected - slot.seen)
        })
    }

    /// The value that has this number.
    pub(super) fn name(&self, number: u32) -> &str {
        &self.names.texts[number as usize]
    }

    fn push(&mut self, record: &Record<'_>, entry: Entry) -> (u32, u32) {
        let partition = record.partition as usize;
        if self.partitions.len() <= partition {
            self.partitions.resize_with(partition + 1, Vec::new);
        }
        let entries = &mut self.partitions[partition];
        assert!(
            entries.last().is_none_or(|last| last.offset < entry.offset),
            "a partition is read in the order of its offsets"
        );
        entries.push(entry);
        (partition as u32, entries.len() as u32 - 1)
    }
}

/// The position of an input record. It displays as `[partition]@offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) partition: usize,
    pub(super) offset: i64,
    pub(super) event_no: Option<u64>,
}

impl std::fmt::Display for Position {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "input [{}]@{}", self.partition, self.offset)?;
        self.event_no.map_or(Ok(()), |event_no| write!(out, ", event {event_no}"))
    }
}

/// Hash of a record's key and value; an absent one is not an empty one.
pub(super) fn raw_hash(record: &Record<'_>) -> u128 {
    let part = |bytes: Option<&[u8]>| bytes.map_or(0, json::hash).to_le_bytes();
    json::hash(&[part(record.key), part(record.value)].concat())
}

/// Numbers the values, so that an entry needs four bytes for each.
#[derive(Default)]
struct ValueNumbers {
    numbers: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
}

impl ValueNumbers {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }
}

/// A hasher for keys that are hashes already.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
