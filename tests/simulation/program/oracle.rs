//! What must hold of the outputs, whatever has happened.
//!
//! In:  what was written to the input, the output topics as readers see them.
//! Out: the first promise that is broken.
//! Holds: nothing of the program is used here: its records are read and counted anew.

use std::collections::{BTreeMap, BTreeSet};

use logintide::topics::{PerTopic, Topic};
use serde::Deserialize;

use super::{
    house::Repeats,
    input::{Input, Kind, number_in},
    losses::Loss,
    plan::WINDOW_MS,
};
use crate::kafka::SimKafka;

/// A window's record, as far as it is judged.
#[derive(Debug, Deserialize)]
struct WindowRecord {
    current_time: f64,
    total_events: u64,
    unique_users: u64,
    revision: u32,
    complete: bool,
    /// Its Kafka timestamp.
    #[serde(skip)]
    written_ms: i64,
}

/// What readers see of the outputs.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    /// How often each input record is in a topic, by its number.
    processed: BTreeMap<usize, u32>,
    dead: BTreeMap<usize, u32>,
    late: BTreeMap<usize, u32>,
    windows: BTreeMap<i64, Vec<WindowRecord>>,
}

/// What the judge counts in a window.
#[derive(Debug, Default)]
struct Recount {
    total: u64,
    late: u64,
    users: BTreeSet<usize>,
}

impl Outputs {
    pub(crate) fn read(kafka: &SimKafka, names: &PerTopic<String>) -> Self {
        let numbers = |topic: Topic| {
            let mut counts = BTreeMap::new();
            for record in kafka.visible(&names[topic]) {
                let value = record.value.as_deref().unwrap_or_default();
                let number = number_in(value).expect("every value has a number");
                *counts.entry(number).or_default() += 1;
            }
            counts
        };
        let mut windows: BTreeMap<i64, Vec<WindowRecord>> = BTreeMap::new();
        for record in kafka.visible(&names[Topic::Aggregated]) {
            let value = record.value.as_deref().unwrap_or_default();
            let mut window: WindowRecord =
                serde_json::from_slice(value).expect("a window's record");
            window.written_ms = record.timestamp_ms;
            windows.entry((window.current_time * 1000.0) as i64).or_default().push(window);
        }
        Self {
            processed: numbers(Topic::Processed),
            dead: numbers(Topic::DeadLetter),
            late: numbers(Topic::Late),
            windows,
        }
    }

    /// How many events are late, how many windows there are, and how many revisions.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let revised = |records: &Vec<WindowRecord>| records.len() - 1;
        (self.late.len(), self.windows.len(), self.windows.values().map(revised).sum())
    }

    /// The first promise that is broken. `is_complete`: every window had all partitions. `losses`:
    /// what was said to be lost.
    pub(crate) fn check(
        &self,
        inputs: &[Input],
        repeats: Repeats,
        is_complete: bool,
        losses: &[Loss],
    ) -> Result<(), String> {
        self.check_records(inputs, repeats)?;
        self.check_revisions(repeats, is_complete)?;
        self.check_totals(inputs, losses)
    }

    /// The first of these records, by their numbers, that is in no place.
    pub(crate) fn first_missing<'a>(
        &self,
        mut inputs: impl Iterator<Item = (usize, &'a Input)>,
    ) -> Option<usize> {
        let is_there =
            |number: &usize| self.processed.contains_key(number) || self.dead.contains_key(number);
        let is_missing =
            |(number, input): &(usize, &Input)| input.kind != Kind::Tombstone && !is_there(number);
        inputs.find(is_missing).map(|(number, _)| number)
    }

    /// Every record is in one place, and there once.
    fn check_records(&self, inputs: &[Input], repeats: Repeats) -> Result<(), String> {
        for (number, input) in inputs.iter().enumerate() {
            let times = |of: &BTreeMap<usize, u32>| of.get(&number).copied().unwrap_or(0);
            let found = (times(&self.processed), times(&self.dead));
            let is_right = match (input.kind, found) {
                (Kind::Valid, (n, 0)) => n == 1 || n > 1 && repeats.enriched,
                (Kind::Invalid, (0, n)) => n == 1 || n > 1 && repeats.others,
                (Kind::Tombstone, found) => found == (0, 0),
                _ => false,
            };
            if !is_right {
                let (processed, dead) = found;
                return Err(format!(
                    "record {number}, {input:?}: {processed} times processed, {dead} times dead"
                ));
            }
            if times(&self.late) > 1 && !repeats.others {
                return Err(format!(
                    "record {number}, {input:?}: late {} times",
                    times(&self.late)
                ));
            }
        }
        let most = |of: &BTreeMap<usize, u32>| of.last_key_value().map_or(0, |(last, _)| last + 1);
        let named = most(&self.processed).max(most(&self.dead)).max(most(&self.late));
        if named > inputs.len() {
            return Err(format!("record {} was never written", named - 1));
        }
        Ok(())
    }

    /// Revisions rise by one, and totals never shrink.
    fn check_revisions(&self, repeats: Repeats, is_complete: bool) -> Result<(), String> {
        for (start, records) in &self.windows {
            let (mut revision, mut total) = (0, 0);
            for record in records {
                let is_next = record.revision == revision + 1;
                let is_again =
                    repeats.others && (record.revision, record.total_events) == (revision, total);
                if !is_next && !is_again || record.total_events < total {
                    return Err(format!("window {start}: {record:?} after {revision}: {total}"));
                }
                if is_complete && !record.complete {
                    return Err(format!("window {start} is not complete: {record:?}"));
                }
                (revision, total) = (record.revision, record.total_events);
            }
        }
        Ok(())
    }

    /// The newest total and the late records are all events of a window, unless it is said that
    /// some were lost before the window was published.
    fn check_totals(&self, inputs: &[Input], losses: &[Loss]) -> Result<(), String> {
        let mut recounts: BTreeMap<i64, Recount> = BTreeMap::new();
        for (number, input) in inputs.iter().enumerate() {
            if input.kind == Kind::Valid {
                let start = input.time_ms - input.time_ms.rem_euclid(WINDOW_MS);
                let recount = recounts.entry(start).or_default();
                recount.total += 1;
                recount.late += u64::from(self.late.contains_key(&number));
                recount.users.insert(input.user);
            }
        }
        if let Some(start) = self.windows.keys().find(|start| !recounts.contains_key(start)) {
            return Err(format!("window {start} has no events"));
        }
        for (start, recount) in &recounts {
            let records = self.windows.get(start).map_or(&[][..], Vec::as_slice);
            let total = records.last().map_or(0, |record| record.total_events);
            let published_ms = records.first().map(|record| record.written_ms);
            if total + recount.late < recount.total
                && losses.iter().any(|loss| loss.is_of(*start, published_ms))
            {
                continue;
            }
            if total + recount.late != recount.total {
                return Err(format!("window {start}: total {total}, recount {recount:?}"));
            }
            let users = records.last().map_or(0, |record| record.unique_users);
            if recount.late == 0 && users != recount.users.len() as u64 {
                return Err(format!("window {start}: {users} users, recount {recount:?}"));
            }
        }
        Ok(())
    }

    /// Of orderly input nothing is late, and every window has one revision.
    pub(crate) fn check_order(&self) -> Result<(), String> {
        if let Some(number) = self.late.keys().next() {
            return Err(format!("record {number} of orderly input is late"));
        }
        let revised =
            self.windows.iter().find(|(_, records)| records.iter().any(|it| it.revision > 1));
        revised.map_or(Ok(()), |(start, records)| {
            Err(format!("window {start} of orderly input is revised: {records:?}"))
        })
    }
}
