//! When a stream is written whole. Pure.
//!
//! Holds: of `records` numbers in a row at least one is a snapshot's, so that no slot of the ring
//! is used twice between two snapshots. Streams that write equally much do it in different epochs.

use super::key::Stream;
use crate::limits;

/// Spreads streams that are next to each other over the numbers of a round: it is odd, and so it
/// gives each of 128 in a row a place of its own.
const SPREAD: u64 = 79;

/// How far apart snapshots are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Numbers from one snapshot to the next at most.
    pub(super) records: u64,
    factor: u64,
    min_interval_ms: i64,
    max_interval_ms: i64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            records: limits::JOURNAL_SNAPSHOT_RECORDS,
            factor: limits::JOURNAL_SNAPSHOT_FACTOR,
            min_interval_ms: limits::JOURNAL_SNAPSHOT_MIN_INTERVAL.as_millis() as i64,
            max_interval_ms: limits::JOURNAL_SNAPSHOT_MAX_INTERVAL.as_millis() as i64,
        }
    }
}

/// What a stream has written since its last snapshot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    /// Number of the coming record.
    pub(super) next_seq: u64,
    /// Number of the snapshot.
    pub(super) snapshot_seq: u64,
    /// Bytes of the snapshot.
    pub(super) snapshot_bytes: u64,
    /// Bytes of the records since.
    pub(super) bytes: u64,
    /// Milliseconds since the snapshot, or since the stream was taken over.
    pub(super) age_ms: i64,
    /// Anything was written to the journal partition since.
    pub(super) has_grown: bool,
}

impl Schedule {
    /// Whether the coming record is a snapshot.
    pub(super) fn is_due(&self, stream: Stream, since: Since) -> bool {
        if since.next_seq - since.snapshot_seq >= self.records {
            return true;
        }
        if since.age_ms < self.min_interval_ms {
            return false;
        }
        let phase = stream.number().wrapping_mul(SPREAD) % self.records;
        // Between three quarters and the whole of what is allowed.
        let share = u128::from(3 * self.records + phase);
        let allowed = u128::from(self.factor) * u128::from(since.snapshot_bytes) * share;
        since.next_seq % self.records == phase
            || u128::from(since.bytes) * u128::from(4 * self.records) >= allowed
            || (since.age_ms >= self.max_interval_ms && since.has_grown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PartitionId;

    const QUIET: Since = Since {
        next_seq: 0,
        snapshot_seq: 0,
        snapshot_bytes: 1000,
        bytes: 0,
        age_ms: 60_000,
        has_grown: true,
    };

    fn partition(p: i32) -> Stream {
        Stream::Partition(PartitionId(p))
    }

    /// The numbers of a stream's snapshots when each record of an epoch has so many bytes.
    fn snapshots(stream: Stream, record_bytes: u64, epoch_ms: i64) -> Vec<u64> {
        let (mut snapshots, mut bytes) = (vec![1], 0);
        for next_seq in 2..2000 {
            let snapshot_seq = snapshots[snapshots.len() - 1];
            let age_ms = (next_seq - snapshot_seq) as i64 * epoch_ms;
            let since = Since { next_seq, snapshot_seq, bytes, age_ms, ..QUIET };
            if Schedule::default().is_due(stream, since) {
                snapshots.push(next_seq);
                bytes = 0;
            } else {
                bytes += record_bytes;
            }
        }
        snapshots
    }

    fn longest_distance(snapshots: &[u64]) -> u64 {
        snapshots.windows(2).map(|pair| pair[1] - pair[0]).max().expect("some")
    }

    #[test]
    fn no_slot_is_used_twice_between_two_snapshots() {
        for (bytes, epoch_ms) in [(1, 500), (1, 1), (100, 1), (300, 200), (5000, 1), (5000, 500)] {
            for p in [0, 1, 2, 63, 255] {
                let distance = longest_distance(&snapshots(partition(p), bytes, epoch_ms));
                assert!(distance <= limits::JOURNAL_SNAPSHOT_RECORDS, "{bytes} {epoch_ms} {p}");
                assert!(distance < limits::JOURNAL_RING_SLOTS);
            }
        }
    }

    #[test]
    fn records_of_twice_the_size_make_a_snapshot_due_and_never_more() {
        for p in 0..128 {
            let of = snapshots(partition(p), 100, 1000);
            // Twice the size are 20 records; the coming one is not counted.
            assert!(longest_distance(&of) <= 21, "{p}: {of:?}");
            let shorter = of.windows(2).filter(|pair| pair[1] - pair[0] < 15).count();
            assert!(shorter <= of.len() / 5, "{p}: {of:?}");
        }
    }

    #[test]
    fn a_second_lies_between_two_as_long_as_the_ring_has_room() {
        // An epoch every 50 ms, each as large as a snapshot.
        let of = snapshots(partition(3), 1000, 50);
        assert!(of.windows(2).all(|pair| pair[1] - pair[0] >= 20), "{of:?}");
        // And with an epoch every millisecond the ring decides.
        let of = snapshots(partition(3), 1000, 1);
        let records = limits::JOURNAL_SNAPSHOT_RECORDS;
        assert!(of.windows(2).all(|pair| pair[1] - pair[0] == records), "{of:?}");
    }

    #[test]
    fn equal_streams_are_written_whole_in_different_epochs() {
        let mut at = std::collections::BTreeMap::<u64, u32>::new();
        for p in 0..128 {
            for seq in snapshots(partition(p), 1, 500).into_iter().filter(|seq| *seq > 129) {
                *at.entry(seq).or_default() += 1;
            }
        }
        // The ring has decided once for the stream whose place comes right behind its first record.
        let most = at.values().max().copied();
        assert!(most <= Some(2), "{most:?} of 128 at once");
    }

    #[test]
    fn a_quiet_stream_is_written_whole_while_its_journal_partition_grows() {
        let since = Since { next_seq: 3, snapshot_seq: 1, age_ms: 600_000, ..QUIET };
        let due = |since| Schedule::default().is_due(partition(0), since);
        assert!(due(since));
        assert!(!due(Since { has_grown: false, ..since }));
        assert!(!due(Since { age_ms: 599_999, ..since }));
    }
}
