//! The windows that were published lately. Owned by the reporter.
//!
//! Holds: newest first, each once with its last revision, at most `RECENT_WINDOWS`.

use std::{collections::VecDeque, sync::Arc};

use super::WindowView;
use crate::limits;

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

    /// All of them.
    pub(super) fn shown(&self) -> Arc<Vec<Arc<WindowView>>> {
        Arc::new(self.0.iter().cloned().collect())
    }
}
