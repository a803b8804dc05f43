//! Shows a run's progress: a bar on a terminal, a line every few seconds elsewhere.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::messages::MessageOutput;

/// Time between two lines without a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// One run's progress on stderr.
pub(crate) struct RunProgress {
    what: String,
    messages: MessageOutput,
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
}

impl RunProgress {
    /// Starts the display. `total` is `None` for a run that a time or a signal ends.
    pub(crate) fn new(
        messages: MessageOutput,
        what: impl Into<String>,
        total: Option<u64>,
    ) -> Self {
        let what = what.into();
        let has_bar = messages.shows_progress() && std::io::stderr().is_terminal();
        let bar = has_bar.then(|| {
            let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let template = match total {
                Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}",
                None => "{spinner} {msg} {human_pos} {per_sec} {elapsed}",
            };
            let style = ProgressStyle::with_template(template).expect("the template is constant");
            bar.with_style(style).with_message(what.clone())
        });
        Self { what, messages, bar, started: Instant::now(), last_line: Instant::now() }
    }

    /// Updates the number of records done.
    pub(crate) fn set(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.messages.shows_progress() && self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            let seconds = self.started.elapsed().as_secs_f64();
            eprintln!("{}: {done} in {seconds:.0} s", self.what);
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
