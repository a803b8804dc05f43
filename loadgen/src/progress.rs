//! Shows how far a run is: a bar on a terminal, a line every few seconds elsewhere.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::voice::Voice;

/// Time between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// One run's progress on stderr.
pub(crate) struct ProgressDisplay {
    what: String,
    voice: Voice,
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
}

impl ProgressDisplay {
    /// Starts to show; `total` is unknown for a run that ends by time or signal.
    pub(crate) fn new(voice: Voice, what: impl Into<String>, total: Option<u64>) -> Self {
        let what = what.into();
        let has_bar = voice.shows_progress() && std::io::stderr().is_terminal();
        let bar = has_bar.then(|| {
            let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let template = match total {
                Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}",
                None => "{spinner} {msg} {human_pos} {per_sec} {elapsed}",
            };
            let style = ProgressStyle::with_template(template).expect("the template is constant");
            bar.with_style(style).with_message(what.clone())
        });
        Self { what, voice, bar, started: Instant::now(), last_line: Instant::now() }
    }

    /// Says how many are done.
    pub(crate) fn set(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.voice.shows_progress() && self.last_line.elapsed() >= LINE_INTERVAL {
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
