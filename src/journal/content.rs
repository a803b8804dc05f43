//! The body of a record: a head, and the windows of an epoch or of the whole stream. Pure.
//!
//! Fields are written in the order of this file, whatever the order in the structs.
//! Holds: windows stand in ascending order, each once, in memory and in bytes.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{
    bytes::{ByteReader, ByteWriter, Flaw, flaw},
    heads,
    key::Stream,
};
use crate::{
    ids::WindowStart,
    window::{MergerHead, Partial, PartitionHead, PublishedTotal, UsageCounts},
};

/// What a record says of a partition. All values are absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionRecord {
    /// State after the epoch.
    pub head: PartitionHead,
    /// Windows that changed; in a snapshot, all that are not forgotten.
    pub windows: BTreeMap<WindowStart, Arc<Partial>>,
}

/// What a record says of the merger. All values are absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct MergerRecord {
    /// State after the epoch.
    pub head: MergerHead,
    /// Usage in all windows that are forgotten. `None`: what the record before says; never in a
    /// snapshot.
    pub past_usage: Option<Arc<UsageCounts>>,
    /// Windows that were published; in a snapshot, all that were and are not forgotten.
    pub windows: BTreeMap<WindowStart, PublishedTotal>,
}

/// The body of a record: its stream decides which of the two.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Of an input partition's stream.
    Partition(PartitionRecord),
    /// Of the merger's stream.
    Merger(MergerRecord),
}

impl Content {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = ByteWriter::default();
        match self {
            Self::Partition(PartitionRecord { head, windows }) => {
                heads::write_partition(&mut writer, head);
                write_windows(&mut writer, windows, |writer, partial| {
                    write_stored(writer, &**partial);
                });
            }
            Self::Merger(MergerRecord { head, past_usage, windows }) => {
                heads::write_merger(&mut writer, head);
                writer.option(past_usage.as_ref(), |writer, usage| write_stored(writer, &**usage));
                write_windows(&mut writer, windows, |writer, published| {
                    writer.unsigned(published.revision.into());
                    writer.unsigned(published.total);
                    writer.unsigned(published.late_events);
                });
            }
        }
        writer.finish()
    }

    pub(super) fn decode(stream: Stream, body: &[u8]) -> Result<Self, Flaw> {
        let mut reader = ByteReader::new(body);
        let content = match stream {
            Stream::Partition(_) => Self::Partition(PartitionRecord {
                head: heads::read_partition(&mut reader)?,
                windows: read_windows(&mut reader, |reader| reader.stored().map(Arc::new))?,
            }),
            Stream::Merger => Self::Merger(MergerRecord {
                head: heads::read_merger(&mut reader)?,
                past_usage: reader.option(|reader| reader.stored().map(Arc::new))?,
                windows: read_windows(&mut reader, |reader| {
                    let (revision, total) = (reader.number()?, reader.unsigned()?);
                    Ok(PublishedTotal { revision, total, late_events: reader.unsigned()? })
                })?,
            }),
        };
        reader.finish()?;
        Ok(content)
    }
}

fn write_stored(writer: &mut ByteWriter, counts: &impl Serialize) {
    let stored = postcard::to_allocvec(counts);
    writer.raw(&stored.expect("counts serialise into memory without errors"));
}

fn write_windows<T>(
    writer: &mut ByteWriter,
    windows: &BTreeMap<WindowStart, T>,
    write: impl Fn(&mut ByteWriter, &T),
) {
    writer.unsigned(windows.len() as u64);
    for (start, window) in windows {
        writer.signed(start.0);
        write(writer, window);
    }
}

fn read_windows<'a, T>(
    reader: &mut ByteReader<'a>,
    read: impl Fn(&mut ByteReader<'a>) -> Result<T, Flaw>,
) -> Result<BTreeMap<WindowStart, T>, Flaw> {
    let mut windows = BTreeMap::new();
    for _ in 0..reader.unsigned()? {
        let start = WindowStart(reader.signed()?);
        if windows.last_key_value().is_some_and(|(last, _)| *last >= start) {
            return flaw(format!("has window {start} behind a later one"));
        }
        windows.insert(start, read(reader)?);
    }
    Ok(windows)
}
