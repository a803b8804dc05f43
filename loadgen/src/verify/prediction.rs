//! Compares the input with what the seed generates.
//!
//! In:  the plan that `produce` had, and input records. Out: mistakes of the input itself.
//! Holds: a record is found by the number in its key, and generated again byte for byte. Only
//! `sent_us` is taken from the record; the start time, if it was not given, comes from the first
//! event that has a time.

use anyhow::Result;

use super::{
    record::Record,
    report::{Mistake, Report, shown},
};
use crate::{
    generate::{self, Generator, Kind, Plan, event_no_of},
    rules::Reading,
};

/// The input that the plan generates.
pub(super) struct Prediction {
    plan: Plan,
    seed: u64,
    partitions: usize,
    count: Option<u64>,
    is_transactional: bool,
    generator: Generator,
    /// False until the generator's start time is known.
    is_started: bool,
    /// Records that arrived before it was known.
    pending: Vec<PendingRecord>,
    seen: Vec<bool>,
    made: generate::Record,
}

/// A copy of a record that is compared later.
struct PendingRecord {
    event_no: u64,
    sent_us: u64,
    partition: i32,
    offset: i64,
    value: Option<Vec<u8>>,
}

impl Prediction {
    /// The prediction for a topic with this many partitions. Without `count`, the highest number in
    /// the topic counts as the last.
    pub(super) fn new(
        plan: &Plan,
        seed: u64,
        partitions: usize,
        count: Option<u64>,
        is_transactional: bool,
    ) -> Result<Self> {
        Ok(Self {
            plan: plan.clone(),
            seed,
            partitions,
            count,
            is_transactional,
            generator: Generator::new(plan, plan.start_time.unwrap_or(0), partitions)?,
            is_started: plan.start_time.is_some(),
            pending: Vec::new(),
            seen: Vec::new(),
            made: generate::Record::new(),
        })
    }

    /// Checks one record; `reading` is the result of the judge's rules.
    pub(super) fn check(
        &mut self,
        record: &Record<'_>,
        reading: Option<&Reading<'_>>,
        report: &mut Report,
    ) {
        let here = || format!("[{}]@{}: {}", record.partition, record.offset, shown(record.value));
        let event_no = record.key.and_then(|key| event_no_of(self.seed, key));
        let event_no = event_no.filter(|number| self.count.is_none_or(|count| *number < count));
        let Some(event_no) = event_no else { return report.add(Mistake::InputForeign, here) };

        let index = event_no as usize;
        if self.seen.len() <= index {
            self.seen.resize(index + 1, false);
        }
        if std::mem::replace(&mut self.seen[index], true) {
            report.add(Mistake::InputDoubled, || format!("event {event_no} {}", here()));
        }
        if self.is_transactional && self.generator.is_aborted(event_no) {
            let example = || format!("event {event_no} is of an aborted transaction {}", here());
            report.add(Mistake::InputWrong, example);
        }
        let waiting = PendingRecord {
            event_no,
            sent_us: reading.and_then(|reading| reading.sent_us).unwrap_or(0),
            partition: record.partition,
            offset: record.offset,
            value: None,
        };
        if !self.is_started
            && let Some(reading) = reading
            && self.generator.kind(event_no) != Kind::Poison
        {
            self.start(event_no, reading.time_ms, report);
        }
        if self.is_started {
            self.compare(&waiting, record.value, report);
        } else {
            self.pending.push(PendingRecord { value: record.value.map(<[u8]>::to_vec), ..waiting });
        }
    }

    /// Reports the missing records, after all were checked.
    pub(super) fn finish(mut self, report: &mut Report) {
        // Without any record with a time, the start does not matter for tombstones, and poison
        // records are reported.
        for waiting in std::mem::take(&mut self.pending) {
            self.compare(&waiting, waiting.value.as_deref(), report);
        }
        let count = self.count.unwrap_or(self.seen.len() as u64);
        for event_no in 0..count {
            let is_aborted = self.is_transactional && self.generator.is_aborted(event_no);
            if !is_aborted && !self.seen.get(event_no as usize).is_some_and(|seen| *seen) {
                report.add(Mistake::InputMissing, || format!("event {event_no}"));
            }
        }
    }

    /// Finds the start time: an event's time is the start, in whole seconds, plus a known distance.
    fn start(&mut self, event_no: u64, time_ms: i64, report: &mut Report) {
        let from_start_s = self.generator.time_from_start_ms(event_no).div_euclid(1_000);
        let start_s = time_ms.div_euclid(1_000) - from_start_s;
        self.generator = Generator::new(&self.plan, start_s, self.partitions)
            .expect("the plan made a generator before");
        self.is_started = true;
        for waiting in std::mem::take(&mut self.pending) {
            self.compare(&waiting, waiting.value.as_deref(), report);
        }
    }

    fn compare(&mut self, found: &PendingRecord, value: Option<&[u8]>, report: &mut Report) {
        self.generator.make(found.event_no, found.sent_us, &mut self.made);
        let is_right = self.made.payload() == value && self.made.partition == found.partition;
        if !is_right {
            report.add(Mistake::InputWrong, || {
                format!(
                    "event {} at [{}]@{}: {}; expected in partition {}: {}",
                    found.event_no,
                    found.partition,
                    found.offset,
                    shown(value),
                    self.made.partition,
                    shown(self.made.payload()),
                )
            });
        }
    }
}
