//! The allocator under librdkafka and under everything else: how it gives memory back.
//!
//! Called once, by the main thread, before any other thread starts.

use std::{
    ffi::{c_int, c_long},
    time::Duration,
};

use libmimalloc_sys::mi_option_set;

/// `mi_option_purge_delay` of mimalloc 3; the crate does not name it.
const PURGE_DELAY: c_int = 15;

/// Freed pages go back to the system after this, instead of mimalloc's second: threads hand their
/// records on, so what one thread frees is mostly not what the next one allocates.
pub fn release_freed_pages_after(delay: Duration) {
    let delay_ms = c_long::try_from(delay.as_millis()).unwrap_or(c_long::MAX);
    // SAFETY: stores a number in a table of the allocator; any number is a valid delay.
    unsafe { mi_option_set(PURGE_DELAY, delay_ms) };
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::{mi_option_get, mi_version};

    use super::*;

    #[test]
    fn the_option_s_number_is_that_of_this_mimalloc() {
        // SAFETY: reads two numbers.
        let (version, before) = unsafe { (mi_version(), mi_option_get(PURGE_DELAY)) };
        assert_eq!(version / 10_000, 3, "{version}");
        assert_eq!(before, 1000, "mimalloc's default of the purge delay is a second");
        release_freed_pages_after(Duration::from_millis(70));
        // SAFETY: reads a number.
        assert_eq!(unsafe { mi_option_get(PURGE_DELAY) }, 70);
    }
}
