//! The partitions this instance reads: positions, idleness, pauses. Owned by the source thread.
//!
//! In:  every drained record's position, end-of-partition events, watermarks from the sink.
//! Out: which records are owned, the epoch's progress, which partitions to pause or resume.
//! Holds: positions only grow within an incarnation; idle = at the log's end, silent for the idle
//! timeout, and a broker has answered for the partition since. A partition whose log goes on behind
//! an open transaction is not idle, unless that transaction is hanging.

mod elsewhere;
mod owned;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use self::owned::{Hold, Owned, Pause};
pub(crate) use self::{elsewhere::Elsewhere, owned::Asked};
use crate::{
    epoch::{CutPartition, Times},
    ids::{EventTimeMs, Offset, PartitionId},
    window::{PartitionProgress, WindowRules},
};

/// A partition that stands at its end, while its log goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hidden {
    pub(crate) partition: PartitionId,
    /// The next offset to read.
    pub(crate) at: Offset,
    pub(crate) log_end: Offset,
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

    /// Owns these partitions from these offsets on. Returns those that must not be read yet: fewer
    /// are announced.
    pub(crate) fn own(
        &mut self,
        starts: &[(PartitionId, Offset)],
        announced: u32,
        now: Instant,
    ) -> Vec<PartitionId> {
        self.clear();
        let mut held = Vec::new();
        for (partition, next) in starts {
            let unannounced = partition.0 as u32 >= announced;
            held.extend(unannounced.then_some(*partition));
            let pause = unannounced.then_some(Pause::Unannounced);
            self.set(*partition, Owned { pause, ..Owned::new(*next, now) });
        }
        held
    }

    /// Takes where the bounded run ends that is not done, if there is one.
    pub(crate) fn bound(&mut self, ends: Option<&BTreeMap<PartitionId, Offset>>) {
        for (number, owned) in self.owned.iter_mut().enumerate() {
            if let Some(owned) = owned {
                let end = ends.and_then(|ends| ends.get(&PartitionId(number as i32)));
                owned.bound = end.copied();
            }
        }
    }

    /// Whether some wait for an announcement that has come.
    pub(crate) fn waits_for(&self, announced: u32) -> bool {
        let is_held = |owned: &Owned| owned.pause == Some(Pause::Unannounced);
        self.each().any(|(p, owned)| is_held(owned) && (p.0 as u32) < announced)
    }

    /// So many partitions are announced. Returns those that may be read now.
    pub(crate) fn announce(&mut self, announced: u32) -> Vec<PartitionId> {
        let mut read = Vec::new();
        for (number, owned) in self.owned.iter_mut().enumerate().take(announced as usize) {
            if let Some(owned) = owned
                && owned.pause.take_if(|pause| *pause == Pause::Unannounced).is_some()
            {
                read.push(PartitionId(number as i32));
            }
        }
        read
    }

    fn set(&mut self, partition: PartitionId, owned: Owned) {
        let index = partition.0 as usize;
        if index >= self.owned.len() {
            self.owned.resize_with(index + 1, || None);
        }
        self.owned[index] = Some(owned);
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
        if offset < owned.next.0 || owned.doubtful {
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
        if let Some(owned) = self.get_mut(partition).filter(|owned| !owned.doubtful) {
            owned.next = owned.next.max(offset);
            owned.at_end = true;
        }
    }

    /// Notes that what comes next could not be read, and may be missing from what is given. The
    /// partition stands until it is owned anew.
    pub(crate) fn doubt(&mut self, partition: PartitionId) {
        if let Some(owned) = self.get_mut(partition) {
            owned.doubtful = true;
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
    /// A window that is to be `closed` takes answers that are not older than that.
    pub(crate) fn to_probe(
        &self,
        now: Instant,
        idle_timeout: Duration,
        closed: Option<EventTimeMs>,
    ) -> Vec<PartitionId> {
        let due = |owned: &Owned| owned.is_to_be_asked(now, idle_timeout, closed);
        self.each().filter(|(_, owned)| due(owned)).map(|(partition, _)| partition).collect()
    }

    /// Notes that a broker answers for these partitions, whose logs end there. A partition that has
    /// more than was read is not silent: what came while the broker could not be reached is still
    /// to be fetched. Returns how many have nothing more.
    pub(crate) fn answered(&mut self, ends: &[(PartitionId, Offset)], asked: Asked) -> usize {
        let mut at_end = 0;
        for (partition, end) in ends {
            if let Some(owned) = self.get_mut(*partition).filter(|owned| owned.next >= *end) {
                owned.answered = Some(asked);
                at_end += 1;
            }
        }
        at_end
    }

    /// The partitions that have not reached their bound and never will by themselves, with the
    /// offsets that are left, if it is only for them that a bounded run goes on.
    pub(crate) fn hanging_before_bound(&self) -> Option<Vec<(PartitionId, Offset, i64)>> {
        let short = self.each().filter_map(|(p, owned)| Some((p, owned, owned.before_bound()?)));
        let hanging =
            short.map(|(p, owned, left)| owned.is_hanging().then_some((p, owned.next, left)));
        hanging.collect::<Option<Vec<_>>>().filter(|hanging| !hanging.is_empty())
    }

    /// Whether there is nothing to read: every partition stands at the end of its log, or is paused
    /// for the sake of one that waits there for a transaction.
    pub(crate) fn nothing_to_read(&self) -> bool {
        let waits = || self.each().any(|(_, owned)| owned.expects_more());
        self.each().all(|(_, owned)| owned.at_end)
            || self.each().all(|(_, owned)| owned.at_end || owned.pause.is_some()) && waits()
    }

    /// Notes the ends of the logs. `log_end` gives what the last fetch of a partition saw.
    pub(crate) fn observe(&mut self, log_end: impl Fn(PartitionId) -> Option<Offset>) {
        for (number, owned) in self.owned.iter_mut().enumerate() {
            if let Some(owned) = owned {
                // While its leader moves nothing is known, which does not mean that nothing is
                // hidden.
                owned.log_end = log_end(PartitionId(number as i32)).or(owned.log_end);
            }
        }
    }

    /// The partitions that stand at their end while their logs go on.
    pub(crate) fn hidden(&self) -> Vec<Hidden> {
        let hidden = self.each().filter(|(_, owned)| owned.hides_records());
        hidden
            .filter_map(|(partition, owned)| {
                Some(Hidden { partition, at: owned.next, log_end: owned.log_end? })
            })
            .collect()
    }

    /// Notes that an open transaction begins at this offset of a partition; one that is `hanging`
    /// is not waited for.
    pub(crate) fn hold(&mut self, partition: PartitionId, at: Offset, hanging: bool) {
        if let Some(owned) = self.get_mut(partition) {
            owned.held = Some(Hold { at, hanging });
        }
    }

    /// Whether lags, holds or ends are others than at the last `cut`.
    pub(crate) fn has_news(&self) -> bool {
        self.each().any(|(_, owned)| owned.told != owned.to_tell())
    }

    /// Whether anything was read since the last `cut`.
    pub(crate) fn progressed(&self, since: &BTreeMap<PartitionId, Offset>) -> bool {
        self.each().any(|(p, owned)| since.get(&p) != Some(&owned.next))
    }

    /// Positions of all owned partitions.
    pub(crate) fn positions(&self) -> BTreeMap<PartitionId, Offset> {
        self.each().map(|(partition, owned)| (partition, owned.next)).collect()
    }

    /// Takes the epoch's account. `log_end` as for `observe`.
    pub(crate) fn cut(
        &mut self,
        now: Instant,
        idle_timeout: Duration,
        log_end: impl Fn(PartitionId) -> Option<Offset>,
    ) -> Vec<CutPartition> {
        self.observe(log_end);
        let mut cuts = Vec::with_capacity(self.owned.len());
        for (number, owned) in self.owned.iter_mut().enumerate() {
            let Some(owned) = owned else { continue };
            let partition = PartitionId(number as i32);
            let idle_as_of = owned.idle_as_of(now, idle_timeout);
            owned.told = owned.to_tell();
            cuts.push(CutPartition {
                progress: PartitionProgress { partition, next_offset: owned.next, idle_as_of },
                at_end: owned.at_end,
                routed: std::mem::take(&mut owned.routed),
                tombstones: std::mem::take(&mut owned.tombstones),
                lag: owned.lag(),
                held: owned.hold().is_some(),
            });
        }
        cuts
    }

    /// Which partitions to pause and to resume, so that none runs more than the allowed lateness
    /// ahead of the slowest one that still has records to give. That bounds the open windows.
    /// Ahead of one that waits for an open transaction they may run for as long as such a
    /// `transaction` lasts on top, so that live input is not paused for it. Ahead of one that
    /// another instance reads they may run for what its last two heads have brought on top: what is
    /// known of it is that old.
    pub(crate) fn align(
        &mut self,
        times: &Times,
        elsewhere: &Elsewhere,
        rules: &WindowRules,
        transaction: Duration,
    ) -> (Vec<PartitionId>, Vec<PartitionId>) {
        let watermarks: BTreeMap<_, _> = times.watermarks.iter().copied().collect();
        // A partition that has given no event yet stands where the oldest open window stands.
        let begin = times.lowest_open.map(|start| EventTimeMs(start.0));
        let standing = |p: PartitionId| watermarks.get(&p).copied().or(begin);
        let transaction_ms = transaction.as_millis() as i64;
        // One at its end cannot be waited for: it has nothing to give.
        let behind = |(partition, owned): (PartitionId, &Owned)| match owned.at_end {
            false => standing(partition),
            true if owned.expects_more() => {
                standing(partition).map(|time| EventTimeMs(time.0.saturating_add(transaction_ms)))
            }
            true => None,
        };
        let slowest = self.each().filter_map(behind).chain(elsewhere.reference()).min();
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for (number, owned) in self.owned.iter_mut().enumerate() {
            let Some(owned) = owned else { continue };
            if owned.pause == Some(Pause::Unannounced) {
                continue;
            }
            let partition = PartitionId(number as i32);
            let ahead = match (slowest, watermarks.get(&partition)) {
                (Some(slowest), Some(own)) => own.0 - slowest.0,
                _ => 0,
            };
            let hold = ahead > rules.allowed_lateness_ms.max(2 * rules.size_ms);
            if hold != owned.pause.is_some() {
                owned.pause = hold.then_some(Pause::Ahead);
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
