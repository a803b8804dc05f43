//! The bytes of heads. Pure.
//!
//! Times, offsets and window starts are signed, counts and lengths unsigned.

use std::{collections::BTreeMap, sync::Arc};

use super::bytes::{ByteReader, ByteWriter, Flaw, flaw};
use crate::{
    ids::{EventTimeMs, Offset, PartitionId, TopicId, WindowStart},
    window::{
        BoundedRun, Completeness, MergerHead, PartitionHead, PartitionState, PartitionTotals,
        WindowRules,
    },
};

const FROM_START: u8 = 0;
const UNTIL_FIRST_EVENT: u8 = 1;
const UNTIL_FIRST_EVENT_AT_LEAST: u8 = 2;
const AFTER: u8 = 3;

pub(super) fn write_partition(writer: &mut ByteWriter, head: &PartitionHead) {
    let PartitionHead { state, at_end, totals } = head;
    writer.signed(state.next_offset.0);
    write_time(writer, state.watermark);
    write_time(writer, state.idle_as_of);
    writer.flag(*at_end);
    write_time(writer, state.horizon);
    match state.completeness {
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
    let PartitionTotals { records_in, processed, dead_lettered, late, tombstones } = *totals;
    for total in [records_in, processed, dead_lettered, late, tombstones] {
        writer.unsigned(total);
    }
    write_topic(writer, state.topic);
}

pub(super) fn read_partition(reader: &mut ByteReader) -> Result<PartitionHead, Flaw> {
    let (next_offset, watermark) = (Offset(reader.signed()?), read_time(reader)?);
    let (idle_as_of, at_end) = (read_time(reader)?, reader.flag()?);
    let (horizon, completeness) = (read_time(reader)?, read_completeness(reader)?);
    let totals = PartitionTotals {
        records_in: reader.unsigned()?,
        processed: reader.unsigned()?,
        dead_lettered: reader.unsigned()?,
        late: reader.unsigned()?,
        tombstones: reader.unsigned()?,
    };
    let topic = read_topic(reader)?;
    let state = PartitionState { next_offset, watermark, idle_as_of, horizon, completeness, topic };
    Ok(PartitionHead { state, at_end, totals })
}

pub(super) fn write_merger(writer: &mut ByteWriter, head: &MergerHead) {
    write_time(writer, head.watermark);
    write_time(writer, head.horizon);
    write_time(writer, head.forgotten);
    writer.unsigned(head.partitions.into());
    writer.option(head.run.as_ref(), |writer, run| {
        writer.unsigned(run.number);
        writer.unsigned(run.ends.len() as u64);
        for (p, end) in run.ends.iter() {
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
    Ok(BoundedRun { number, ends: Arc::new(ends), done: reader.flag()? })
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
