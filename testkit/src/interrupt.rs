//! A signal asks a tool to stop: the waits of this crate end then, and what was started is ended.

use std::{
    sync::atomic::{AtomicI32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How often a wait looks whether a signal came.
const STEP: Duration = Duration::from_millis(20);

/// The signal's number; 0 while none came.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Asks every wait to end. The thread that handles signals calls it.
pub fn request(signal: i32) {
    SIGNAL.store(signal, Ordering::SeqCst);
}

/// The signal that asked to stop, if one did.
pub fn signal() -> Option<i32> {
    match SIGNAL.load(Ordering::SeqCst) {
        0 => None,
        signal => Some(signal),
    }
}

pub fn requested() -> bool {
    signal().is_some()
}

/// Called by every wait.
///
/// # Panics
/// When a signal has asked to stop.
pub fn check() {
    assert!(!requested(), "interrupted");
}

/// Sleeps, and ends early as `check` does.
pub fn sleep(duration: Duration) {
    let until = Instant::now() + duration;
    loop {
        check();
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(STEP));
    }
}
