//! Records of the journal that change nothing although they should. Owned by the replica.
//!
//! Holds: each is counted; the first is said aloud, and later ones every few seconds.

use std::time::Instant;

use tracing::warn;

use crate::{
    limits::REPEATED_LOG_INTERVAL,
    metrics::{self, Metric},
};

/// Counts them.
#[derive(Debug, Default)]
pub(super) struct Skips {
    since_said: u64,
    said_at: Option<Instant>,
}

impl Skips {
    /// Notes one. `label` is its reason in the metric, `what` is the sentence about it.
    pub(super) fn note(&mut self, label: &'static str, what: &str, now: Instant) {
        metrics::add_labeled(Metric::JournalSkipped, &[label], 1);
        self.since_said += 1;
        if self.said_at.is_none_or(|at| now - at >= REPEATED_LOG_INTERVAL) {
            self.said_at = Some(now);
            warn!(skipped = self.since_said, "a record of the journal is skipped: {what}");
            self.since_said = 0;
        }
    }
}
