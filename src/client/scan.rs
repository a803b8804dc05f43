//! Reads parts of a topic outside of any group, to their ends.
//!
//! Used by the thread that needs the records: read-back, redrive, samples, probes. In: a consumer
//! that has joined nothing, ranges, and how long a silence is borne. Out: events, one call of a
//! closure each.
//! Holds: exactly the records of the ranges are told, each once; a range ends at its last record or
//! where the log shows that no further one is in it, as behind the markers of transactions; memory
//! is bounded by the consumer's fetch queue, which a scan that pauses leaves full.
//!
//! The consumer's settings say what is visible: with `reads_uncommitted` everything.

use std::{fmt, time::Duration};

use super::{
    Clock, RecordConsumer,
    ranges::{Place, Ranges, ScanRange, ShortLog},
};
use crate::{
    ids::{Offset, PartitionId},
    kafka::{Consumer, DrainEvent, Flow, KafkaError, Record},
    limits::SOURCE_IDLE_WAIT,
};

/// What a scan meets.
#[derive(Debug)]
pub enum ScanEvent<'a> {
    /// A record of a range.
    Record(Record<'a>),
    /// The range is read. Not told when its last record was answered with `Stop`.
    EndOfRange {
        /// Its partition.
        partition: PartitionId,
    },
    /// A range cannot be read on, or not yet: `Unreadable` is a batch, `OffsetOutOfRange` a
    /// position that is gone.
    Error(KafkaError),
    /// An error of the client that is about no range. librdkafka goes on by itself.
    ClientError(KafkaError),
    /// A turn is over, with events or after a short wait. The moment for whoever watches.
    Turn {
        /// Ranges that have not ended.
        unread: usize,
    },
}

/// How a scan has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanEnd {
    /// All ranges are read.
    Complete,
    /// The closure said `Stop`; the same call goes on behind its record.
    Stopped,
    /// For as long as the patience lasts no record came, and no range ended.
    Stalled,
}

/// What one turn was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Stopped,
    Moved,
    Quiet,
}

/// Reads ranges of one topic.
pub struct TopicScan<R = Consumer> {
    consumer: R,
    ranges: Ranges,
}

impl<R> fmt::Debug for TopicScan<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicScan").field("ranges", &self.ranges).finish_non_exhaustive()
    }
}

impl<R: RecordConsumer> TopicScan<R> {
    /// Begins to fetch. The consumer, which has not subscribed, is closed with the scan.
    pub fn begin(
        mut consumer: R,
        ranges: &[ScanRange],
        short_log: ShortLog,
    ) -> Result<Self, KafkaError> {
        let ranges = Ranges::new(ranges, short_log);
        consumer.assign(&ranges.open().collect::<Vec<_>>())?;
        Ok(Self { consumer, ranges })
    }

    /// Offsets of the ranges that are left, records or not.
    pub fn left(&self) -> u64 {
        self.ranges.left()
    }

    /// Ranges that have not ended.
    pub fn unread(&self) -> usize {
        self.ranges.open().count()
    }

    /// The next offset to read of a partition's range: behind the last record that was told, or the
    /// range's end.
    pub fn position(&self, partition: PartitionId) -> Option<Offset> {
        self.ranges.position(partition)
    }

    /// Reads until all ranges have ended, `on_event` says `Stop`, or nothing has moved for
    /// `patience`.
    ///
    /// # Errors
    /// `Fenced` or `Fatal` when the client is beyond repair. All others are events.
    pub fn run(
        &mut self,
        clock: &impl Clock,
        patience: Duration,
        mut on_event: impl FnMut(ScanEvent<'_>) -> Flow,
    ) -> Result<ScanEnd, KafkaError> {
        let mut moved = clock.now();
        while self.unread() > 0 {
            match self.turn(SOURCE_IDLE_WAIT, &mut on_event)? {
                Turn::Stopped => return Ok(ScanEnd::Stopped),
                Turn::Moved => moved = clock.now(),
                Turn::Quiet if clock.since(moved) >= patience => return Ok(ScanEnd::Stalled),
                Turn::Quiet => {}
            }
            if on_event(ScanEvent::Turn { unread: self.unread() }) == Flow::Stop {
                return Ok(ScanEnd::Stopped);
            }
        }
        Ok(ScanEnd::Complete)
    }

    /// Reads what is there, and waits for nothing.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn look(
        &mut self,
        mut on_event: impl FnMut(ScanEvent<'_>) -> Flow,
    ) -> Result<(), KafkaError> {
        self.turn(Duration::ZERO, &mut on_event).map(drop)
    }

    fn turn(
        &mut self,
        wait: Duration,
        on_event: &mut impl FnMut(ScanEvent<'_>) -> Flow,
    ) -> Result<Turn, KafkaError> {
        // No record arrives here: `assign` forwards them before anything is fetched.
        let mut errors = Vec::new();
        self.consumer.serve(Duration::ZERO, &mut |event| {
            if let DrainEvent::Error { error, .. } = event {
                errors.push(error);
            }
        })?;
        if errors.into_iter().any(|error| on_event(ScanEvent::ClientError(error)) == Flow::Stop) {
            return Ok(Turn::Stopped);
        }
        let ranges = &mut self.ranges;
        let mut turn = Turn::Quiet;
        self.consumer.drain(wait, |event| {
            let (flow, moved) = tell(ranges, event, on_event);
            if flow == Flow::Stop {
                turn = Turn::Stopped;
                return Flow::Stop;
            }
            if moved {
                turn = Turn::Moved;
            }
            if moved && ranges.open().next().is_none() { Flow::Stop } else { Flow::Continue }
        });
        Ok(turn)
    }
}

/// Tells what an event means for the ranges: what comes next, and whether one of them has moved.
fn tell(
    ranges: &mut Ranges,
    event: DrainEvent<'_>,
    on_event: &mut impl FnMut(ScanEvent<'_>) -> Flow,
) -> (Flow, bool) {
    match event {
        DrainEvent::Record(record) => {
            let partition = record.partition;
            match ranges.record(partition, Offset(record.offset)) {
                Place::Outside => (Flow::Continue, false),
                Place::Inside => (on_event(ScanEvent::Record(record)), true),
                Place::Last if on_event(ScanEvent::Record(record)) == Flow::Stop => {
                    (Flow::Stop, true)
                }
                Place::Last | Place::Behind => {
                    (on_event(ScanEvent::EndOfRange { partition }), true)
                }
            }
        }
        DrainEvent::EndOfPartition { partition, offset } => {
            if ranges.log_end(partition, offset) {
                (on_event(ScanEvent::EndOfRange { partition }), true)
            } else {
                (Flow::Continue, false)
            }
        }
        DrainEvent::Error { error, .. } => (on_event(ScanEvent::Error(error)), false),
    }
}
