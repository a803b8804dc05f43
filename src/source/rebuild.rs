//! Reading again what lost windows were made of. Owned by the source thread.
//!
//! In:  the sink's `Rebuild`: ranges below the committed offsets.
//! Out: their records to the workers, which only count them, and one cut at the end.
//! Holds: nothing at or behind a committed offset is routed; the ranges are read as one epoch, so
//! that a crash in between leaves everything as it was.

use std::time::{Duration, Instant};

use super::{Halt, Source, SourcePhase, fatal, recover::Known};
use crate::{
    client::{Client, Clock, RecordConsumer},
    epoch::{CutReason, EpochCut, Mode, Rebuild, ToSink},
    failpoint::{self, Point},
    limits,
};

/// A rebuild under way.
#[derive(Debug)]
pub(super) struct Rebuilding {
    known: Known,
    order: Rebuild,
    cut: bool,
    began: Instant,
    said: Instant,
}

impl Rebuilding {
    /// What is known of all partitions that are being recovered.
    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// Whether records are still to be read.
    pub(super) fn reads(&self) -> bool {
        !self.cut
    }

    /// What is known, for what follows.
    pub(super) fn into_known(self) -> Known {
        self.known
    }
}

impl<C: Client> Source<C> {
    pub(super) fn rebuild(&mut self, order: Rebuild) -> Result<(), Halt> {
        let phase = std::mem::replace(&mut self.phase, SourcePhase::Unassigned);
        let SourcePhase::Recovering(known) = phase else {
            unreachable!("the sink answers a request that waits");
        };
        let now = self.client.clock().now();
        let records: i64 = order.ranges.iter().map(|range| range.until.0 - range.from.0).sum();
        tracing::info!(
            partitions = order.ranges.len(),
            records,
            "rebuilding windows: counting committed input again, without output"
        );
        self.intake.partitions.replay(&order.ranges, now);
        let starts: Vec<_> = order.ranges.iter().map(|r| (r.partition, r.from)).collect();
        self.consumer.assign(&starts).map_err(|error| fatal(&error))?;
        self.intake.lanes.begin(order.epoch, order.horizon, Mode::Replay)?;
        self.phase =
            SourcePhase::Rebuilding(Rebuilding { known, order, cut: false, began: now, said: now });
        Ok(())
    }

    pub(super) fn advance_rebuild(&mut self) -> Result<(), Halt> {
        let now = self.intake.now();
        let SourcePhase::Rebuilding(rebuilding) = &mut self.phase else { return Ok(()) };
        if rebuilding.cut {
            return Ok(());
        }
        let (done, left) = self.intake.partitions.replayed();
        if !done.is_empty() {
            self.consumer.pause(&done).map_err(|error| fatal(&error))?;
            if left > 0 {
                failpoint::reached(Point::HalfRebuilt);
            }
        }
        if left > 0 {
            if now - rebuilding.said >= limits::REPEATED_LOG_INTERVAL {
                rebuilding.said = now;
                tracing::info!(records_left = left, "rebuilding windows");
            }
            return Ok(());
        }
        rebuilding.cut = true;
        let (epoch, horizon) = (rebuilding.order.epoch, rebuilding.order.horizon);
        let took = now - rebuilding.began;
        tracing::info!(took_ms = took.as_millis() as u64, "rebuilding windows: all was read");
        let cut = EpochCut {
            incarnation: self.incarnation,
            epoch,
            partitions: self.intake.partitions.cut(now, Duration::MAX, |_| None),
            horizon,
            cut_at_ms: self.intake.now_ms(),
            reason: CutReason::Rebuilt,
            bytes: std::mem::take(&mut self.intake.bytes),
            dropped: std::mem::take(&mut self.intake.dropped),
        };
        self.intake.lanes.barrier(epoch, horizon)?;
        self.intake.lanes.tell_sink(ToSink::Cut(Box::new(cut)))?;
        Ok(())
    }
}
