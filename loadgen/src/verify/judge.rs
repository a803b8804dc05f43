//! The verdict. Works on records, from Kafka or from memory.
//!
//! In:  the whole input first, then all outputs, topic by topic in any order. Out: a report.
//! Holds: nothing is believed that an output says of itself: all is recounted from the input, save
//!        which events were late; that the late topic says, and each of its records must be an
//!        input event.

use jiff::tz::TimeZone;

use crate::args::TimestampStyle;
use crate::rules::{Reading, Rules, read_output};

use super::added;
use super::input::{Fate, Input, raw_hash};
use super::murmur2::partition_of;
use super::prediction::Prediction;
use super::record::Record;
use super::report::{Mistake, Report, shown};
use super::windows::Windows;

/// How the input was processed, and what is to be accepted.
pub(super) struct Settings {
    pub(super) input_topic: String,
    pub(super) processed_partitions: usize,
    pub(super) rules: Rules,
    pub(super) window_s: i64,
    pub(super) timezone: TimeZone,
    pub(super) timestamp_style: TimestampStyle,
    pub(super) max_values: usize,
    pub(super) allow_duplicates: bool,
    pub(super) allow_incomplete: bool,
    pub(super) expect_complete: bool,
    pub(super) unique_tolerance: f64,
}

/// The judge.
pub(super) struct Judge {
    settings: Settings,
    prediction: Option<Prediction>,
    input: Input,
    windows: Windows,
    report: Report,
}

impl Judge {
    /// A judge who has seen nothing; `prediction` says what the input should be.
    pub(super) fn new(settings: Settings, prediction: Option<Prediction>) -> Self {
        Self {
            settings,
            prediction,
            input: Input::default(),
            windows: Windows::default(),
            report: Report::default(),
        }
    }

    /// Takes a record of the input.
    pub(super) fn input(&mut self, record: &Record<'_>) {
        let counts = &mut self.report.counts;
        counts.input += 1;
        let mut reading = None;
        match record.value {
            None => {
                counts.tombstones += 1;
                self.input.add_other(record, Fate::Skipped);
            }
            Some(value) => match self.settings.rules.read_input(value, record.timestamp_ms) {
                Err(_) => {
                    counts.rejected += 1;
                    self.input.add_other(record, Fate::Rejected);
                }
                Ok(found) => {
                    counts.valid += 1;
                    let window_s = self.window_of(found.time_ms);
                    self.input.add_valid(record, &found, window_s);
                    reading = Some(found);
                }
            },
        }
        if let Some(prediction) = &mut self.prediction {
            prediction.check(record, reading.as_ref(), &mut self.report);
        }
    }

    /// Takes a record of processed-logins.
    pub(super) fn processed(&mut self, record: &Record<'_>) {
        self.report.counts.processed += 1;
        let here = || format!("[{}]@{}: {}", record.partition, record.offset, shown(record.value));
        let reading = record
            .value
            .ok_or("no value".to_owned())
            .and_then(|value| read_output(value).map_err(|broken| format!("{broken:?}")));
        let reading = match reading {
            Ok(reading) => reading,
            Err(why) => {
                return self
                    .report
                    .add(Mistake::ProcessedUnreadable, || format!("{why} {}", here()));
            }
        };
        let report = &mut self.report;
        match self.input.output(reading.fingerprint) {
            None => report.add(Mistake::ProcessedUnexpected, here),
            Some(slot) => {
                slot.seen += 1;
                if slot.seen > slot.expected {
                    let is_allowed = self.settings.allow_duplicates;
                    report.repeat(
                        is_allowed,
                        |counts| &mut counts.processed_repeats,
                        Mistake::ProcessedDoubled,
                        here,
                    );
                }
            }
        }
        self.check_form(record, &reading);
    }

    /// Takes a record of the dead-letter topic.
    pub(super) fn dead_letter(&mut self, record: &Record<'_>) {
        self.report.counts.dead_letters += 1;
        let Some((partition, offset)) = self.origin(record, Mistake::DeadLetterWrong) else {
            return;
        };
        let here = || side_example(record, partition, offset);
        let (report, settings) = (&mut self.report, &self.settings);
        match self.input.find(partition, offset) {
            Some(entry) if entry.fate == Fate::Rejected => {
                if entry.raw != raw_hash(record) {
                    report.add(Mistake::DeadLetterWrong, || format!("other bytes {}", here()));
                }
                entry.dead_letters = entry.dead_letters.saturating_add(1);
                if entry.dead_letters > 1 {
                    report.repeat(
                        settings.allow_duplicates,
                        |counts| &mut counts.dead_letter_repeats,
                        Mistake::DeadLetterDoubled,
                        here,
                    );
                }
            }
            _ => report.add(Mistake::DeadLetterUnexpected, here),
        }
    }

    /// Takes a record of the late topic.
    pub(super) fn late(&mut self, record: &Record<'_>) {
        self.report.counts.late += 1;
        let Some((partition, offset)) = self.origin(record, Mistake::LateWrong) else { return };
        let here = || side_example(record, partition, offset);
        let (report, settings) = (&mut self.report, &self.settings);
        match self.input.find(partition, offset) {
            Some(entry) if entry.fate == Fate::Valid => {
                if entry.raw != raw_hash(record) {
                    report.add(Mistake::LateWrong, || format!("other bytes {}", here()));
                }
                entry.late_records = entry.late_records.saturating_add(1);
                if entry.late_records > 1 {
                    report.repeat(
                        settings.allow_duplicates,
                        |counts| &mut counts.late_repeats,
                        Mistake::LateDoubled,
                        here,
                    );
                }
            }
            _ => report.add(Mistake::LateUnexpected, here),
        }
    }

    /// Takes a record of aggregated-usage.
    pub(super) fn window(&mut self, record: &Record<'_>) {
        self.windows.add(record, &self.settings, &mut self.report);
    }

    /// All has been seen: says what is missing and recounts the windows.
    pub(super) fn finish(mut self) -> Report {
        if let Some(prediction) = self.prediction {
            prediction.finish(&mut self.report);
        }
        for (position, missing) in self.input.missing() {
            for _ in 0..missing {
                self.report.add(Mistake::ProcessedMissing, || position.to_string());
            }
        }
        for (position, entry) in self.input.entries() {
            if entry.fate == Fate::Rejected && entry.dead_letters == 0 {
                self.report.add(Mistake::DeadLetterMissing, || position.to_string());
            }
        }
        self.windows.compare(&self.input, &self.settings, &mut self.report);
        self.report
    }

    fn window_of(&self, time_ms: i64) -> i64 {
        time_ms.div_euclid(1_000 * self.settings.window_s) * self.settings.window_s
    }

    /// Checks what an output must be by itself: no key twice, key and partition, added fields.
    fn check_form(&mut self, record: &Record<'_>, reading: &Reading<'_>) {
        let report = &mut self.report;
        let here = || format!("[{}]@{}: {}", record.partition, record.offset, shown(record.value));
        if let Some(name) = &reading.doubled {
            report.add(Mistake::ProcessedDuplicateKey, || format!("{name} {}", here()));
        }
        let user = reading.user_id.as_bytes();
        if record.key != Some(user) {
            report.add(Mistake::ProcessedWrongKey, || format!("{} {}", shown(record.key), here()));
        }
        let expected = partition_of(user, self.settings.processed_partitions);
        if record.partition != expected {
            let example = || format!("partition {expected} expected {}", here());
            report.add(Mistake::ProcessedWrongPartition, example);
        }
        for wrong in added::mistakes(reading, &self.settings) {
            report.add(Mistake::ProcessedWrongAddition, || format!("{wrong} {}", here()));
        }
    }

    /// The input position that a side record's headers name; also checks its other headers.
    fn origin(&mut self, record: &Record<'_>, mistake: Mistake) -> Option<(i32, i64)> {
        let wrong = |name: &str| {
            let value =
                record.header(name).map_or("missing".to_owned(), |value| format!("{value:?}"));
            format!("header {name} is {value} at [{}]@{}", record.partition, record.offset)
        };
        for name in ["logintide.reason", "logintide.detail", "logintide.timestamp"] {
            if record.header(name).is_none_or(str::is_empty) {
                self.report.add(mistake, || wrong(name));
            }
        }
        if record.header("logintide.topic") != Some(&self.settings.input_topic) {
            self.report.add(mistake, || wrong("logintide.topic"));
        }
        let partition = record.header("logintide.partition").and_then(|text| text.parse().ok());
        let offset = record.header("logintide.offset").and_then(|text| text.parse().ok());
        if let (Some(partition), Some(offset)) = (partition, offset) {
            return Some((partition, offset));
        }
        let name = if partition.is_none() { "logintide.partition" } else { "logintide.offset" };
        self.report.add(mistake, || wrong(name));
        None
    }
}

fn side_example(record: &Record<'_>, partition: i32, offset: i64) -> String {
    format!(
        "[{}]@{} of input [{partition}]@{offset}: {}",
        record.partition,
        record.offset,
        shown(record.value)
    )
}
