//! The judge's report: counts, and mistakes by kind with a few examples each.
//!
//! Holds: the report stays small however many mistakes there are.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// Examples kept of each kind of mistake.
const EXAMPLES: usize = 10;

/// Most bytes of a record that an example shows.
const SHOWN_BYTES: usize = 300;

/// The topic of a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TopicKind {
    Input,
    Processed,
    DeadLetter,
    Late,
    Aggregated,
}

macro_rules! mistakes {
    ($($kind:ident, $topic:ident, $words:literal;)*) => {
        /// The kinds of mistakes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Mistake { $(#[doc = $words] $kind,)* }

        impl Mistake {
            /// The topic that has the mistake.
            pub(super) fn topic(self) -> TopicKind {
                match self { $(Self::$kind => TopicKind::$topic,)* }
            }

            /// Its description.
            pub(super) fn words(self) -> &'static str {
                match self { $(Self::$kind => $words,)* }
            }
        }
    };
}

mistakes! {
    InputMissing, Input, "produced event is missing";
    InputDoubled, Input, "produced event occurs more than once";
    InputWrong, Input, "record differs from what the seed generates";
    InputForeign, Input, "record does not come from this seed";
    ProcessedMissing, Processed, "valid event has no output";
    ProcessedDoubled, Processed, "output occurs too often";
    ProcessedUnexpected, Processed, "output matches no valid event";
    ProcessedUnreadable, Processed, "output is not a valid event";
    ProcessedDuplicateKey, Processed, "output has a field twice";
    ProcessedWrongKey, Processed, "Kafka key is not the user id";
    ProcessedWrongPartition, Processed, "output is not in the partition of its key";
    ProcessedWrongAddition, Processed, "added field is wrong";
    DeadLetterMissing, DeadLetter, "rejected record has no dead letter";
    DeadLetterDoubled, DeadLetter, "dead letter occurs too often";
    DeadLetterUnexpected, DeadLetter, "dead letter of a record that is valid or does not exist";
    DeadLetterWrong, DeadLetter, "dead letter has wrong bytes or headers";
    DeadLetterReason, DeadLetter, "dead letter has a wrong reason";
    LateDoubled, Late, "late record occurs too often";
    LateUnexpected, Late, "late record of an event that is invalid or does not exist";
    LateWrong, Late, "late record has wrong bytes or headers";
    LateInTime, Late, "late record of an event that was in time";
    LateUnwanted, Late, "late record, but none was expected";
    LateAbsent, Late, "no late record, but some were expected";
    WindowMissing, Aggregated, "window has no record";
    WindowUnexpected, Aggregated, "window has no event in the input";
    WindowUnreadable, Aggregated, "record is not a valid window";
    WindowInconsistent, Aggregated, "fields of the window contradict each other";
    WindowRevision, Aggregated, "revisions are not 1, 2, 3 and so on";
    WindowTotal, Aggregated, "total and late records differ from the recount";
    WindowMap, Aggregated, "counts differ from the recount";
    WindowUsers, Aggregated, "unique users differ too much from the recount";
    WindowIncomplete, Aggregated, "window says that it is incomplete";
    WindowNotMarked, Aggregated, "window says that it is complete, but input was not processed";
}

/// The mistakes of one kind.
#[derive(Default, Debug)]
pub(super) struct Found {
    pub(super) count: u64,
    pub(super) examples: Vec<String>,
}

/// Numbers of records of each kind.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct RecordCounts {
    /// Records of the input.
    pub input: u64,
    /// Of these, valid events.
    pub valid: u64,
    /// Of these, records that break a rule.
    pub rejected: u64,
    /// Of these, records without a value.
    pub tombstones: u64,
    /// Records before the offset at which processing began.
    pub unseen: u64,
    /// Records of processed-logins.
    pub processed: u64,
    /// Of these, repeated ones.
    pub processed_repeats: u64,
    pub dead_letters: u64,
    /// Of these, repeated ones.
    pub dead_letter_repeats: u64,
    /// Dead letters with only the beginning of a value.
    pub dead_letters_cut: u64,
    /// Late records.
    pub late: u64,
    /// Of these, repeated ones.
    pub late_repeats: u64,
    /// Records of aggregated-usage.
    pub window_records: u64,
    /// Of these, repeated ones.
    pub window_repeats: u64,
    /// Windows published.
    pub windows: u64,
    /// Windows that the input has events for.
    pub windows_expected: u64,
    /// Windows that say `"complete": false`.
    pub windows_incomplete: u64,
    /// The highest revision of any window.
    pub highest_revision: u64,
    /// Events that windows counted after they had closed.
    pub late_events_in_windows: u64,
}

/// Counts and mistakes.
#[derive(Default, Debug)]
pub(crate) struct Report {
    pub(crate) counts: RecordCounts,
    pub(super) mistakes: BTreeMap<Mistake, Found>,
}

impl Report {
    /// Adds one mistake; the example is made only while there are few.
    pub(super) fn add(&mut self, mistake: Mistake, example: impl FnOnce() -> String) {
        let found = self.mistakes.entry(mistake).or_default();
        found.count += 1;
        if found.examples.len() < EXAMPLES {
            found.examples.push(example());
        }
    }

    /// Adds a repeated output: a mistake, or only counted when repeats are accepted.
    pub(super) fn repeat(
        &mut self,
        is_allowed: bool,
        counter: impl FnOnce(&mut RecordCounts) -> &mut u64,
        mistake: Mistake,
        example: impl FnOnce() -> String,
    ) {
        *counter(&mut self.counts) += 1;
        if !is_allowed {
            self.add(mistake, example);
        }
    }

    /// True if nothing is wrong.
    pub(crate) fn is_fine(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// The report as JSON; `names` are the topics' names.
    pub(super) fn to_json(&self, names: &TopicNames) -> serde_json::Value {
        let mistakes: Vec<_> = self
            .mistakes
            .iter()
            .map(|(mistake, found)| {
                serde_json::json!({
                    "topic": names.of(mistake.topic()),
                    "mistake": format!("{mistake:?}"),
                    "meaning": mistake.words(),
                    "count": found.count,
                    "examples": found.examples,
                })
            })
            .collect();
        serde_json::json!({ "ok": self.is_fine(), "counts": self.counts, "mistakes": mistakes })
    }

    /// The report as a table.
    pub(crate) fn print<'a>(&'a self, names: &'a TopicNames) -> impl fmt::Display {
        Table { report: self, names }
    }
}

/// The topics' names.
#[derive(Clone, Debug)]
pub(crate) struct TopicNames {
    pub(super) input: String,
    pub(super) processed: String,
    pub(super) dead_letter: String,
    pub(super) late: String,
    pub(super) aggregated: String,
}

impl TopicNames {
    /// A topic's name.
    pub(super) fn of(&self, topic: TopicKind) -> &str {
        match topic {
            TopicKind::Input => &self.input,
            TopicKind::Processed => &self.processed,
            TopicKind::DeadLetter => &self.dead_letter,
            TopicKind::Late => &self.late,
            TopicKind::Aggregated => &self.aggregated,
        }
    }
}

struct Table<'a> {
    report: &'a Report,
    names: &'a TopicNames,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (counts, names) = (&self.report.counts, self.names);
        let expected = [counts.input, counts.valid, counts.rejected, 0, counts.windows_expected];
        let rows = [
            (&names.input, counts.input, 0),
            (&names.processed, counts.processed, counts.processed_repeats),
            (&names.dead_letter, counts.dead_letters, counts.dead_letter_repeats),
            (&names.late, counts.late, counts.late_repeats),
            (&names.aggregated, counts.window_records, counts.window_repeats),
        ];
        let width = rows.iter().map(|row| row.0.len()).max().unwrap_or(0);
        writeln!(
            out,
            "{:width$}  {:>12}  {:>12}  {:>9}",
            "topic", "records", "expected", "repeats"
        )?;
        for ((name, records, repeats), expected) in rows.iter().zip(expected) {
            let expected = if expected == 0 { "-".to_owned() } else { expected.to_string() };
            writeln!(out, "{name:width$}  {records:>12}  {expected:>12}  {repeats:>9}")?;
        }
        writeln!(
            out,
            "input: {} valid, {} rejected, {} tombstones",
            counts.valid, counts.rejected, counts.tombstones
        )?;
        writeln!(
            out,
            "windows: {} ({} incomplete), revisions up to {}, {} late events counted in them",
            counts.windows,
            counts.windows_incomplete,
            counts.highest_revision,
            counts.late_events_in_windows
        )?;
        if counts.unseen > 0 {
            writeln!(out, "{} records lie before the start and are not expected", counts.unseen)?;
        }
        if counts.dead_letters_cut > 0 {
            writeln!(out, "{} dead letters were cut", counts.dead_letters_cut)?;
        }
        if self.report.is_fine() {
            return write!(out, "verified: nothing missing, doubled or wrong");
        }
        write!(out, "WRONG:")?;
        for (mistake, found) in &self.report.mistakes {
            let topic = names.of(mistake.topic());
            write!(out, "\n{topic}: {} ({})", mistake.words(), found.count)?;
            for example in &found.examples {
                write!(out, "\n    {example}")?;
            }
        }
        Ok(())
    }
}

/// The beginning of a record's bytes, for an example.
pub(super) fn shown(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "no bytes".to_owned() };
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES)]);
    let more = if bytes.len() > SHOWN_BYTES { "…" } else { "" };
    format!("{}{more}", text.escape_debug())
}
