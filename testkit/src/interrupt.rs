//! A signal asks a tool to stop: the waits of this crate end then, and what was started is ended.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Asks every wait to end. The thread that handles signals calls it.
pub fn request() {
    REQUESTED.store(true, Ordering::SeqCst);
}

pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Called by every wait.
///
/// # Panics
/// When a signal has asked to stop.
pub fn check() {
    assert!(!requested(), "interrupted");
}
