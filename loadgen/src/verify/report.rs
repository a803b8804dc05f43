//! What the judge found: counts, mistakes by kind with a few examples each.
//!
//! Holds: memory stays small however many mistakes there are.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// Examples kept of each kind of mistake.
const EXAMPLES: usize = 10;

/// Longest piece of a record shown in an example, in bytes.
const SHOWN_BYTES: usize = 300;

/// Which topic a mistake is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Input,
    Processed,
    DeadLetter,
    Late,
    Aggregated,
}

macro_rules! mistakes {
    ($($kind:ident, $topic:ident, $words:literal;)*) => {
        /// What can be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Mistake { $(#[doc = $words] $kind,)* }

        impl Mistake {
            /// Where it is.
            pub(super) fn topic(self) -> Topic {
                match self { $(Self::$kind => Topic::$topic,)* }
            }

            /// What it is called.
            pub(super) fn words(self) -> &'static str {
                match self { $(Self::$kind => $words,)* }
            }
        }
    };
}

mistakes! {
    InputMissing, Input, "produced event is not in the topic";
    InputDoubled, Input, "produced event is in the topic more than once";
    InputWrong, Input, "record is not what the seed makes";
    InputForeign, Input, "record is not of this seed";
    ProcessedMissing, Processed, "valid event has no output";
    ProcessedDoubled, Processed, "output is there too often";
    ProcessedUnexpected, Processed, "output matches no valid event";
    ProcessedUnreadable, Processed, "output is no event";
    ProcessedDuplicateKey, Processed, "output has a key twice";
    ProcessedWrongKey, Processed, "Kafka key is not the user";
    ProcessedWrongPartition, Processed, "output is in another partition than its key says";
    ProcessedWrongAddition, Processed, "added field is wrong";
    DeadLetterMissing, DeadLetter, "rejected record has no dead letter";
    DeadLetterDoubled, DeadLetter, "dead letter is there too often";
    DeadLetterUnexpected, DeadLetter, "dead letter of a record that is valid or not there";
    DeadLetterWrong, DeadLetter, "dead letter has other bytes or headers";
    DeadLetterReason, DeadLetter, "dead letter names another reason";
    LateDoubled, Late, "late record is there too often";
    LateUnexpected, Late, "late record of an event that is not valid or not there";
    LateWrong, Late, "late record has other bytes or headers";
    LateInTime, Late, "late record of an event that was in time";
    LateUnwanted, Late, "late record, but none was expected";
    LateAbsent, Late, "no late record, but some were expected";
    WindowMissing, Aggregated, "window has no record";
    WindowUnexpected, Aggregated, "window without any event";
    WindowUnreadable, Aggregated, "record is no window";
    WindowInconsistent, Aggregated, "window contradicts itself";
    WindowRevision, Aggregated, "revisions are not 1, 2, 3 and so on";
    WindowTotal, Aggregated, "total and late records are not the recount";
    WindowMap, Aggregated, "counts differ from the recount";
    WindowUsers, Aggregated, "unique users are off";
    WindowIncomplete, Aggregated, "window says that it is incomplete";
    WindowNotMarked, Aggregated, "window says that it is complete, but some input was not seen";
}

/// Mistakes of one kind.
#[derive(Default, Debug)]
pub(super) struct Found {
    pub(super) count: u64,
    pub(super) examples: Vec<String>,
}

/// Records counted, by what they are.
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
    /// Records before the place where processing began.
    pub unseen: u64,
    /// Records of processed-logins.
    pub processed: u64,
    /// Of these, repeated ones.
    pub processed_repeats: u64,
    /// Dead letters.
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
    /// Windows that the input makes.
    pub windows_expected: u64,
    /// Windows that say so of themselves.
    pub windows_incomplete: u64,
    /// The highest revision of any window.
    pub highest_revision: u64,
    /// Events that windows counted after they had closed.
    pub late_events_in_windows: u64,
}

/// Everything found.
#[derive(Default, Debug)]
pub(crate) struct Report {
    pub(crate) counts: RecordCounts,
    pub(super) mistakes: BTreeMap<Mistake, Found>,
}

impl Report {
    /// Notes one mistake; the example is only made while there are few.
    pub(super) fn add(&mut self, mistake: Mistake, example: impl FnOnce() -> String) {
        let found = self.mistakes.entry(mistake).or_default();
        found.count += 1;
        if found.examples.len() < EXAMPLES {
            found.examples.push(example());
        }
    }

    /// Notes an output that is there once more: a mistake, or only counted.
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
    pub(super) fn to_json(&self, names: &Names) -> serde_json::Value {
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
    pub(crate) fn print<'a>(&'a self, names: &'a Names) -> impl fmt::Display {
        Table { report: self, names }
    }
}

/// The topics' names.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(super) input: String,
    pub(super) processed: String,
    pub(super) dead_letter: String,
    pub(super) late: String,
    pub(super) aggregated: String,
}

impl Names {
    /// A topic's name.
    pub(super) fn of(&self, topic: Topic) -> &str {
        match topic {
            Topic::Input => &self.input,
            Topic::Processed => &self.processed,
            Topic::DeadLetter => &self.dead_letter,
            Topic::Late => &self.late,
            Topic::Aggregated => &self.aggregated,
        }
    }
}

struct Table<'a> {
    report: &'a Report,
    names: &'a Names,
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
