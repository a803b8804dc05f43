//! Parses, validates, enriches and counts the events of a worker's users. Owned by the worker.
//!
//! Out: enriched and rejected records; at a barrier, counts per partition and window.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::{
    batcher::{OutputBatcher, SinkGone},
    delta::EpochDelta,
    task::{Made, Noted, Stamp, Task, WorkerEnd},
};
use crate::{
    batch::{Emptied, InputBatch, InputRecord, Pool, RejectKind, Span},
    budget::{Budget, Permit},
    epoch::ToSink,
    event::{Enricher, EventConfig, Parser, Reject},
    ids::{Epoch, EventTimeMs},
    kafka::Partitioner,
    topics::{PerOutput, Topic},
    users::Inherited,
    window::WindowRules,
};

/// What is counted, and how.
#[derive(Debug, Clone)]
pub struct CountingSettings {
    pub event: EventConfig,
    pub rules: WindowRules,
    /// Partitions of processed-logins.
    pub output_partitions: i32,
}

/// Enriches and counts.
pub(super) struct Counting {
    rules: WindowRules,
    partitioner: Partitioner,
    parser: Parser,
    enricher: Enricher,
    outputs: OutputBatcher,
    horizon: Option<EventTimeMs>,
    delta: EpochDelta,
}

impl Counting {
    pub(super) fn new(
        settings: CountingSettings,
        sink: &Sender<ToSink>,
        pool: &Pool<Emptied<Span>>,
        budget: &Arc<Budget>,
    ) -> Self {
        let CountingSettings { event, rules, output_partitions } = settings;
        Self {
            rules,
            partitioner: Partitioner::new(output_partitions),
            parser: Parser::new(&event),
            enricher: Enricher::new(&event),
            outputs: OutputBatcher::new(
                Topic::Processed,
                output_partitions as usize,
                sink.clone(),
                pool.clone(),
                Arc::clone(budget),
            ),
            horizon: None,
            delta: EpochDelta::default(),
        }
    }

    fn record(
        &mut self,
        record: &InputRecord,
        arena: &[u8],
        processed_at_us: i64,
        (stamp, noted): (Stamp, &mut Noted),
        permit: &mut Permit,
    ) -> Result<(), SinkGone> {
        let raw = record.span.value(arena);
        let event = match self.parser.parse(raw, record.position.timestamp_ms) {
            Ok(event) => event,
            Err(reject) => {
                noted.dead_letter(reject);
                return self.dead_letter(reject, record, arena, stamp, permit);
            }
        };
        noted.soft(event.soft);
        let window = self.rules.window_of(event.event_time);
        let late = self.rules.is_late(window, self.horizon);
        self.delta.processed(record.position, &event, (!late).then_some(window));
        let partition = self.partitioner.partition_of(event.user_id.as_bytes());
        let (key, headers) = (event.user_id.as_bytes(), record.span.headers(arena));
        let full = self.outputs.enriched(partition, key, headers, permit, |out| {
            self.enricher.append(raw, &event, processed_at_us, out);
        });
        if full {
            self.outputs.send_partition(partition, stamp)?;
        }
        if late {
            self.delta.late(record.position.partition);
            if self.outputs.rejected(RejectKind::Late, record, arena, permit) {
                self.outputs.send_rejects(stamp)?;
            }
        }
        Ok(())
    }

    fn dead_letter(
        &mut self,
        reject: Reject,
        record: &InputRecord,
        arena: &[u8],
        stamp: Stamp,
        permit: &mut Permit,
    ) -> Result<(), SinkGone> {
        self.delta.dead_letter(record.position.partition);
        if self.outputs.rejected(RejectKind::DeadLetter(reject), record, arena, permit) {
            self.outputs.send_rejects(stamp)?;
        }
        Ok(())
    }
}

impl Task for Counting {
    fn begin(&mut self, _: Epoch, horizon: Option<EventTimeMs>, _: &Inherited) {
        self.horizon = horizon;
    }

    fn process(
        &mut self,
        batch: &mut InputBatch,
        now_us: i64,
        stamp: Stamp,
        noted: &mut Noted,
    ) -> Result<(), WorkerEnd> {
        let InputBatch { arena, records, permit } = batch;
        for record in records.iter() {
            noted.ages.record(record.position.timestamp_ms);
            self.record(record, arena, now_us, (stamp, noted), permit)?;
        }
        Ok(())
    }

    fn send_all(&mut self, stamp: Stamp) -> Result<(), SinkGone> {
        self.outputs.send_all(stamp)
    }

    fn memory_bytes(&self) -> usize {
        self.delta.memory_bytes()
    }

    fn excess_bytes(&self) -> usize {
        0
    }

    fn take(&mut self, horizon: Option<EventTimeMs>) -> Made {
        self.horizon = horizon;
        let (deltas, counts) = self.delta.take();
        Made { deltas, counts, ..Made::default() }
    }

    fn resize(&mut self, partitions: PerOutput<i32>) {
        let partitions = partitions[Topic::Processed];
        self.partitioner = Partitioner::new(partitions);
        self.outputs.resize(partitions as usize);
    }

    fn clear(&mut self) {
        self.outputs.clear();
        drop(self.delta.take());
    }
}
