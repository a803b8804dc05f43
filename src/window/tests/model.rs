//! The naive model: a list of committed epochs from which everything is worked out anew.
//!
//! It shares no code with the window state but the arithmetic of `WindowRules`, and keeps no state
//! but what went in.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Completeness, Dimension, WindowRecord, WindowRules};
use crate::ids::{EventTimeMs, PartitionId, WindowStart};

/// One event of the log.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) partition: PartitionId,
    pub(super) offset: i64,
    pub(super) time: EventTimeMs,
    /// The record's Kafka timestamp.
    pub(super) appended: EventTimeMs,
    pub(super) locale: &'static str,
    pub(super) device: &'static str,
    pub(super) version: &'static str,
    pub(super) user: u32,
    /// It went to the late topic.
    pub(super) late: bool,
}

/// What the model remembers of a committed epoch.
#[derive(Debug, Clone)]
pub(super) struct ModelEpoch {
    pub(super) events: Vec<Event>,
    /// The idle partitions, with the moment of the answer.
    pub(super) idle: BTreeMap<PartitionId, EventTimeMs>,
    pub(super) barrier: Option<EventTimeMs>,
    pub(super) now_ms: i64,
    pub(super) close_all: bool,
}

/// What is expected of a window record.
#[derive(Debug, PartialEq)]
pub(super) struct Expected {
    pub(super) start: WindowStart,
    pub(super) revision: u32,
    pub(super) late_events: u64,
    pub(super) complete: bool,
    pub(super) total: u64,
    pub(super) users: u64,
    pub(super) locations: BTreeMap<String, u64>,
    pub(super) devices: BTreeMap<String, u64>,
    pub(super) versions: BTreeMap<String, u64>,
}

impl Expected {
    pub(super) fn of(record: &WindowRecord) -> Self {
        let counts = |counts: &super::super::ValueCounts| {
            counts.sorted().into_iter().map(|(value, n)| (value.to_owned(), n)).collect()
        };
        Self {
            start: record.start,
            revision: record.revision,
            late_events: record.late_events,
            complete: record.complete,
            total: record.sum.total,
            users: record.sum.users.estimate(),
            locations: counts(&record.sum.counts[Dimension::Location]),
            devices: counts(&record.sum.counts[Dimension::Device]),
            versions: counts(&record.sum.counts[Dimension::Version]),
        }
    }
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) rules: WindowRules,
    pub(super) starts: BTreeMap<PartitionId, Completeness>,
    pub(super) epochs: Vec<ModelEpoch>,
}

impl Model {
    /// The counted events of a window, up to and including an epoch.
    fn counted(&self, upto: usize, start: WindowStart) -> Vec<&Event> {
        let inside = |event: &&Event| !event.late && self.rules.window_of(event.time) == start;
        self.epochs[..=upto].iter().flat_map(|epoch| &epoch.events).filter(inside).collect()
    }

    /// All windows that were ever counted in, up to and including an epoch.
    fn starts(&self, upto: usize) -> BTreeSet<WindowStart> {
        let events = self.epochs[..=upto].iter().flat_map(|epoch| &epoch.events);
        events.filter(|event| !event.late).map(|event| self.rules.window_of(event.time)).collect()
    }

    fn partition_watermark(&self, upto: usize, p: PartitionId) -> Option<EventTimeMs> {
        let events = self.epochs[..=upto].iter().flat_map(|epoch| &epoch.events);
        events.filter(|event| event.partition == p).map(|e| e.time.min(e.appended)).max()
    }

    /// The global watermark after an epoch.
    pub(super) fn watermark(&self, upto: usize) -> Option<EventTimeMs> {
        let lowest = |at: usize| {
            let idle = &self.epochs[at].idle;
            let awake = self.starts.keys().filter(|p| !idle.contains_key(p));
            let times: Option<Vec<_>> = awake.map(|p| self.partition_watermark(at, *p)).collect();
            let mut lowest = times?.into_iter().min()?;
            for (p, as_of) in idle {
                let own = self.partition_watermark(at, *p).unwrap_or(*as_of);
                lowest = lowest.min(own.max(*as_of));
            }
            Some(lowest)
        };
        (0..=upto).filter_map(lowest).max()
    }

    /// The ledger's horizon after an epoch.
    pub(super) fn horizon(&self, upto: usize) -> Option<EventTimeMs> {
        self.epochs[..=upto].iter().filter_map(|epoch| epoch.barrier).max()
    }

    /// The horizon up to which an epoch drops windows: the one before its own.
    fn dropped(&self, at: usize) -> Option<EventTimeMs> {
        at.checked_sub(1).and_then(|before| self.horizon(before))
    }

    fn due(&self, at: usize, start: WindowStart) -> bool {
        let epoch = &self.epochs[at];
        let (end, grace) = (start.0 + self.rules.size_ms, self.rules.grace_ms);
        let all_idle = self.starts.keys().all(|p| epoch.idle.contains_key(p));
        let answered = epoch.idle.values().all(|as_of| end + grace <= as_of.0);
        epoch.close_all
            || self.watermark(at).is_some_and(|watermark| end + grace <= watermark.0)
            || (all_idle && answered && end + grace <= epoch.now_ms)
            || self.horizon(at).is_some_and(|horizon| end <= horizon.0)
    }

    /// The epoch that closed a window, if one did by then.
    fn closed_in(&self, upto: usize, start: WindowStart) -> Option<usize> {
        (0..=upto).find(|&at| !self.counted(at, start).is_empty() && self.due(at, start))
    }

    /// Windows that still take events after an epoch, and of them those not closed.
    pub(super) fn retained(&self, upto: usize) -> (Vec<WindowStart>, Vec<WindowStart>) {
        let behind = |start: &WindowStart| self.rules.is_late(*start, self.dropped(upto));
        let retained: Vec<_> = self.starts(upto).into_iter().filter(|s| !behind(s)).collect();
        let is_open = |start: &WindowStart| self.closed_in(upto, *start).is_none();
        let open = retained.iter().copied().filter(is_open).collect();
        (retained, open)
    }

    fn complete(&self, upto: usize, start: WindowStart) -> bool {
        self.starts.iter().all(|(p, completeness)| match *completeness {
            Completeness::FromStart => true,
            Completeness::After(last) => start > last,
            Completeness::UntilFirstEvent { at_least } => {
                let events = self.epochs[..=upto].iter().flat_map(|epoch| &epoch.events);
                let first = events.filter(|e| e.partition == *p).min_by_key(|e| e.offset);
                first.is_some_and(|event| {
                    start > self.rules.window_of(event.time)
                        && at_least.is_none_or(|at_least| start > at_least)
                })
            }
        })
    }

    /// What the last epoch publishes.
    pub(super) fn records(&self) -> Vec<Expected> {
        let at = self.epochs.len() - 1;
        let counted_now = |start: WindowStart| {
            let before = at.checked_sub(1).map_or(0, |before| self.counted(before, start).len());
            self.counted(at, start).len() - before
        };
        let mut records = Vec::new();
        for start in self.starts(at) {
            let Some(closed) = self.closed_in(at, start) else { continue };
            if closed < at && counted_now(start) == 0 {
                continue;
            }
            let revised = |later: &usize| {
                self.counted(*later, start).len() > self.counted(*later - 1, start).len()
            };
            let events = self.counted(at, start);
            let of = |value: fn(&Event) -> &'static str| {
                let mut counts = BTreeMap::<String, u64>::new();
                for event in &events {
                    *counts.entry(value(event).to_owned()).or_default() += 1;
                }
                counts
            };
            records.push(Expected {
                start,
                revision: 1 + (closed + 1..=at).filter(revised).count() as u32,
                late_events: (events.len() - self.counted(closed, start).len()) as u64,
                complete: self.complete(at, start),
                total: events.len() as u64,
                users: events.iter().map(|event| event.user).collect::<BTreeSet<_>>().len() as u64,
                locations: of(|event| event.locale),
                devices: of(|event| event.device),
                versions: of(|event| event.version),
            });
        }
        records
    }
}
