//! Bytes of the producer's queue that librdkafka does not count: keys and headers. Pure.
//!
//! In:  what a record would add. Out: whether it may be added.
//! Holds: librdkafka bounds its queue by the values' bytes alone, so that records of small values
//! and large keys or headers could fill the memory. At most [`PRODUCER_UNCOUNTED_BYTES`] of these
//! and one record are under way: half of it since a mark, half of it before.

use crate::limits::PRODUCER_UNCOUNTED_BYTES;

/// Owned by the producer; `M` marks what was accepted up to a moment.
#[derive(Debug)]
pub(super) struct Uncounted<M> {
    /// Bytes since the mark.
    bytes: usize,
    /// What was accepted before.
    before: Option<M>,
}

impl<M> Default for Uncounted<M> {
    fn default() -> Self {
        Self { bytes: 0, before: None }
    }
}

impl<M> Uncounted<M> {
    /// Whether more may be added. Makes a mark when half is full and nothing before it is left.
    pub(super) fn has_room(
        &mut self,
        is_delivered: impl FnOnce(&M) -> bool,
        mark: impl FnOnce() -> M,
    ) -> bool {
        if self.bytes < PRODUCER_UNCOUNTED_BYTES / 2 {
            return true;
        }
        if self.before.as_ref().is_some_and(|before| !is_delivered(before)) {
            return false;
        }
        *self = Self { bytes: 0, before: Some(mark()) };
        true
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_and_one_record_is_ever_under_way() {
        const RECORD_BYTES: usize = PRODUCER_UNCOUNTED_BYTES / 7;
        let mut uncounted = Uncounted::default();
        // Delivery is in order, and gets stuck for ever longer.
        let (mut accepted, mut delivered, mut refused) = (0_usize, 0_usize, 0);
        for turn in 0..10_000 {
            if uncounted.has_room(|mark| delivered >= *mark, || accepted) {
                uncounted.add(RECORD_BYTES);
                accepted += 1;
            } else {
                refused += 1;
            }
            let under_way = (accepted - delivered) * RECORD_BYTES;
            assert!(under_way <= PRODUCER_UNCOUNTED_BYTES + 2 * RECORD_BYTES, "{under_way}");
            if turn % (1 + turn / 500) == 0 && delivered < accepted {
                delivered += 1;
            }
        }
        assert!(refused > 0 && accepted > 1000, "{refused} refused, {accepted} accepted");
    }
}
