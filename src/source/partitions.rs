//! The partitions this instance reads: positions, idleness, pauses. Owned by the source thread.
//!
//! In:  every drained record's position, end-of-partition events, watermarks from the sink.
//! Out: which records are owned, the epoch's progress, which partitions to pause or resume.
//! Holds: positions only grow within a generation; idle = at the log's end, fetches succeeding,
//! and silent for the idle timeout.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    epoch::{CutPartition, Times},
    ids::{EventTimeMs, Offset, PartitionId},
    window::{PartitionProgress, WindowRules},
};

#[derive(Debug)]
struct Owned {
    next: Offset,
    at_end: bool,
    /// Whether fetching works: false from an error until the next record or end event.
    fetching: bool,
    last_record: Instant,
    paused: bool,
    routed: u64,
    tombstones: u64,
    /// Offset after which a bounded run is done with this partition.
    bound: Option<Offset>,
}

/// What became of a record's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Take it.
    Take,
    /// The partition is not owned, or this offset was read before.
    Drop,
}

/// Owned partitions, indexed by partition number.
#[derive(Debug, Default)]
pub(crate) struct Partitions {
    owned: Vec<Option<Owned>>,
}

impl Partitions {
    /// Owns nothing any more.
    pub(crate) fn clear(&mut self) {
        self.owned.clear();
    }

    /// Owns these partitions from these offsets on. `bounds` are the end offsets of a bounded run.
    pub(crate) fn own(
        &mut self,
        starts: &[(PartitionId, Offset)],
        bounds: &BTreeMap<PartitionId, Offset>,
        now: Instant,
    ) {
        self.clear();
        for (partition, next) in starts {
            let index = partition.0 as usize;
            if index >= self.owned.len() {
                self.owned.resize_with(index + 1, || None);
            }
            self.owned[index] = Some(Owned {
                next: *next,
                at_end: false,
                fetching: true,
                last_record: now,
                paused: false,
                routed: 0,
                tombstones: 0,
                bound: bounds.get(partition).copied(),
            });
        }
    }

    /// Notes a record; `tombstone` records are counted, not routed.
    pub(crate) fn record(
        &mut self,
        partition: PartitionId,
        offset: i64,
        tombstone: bool,
        now: Instant,
    ) -> Admission {
        let Some(owned) = self.get_mut(partition) else { return Admission::Drop };
        if offset < owned.next.0 {
            return Admission::Drop;
        }
        owned.next = Offset(offset + 1);
        owned.at_end = false;
        owned.fetching = true;
        owned.last_record = now;
        if tombstone {
            owned.tombstones += 1;
        } else {
            owned.routed += 1;
        }
        Admission::Take
    }

    /// Notes the end of the log. `offset` is the position behind everything, control records
    /// included.
    pub(crate) fn end(&mut self, partition: PartitionId, offset: Offset) {
        if let Some(owned) = self.get_mut(partition) {
            owned.next = owned.next.max(offset);
            owned.at_end = true;
            owned.fetching = true;
        }
    }

    /// Notes that fetching failed, for one partition or for all.
    pub(crate) fn fetch_failed(&mut self, partition: Option<PartitionId>) {
        for (number, owned) in self.owned.iter_mut().enumerate() {
            if let Some(owned) = owned
                && partition.is_none_or(|p| p.0 as usize == number)
            {
                owned.fetching = false;
            }
        }
    }

    /// A partition at its end whose fetching failed, with its position: to be asked about, because
    /// no record or end event will come from a quiet partition that works again.
    pub(crate) fn unconfirmed(&self) -> Option<(PartitionId, Offset)> {
        self.each().find(|(_, o)| o.at_end && !o.fetching).map(|(p, owned)| (p, owned.next))
    }

    /// Notes that the log's end is still where reading stands.
    pub(crate) fn confirm(&mut self, partition: PartitionId) {
        if let Some(owned) = self.get_mut(partition) {
            owned.fetching = true;
        }
    }

    /// Whether every partition has reached its bound, or the end of its log.
    pub(crate) fn all_at_bound(&self) -> bool {
        self.each()
            .all(|(_, owned)| owned.bound.is_none_or(|bound| owned.next >= bound || owned.at_end))
    }

    /// Whether anything was read since the last `cut`.
    pub(crate) fn progressed(&self, since: &BTreeMap<PartitionId, Offset>) -> bool {
        self.each().any(|(p, owned)| since.get(&p) != Some(&owned.next))
    }

    /// Positions of all owned partitions.
    pub(crate) fn positions(&self) -> BTreeMap<PartitionId, Offset> {
        self.each().map(|(partition, owned)| (partition, owned.next)).collect()
    }

    /// Takes the epoch's account. `log_end` gives a partition's last known end.
    pub(crate) fn cut(
        &mut self,
        now: Instant,
        idle_timeout: Duration,
        log_end: impl Fn(PartitionId) -> Option<Offset>,
    ) -> Vec<CutPartition> {
        let mut cuts = Vec::with_capacity(self.owned.len());
        for (number, owned) in self.owned.iter_mut().enumerate() {
            let Some(owned) = owned else { continue };
            let partition = PartitionId(number as i32);
            let silent = now.saturating_duration_since(owned.last_record);
            let idle = owned.at_end && owned.fetching && silent >= idle_timeout;
            let behind = log_end(partition).map_or(0, |end| (end.0 - owned.next.0).max(0));
            cuts.push(CutPartition {
                progress: PartitionProgress { partition, next_offset: owned.next, idle },
                routed: std::mem::take(&mut owned.routed),
                tombstones: std::mem::take(&mut owned.tombstones),
                lag: if owned.at_end { 0 } else { behind as u64 },
            });
        }
        cuts
    }

    /// Which partitions to pause and to resume, so that none runs more than the allowed lateness
    /// ahead of the slowest one that still has records to give. That bounds the open windows.
    pub(crate) fn align(
        &mut self,
        times: &Times,
        rules: &WindowRules,
    ) -> (Vec<PartitionId>, Vec<PartitionId>) {
        let watermarks: BTreeMap<_, _> = times.watermarks.iter().copied().collect();
        // A partition that has given no event yet stands where the oldest open window stands.
        let begin = times.lowest_open.map(|start| EventTimeMs(start.0));
        let standing = |p: PartitionId| watermarks.get(&p).copied().or(begin);
        // One at its end cannot be waited for: it has nothing to give.
        let slowest = self.each().filter(|(_, o)| !o.at_end).filter_map(|(p, _)| standing(p)).min();
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for (number, owned) in self.owned.iter_mut().enumerate() {
            let Some(owned) = owned else { continue };
            let partition = PartitionId(number as i32);
            let ahead = match (slowest, watermarks.get(&partition)) {
                (Some(slowest), Some(own)) => own.0 - slowest.0,
                _ => 0,
            };
            let hold = ahead > rules.allowed_lateness_ms.max(2 * rules.size_ms);
            if hold != owned.paused {
                owned.paused = hold;
                if hold { &mut pause } else { &mut resume }.push(partition);
            }
        }
        (pause, resume)
    }

    fn each(&self) -> impl Iterator<Item = (PartitionId, &Owned)> {
        self.owned
            .iter()
            .enumerate()
            .filter_map(|(number, owned)| Some((PartitionId(number as i32), owned.as_ref()?)))
    }

    fn get_mut(&mut self, partition: PartitionId) -> Option<&mut Owned> {
        self.owned.get_mut(partition.0 as usize)?.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::WindowStart;

    const P0: PartitionId = PartitionId(0);
    const P1: PartitionId = PartitionId(1);
    const RULES: WindowRules =
        WindowRules { size_ms: 10_000, grace_ms: 7_000, allowed_lateness_ms: 300_000 };

    fn two(now: Instant) -> Partitions {
        let mut partitions = Partitions::default();
        partitions.own(&[(P0, Offset(5)), (P1, Offset(0))], &BTreeMap::new(), now);
        partitions
    }

    #[test]
    fn records_read_before_or_unowned_are_dropped() {
        let now = Instant::now();
        let mut partitions = two(now);
        assert_eq!(partitions.record(P0, 4, false, now), Admission::Drop);
        assert_eq!(partitions.record(P0, 5, false, now), Admission::Take);
        assert_eq!(partitions.record(P0, 5, false, now), Admission::Drop);
        assert_eq!(partitions.record(P0, 9, true, now), Admission::Take);
        assert_eq!(partitions.record(PartitionId(2), 0, false, now), Admission::Drop);
        let cuts = partitions.cut(now, Duration::ZERO, |_| None);
        assert_eq!((cuts[0].routed, cuts[0].tombstones), (1, 1));
        assert_eq!(cuts[0].progress.next_offset, Offset(10));
    }

    #[test]
    fn idle_needs_the_end_silence_and_working_fetches() {
        let start = Instant::now();
        let timeout = Duration::from_secs(10);
        let mut partitions = two(start);
        let idle = |partitions: &mut Partitions, after: u64| {
            let at = start + Duration::from_secs(after);
            partitions.cut(at, timeout, |_| None)[0].progress.idle
        };
        assert!(!idle(&mut partitions, 60), "not at the end");
        partitions.end(P0, Offset(5));
        assert!(!idle(&mut partitions, 9), "not silent for long enough");
        assert!(idle(&mut partitions, 10));
        partitions.fetch_failed(None);
        assert!(!idle(&mut partitions, 20), "cannot be fetched");
        assert_eq!(partitions.unconfirmed(), Some((P0, Offset(5))));
        partitions.confirm(P0);
        assert!(idle(&mut partitions, 20));
        partitions.record(P0, 5, false, start + timeout);
        assert!(!idle(&mut partitions, 60), "has more than its end");
    }

    #[test]
    fn the_end_event_moves_the_position_past_control_records() {
        let mut partitions = two(Instant::now());
        partitions.end(P1, Offset(3));
        assert_eq!(partitions.positions()[&P1], Offset(3));
    }

    #[test]
    fn a_partition_far_ahead_is_paused_until_the_slowest_has_caught_up() {
        let mut partitions = two(Instant::now());
        let times = |p0: i64, p1: Option<i64>| Times {
            watermarks: [(P0, Some(p0)), (P1, p1)]
                .into_iter()
                .filter_map(|(p, time)| Some((p, EventTimeMs(time?))))
                .collect(),
            lowest_open: Some(WindowStart(0)),
            ..Times::default()
        };
        assert_eq!(partitions.align(&times(300_000, None), &RULES), (vec![], vec![]));
        assert_eq!(partitions.align(&times(400_000, None), &RULES), (vec![P0], vec![]));
        assert_eq!(partitions.align(&times(400_000, Some(50)), &RULES), (vec![], vec![]));
        assert_eq!(partitions.align(&times(400_000, Some(200_000)), &RULES), (vec![], vec![P0]));
    }

    #[test]
    fn a_partition_at_its_end_holds_nobody_back() {
        let mut partitions = two(Instant::now());
        partitions.end(P1, Offset(0));
        let times = Times {
            watermarks: vec![(P0, EventTimeMs(900_000)), (P1, EventTimeMs(0))],
            ..Times::default()
        };
        assert_eq!(partitions.align(&times, &RULES), (vec![], vec![]));
    }
}
