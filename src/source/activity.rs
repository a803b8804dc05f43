//! What the source says about itself. Owned by the source thread.
//!
//! In:  the phase, the queues. Out: activity for the watchdog, and what is waited for.

use std::sync::atomic::Ordering::Relaxed;

use super::{Source, SourcePhase};
use crate::{client::Client, metrics::Waiting};

impl<C: Client> Source<C> {
    /// Says what is waited for while nothing is read.
    pub(super) fn show_waiting(&self) {
        self.control.health().set_waiting(self.waiting());
    }

    fn waiting(&self) -> Waiting {
        match &self.phase {
            SourcePhase::Unassigned => Waiting::Assignment,
            SourcePhase::StandingBy => Waiting::Standby,
            SourcePhase::Leaving(_) if self.control.activity().registering.load(Relaxed) => {
                Waiting::Registration
            }
            SourcePhase::Leaving(_) => Waiting::Workers,
            SourcePhase::Asking(asking) if asking.is_pausing(self.intake.now()) => Waiting::Nothing,
            SourcePhase::Asking(_) => Waiting::Offsets,
            SourcePhase::Recovering(_) => Waiting::State,
            SourcePhase::Running
            | SourcePhase::Rebuilding(_)
            | SourcePhase::Ending { .. }
            | SourcePhase::Closed => Waiting::Nothing,
        }
    }

    /// Tells the watchdog.
    pub(super) fn show_activity(&self) {
        let activity = self.control.activity();
        let reading = matches!(
            self.phase,
            SourcePhase::Running | SourcePhase::Rebuilding(_) | SourcePhase::Ending { .. }
        );
        activity.source_turns.fetch_add(1, Relaxed);
        activity.reading.store(reading, Relaxed);
        activity.at_end.store(self.intake.partitions.nothing_to_read(), Relaxed);
        let taken = self.intake.taken();
        if activity.taken.fetch_add(taken, Relaxed) == 0 && taken > 0 {
            tracing::debug!("the first records are read");
        }
        activity.cut_open.store(self.cut.is_some(), Relaxed);
        let (workers, sink) = self.intake.lanes.queued();
        activity.sink_queue.store(sink, Relaxed);
        for (worker, queued) in activity.workers.iter().zip(workers) {
            worker.queue.store(queued, Relaxed);
        }
    }
}
