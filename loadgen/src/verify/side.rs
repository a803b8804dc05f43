//! Checks the two side topics: dead letters, and events that were too late for their window.
//!
//! In:  their records, after the whole input. Out: mistakes, and in the input's entries the number
//! of their side records.
//! Holds: a side record is compared with the input record that its headers name: bytes, Kafka
//! timestamp and reason. A dead letter's reason must be that of the judge's own rules; an event may
//! be late only if event time had advanced far enough.

use super::{
    cuts::TRUNCATED_FROM,
    input::{Entry, Fate, raw_hash},
    judge::Judge,
    record::Record,
    report::{Mistake, shown},
};
use crate::args::ExpectLate;

/// The reason that a late record gives.
const LATE: &str = "late";

impl Judge {
    /// Takes a record of the dead-letter topic before the input is read, to note which input
    /// records' beginnings are needed.
    pub(super) fn cut(&mut self, record: &Record<'_>) {
        self.cuts.ask(record);
    }

    /// Takes a record of the dead-letter topic.
    pub(super) fn dead_letter(&mut self, record: &Record<'_>) {
        self.report.counts.dead_letters += 1;
        let Some((partition, offset)) = self.origin(record, Mistake::DeadLetterWrong) else {
            return;
        };
        let here = || side_example(record, partition, offset);
        let report = &mut self.report;
        let Some((entry, broken)) =
            self.input.find(partition, offset).and_then(|entry| match entry.fate {
                Fate::Rejected(broken) => Some((entry, broken)),
                _ => None,
            })
        else {
            return report.add(Mistake::DeadLetterUnexpected, here);
        };
        let is_cut = record.has_header(TRUNCATED_FROM);
        let has_its_bytes =
            if is_cut { self.cuts.is_right(record) } else { entry.raw == raw_hash(record) };
        report.counts.dead_letters_cut += u64::from(is_cut);
        if !has_its_bytes {
            report.add(Mistake::DeadLetterWrong, || format!("other bytes {}", here()));
        }
        let reason = record.header("logintide.reason").unwrap_or_default();
        if !broken.reasons().contains(&reason) {
            report.add(Mistake::DeadLetterReason, || {
                format!("{reason:?}, not {} {}", broken.reasons().join(" or "), here())
            });
        }
        check_timestamp(record, entry, || {
            report.add(Mistake::DeadLetterWrong, || format!("other timestamp {}", here()));
        });
        entry.dead_letters = entry.dead_letters.saturating_add(1);
        if entry.dead_letters > 1 {
            report.repeat(
                entry.dead_letters - 1 <= self.settings.most_other_repeats,
                |counts| &mut counts.dead_letter_repeats,
                Mistake::DeadLetterDoubled,
                here,
            );
        }
    }

    /// Takes a record of the late topic.
    pub(super) fn late(&mut self, record: &Record<'_>) {
        self.report.counts.late += 1;
        let Some((partition, offset)) = self.origin(record, Mistake::LateWrong) else { return };
        let here = || side_example(record, partition, offset);
        let report = &mut self.report;
        let Some(entry) =
            self.input.find(partition, offset).filter(|entry| entry.fate == Fate::Valid)
        else {
            return report.add(Mistake::LateUnexpected, here);
        };
        if entry.raw != raw_hash(record) {
            report.add(Mistake::LateWrong, || format!("other bytes {}", here()));
        }
        if record.header("logintide.reason") != Some(LATE) {
            report.add(Mistake::LateWrong, || format!("other reason {}", here()));
        }
        check_timestamp(record, entry, || {
            report.add(Mistake::LateWrong, || format!("other timestamp {}", here()));
        });
        let settings = &self.settings;
        let end_ms = (entry.window_s + settings.window_s) * 1_000;
        let until_ms = end_ms.saturating_add(settings.allowed_lateness_ms);
        if until_ms > self.highest_ms {
            report.add(Mistake::LateInTime, || {
                let behind_ms = self.highest_ms - end_ms;
                format!("the window's end is only {behind_ms} ms behind {}", here())
            });
        }
        if settings.expect_late == ExpectLate::None {
            report.add(Mistake::LateUnwanted, here);
        }
        entry.late_records = entry.late_records.saturating_add(1);
        if entry.late_records > 1 {
            report.repeat(
                entry.late_records - 1 <= settings.most_other_repeats,
                |counts| &mut counts.late_repeats,
                Mistake::LateDoubled,
                here,
            );
        }
    }

    /// The input position that a side record's headers name. It also checks the other headers.
    fn origin(&mut self, record: &Record<'_>, mistake: Mistake) -> Option<(i32, i64)> {
        let wrong = |name: &str| {
            let value =
                record.header(name).map_or("missing".to_owned(), |value| format!("{value:?}"));
            format!("header {name} is {value} at [{}]@{}", record.partition, record.offset)
        };
        if record.header("logintide.detail").is_none_or(str::is_empty) {
            self.report.add(mistake, || wrong("logintide.detail"));
        }
        if record.header("logintide.topic") != Some(&self.settings.input_topic) {
            self.report.add(mistake, || wrong("logintide.topic"));
        }
        let position = record.position();
        if position.is_none() {
            let names = ["logintide.partition", "logintide.offset"].map(wrong);
            self.report.add(mistake, || names.join(", "));
        }
        position
    }
}

/// Calls `wrong` unless a side record's header has the Kafka timestamp of its input record.
fn check_timestamp(record: &Record<'_>, entry: &Entry, wrong: impl FnOnce()) {
    let expected = entry.timestamp_ms.to_string();
    if record.header("logintide.timestamp") != Some(&expected) {
        wrong();
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
