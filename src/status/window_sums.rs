//! Windows and usage of the whole group, added up over its partitions. Plain data.

use super::{Usage, WindowView};

/// What all partitions have counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct WindowSums {
    /// Number of windows that are not closed yet.
    pub open_count: usize,
    /// The newest of them, newest first.
    pub open: Vec<WindowView>,
    /// The newest that are closed and not forgotten, newest first.
    pub closed: Vec<WindowView>,
    /// The most frequent values, also in windows that are forgotten.
    pub usage: Usage,
}
