//! The pipeline around the window state: reads, cuts, crashes, and compares with the model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    super::{
        Completeness, EpochInput, Partial, PartitionDelta, PartitionProgress, PerDimension,
        Prepared, StateImage, UsageCounts, WindowRules, Windows, merged_window::MergedWindow,
    },
    model::{Event, Expected, Model, ModelEpoch},
    reopened,
    run::image,
};
use crate::ids::{Epoch, EventTimeMs, Offset, PartitionId, WindowStart};

pub(super) const PARTITIONS: usize = 3;

/// How an epoch ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Outcome {
    Commit,
    /// What was prepared is dropped, and the events are read again.
    Rollback,
    /// The process ends after the offsets were committed, before anyone noticed.
    CrashCommitted,
    /// The process ends before anything of the epoch was committed.
    CrashLost,
}

/// The event at an offset, without knowing whether it will be late.
fn event(partition: usize, offset: i64, jitter: &[i16]) -> Event {
    let chance = i64::from(jitter[(offset as usize * PARTITIONS + partition) % jitter.len()]);
    let appended = offset * 3;
    // Mostly in order, at times far behind, now and then ahead of the record's own timestamp.
    let shift = match chance.rem_euclid(10) {
        0..6 => -chance.rem_euclid(7),
        6..9 => -chance.rem_euclid(90),
        _ => chance.rem_euclid(50),
    };
    let pick =
        |values: [&'static str; 3], by: i64| values[chance.div_euclid(by).rem_euclid(3) as usize];
    Event {
        partition: PartitionId(partition as i32),
        offset,
        time: EventTimeMs(appended + shift),
        appended: EventTimeMs(appended),
        locale: pick(["NY", "CA", "other"], 10),
        device: pick(["iOS", "android", "unknown"], 30),
        version: pick(["1.0", "2.0.0-beta1", "2.0.0-beta2"], 90),
        user: chance.div_euclid(7).rem_euclid(40) as u32,
        late: false,
    }
}

/// The pipeline around the window state: what was read, what was committed, what is in force.
pub(super) struct Pipeline {
    jitter: Vec<i16>,
    pub(super) windows: Windows,
    pub(super) image: StateImage,
    model: Model,
    epoch: u64,
    pub(super) now_ms: i64,
    read: Vec<Event>,
    next: [i64; PARTITIONS],
    /// The horizon of the last barrier.
    pub(super) in_force: Option<EventTimeMs>,
    /// Newest published total per window.
    published: BTreeMap<WindowStart, u64>,
}

impl Pipeline {
    pub(super) fn new(rules: WindowRules, starts: &[Completeness], jitter: Vec<i16>) -> Self {
        let image = image(starts);
        let starts = (0..).map(PartitionId).zip(starts.iter().copied()).collect();
        Self {
            jitter,
            windows: reopened(rules, &image),
            image,
            model: Model { rules, starts, epochs: Vec::new() },
            epoch: 0,
            now_ms: 0,
            read: Vec::new(),
            next: [0; PARTITIONS],
            in_force: None,
            published: BTreeMap::new(),
        }
    }

    pub(super) fn read(&mut self, partition: usize, events: usize) {
        for _ in 0..events {
            let mut event = event(partition, self.next[partition], &self.jitter);
            let start = self.model.rules.window_of(event.time);
            event.late = self.model.rules.is_late(start, self.in_force);
            self.next[partition] += 1;
            self.read.push(event);
        }
    }

    /// What the workers report, each of its own users.
    pub(super) fn deltas(&self, workers: usize) -> Vec<PartitionDelta> {
        let mut deltas = Vec::new();
        for worker in 0..workers {
            for partition in (0..PARTITIONS as i32).map(PartitionId) {
                let mut windows = BTreeMap::<WindowStart, Partial>::new();
                let mine = |event: &&Event| {
                    event.partition == partition && event.user as usize % workers == worker
                };
                let events: Vec<_> = self.read.iter().filter(mine).collect();
                for event in events.iter().filter(|event| !event.late) {
                    let window = windows.entry(self.model.rules.window_of(event.time)).or_default();
                    let values = [event.locale, event.device, event.version].into();
                    window.count(values, &event.user.to_string());
                }
                deltas.push(PartitionDelta {
                    partition,
                    windows: windows.into_iter().collect(),
                    highest_event_time: events.iter().map(|e| e.time.min(e.appended)).max(),
                    first_event: events.first().map(|event| (event.offset, event.time)),
                });
            }
        }
        deltas
    }

    pub(super) fn cut(
        &mut self,
        idle: &BTreeMap<PartitionId, EventTimeMs>,
        workers: usize,
        barrier: Option<EventTimeMs>,
        close_all: bool,
        outcome: Outcome,
    ) -> Result<(), TestCaseError> {
        self.epoch += 1 + self.epoch % 3;
        let progress =
            (0..).map(PartitionId).zip(self.next.map(Offset)).map(|(partition, next_offset)| {
                let idle_as_of = idle.get(&partition).copied();
                PartitionProgress { partition, next_offset, idle_as_of }
            });
        let prepared = self.windows.prepare(EpochInput {
            epoch: Epoch(self.epoch),
            deltas: self.deltas(workers),
            progress: progress.collect(),
            horizon: barrier,
            partitions: 0,
            now_ms: self.now_ms,
            close_all,
        });
        self.in_force = barrier;
        self.model.epochs.push(ModelEpoch {
            events: self.read.clone(),
            idle: idle.clone(),
            barrier,
            now_ms: self.now_ms,
            close_all,
        });
        self.check_records(&prepared)?;
        if prepared.is_empty {
            self.model.epochs.pop();
            return Ok(());
        }
        match outcome {
            Outcome::Commit => {
                self.image.take(&prepared);
                self.windows.commit(&prepared);
            }
            Outcome::CrashCommitted => {
                self.image.take(&prepared);
                self.windows = reopened(self.model.rules, &self.image);
            }
            Outcome::CrashLost => self.windows = reopened(self.model.rules, &self.image),
            Outcome::Rollback => {}
        }
        self.read.clear();
        if matches!(outcome, Outcome::Rollback | Outcome::CrashLost) {
            self.model.epochs.pop();
            self.next = std::array::from_fn(|p| {
                self.image.partitions[&PartitionId(p as i32)].next_offset.0
            });
        } else {
            let newest = prepared.records().iter().map(|record| (record.start, record.sum.total));
            self.published.extend(newest);
            self.check_state()?;
        }
        if outcome != Outcome::Commit {
            self.in_force = self.windows.horizon();
        }
        Ok(())
    }

    fn check_records(&self, prepared: &Prepared) -> Result<(), TestCaseError> {
        let expected = self.model.records();
        let got: Vec<_> = prepared.records().iter().map(Expected::of).collect();
        prop_assert_eq!(got, expected);
        prop_assert_eq!(prepared.is_empty, self.read.is_empty() && prepared.records().is_empty());
        Ok(())
    }

    /// After a commit: the state against the model, against its image, and in itself.
    fn check_state(&self) -> Result<(), TestCaseError> {
        let (windows, model) = (&self.windows, &self.model);
        let last = model.epochs.len() - 1;
        let horizon = model.horizon(last);
        let watermark = model.watermark(last);
        prop_assert_eq!(windows.watermark(), watermark);
        prop_assert_eq!(windows.adopted(), horizon);
        let behind = watermark.map(|w| EventTimeMs(w.0 - self.model.rules.allowed_lateness_ms));
        prop_assert_eq!(windows.horizon(), behind.max(horizon));

        let (retained, open) = model.retained(last);
        prop_assert_eq!(windows.retained_windows(), retained.len());
        prop_assert_eq!(windows.open_windows(), open.len());
        prop_assert_eq!(windows.facts().lowest_open, open.first().copied());

        let mut usage = UsageCounts::default();
        let events = model.epochs.iter().flat_map(|epoch| &epoch.events);
        for event in events.filter(|event| !event.late) {
            let values: PerDimension<_> = [event.locale, event.device, event.version].into();
            for (dimension, counts) in usage.iter_mut() {
                counts.add(values[dimension], 1);
            }
        }
        prop_assert_eq!(windows.usage(), Some(usage));

        let again = reopened(model.rules, &self.image);
        prop_assert_eq!(again.usage(), windows.usage());
        prop_assert_eq!(again.contents(), windows.contents());
        let contents = windows.contents();
        for (start, window) in contents.windows {
            let mut sum = Partial::new();
            for (_, partial) in contents.partials.iter().filter(|((_, s), _)| s == start) {
                sum.merge(partial);
            }
            prop_assert_eq!(&sum, &*window.sum);
        }
        let memory =
            contents.partials.values().map(|partial| partial.memory_bytes()).sum::<usize>()
                + contents.windows.values().map(MergedWindow::memory_bytes).sum::<usize>();
        prop_assert_eq!(windows.memory_bytes(), memory);
        Ok(())
    }

    /// The promise: per window, the newest total and the late records are what a recount of the
    /// log gives.
    pub(super) fn check_conservation(&self) -> Result<(), TestCaseError> {
        let mut recount = BTreeMap::<WindowStart, u64>::new();
        for partition in 0..PARTITIONS {
            for offset in 0..self.next[partition] {
                let time = event(partition, offset, &self.jitter).time;
                *recount.entry(self.model.rules.window_of(time)).or_default() += 1;
            }
        }
        let mut found = self.published.clone();
        let events = self.model.epochs.iter().flat_map(|epoch| &epoch.events);
        for event in events.filter(|event| event.late) {
            *found.entry(self.model.rules.window_of(event.time)).or_default() += 1;
        }
        prop_assert_eq!(found, recount);
        Ok(())
    }
}
