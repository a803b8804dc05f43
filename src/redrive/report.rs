//! Shows the progress of a redrive and the outcome of its dead letters.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal, Write},
    time::Instant,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{RedriveConfig, selection::Skip};
use crate::{event::RejectReason, limits};

/// The number of dead letters by their outcome.
#[derive(Debug, Default)]
pub(super) struct LetterCounts {
    pub(super) read: u64,
    /// In committed transactions.
    pub(super) sent: u64,
    pub(super) selected: BTreeMap<RejectReason, u64>,
    skipped: BTreeMap<Skip, u64>,
    examples: Vec<String>,
}

impl LetterCounts {
    pub(super) fn skip(&mut self, why: Skip) {
        *self.skipped.entry(why).or_default() += 1;
    }

    pub(super) fn select(&mut self, reason: RejectReason, example: impl FnOnce() -> String) {
        *self.selected.entry(reason).or_default() += 1;
        if self.examples.len() < limits::REDRIVE_EXAMPLES {
            self.examples.push(example());
        }
    }

    /// The summary. `left`: offsets that were not read, because the run was stopped.
    pub(super) fn show(
        &self,
        out: &mut impl Write,
        config: &RedriveConfig,
        left: u64,
    ) -> io::Result<()> {
        let RedriveConfig { dead_letter_topic, input_topic, dry_run, .. } = config;
        writeln!(out, "read      {:>10}  from {dead_letter_topic}", self.read)?;
        let selected: u64 = self.selected.values().sum();
        writeln!(out, "selected  {selected:>10}")?;
        for (reason, count) in &self.selected {
            writeln!(out, "          {count:>10}  {reason}")?;
        }
        let skipped: u64 = self.skipped.values().sum();
        writeln!(out, "skipped   {skipped:>10}")?;
        for (why, count) in &self.skipped {
            writeln!(out, "          {count:>10}  {why}")?;
        }
        if *dry_run {
            writeln!(out, "sent               0  a dry run; without it: to {input_topic}")?;
            for example in &self.examples {
                writeln!(out, "  {example}")?;
            }
        } else {
            writeln!(out, "sent      {:>10}  to {input_topic}", self.sent)?;
        }
        if left > 0 {
            writeln!(out, "stopped before the end: {left} offsets are left; start again to go on")?;
        }
        Ok(())
    }
}

/// A bar on a terminal, a log line every few seconds elsewhere.
pub(super) struct ProgressDisplay {
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl ProgressDisplay {
    pub(super) fn new(total: u64) -> Self {
        let template = "redriving {wide_bar} {human_pos}/{human_len} read, {msg} {eta}";
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(template).expect("the template is constant");
            ProgressBar::new(total).with_style(style)
        });
        Self { bar, last_line: Instant::now() }
    }

    pub(super) fn show(&mut self, counts: &LetterCounts) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} sent", counts.sent));
            bar.set_position(counts.read);
        } else if self.last_line.elapsed() >= limits::REPEATED_LOG_INTERVAL {
            self.last_line = Instant::now();
            tracing::info!(read = counts.read, sent = counts.sent, "redriving");
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
