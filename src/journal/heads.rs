//! The bytes of heads. Pure.
//!
//! Times, offsets and window starts are signed, counts and lengths unsigned.

use std::collections::BTreeMap;

use super::bytes::{ByteReader, ByteWriter, Flaw, flaw};
use crate::{
    ids::{EventTimeMs, Offset, PartitionId, TopicId, WindowStart},
    window::{BoundedRun, Completeness, MergerHead, PartitionHead, PartitionTotals, WindowRules},
};

const FROM_START: u8 = 0;
const UNTIL_FIRST_EVENT: u8 = 1;
const UNTIL_FIRST_EVENT_AT_LEAST: u8 = 2;
const AFTER: u8 = 3;

pub(super) fn write_partition(writer: &mut ByteWriter, head: &PartitionHead) {
    writer.signed(head.next_offset.0);
    write_time(writer, head.watermark);
    writer.flag(head.idle);
    writer.flag(head.at_end);
    writer.unsigned(head.lease_ms);
    write_time(writer, head.adopted_horizon);
    match head.completeness {
        Completeness::FromStart => writer.byte(FROM_START),
        Completeness::UntilFirstEvent { at_least: None } => writer.byte(UNTIL_FIRST_EVENT),
        Completeness::UntilFirstEvent { at_least: Some(start) } => {
            writer.byte(UNTIL_FIRST_EVENT_AT_LEAST);
            writer.signed(start.0);
        }
        Completeness::After(start) => {
            writer.byte(AFTER);
            writer.signed(start.0);
        }
    }
    let PartitionTotals { records_in, processed, dead_lettered, late, tombstones } = head.totals;
    for total in [records_in, processed, dead_lettered, late, tombstones] {
        writer.unsigned(total);
    }
    write_topic(writer, head.topic);
}

pub(super) fn read_partition(reader: &mut ByteReader) -> Result<PartitionHead, Flaw> {
    Ok(PartitionHead {
        next_offset: Offset(reader.signed()?),
        watermark: read_time(reader)?,
        idle: reader.flag()?,
        at_end: reader.flag()?,
        lease_ms: reader.unsigned()?,
        adopted_horizon: read_time(reader)?,
        completeness: read_completeness(reader)?,
        totals: PartitionTotals {
            records_in: reader.unsigned()?,
            processed: reader.unsigned()?,
            dead_lettered: reader.unsigned()?,
            late: reader.unsigned()?,
            tombstones: reader.unsigned()?,
        },
        topic: read_topic(reader)?,
    })
}

pub(super) fn write_merger(writer: &mut ByteWriter, head: &MergerHead) {
    write_time(writer, head.watermark);
    write_time(writer, head.horizon);
    write_time(writer, head.forgotten);
    writer.unsigned(head.partitions.into());
    writer.option(head.run.as_ref(), |writer, run| {
        writer.unsigned(run.number);
        writer.unsigned(run.ends.len() as u64);
        for (p, end) in &run.ends {
            writer.signed(p.0.into());
            writer.signed(end.0);
        }
        writer.flag(run.done);
    });
    writer.signed(head.rules.size_ms);
    writer.signed(head.rules.grace_ms);
    writer.signed(head.rules.allowed_lateness_ms);
}

pub(super) fn read_merger(reader: &mut ByteReader) -> Result<MergerHead, Flaw> {
    Ok(MergerHead {
        watermark: read_time(reader)?,
        horizon: read_time(reader)?,
        forgotten: read_time(reader)?,
        partitions: reader.number()?,
        run: reader.option(read_run)?,
        rules: WindowRules {
            size_ms: reader.signed()?,
            grace_ms: reader.signed()?,
            allowed_lateness_ms: reader.signed()?,
        },
    })
}

fn read_run(reader: &mut ByteReader) -> Result<BoundedRun, Flaw> {
    let number = reader.unsigned()?;
    let mut ends = BTreeMap::new();
    for _ in 0..reader.unsigned()? {
        let p = reader.signed()?;
        let Ok(p) = i32::try_from(p) else { return flaw(format!("has an end of partition {p}")) };
        if ends.last_key_value().is_some_and(|(last, _)| *last >= PartitionId(p)) {
            return flaw(format!("has the end of partition {p} behind a later one"));
        }
        ends.insert(PartitionId(p), Offset(reader.signed()?));
    }
    Ok(BoundedRun { number, ends, done: reader.flag()? })
}

fn read_completeness(reader: &mut ByteReader) -> Result<Completeness, Flaw> {
    Ok(match reader.byte()? {
        FROM_START => Completeness::FromStart,
        UNTIL_FIRST_EVENT => Completeness::UntilFirstEvent { at_least: None },
        UNTIL_FIRST_EVENT_AT_LEAST => {
            Completeness::UntilFirstEvent { at_least: Some(WindowStart(reader.signed()?)) }
        }
        AFTER => Completeness::After(WindowStart(reader.signed()?)),
        other => return flaw(format!("has the unknown completeness {other}")),
    })
}

fn write_time(writer: &mut ByteWriter, time: Option<EventTimeMs>) {
    writer.option(time, |writer, time| writer.signed(time.0));
}

fn read_time(reader: &mut ByteReader) -> Result<Option<EventTimeMs>, Flaw> {
    reader.option(|reader| reader.signed().map(EventTimeMs))
}

/// The 16 bytes of a topic's id in the order in which Kafka prints them.
pub(super) fn write_topic(writer: &mut ByteWriter, topic: Option<TopicId>) {
    writer.option(topic, |writer, topic| writer.raw(&topic.0.to_be_bytes()));
}

pub(super) fn read_topic(reader: &mut ByteReader) -> Result<Option<TopicId>, Flaw> {
    reader.option(|reader| Ok(TopicId(u128::from_be_bytes(reader.raw()?))))
}
