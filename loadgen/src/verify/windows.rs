//! Compares the published windows with the recounted ones.
//!
//! In:  records of aggregated-usage in the order of their partitions, then the whole input.
//! Out: mistakes. Holds: only the newest record of each window is kept; the recount goes window by
//! window, so that it needs memory for one of them at a time.

use std::collections::HashMap;

use super::{
    input::{Entry, Fate, Input},
    judge::JudgeSettings,
    processed_part::ProcessedPart,
    record::Record,
    recount::Recount,
    report::{Mistake, Report, shown},
    window_record::WindowRecord,
};

/// The published windows by their start.
#[derive(Default)]
pub(super) struct Windows {
    newest: HashMap<i64, Newest>,
}

/// The newest record of a window, and the order of its revisions.
struct Newest {
    value: Box<[u8]>,
    revision: u64,
    last_revision: u64,
    /// Records after the newest revision that are not newer.
    repeats: u64,
    partition: i32,
}

impl Windows {
    /// Takes one record.
    pub(super) fn add(
        &mut self,
        record: &Record<'_>,
        settings: &JudgeSettings,
        report: &mut Report,
    ) {
        report.counts.window_records += 1;
        let here = || format!("[{}]@{}", record.partition, record.offset);
        let (start_s, window) = match read(record, settings.window_s) {
            Ok(read) => read,
            Err(why) => {
                let example = || format!("{why} {}: {}", here(), shown(record.value));
                return report.add(Mistake::WindowUnreadable, example);
            }
        };
        for wrong in window.contradictions(start_s, settings.window_s) {
            let example = || format!("window {start_s}: {wrong} {}", here());
            report.add(Mistake::WindowInconsistent, example);
        }
        let counts = &mut report.counts;
        counts.highest_revision = counts.highest_revision.max(window.revision);

        let fresh = Newest {
            value: Box::default(),
            revision: 0,
            last_revision: 0,
            repeats: 0,
            partition: record.partition,
        };
        let newest = self.newest.entry(start_s).or_insert(fresh);
        if newest.partition != record.partition {
            let first = newest.partition;
            let example = || format!("window {start_s} {} and in partition {first}", here());
            report.add(Mistake::WindowRevision, example);
        }
        newest.last_revision = window.revision;
        let before = newest.revision;
        let example = || format!("window {start_s}: {} after {before} {}", window.revision, here());
        if window.revision <= before {
            newest.repeats += 1;
            report.repeat(
                newest.repeats <= u64::from(settings.most_other_repeats),
                |counts| &mut counts.window_repeats,
                Mistake::WindowRevision,
                example,
            );
        } else {
            newest.repeats = 0;
            if window.revision > before + 1 {
                report.add(Mistake::WindowRevision, example);
            }
        }
        if window.revision >= before {
            newest.revision = window.revision;
            newest.value = record.value.unwrap_or_default().into();
        }
    }

    /// Compares every window with the recount of the input.
    pub(super) fn compare(
        mut self,
        input: &Input,
        seen: &ProcessedPart,
        settings: &JudgeSettings,
        report: &mut Report,
    ) {
        let mut entries: Vec<&Entry> = input
            .entries()
            .map(|(_, entry)| entry)
            .filter(|entry| entry.fate == Fate::Valid)
            .collect();
        entries.sort_unstable_by_key(|entry| entry.window_s);
        report.counts.windows = self.newest.len() as u64;
        for newest in
            self.newest.iter().filter(|(_, newest)| newest.last_revision < newest.revision)
        {
            let (start_s, Newest { revision, last_revision, .. }) = newest;
            report.add(Mistake::WindowRevision, || {
                format!(
                    "window {start_s}: its last record is {last_revision}, its newest {revision}"
                )
            });
        }
        for group in entries.chunk_by(|one, next| one.window_s == next.window_s) {
            let start_s = group[0].window_s;
            let recount = Recount::new(group);
            if recount.counted > 0 {
                report.counts.windows_expected += 1;
            }
            match self.newest.remove(&start_s) {
                None if recount.counted > 0 => {
                    let events = recount.counted;
                    report.add(Mistake::WindowMissing, || {
                        format!("window {start_s}: {events} events")
                    });
                }
                None => {}
                Some(newest) => {
                    let window = serde_json::from_slice(&newest.value)
                        .expect("only records that were read are kept");
                    judge(start_s, &window, &recount, input, settings, report);
                    seen.check(start_s, &window, report);
                }
            }
        }
        for (start_s, newest) in self.newest {
            let example = || format!("window {start_s}: {}", shown(Some(&newest.value)));
            report.add(Mistake::WindowUnexpected, example);
        }
    }
}

/// Key and value of a record.
fn read(record: &Record<'_>, window_s: i64) -> Result<(i64, WindowRecord), String> {
    let key = record.key.and_then(|key| std::str::from_utf8(key).ok()).ok_or("no key")?;
    let start_s: i64 = key.parse().map_err(|_| format!("key {key:?}"))?;
    if start_s.to_string() != key || start_s.rem_euclid(window_s) != 0 {
        return Err(format!("key {key:?} is not the start of a window"));
    }
    let window = serde_json::from_slice(record.value.ok_or("no value")?);
    window.map(|window| (start_s, window)).map_err(|error| error.to_string())
}

/// Compares the newest record of one window with the recount.
fn judge(
    start_s: i64,
    window: &WindowRecord,
    recount: &Recount,
    input: &Input,
    settings: &JudgeSettings,
    report: &mut Report,
) {
    let counts = &mut report.counts;
    counts.late_events_in_windows += window.late_events;
    counts.windows_incomplete += u64::from(!window.complete);
    if !window.complete && settings.expect_complete {
        report.add(Mistake::WindowIncomplete, || format!("window {start_s}"));
    }
    let total = window.total_events;
    let is_excused = settings.allow_incomplete && !window.complete && total <= recount.all();
    if total != recount.counted && !is_excused {
        report.add(Mistake::WindowTotal, || {
            format!(
                "window {start_s}: {total} counted + {} late, but {} in the input (revision {})",
                recount.late,
                recount.all(),
                window.revision,
            )
        });
        return;
    }
    for (dimension, (name, stats)) in window.maps().into_iter().enumerate() {
        let bounds = recount.bounds(dimension, is_excused);
        for wrong in bounds.mistakes(stats, settings.max_values, |number| input.name(number)) {
            report.add(Mistake::WindowMap, || format!("window {start_s}: {name}: {wrong}"));
        }
    }
    let (least, most) = recount.users(is_excused);
    let tolerance = (settings.unique_tolerance * most as f64).max(LEAST_TOLERANCE);
    let users = window.unique_users as f64;
    if users < least as f64 - tolerance || users > most as f64 + tolerance {
        report.add(Mistake::WindowUsers, || {
            format!("window {start_s}: {users} users, but {least} to {most} in the input")
        });
    }
}

/// Number of users by which an estimate may always differ.
const LEAST_TOLERANCE: f64 = 3.0;
