//! What the source says about itself. Owned by the source thread.
//!
//! In:  the phase, the queues. Out: activity for the watchdog.

use std::sync::atomic::Ordering::Relaxed;

use super::{context::Context, phase::Phase};
use crate::client::Client;

/// Tells the watchdog.
pub(super) fn show<C: Client>(cx: &Context<C>, phase: &Phase) {
    let activity = cx.control.activity();
    activity.source_turns.fetch_add(1, Relaxed);
    activity.reading.store(phase.is_at_work(), Relaxed);
    activity.at_end.store(cx.intake.partitions.nothing_to_read(), Relaxed);
    let taken = cx.intake.taken();
    if activity.taken.fetch_add(taken, Relaxed) == 0 && taken > 0 {
        tracing::debug!("the first records are read");
    }
    activity.cut_open.store(phase.waits_for_commit(), Relaxed);
    let (workers, sink) = cx.intake.lanes.queued();
    activity.sink_queue.store(sink, Relaxed);
    for (worker, queued) in activity.workers.iter().zip(workers) {
        worker.queue.store(queued, Relaxed);
    }
}
