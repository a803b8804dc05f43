//! Takes drained records in: position check, routing, one copy. Owned by the source thread.
//!
//! In:  `DrainEvent`s.
//! Out: records in the lanes, positions in the partition table, faults for the source's loop.
//! Holds: every record of an owned partition is routed or counted as a tombstone, exactly once.

use std::time::Instant;

use super::{
    Halt,
    lanes::{Lanes, PeerGone},
    partitions::{Admission, Partitions},
    router::Routing,
};
use crate::{
    client::Clock,
    ids::{PartitionId, Position},
    kafka::{DrainEvent, Flow, KafkaError, Record},
    limits,
};

/// Something a drain met that the loop must act on.
#[derive(Debug)]
pub(crate) enum ReadFault {
    /// The loop must end.
    Halt(Halt),
    /// The position is outside the log.
    OutOfRange(PartitionId),
    /// Anything else librdkafka reported.
    Reported(KafkaError),
}

/// The receiving side of a drain.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) partitions: Partitions,
    pub(crate) lanes: Lanes,
    routing: Routing,
    now: Instant,
    now_ms: i64,
    taken: usize,
    /// Payload bytes routed since the last cut.
    pub(crate) bytes: u64,
    /// Records dropped since the last cut.
    pub(crate) dropped: u64,
    pub(crate) faults: Vec<ReadFault>,
}

impl Intake {
    pub(crate) fn new(lanes: Lanes, routing: Routing, now: Instant) -> Self {
        Self {
            partitions: Partitions::default(),
            lanes,
            routing,
            now,
            now_ms: 0,
            taken: 0,
            bytes: 0,
            dropped: 0,
            faults: Vec::new(),
        }
    }

    /// Reads the clocks once for the drain that follows.
    pub(crate) fn begin(&mut self, clock: &impl Clock) {
        self.now = clock.now();
        self.now_ms = clock.now_ms();
        self.taken = 0;
    }

    /// The time `begin` read.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// The wall clock `begin` read, milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Records taken since `begin`.
    pub(crate) fn taken(&self) -> u64 {
        self.taken as u64
    }

    /// What went wrong since the last call.
    pub(crate) fn take_faults(&mut self) -> Vec<ReadFault> {
        std::mem::take(&mut self.faults)
    }

    /// Takes one event of a drain.
    pub(crate) fn event(&mut self, event: DrainEvent<'_>) -> Flow {
        match event {
            DrainEvent::Record(record) => match self.record(&record) {
                Ok(true) => Flow::Continue,
                Ok(false) => Flow::Stop,
                Err(PeerGone) => {
                    self.faults.push(ReadFault::Halt(Halt::PeerGone));
                    Flow::Stop
                }
            },
            DrainEvent::EndOfPartition { partition, offset } => {
                self.partitions.end(partition, offset);
                Flow::Continue
            }
            DrainEvent::Error { partition, error } => {
                self.error(partition, error);
                Flow::Stop
            }
        }
    }

    fn record(&mut self, record: &Record<'_>) -> Result<bool, PeerGone> {
        let Record { partition, offset, timestamp_ms, key, value, headers } = *record;
        let admission = self.partitions.record(partition, offset, value.is_none(), self.now);
        if admission == Admission::Drop {
            self.dropped += 1;
            return Ok(true);
        }
        self.taken += 1;
        let more = self.taken < limits::DRAIN_MAX_RECORDS;
        let Some(value) = value else { return Ok(more) };
        self.bytes += (value.len() + key.map_or(0, <[u8]>::len)) as u64;
        let timestamp_ms = if timestamp_ms < 0 { self.now_ms } else { timestamp_ms };
        let position = Position { partition, offset, timestamp_ms };
        let worker = self.routing.worker_of(partition, offset, value);
        let room = self.lanes.admit(worker, position, key, value, headers, self.now)?;
        Ok(room && more)
    }

    fn error(&mut self, partition: Option<PartitionId>, error: KafkaError) {
        self.partitions.fetch_failed(partition);
        // What librdkafka itself cannot read it goes past, if the batch has only one record.
        if let KafkaError::Unreadable { partition, .. } = &error
            && error.is_of_the_client()
        {
            self.partitions.doubt(*partition);
        }
        self.faults.push(match error {
            KafkaError::OffsetOutOfRange { partition, .. } => ReadFault::OutOfRange(partition),
            error => ReadFault::Reported(error),
        });
    }
}
