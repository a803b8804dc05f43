//! The audit at a demo's end: is everything that was sent accounted for, and is every output right?
//!
//! On the main thread, after the pipeline has stopped. In: what the generator sent, what the
//! pipeline counted, what the judge found in the topics. Out: text for people, and what is wrong.
//! Holds: the three were counted apart from each other.

use std::{fmt, io, io::Write};

use loadgen::{Sent, Usage, embedded::Verdict};

use super::{screen::text::grouped, settings::name_of};
use crate::{status::Snapshot, topics::Topic};

/// All that was found.
pub(super) struct Audit {
    /// By the generator.
    pub(super) sent: Sent,
    /// By the pipeline.
    pub(super) counted: Snapshot,
    /// By the judge.
    pub(super) verdict: Verdict,
}

impl Audit {
    /// What is wrong; empty when all is well.
    pub(super) fn problems(&self) -> Vec<String> {
        let (totals, found) = (&self.counted.totals, &self.verdict.counts);
        let mut problems = Vec::new();
        let mut differ = |what: &str, counted: u64, expected: u64| {
            if counted != expected {
                problems.push(format!("{what}: {counted}, but {expected} expected"));
            }
        };
        let sum = totals.processed + totals.dead_lettered + totals.tombstones;
        differ("processed + dead-lettered + tombstones", sum, self.sent.records);
        let once = |all: u64, repeats: u64| all.saturating_sub(repeats);
        let processed = once(found.processed, found.processed_repeats);
        let dead_letters = once(found.dead_letters, found.dead_letter_repeats);
        let late = once(found.late, found.late_repeats);
        for (topic, counted, expected) in [
            (Topic::Input, found.input, self.sent.records),
            (Topic::Processed, processed, totals.processed),
            (Topic::DeadLetter, dead_letters, totals.dead_lettered),
            (Topic::Late, late, totals.late),
        ] {
            let what = format!("records in {}", name_of(topic));
            differ(&what, counted, expected);
        }
        if self.counted.open_window_count > 0 {
            problems.push(format!("{} windows are still open", self.counted.open_window_count));
        }
        if !self.verdict.is_fine {
            problems.push(self.verdict.report.clone());
        }
        problems
    }

    /// Writes everything.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let (sent, totals, found) = (&self.sent, &self.counted.totals, &self.verdict.counts);
        let mut row = |name: &str, count: u64, more: fmt::Arguments<'_>| {
            writeln!(out, "  {name:<14}{:>12}  {more}", grouped(count))
        };
        row(
            "generated",
            sent.records,
            format_args!("in {:.1} s, at most {:.0} ms late", sent.seconds, sent.behind_s * 1e3),
        )?;
        row(
            "processed",
            totals.processed,
            format_args!("{} of them too late for their window", grouped(totals.late)),
        )?;
        row("dead-lettered", totals.dead_lettered, format_args!("{}", reasons(&self.counted)))?;
        row("tombstones", totals.tombstones, format_args!(""))?;
        let difference = sent.records as i64
            - (totals.processed + totals.dead_lettered + totals.tombstones) as i64;
        writeln!(out, "  generated - processed - dead-lettered - tombstones = {difference}")?;
        writeln!(
            out,
            "  {} windows recounted from the input by loadgen, {} revisions for {} late events",
            grouped(found.windows),
            grouped(found.window_records.saturating_sub(found.windows)),
            grouped(found.late_events_in_windows),
        )?;
        let latency = &self.counted.latency.end_to_end;
        writeln!(
            out,
            "  latency of the last minute, append to commit: p50 {:.0} ms, p90 {:.0} ms, p99 {:.0} ms, \
             p99.9 {:.0} ms, max {:.0} ms",
            latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.p999_ms, latency.max_ms
        )?;
        writeln!(
            out,
            "  memory at most {:.0} MiB, embedded broker and judge included",
            Usage::now().max_resident_mib()
        )
    }
}

/// Dead letters by reason.
fn reasons(counted: &Snapshot) -> String {
    let reasons: Vec<String> = counted
        .dead_letters
        .iter()
        .filter(|of| of.count > 0)
        .map(|of| format!("{} {}", of.reason, of.count))
        .collect();
    reasons.join(", ")
}

#[cfg(test)]
mod tests {
    use loadgen::RecordCounts;

    use super::*;
    use crate::status::Totals;

    /// A hundred records, all accounted for.
    fn fine() -> Audit {
        let mut sent = Sent::default();
        sent.records = 100;
        let totals =
            Totals { events_in: 100, processed: 90, dead_lettered: 9, tombstones: 1, late: 2 };
        let counts = RecordCounts {
            input: 100,
            processed: 90,
            dead_letters: 9,
            late: 2,
            ..RecordCounts::default()
        };
        Audit {
            sent,
            counted: Snapshot { totals, ..Snapshot::default() },
            verdict: Verdict { is_fine: true, counts, report: "the report".to_owned() },
        }
    }

    #[test]
    fn nothing_is_wrong_when_all_three_agree() {
        assert_eq!(fine().problems(), Vec::<String>::new());
    }

    #[test]
    fn every_disagreement_is_named() {
        let spoilt = |spoil: fn(&mut Audit)| {
            let mut audit = fine();
            spoil(&mut audit);
            audit.problems().join("; ")
        };
        for (spoil, expected) in [
            (
                (|audit| audit.counted.totals.processed -= 1) as fn(&mut Audit),
                "processed + dead-lettered + tombstones: 99, but 100 expected; records in \
                 processed-logins: 90, but 89 expected",
            ),
            (
                |audit| audit.verdict.counts.input -= 1,
                "records in user-login: 99, but 100 expected",
            ),
            (
                |audit| audit.verdict.counts.dead_letters += 1,
                "records in user-login-dlq: 10, but 9 expected",
            ),
            (
                |audit| audit.verdict.counts.late = 0,
                "records in user-login-late: 0, but 2 expected",
            ),
            (|audit| audit.counted.open_window_count = 3, "3 windows are still open"),
            (|audit| audit.verdict.is_fine = false, "the report"),
        ] {
            assert_eq!(spoilt(spoil), expected);
        }
        let repeated = |audit: &mut Audit| {
            audit.verdict.counts.processed += 5;
            audit.verdict.counts.processed_repeats += 5;
        };
        assert_eq!(spoilt(repeated), "", "a repeat is the judge's to allow or not");
    }
}
