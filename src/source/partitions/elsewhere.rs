//! How far the partitions are that other instances read. Pure; owned by the source thread.
//!
//! In:  the lowest watermark of those that have more to give, as the journal has it.
//! Out: the event time that one's own partitions are measured by.
//! Holds: what the journal says is about two of their epochs old.

use crate::ids::EventTimeMs;

/// The slowest of them.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    lowest: Option<EventTimeMs>,
    /// What the last two changes have brought, milliseconds.
    moved_ms: [i64; 2],
}

impl Elsewhere {
    /// Notes their lowest watermark; `None` when all are at their ends.
    pub(crate) fn note(&mut self, lowest: Option<EventTimeMs>) {
        if let (Some(before), Some(now)) = (self.lowest, lowest)
            && before != now
        {
            self.moved_ms = [self.moved_ms[1], (now.0 - before.0).max(0)];
        }
        if lowest.is_none() {
            self.moved_ms = [0; 2];
        }
        self.lowest = lowest;
    }

    /// Where the slowest of them is by now, at best.
    pub(super) fn reference(&self) -> Option<EventTimeMs> {
        let moved_ms = self.moved_ms[0].saturating_add(self.moved_ms[1]);
        self.lowest.map(|lowest| EventTimeMs(lowest.0.saturating_add(moved_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_ahead_by_what_two_heads_have_brought() {
        let mut elsewhere = Elsewhere::default();
        let mut reference = |lowest: Option<i64>| {
            elsewhere.note(lowest.map(EventTimeMs));
            elsewhere.reference().map(|time| time.0)
        };
        assert_eq!(reference(None), None);
        assert_eq!(reference(Some(10)), Some(10));
        assert_eq!(reference(Some(15)), Some(20));
        assert_eq!(reference(Some(15)), Some(20), "no new head");
        assert_eq!(reference(Some(22)), Some(34));
        assert_eq!(reference(Some(20)), Some(27), "another partition is the slowest now");
        assert_eq!(reference(None), None);
        assert_eq!(reference(Some(40)), Some(40));
    }
}
