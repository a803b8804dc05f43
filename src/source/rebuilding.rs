//! Reading again what lost windows were made of. Owned by the source thread.
//!
//! In:  the sink's `Rebuild`: ranges below the committed offsets.
//! Out: their records to the workers, which only count them, and one cut at the end.
//! Holds: nothing at or behind a committed offset is routed; the ranges are read as one epoch, so
//! that a crash in between leaves everything as it was.

use std::time::{Duration, Instant};

use super::{Halt, context::Context, fatal, phase::Phase, recovering::Known, running::Running};
use crate::{
    client::{Client, RecordConsumer},
    epoch::{CutReason, EpochCut, Mode, Rebuild, Recovered, ToSink},
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
    pub(super) fn begin<C: Client>(
        cx: &mut Context<C>,
        known: Known,
        order: Rebuild,
    ) -> Result<Self, Halt> {
        let now = cx.now();
        let records: i64 = order.ranges.iter().map(|range| range.until.0 - range.from.0).sum();
        tracing::info!(
            partitions = order.ranges.len(),
            records,
            "rebuilding windows: counting committed input again, without output"
        );
        cx.intake.partitions.replay(&order.ranges, now);
        let starts: Vec<_> = order.ranges.iter().map(|r| (r.partition, r.from)).collect();
        cx.consumer.assign(&starts).map_err(|error| fatal(&error))?;
        cx.intake.lanes.begin(order.epoch, order.horizon, Mode::Replay)?;
        Ok(Self { known, order, cut: false, began: now, said: now })
    }

    /// What is known of all partitions that are being recovered.
    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// Whether records are still to be read.
    pub(super) fn reads(&self) -> bool {
        !self.cut
    }

    pub(super) fn step<C: Client>(self, cx: &mut Context<C>) -> Result<Phase, Halt> {
        if self.cut {
            return Ok(Phase::Rebuilding(self));
        }
        let now = cx.intake.now();
        let (done, left) = cx.intake.partitions.replayed();
        if !done.is_empty() {
            cx.consumer.pause(&done).map_err(|error| fatal(&error))?;
            if left > 0 {
                failpoint::reached(Point::HalfRebuilt);
            }
        }
        if left > 0 {
            let mut said = self.said;
            if now - said >= limits::REPEATED_LOG_INTERVAL {
                said = now;
                tracing::info!(records_left = left, "rebuilding windows");
            }
            return Ok(Phase::Rebuilding(Self { said, ..self }));
        }
        let took = now - self.began;
        tracing::info!(took_ms = took.as_millis() as u64, "rebuilding windows: all was read");
        self.cut(cx)?;
        Ok(Phase::Rebuilding(Self { cut: true, ..self }))
    }

    fn cut<C: Client>(&self, cx: &mut Context<C>) -> Result<(), Halt> {
        let Rebuild { epoch, horizon, .. } = self.order;
        let now = cx.intake.now();
        let cut = EpochCut {
            incarnation: cx.incarnation,
            epoch,
            partitions: cx.intake.partitions.cut(now, Duration::MAX, |_| None),
            horizon,
            cut_at_ms: cx.intake.now_ms(),
            reason: CutReason::Rebuilt,
            bytes: std::mem::take(&mut cx.intake.bytes),
            dropped: std::mem::take(&mut cx.intake.dropped),
        };
        cx.intake.lanes.barrier(epoch, horizon)?;
        cx.intake.lanes.tell_sink(ToSink::Cut(Box::new(cut)))?;
        Ok(())
    }

    /// All windows are there: reading goes on.
    pub(super) fn recovered<C: Client>(
        self,
        cx: &mut Context<C>,
        recovered: Recovered,
    ) -> Result<Phase, Halt> {
        Ok(Phase::Running(Running::begin(cx, self.known, recovered)?))
    }
}
