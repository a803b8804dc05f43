//! The three numbers that decide which window an event belongs to and until when.
//!
//! Pure arithmetic, used by workers and the sink. A window holds `start <= time < end`; windows
//! tile the time axis from the Unix epoch in both directions.

use crate::ids::{EventTimeMs, WindowStart};

/// Size, grace and lateness of all windows, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowRules {
    /// Length of a window; positive.
    pub size_ms: i64,
    /// How far the watermark must pass a window's end before it closes.
    pub grace_ms: i64,
    /// How far behind the watermark a closed window still takes events.
    pub allowed_lateness_ms: i64,
}

impl WindowRules {
    /// The window that an event time falls into.
    pub fn window_of(&self, time: EventTimeMs) -> WindowStart {
        debug_assert!(self.size_ms > 0, "a window has a length");
        WindowStart(time.0.div_euclid(self.size_ms).saturating_mul(self.size_ms))
    }

    /// First millisecond after the window.
    pub fn end(&self, start: WindowStart) -> EventTimeMs {
        EventTimeMs(start.0.saturating_add(self.size_ms))
    }

    /// True when an event of this window is too late to be counted: the window lies wholly at or
    /// behind the horizon.
    pub fn is_late(&self, start: WindowStart, horizon: Option<EventTimeMs>) -> bool {
        horizon.is_some_and(|horizon| self.end(start) <= horizon)
    }

    /// The instant, on whatever clock rules, at which the window closes.
    pub fn closes_at(&self, start: WindowStart) -> EventTimeMs {
        EventTimeMs(self.end(start).0.saturating_add(self.grace_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: WindowRules =
        WindowRules { size_ms: 10_000, grace_ms: 7_000, allowed_lateness_ms: 300_000 };

    #[test]
    fn windows_tile_the_axis_on_both_sides_of_the_epoch() {
        for (time, start) in [
            (0, 0),
            (9_999, 0),
            (10_000, 10_000),
            (-1, -10_000),
            (-10_000, -10_000),
            (-10_001, -20_000),
        ] {
            assert_eq!(RULES.window_of(EventTimeMs(time)), WindowStart(start), "{time}");
        }
        assert_eq!(RULES.end(WindowStart(-10_000)), EventTimeMs(0));
        assert_eq!(RULES.closes_at(WindowStart(0)), EventTimeMs(17_000));
    }

    #[test]
    fn a_window_is_late_from_the_horizon_at_its_end() {
        let start = WindowStart(10_000);
        assert!(!RULES.is_late(start, None));
        assert!(!RULES.is_late(start, Some(EventTimeMs(19_999))));
        assert!(RULES.is_late(start, Some(EventTimeMs(20_000))));
    }

    #[test]
    fn times_at_the_ends_of_the_axis_do_not_overflow() {
        for time in [i64::MIN, i64::MAX] {
            let start = RULES.window_of(EventTimeMs(time));
            assert!(RULES.closes_at(start) >= RULES.end(start));
        }
    }
}
