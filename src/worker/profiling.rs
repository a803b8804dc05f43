//! Keeps a profile of each user and says what does not look like it. Owned by the worker.
//!
//! In:  enriched events, partition by partition in the order of their offsets.
//! Out: alerts and sessions; at a barrier, the rows of the profiles that have changed.

use std::{collections::BTreeMap, sync::Arc};

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
    headers::HeaderBlock,
    ids::{Epoch, EventTimeMs},
    kafka::Partitioner,
    topics::{PerOutput, Topic},
    users::{Inherited, Said, Watch, WatchSettings},
};

/// What profiles are made of, and where what is said of them goes.
#[derive(Debug, Clone)]
pub struct ProfilingSettings {
    pub watch: WatchSettings,
    /// Partitions of the outputs.
    pub outputs: PerOutput<i32>,
}

/// Keeps profiles.
pub(super) struct Profiling {
    watch: Watch,
    alerts: Output,
    sessions: Output,
    counts: EpochDelta,
    said: BTreeMap<Said, u64>,
}

/// One of the output topics.
struct Output {
    topic: Topic,
    partitioner: Partitioner,
    batcher: OutputBatcher,
}

impl Output {
    fn send(
        &mut self,
        user_id: &str,
        value: &[u8],
        stamp: Stamp,
        permit: &mut Permit,
    ) -> Result<(), SinkGone> {
        let key = user_id.as_bytes();
        let partition = self.partitioner.partition_of(key);
        let write = |out: &mut Vec<u8>| out.extend_from_slice(value);
        if self.batcher.enriched(partition, key, HeaderBlock::NONE, permit, write) {
            self.batcher.send_partition(partition, stamp)?;
        }
        Ok(())
    }

    fn resize(&mut self, partitions: &PerOutput<i32>) {
        let partitions = partitions[self.topic];
        self.partitioner = Partitioner::new(partitions);
        self.batcher.resize(partitions as usize);
    }
}

impl Profiling {
    pub(super) fn new(
        settings: ProfilingSettings,
        sink: &Sender<ToSink>,
        pool: &Pool<Emptied<Span>>,
        budget: &Arc<Budget>,
    ) -> Self {
        let ProfilingSettings { watch, outputs } = settings;
        let output = |topic: Topic| {
            let partitions = outputs[topic];
            let (sink, pool, budget) = (sink.clone(), pool.clone(), Arc::clone(budget));
            Output {
                topic,
                partitioner: Partitioner::new(partitions),
                batcher: OutputBatcher::new(topic, partitions as usize, sink, pool, budget),
            }
        };
        Self {
            watch: Watch::new(watch),
            alerts: output(Topic::Alerts),
            sessions: output(Topic::Activity),
            counts: EpochDelta::default(),
            said: BTreeMap::new(),
        }
    }

    fn record(
        &mut self,
        record: &InputRecord,
        arena: &[u8],
        (stamp, noted): (Stamp, &mut Noted),
        permit: &mut Permit,
    ) -> Result<(), WorkerEnd> {
        let position = record.position;
        let Self { watch, alerts, sessions, said: counted, .. } = &mut *self;
        let seen = watch.take(position, record.span.value(arena), |said, user_id, value| {
            let output = match said {
                Said::Alert(..) => &mut *alerts,
                Said::Session => &mut *sessions,
            };
            *counted.entry(said).or_default() += 1;
            output.send(user_id, value, stamp, permit).map_err(WorkerEnd::from)
        })?;
        match seen {
            Ok(noticed) => {
                noted.soft(noticed.soft);
                self.counts.seen(position, noticed.event_time);
                if noticed.is_late {
                    self.counts.late(position.partition);
                }
            }
            Err(reject) => {
                noted.dead_letter(reject);
                self.counts.dead_letter(position.partition);
                let kind = RejectKind::DeadLetter(reject);
                if self.alerts.batcher.rejected(kind, record, arena, permit) {
                    self.alerts.batcher.send_rejects(stamp)?;
                }
            }
        }
        Ok(())
    }
}

impl Task for Profiling {
    fn begin(&mut self, epoch: Epoch, _: Option<EventTimeMs>, inherited: &Inherited) {
        self.watch.begin(epoch, inherited);
    }

    fn process(
        &mut self,
        batch: &mut InputBatch,
        _now_us: i64,
        stamp: Stamp,
        noted: &mut Noted,
    ) -> Result<(), WorkerEnd> {
        self.watch.look();
        let InputBatch { arena, records, permit } = batch;
        for record in records.iter() {
            noted.ages.record(record.position.timestamp_ms);
            self.record(record, arena, (stamp, noted), permit)?;
        }
        Ok(())
    }

    fn send_all(&mut self, stamp: Stamp) -> Result<(), SinkGone> {
        self.alerts.batcher.send_all(stamp)?;
        self.sessions.batcher.send_all(stamp)
    }

    fn memory_bytes(&self) -> usize {
        self.watch.changed_bytes()
    }

    fn excess_bytes(&self) -> usize {
        self.watch.excess_bytes()
    }

    fn take(&mut self, _horizon: Option<EventTimeMs>) -> Made {
        let (deltas, counts) = self.counts.take();
        let said = std::mem::take(&mut self.said).into_iter().collect();
        Made { deltas, counts, rows: self.watch.take_changes(), said }
    }

    fn resize(&mut self, partitions: PerOutput<i32>) {
        self.alerts.resize(&partitions);
        self.sessions.resize(&partitions);
    }

    fn clear(&mut self) {
        self.alerts.batcher.clear();
        self.sessions.batcher.clear();
        self.watch.clear();
        drop(self.counts.take());
        self.said.clear();
    }
}
