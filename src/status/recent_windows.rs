//! The windows that were published lately. Owned by the reporter.
//!
//! Holds: newest first, each once with its last revision, at most `RECENT_WINDOWS`.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::WindowView;
use crate::{ids::WindowStart, limits, window::PublishedTotal};

/// Windows that were published.
#[derive(Debug, Default)]
pub(super) struct RecentWindows(VecDeque<Arc<WindowView>>);

impl RecentWindows {
    /// Takes a window's last revision.
    pub(super) fn add(&mut self, window: WindowView) {
        self.0.retain(|known| known.start_ms != window.start_ms);
        let place = self.0.partition_point(|known| known.start_ms > window.start_ms);
        self.0.insert(place, Arc::new(window));
        self.0.truncate(limits::RECENT_WINDOWS);
    }

    /// Drops windows of which something else was published last: they were seen before that, and
    /// are forgotten.
    pub(super) fn drop_outdated(&mut self, last: &BTreeMap<WindowStart, PublishedTotal>) {
        self.0.retain(|known| {
            last.get(&WindowStart(known.start_ms)).is_none_or(|last| {
                (last.revision, last.total) == (known.revision, known.total_events)
            })
        });
    }

    /// All of them.
    pub(super) fn shown(&self) -> Arc<Vec<Arc<WindowView>>> {
        Arc::new(self.0.iter().cloned().collect())
    }
}
