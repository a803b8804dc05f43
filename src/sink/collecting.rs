//! What workers have for Kafka: now, later or never. Owned by the stages of an open epoch.
//!
//! In:  output of the epoch that is collected and of the one behind it.
//! Out: `Outputs`, in order of arrival.
//! Holds: nothing of epoch N+1 goes out before N is committed, except enriched events in
//! at-least-once, and those not before librdkafka has all of N.

use super::context::Context;
use crate::{
    batch::{OutputBatch, RejectBatch, RejectKind},
    client::Client,
    epoch::Alignment,
    failpoint::{self, Fault},
    ids::{Epoch, Incarnation},
    status::Sample,
};

/// What workers have for Kafka.
#[derive(Debug)]
pub(super) enum Output {
    Enriched(OutputBatch),
    Rejected(RejectBatch),
}

impl Output {
    fn origin(&self) -> (Incarnation, Epoch) {
        match self {
            Self::Enriched(batch) => (batch.incarnation, batch.epoch),
            Self::Rejected(batch) => (batch.incarnation, batch.epoch),
        }
    }
}

/// When output goes to Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Now,
    /// After the commit of the epoch in front of it.
    Later,
    /// Its incarnation is over.
    Never,
}

/// What decides when output goes.
#[derive(Debug, Clone, Copy)]
struct Rules {
    sends_ahead: bool,
    incarnation: Incarnation,
    open: Epoch,
    /// Whether librdkafka has all of the open epoch.
    is_complete: bool,
}

impl Rules {
    fn turn_of(&self, output: &Output) -> Turn {
        let (incarnation, epoch) = output.origin();
        if incarnation != self.incarnation {
            return Turn::Never;
        }
        if epoch == self.open {
            return Turn::Now;
        }
        assert_eq!(epoch, self.open.next(), "workers are at most one epoch ahead");
        if self.is_complete && self.goes_ahead(output) { Turn::Now } else { Turn::Later }
    }

    /// Whether output may be sent before the complete epoch in front of it is committed. Outside
    /// the transaction an enriched event may, as it is the same whatever becomes of that epoch. A
    /// late one may not: read again, it may be in time.
    fn goes_ahead(&self, output: &Output) -> bool {
        self.sends_ahead && matches!(output, Output::Enriched(_))
            || failpoint::is_planted(Fault::NextEpochAhead)
    }
}

/// The epoch that is collected, and the output of the one behind it.
#[derive(Debug)]
pub(super) struct Collecting {
    pub(super) alignment: Alignment,
    /// Whether anything was sent besides windows, of the open epoch or, once that is complete, of
    /// the next one.
    pub(super) sent: bool,
    /// Output that must not be sent yet.
    held: Vec<Output>,
}

impl Collecting {
    /// Collects from this epoch on.
    pub(super) fn new(workers: usize, first: Epoch) -> Self {
        Self { alignment: Alignment::new(workers, first), sent: false, held: Vec::new() }
    }

    /// Queues output of the open epoch, holds that of the next one, drops any other.
    /// `is_complete`: librdkafka has all of the open epoch.
    pub(super) fn take<C: Client>(
        &mut self,
        cx: &mut Context<C>,
        output: Output,
        is_complete: bool,
    ) {
        let rules = Rules {
            sends_ahead: cx.outputs.sends_ahead(),
            incarnation: cx.incarnation,
            open: self.alignment.open_epoch(),
            is_complete,
        };
        match rules.turn_of(&output) {
            Turn::Now => {}
            Turn::Later => return self.held.push(output),
            Turn::Never => return,
        }
        self.sent = true;
        match output {
            Output::Enriched(batch) => cx.outputs.processed(batch),
            Output::Rejected(batch) => {
                offer_samples(cx, &batch);
                cx.outputs.rejected(batch);
            }
        }
    }

    /// Takes what was held once more: some of it may be sent now.
    pub(super) fn take_held<C: Client>(&mut self, cx: &mut Context<C>, is_complete: bool) {
        for output in std::mem::take(&mut self.held) {
            self.take(cx, output, is_complete);
        }
    }
}

/// Offers each dead letter as the sample of its reason.
fn offer_samples<C: Client>(cx: &mut Context<C>, batch: &RejectBatch) {
    for record in &batch.records {
        if let RejectKind::DeadLetter(reject) = record.kind {
            let position = record.position;
            cx.reporter.sample(reject.reason, || {
                let value = record.span.value(&batch.arena);
                Sample::new(position.partition.0, position.offset, reject.to_string(), value)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{budget::Budget, ids::PartitionId, topics::Topic};

    const OLD: Incarnation = Incarnation(1);
    const NEW: Incarnation = Incarnation(2);
    const OPEN: Epoch = Epoch(7);

    /// One batch of each kind.
    fn outputs(incarnation: Incarnation, epoch: Epoch) -> [Output; 2] {
        let budget = Budget::new(1 << 20);
        let (topic, partition, permit) = (Topic::Processed, PartitionId(0), budget.permit());
        let (arena, records) = (Vec::new(), Vec::new());
        let enriched = OutputBatch { incarnation, epoch, topic, partition, arena, records, permit };
        let (arena, records, permit) = (Vec::new(), Vec::new(), budget.permit());
        let rejected = RejectBatch { incarnation, epoch, arena, records, permit };
        [Output::Enriched(enriched), Output::Rejected(rejected)]
    }

    #[test]
    fn only_enriched_events_go_ahead_and_only_without_a_transaction() {
        use Turn::{Later, Never, Now};

        let next = OPEN.next();
        for (sends_ahead, is_complete, incarnation, epoch, expected) in [
            (true, false, NEW, OPEN, [Now, Now]),
            (true, false, NEW, next, [Later, Later]),
            (true, true, NEW, next, [Now, Later]),
            (true, true, OLD, next, [Never, Never]),
            (false, false, NEW, OPEN, [Now, Now]),
            (false, false, NEW, next, [Later, Later]),
            (false, true, NEW, next, [Later, Later]),
            (false, true, OLD, OPEN, [Never, Never]),
        ] {
            let rules = Rules { sends_ahead, incarnation: NEW, open: OPEN, is_complete };
            let turns = outputs(incarnation, epoch).map(|output| rules.turn_of(&output));
            assert_eq!(turns, expected, "{rules:?}, {incarnation:?} {epoch:?}");
        }
    }
}
