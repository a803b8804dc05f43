//! Compares the outputs with a recount of the input. It works on records, from Kafka or from
//! memory.
//!
//! In:  the whole input first, then all outputs, topic by topic in any order. Out: a report.
//! Holds: everything is recounted from the input, except which of the events that may be late were
//! late: that comes from the late topic. An event is counted or late, never both.

use jiff::tz::TimeZone;

use super::{
    added,
    cuts::Cuts,
    input::{Fate, Input},
    murmur2::partition_of,
    prediction::Prediction,
    processed_part::ProcessedPart,
    record::Record,
    report::{Mistake, Report, shown},
    windows::Windows,
};
use crate::{
    args::{ExpectLate, TimestampStyle},
    rules::{Reading, Rules, read_output},
};

/// How the input was processed, and which outputs are accepted.
pub(super) struct JudgeSettings {
    pub(super) input_topic: String,
    pub(super) processed_partitions: usize,
    pub(super) rules: Rules,
    pub(super) window_s: i64,
    pub(super) timezone: TimeZone,
    pub(super) timestamp_style: TimestampStyle,
    pub(super) max_values: usize,
    /// How many times more than expected an enriched event may occur.
    pub(super) most_repeats: u8,
    /// The same of dead letters, late records and windows.
    pub(super) most_other_repeats: u8,
    /// How far behind the watermark a window still accepts events, in milliseconds.
    pub(super) allowed_lateness_ms: i64,
    pub(super) expect_late: ExpectLate,
    /// The offset of each partition at which processing began; empty for the start of all.
    pub(super) input_from: Vec<i64>,
    pub(super) allow_incomplete: bool,
    pub(super) expect_complete: bool,
    pub(super) unique_tolerance: f64,
}

impl JudgeSettings {
    /// Start of the window of an event time, in epoch seconds.
    fn window_of(&self, time_ms: i64) -> i64 {
        time_ms.div_euclid(1_000 * self.window_s) * self.window_s
    }
}

/// Takes all records and reports the mistakes.
pub(super) struct Judge {
    pub(super) settings: JudgeSettings,
    prediction: Option<Prediction>,
    pub(super) input: Input,
    pub(super) cuts: Cuts,
    seen: ProcessedPart,
    /// Highest event time of the processed input, where an event counts at most as its record's
    /// Kafka timestamp. No watermark was ever higher.
    pub(super) highest_ms: i64,
    windows: Windows,
    pub(super) report: Report,
}

impl Judge {
    /// A judge without records; `prediction` is the expected input, if it is known.
    pub(super) fn new(settings: JudgeSettings, prediction: Option<Prediction>) -> Self {
        Self {
            seen: ProcessedPart::from(settings.input_from.clone()),
            settings,
            prediction,
            input: Input::default(),
            cuts: Cuts::default(),
            highest_ms: i64::MIN,
            windows: Windows::default(),
            report: Report::default(),
        }
    }

    /// Takes a record of the input.
    pub(super) fn input(&mut self, record: &Record<'_>) {
        self.cuts.input(record);
        let counts = &mut self.report.counts;
        counts.input += 1;
        let is_seen = self.seen.has(record);
        counts.unseen += u64::from(!is_seen);
        let reading =
            record.value.map(|value| self.settings.rules.read_input(value, record.timestamp_ms));
        if let Some(Ok(found)) = &reading {
            self.seen.event(record, self.settings.window_of(found.time_ms));
        }
        match &reading {
            _ if !is_seen => self.input.add_other(record, Fate::Unseen),
            None => {
                counts.tombstones += 1;
                self.input.add_other(record, Fate::Skipped);
            }
            Some(Err(broken)) => {
                counts.rejected += 1;
                self.input.add_other(record, Fate::Rejected(*broken));
            }
            Some(Ok(found)) => {
                counts.valid += 1;
                self.highest_ms = self.highest_ms.max(found.time_ms.min(record.timestamp_ms));
                self.input.add_valid(record, found, self.settings.window_of(found.time_ms));
            }
        }
        let reading = reading.and_then(Result::ok);
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
                    let most = slot.expected * (1 + u32::from(self.settings.most_repeats));
                    let is_allowed = slot.seen <= most;
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

    /// Takes a record of aggregated-usage.
    pub(super) fn window(&mut self, record: &Record<'_>) {
        self.windows.add(record, &self.settings, &mut self.report);
    }

    /// Reports what is missing and recounts the windows, after all records have been taken.
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
            if matches!(entry.fate, Fate::Rejected(_)) && entry.dead_letters == 0 {
                self.report.add(Mistake::DeadLetterMissing, || position.to_string());
            }
        }
        if self.settings.expect_late == ExpectLate::Some && self.report.counts.late == 0 {
            self.report.add(Mistake::LateAbsent, || "the topic is empty".to_owned());
        }
        self.windows.compare(&self.input, &self.seen, &self.settings, &mut self.report);
        self.report
    }

    /// Checks an output without its input: duplicate fields, Kafka key and partition, added fields.
    fn check_form(&mut self, record: &Record<'_>, reading: &Reading<'_>) {
        let report = &mut self.report;
        let here = || format!("[{}]@{}: {}", record.partition, record.offset, shown(record.value));
        if let Some(name) = &reading.doubled {
            report.add(Mistake::ProcessedDuplicateKey, || format!("{name:?} {}", here()));
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
}
