//! Waits for what should happen soon.

use std::time::{Duration, Instant};

use crate::{SOON, interrupt};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Repeats a step until it gives a value.
///
/// # Panics
/// After `SOON`, with what it waited for; or when a signal asks to stop.
pub fn until<T>(what: &str, step: impl FnMut() -> Option<T>) -> T {
    until_within(SOON, || what.to_owned(), step)
}

/// As `until`, with a limit and a message of its own.
pub(crate) fn until_within<T>(
    within: Duration,
    message: impl Fn() -> String,
    mut step: impl FnMut() -> Option<T>,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = step() {
            return value;
        }
        assert!(began.elapsed() < within, "not within {within:?}: {}", message());
        interrupt::sleep(PAUSE);
    }
}
