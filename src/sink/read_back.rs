//! Whether what this instance has committed to the journal can be read there. Pure; owned by the
//! sink.
//!
//! In:  committed epochs; the newest epoch of each stream that the replica has applied.
//! Out: that records are missing although nobody who reads can know.
//! Holds: an epoch is looked for at every owned stream, and one that comes late is as good as one
//! in time: to write a stream whole once too often is harmless.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{ids::Epoch, journal::Stream};

/// What was committed and not read yet.
#[derive(Debug, Default)]
pub(super) struct ReadBack {
    /// The epoch that was committed last.
    newest: Option<Epoch>,
    /// The epoch that is waited for, and since when.
    awaited: Option<(Epoch, Instant)>,
    /// What was applied of each stream.
    applied: BTreeMap<Stream, Epoch>,
}

impl ReadBack {
    /// An epoch is committed, with a record of every owned stream.
    pub(super) fn committed(&mut self, epoch: Epoch, now: Instant) {
        self.newest = Some(epoch);
        self.awaited.get_or_insert((epoch, now));
    }

    /// The replica has applied these. `owned`: the streams of this instance.
    pub(super) fn applied(
        &mut self,
        applied: BTreeMap<Stream, Epoch>,
        owned: impl Iterator<Item = Stream>,
        now: Instant,
    ) {
        self.applied.extend(applied);
        let Some((awaited, _)) = self.awaited else { return };
        // What is not known is before every epoch.
        let read = owned.map(|stream| self.applied.get(&stream).copied()).min().flatten();
        let Some(read) = read.filter(|read| *read >= awaited) else { return };
        self.awaited = self.newest.filter(|newest| *newest > read).map(|newest| (newest, now));
    }

    /// Whether an epoch was waited for in vain for so long; the next one is waited for anew.
    pub(super) fn misses(&mut self, now: Instant, within: Duration) -> bool {
        self.awaited.take_if(|(_, since)| now.saturating_duration_since(*since) >= within).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PartitionId;

    const WITHIN: Duration = Duration::from_secs(10);
    const OWNED: [Stream; 2] = [Stream::Partition(PartitionId(0)), Stream::Merger];

    fn applied(back: &mut ReadBack, epochs: [Option<u64>; 2], now: Instant) {
        let pairs = OWNED.into_iter().zip(epochs);
        let applied = pairs.filter_map(|(stream, epoch)| Some((stream, Epoch(epoch?))));
        back.applied(applied.collect(), OWNED.into_iter(), now);
    }

    #[test]
    fn an_epoch_that_is_read_of_every_stream_is_not_missing() {
        let (mut back, begin) = (ReadBack::default(), Instant::now());
        back.committed(Epoch(4), begin);
        applied(&mut back, [Some(4), None], begin);
        applied(&mut back, [None, Some(4)], begin);
        assert!(!back.misses(begin + WITHIN * 2, WITHIN));
        // The next one is waited for from when the former one was there.
        back.committed(Epoch(5), begin);
        back.committed(Epoch(6), begin + WITHIN / 2);
        applied(&mut back, [Some(5), Some(5)], begin + WITHIN / 2);
        assert!(!back.misses(begin + WITHIN, WITHIN));
        assert!(back.misses(begin + WITHIN * 3 / 2, WITHIN));
    }

    #[test]
    fn an_epoch_of_which_one_stream_is_not_read_is_missing_once() {
        let (mut back, begin) = (ReadBack::default(), Instant::now());
        assert!(!back.misses(begin, WITHIN), "nothing was committed");
        back.committed(Epoch(4), begin);
        applied(&mut back, [Some(4), Some(3)], begin);
        assert!(!back.misses(begin + WITHIN / 2, WITHIN));
        assert!(back.misses(begin + WITHIN, WITHIN));
        assert!(!back.misses(begin + WITHIN * 2, WITHIN), "it is said once");
        back.committed(Epoch(5), begin + WITHIN * 2);
        assert!(back.misses(begin + WITHIN * 3, WITHIN), "the next one as well");
    }
}
