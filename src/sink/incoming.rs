//! What workers have for Kafka: now, later or never. Owned by the sink thread.
//!
//! In:  output of the epoch that is collected and of the one behind it.
//! Out: `Outputs`, in order of arrival.
//! Holds: nothing of epoch N+1 goes out before N is committed, except enriched events in
//! at-least-once, and those not before librdkafka has all of N.

use super::{Sink, Stage};
use crate::{
    batch::{OutputBatch, RejectBatch},
    config::Delivery,
    ids::{Epoch, Generation},
};

/// What workers have for Kafka.
pub(super) enum Output {
    Enriched(OutputBatch),
    Rejected(RejectBatch),
}

impl Output {
    fn origin(&self) -> (Generation, Epoch) {
        match self {
            Self::Enriched(batch) => (batch.generation, batch.epoch),
            Self::Rejected(batch) => (batch.generation, batch.epoch),
        }
    }
}

impl Sink {
    /// Queues output of the epoch that is collected, holds that of the next one, drops any other.
    pub(super) fn take_output(&mut self, output: Output) {
        let (open, is_complete) = match &self.stage {
            Stage::Open(alignment) => (alignment.open_epoch(), false),
            Stage::Draining(alignment, _) | Stage::Publishing(alignment, _) => {
                (alignment.open_epoch(), true)
            }
            Stage::Undoing { .. } | Stage::Waiting | Stage::Rebuilding(..) | Stage::Failed => {
                // A rebuild makes no output; what comes is of a generation that is over.
                return;
            }
        };
        let (generation, epoch) = output.origin();
        if generation != self.generation {
            return;
        }
        if epoch != open {
            assert_eq!(epoch, open.next(), "workers are at most one epoch ahead");
            if !(is_complete && self.goes_ahead(&output)) {
                self.held.push(output);
                return;
            }
        }
        self.sent = true;
        match output {
            Output::Enriched(batch) => self.outputs.processed(batch),
            Output::Rejected(batch) => {
                self.report.rejected(&batch);
                self.outputs.rejected(batch);
            }
        }
    }

    /// Whether output may be sent before the complete epoch in front of it is committed. Without a
    /// transaction an enriched event may, as it is the same whatever becomes of that epoch. A late
    /// one may not: read again, it may be in time.
    fn goes_ahead(&self, output: &Output) -> bool {
        self.settings.delivery == Delivery::AtLeastOnce && matches!(output, Output::Enriched(_))
    }

    /// Takes what was held once more: some of it may be sent now.
    pub(super) fn take_held(&mut self) {
        for output in std::mem::take(&mut self.held) {
            self.take_output(output);
        }
    }
}
