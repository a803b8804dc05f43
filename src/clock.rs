//! The wall clock, read in one place.
//!
//! Threads read it once per batch or epoch, never per event; pure code gets the time as an
//! argument.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch.
pub fn now_us() -> i64 {
    let since =
        SystemTime::now().duration_since(UNIX_EPOCH).expect("the system clock stands after 1970");
    since.as_micros() as i64
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    now_us() / 1000
}
