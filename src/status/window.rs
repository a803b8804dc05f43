//! A window as the API and the dashboard show it: its totals and most frequent values.

use serde::Serialize;

use super::Usage;
use crate::window::WindowRecord;

/// One window, open or published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WindowView {
    /// The window's first millisecond, since the Unix epoch.
    pub start_ms: i64,
    /// The first millisecond after it.
    pub end_ms: i64,
    /// The last revision published; 0 while the window is open.
    pub revision: u32,
    /// Events counted.
    pub total_events: u64,
    /// Events counted after the window had closed.
    pub late_events: u64,
    /// Estimated distinct users.
    pub unique_users: u64,
    /// False when some of its input may not have been seen.
    pub complete: bool,
    pub usage: Usage,
}

impl WindowView {
    /// The view of a published record.
    pub(crate) fn of(record: &WindowRecord) -> Self {
        Self {
            start_ms: record.start.0,
            end_ms: record.end.0,
            revision: record.revision,
            total_events: record.sum.total,
            late_events: record.late_events,
            unique_users: record.sum.users.estimate(),
            complete: record.complete,
            usage: Usage::of(&record.sum.counts),
        }
    }
}
