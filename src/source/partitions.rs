//! The partitions this instance reads: positions, idleness, pauses. Owned by the source thread.
//!
//! In:  every drained record's position, end-of-partition events, watermarks from the sink.
//! Out: which records are owned, the epoch's progress, which partitions to pause or resume.
//! Holds: positions only grow within a generation; idle = at the log's end, silent for the idle
//! timeout, and a broker has answered for the partition since.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    epoch::{CutPartition, ReplayRange, Times},
    ids::{EventTimeMs, Offset, PartitionId},
    limits,
    window::{PartitionProgress, WindowRules},
};

#[derive(Debug)]
struct Owned {
    next: Offset,
    at_end: bool,
    /// When a broker last answered for this partition, if nothing has failed since.
    answered: Option<Instant>,
    last_record: Instant,
    paused: bool,
    routed: u64,
    tombstones: u64,
    /// Offset after which a bounded run is done with this partition.
    bound: Option<Offset>,
    /// Offset at which a rebuild stops reading.
    until: Option<Offset>,
}

impl Owned {
    fn new(next: Offset, now: Instant) -> Self {
        Self {
            next,
            at_end: false,
            answered: None,
            last_record: now,
            paused: false,
            routed: 0,
            tombstones: 0,
            bound: None,
            until: None,
        }
    }

    fn is_silent(&self, now: Instant, idle_timeout: Duration) -> bool {
        now.saturating_duration_since(self.last_record) >= idle_timeout
    }

    /// An answer counts for two idle timeouts: it is asked for again after one.
    fn is_idle(&self, now: Instant, idle_timeout: Duration) -> bool {
        let valid = idle_timeout.saturating_mul(2).max(limits::PROBE_TIMEOUT * 2);
        let answered = self.answered.is_some_and(|at| now.saturating_duration_since(at) <= valid);
        self.at_end && answered && self.is_silent(now, idle_timeout)
    }
}

/// What became of a record's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Take it.
    Take,
    /// The partition is not owned, this offset was read before, or lies behind a rebuild's range.
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
            let bound = bounds.get(partition).copied();
            self.set(*partition, Owned { bound, ..Owned::new(*next, now) });
        }
    }

    /// Reads these ranges and nothing else.
    pub(crate) fn replay(&mut self, ranges: &[ReplayRange], now: Instant) {
        self.clear();
        for range in ranges {
            let until = Some(range.until);
            self.set(range.partition, Owned { until, ..Owned::new(range.from, now) });
        }
    }

    fn set(&mut self, partition: PartitionId, owned: Owned) {
        let index = partition.0 as usize;
        if index >= self.owned.len() {
            self.owned.resize_with(index + 1, || None);
        }
        self.owned[index] = Some(owned);
    }

    /// Partitions whose range has been read since the last call, and the offsets left in others.
    pub(crate) fn replayed(&mut self) -> (Vec<PartitionId>, i64) {
        let (mut done, mut left) = (Vec::new(), 0);
        for (number, owned) in self.owned.iter_mut().enumerate() {
            let Some(owned) = owned else { continue };
            let until = owned.until.expect("a rebuild has ranges");
            left += (until.0 - owned.next.0).max(0);
            if owned.next >= until && !owned.paused {
                owned.paused = true;
                done.push(PartitionId(number as i32));
            }
        }
        (done, left)
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
        if let Some(until) = owned.until.filter(|until| offset >= until.0) {
            owned.next = owned.next.max(until);
            return Admission::Drop;
        }
        owned.next = Offset(offset + 1);
        owned.at_end = false;
        owned.answered = None;
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
        }
    }

    /// Notes that fetching failed, for one partition or for all.
    pub(crate) fn fetch_failed(&mut self, partition: Option<PartitionId>) {
        for (number, owned) in self.owned.iter_mut().enumerate() {
            if let Some(owned) = owned
                && partition.is_none_or(|p| p.0 as usize == number)
            {
                owned.answered = None;
            }
        }
    }

    /// Partitions that would be idle, had a broker just said so. librdkafka does not tell whether
    /// fetches of a quiet partition succeed; no record and no end event come either way.
    pub(crate) fn to_probe(&self, now: Instant, idle_timeout: Duration) -> Vec<PartitionId> {
        let due = |owned: &Owned| {
            let stale = owned.answered.is_none_or(|at| now - at >= idle_timeout);
            owned.at_end && owned.is_silent(now, idle_timeout) && stale
        };
        self.each().filter(|(_, owned)| due(owned)).map(|(partition, _)| partition).collect()
    }

    /// Notes that a broker answers for these partitions, whose logs end there. A partition that has
    /// more than was read is not silent: what came while the broker could not be reached is still
    /// to be fetched. Returns how many have nothing more.
    pub(crate) fn answered(&mut self, ends: &[(PartitionId, Offset)], now: Instant) -> usize {
        let mut at_end = 0;
        for (partition, end) in ends {
            if let Some(owned) = self.get_mut(*partition).filter(|owned| owned.next >= *end) {
                owned.answered = Some(now);
                at_end += 1;
            }
        }
        at_end
    }

    /// Whether every partition has reached its bound, or the end of its log.
    pub(crate) fn all_at_bound(&self) -> bool {
        self.each()
            .all(|(_, owned)| owned.bound.is_none_or(|bound| owned.next >= bound || owned.at_end))
    }

    /// Whether every partition stands at the end of its log.
    pub(crate) fn all_at_end(&self) -> bool {
        self.each().all(|(_, owned)| owned.at_end)
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
            let idle = owned.is_idle(now, idle_timeout);
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
    fn idle_needs_the_end_silence_and_a_broker_that_answers() {
        let start = Instant::now();
        let timeout = Duration::from_secs(10);
        let mut partitions = two(start);
        let at = |after: u64| start + Duration::from_secs(after);
        let idle = |partitions: &mut Partitions, after: u64| {
            partitions.cut(at(after), timeout, |_| None)[0].progress.idle
        };
        partitions.answered(&[(P0, Offset(0))], at(60));
        assert!(!idle(&mut partitions, 60), "not at the end");
        partitions.end(P0, Offset(5));
        let mut partitions = two(start);
        partitions.end(P0, Offset(5));
        assert_eq!(partitions.to_probe(at(9), timeout), [], "not silent for long enough");
        assert!(!idle(&mut partitions, 20), "nobody has answered");
        assert_eq!(partitions.to_probe(at(10), timeout), [P0]);
        partitions.answered(&[(P0, Offset(5))], at(10));
        assert!(idle(&mut partitions, 10));
        assert_eq!(partitions.to_probe(at(19), timeout), []);
        assert_eq!(partitions.to_probe(at(20), timeout), [P0], "asked again");
        assert!(idle(&mut partitions, 29));
        assert!(!idle(&mut partitions, 31), "the broker is away");
        partitions.answered(&[(P0, Offset(5))], at(32));
        partitions.fetch_failed(None);
        assert!(!idle(&mut partitions, 33), "cannot be fetched");
        partitions.answered(&[(P0, Offset(5))], at(34));
        partitions.record(P0, 5, false, at(35));
        assert!(!idle(&mut partitions, 60), "has more than its end");
    }

    #[test]
    fn a_partition_with_unread_records_behind_its_last_known_end_is_not_idle() {
        let start = Instant::now();
        let timeout = Duration::from_secs(10);
        let mut partitions = two(start);
        partitions.end(P0, Offset(5));
        let now = start + timeout;
        assert_eq!(partitions.answered(&[(P0, Offset(6))], now), 0);
        assert!(!partitions.cut(now, timeout, |_| None)[0].progress.idle, "one is to be fetched");
        assert_eq!(partitions.answered(&[(P0, Offset(5))], now), 1);
        assert!(partitions.cut(now, timeout, |_| None)[0].progress.idle);
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
