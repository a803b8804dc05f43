//! What a demo shows while it runs: one block that is drawn again and again on a terminal, a line
//! every few seconds elsewhere.
//!
//! On the main thread; stdout only. Holds: a picture is written in one go and never longer or wider
//! than the terminal; without a terminal, or with `TERM=dumb`, no escape sequence is written;
//! `NO_COLOR` ends colours.

pub(super) mod text;
mod view;

use std::{
    env, io,
    time::{Duration, Instant},
};

use console::Term;

pub(super) use self::view::{DemoPhase, View};
use self::view::{block, line};
use crate::limits;

/// Where it is shown.
pub(super) struct Screen {
    term: Term,
    began: Instant,
    shown: Option<Instant>,
    /// `None`: lines.
    block: Option<Block>,
}

/// What of the block is on the terminal.
struct Block {
    lines: usize,
    /// Rows and columns.
    size: (u16, u16),
    ascii: bool,
}

impl Screen {
    /// A screen on stdout of a demo that began at `began`.
    pub(super) fn new(began: Instant) -> Self {
        let term = Term::buffered_stdout();
        let can_move = env::var("TERM").is_ok_and(|term| !["", "dumb"].contains(&term.as_str()));
        let block = (term.features().is_attended() && can_move).then(|| {
            // Fails like everything that is written: the next picture says so.
            let _ = term.hide_cursor();
            Block { lines: 0, size: term.size(), ascii: !is_utf8() }
        });
        Self { term, began, shown: None, block }
    }

    /// Shows the view if it is time to, or if it is the last one.
    pub(super) fn show(&mut self, view: &View<'_>, is_last: bool) -> io::Result<()> {
        let interval = match self.block {
            Some(_) => limits::DEMO_PICTURE_INTERVAL,
            None => limits::DEMO_LINE_INTERVAL,
        };
        let is_due = self.shown.is_none_or(|shown| shown.elapsed() >= interval);
        if !is_due && !is_last {
            return Ok(());
        }
        self.shown = Some(Instant::now());
        let elapsed = self.began.elapsed();
        match &mut self.block {
            Some(shown) => shown.draw(&self.term, view),
            None => self.term.write_line(&line(view, elapsed)).and_then(|()| self.term.flush()),
        }
    }

    /// Writes below what was shown.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        self.term.write_str(text)?;
        self.term.flush()
    }
}

impl Block {
    fn draw(&mut self, term: &Term, view: &View<'_>) -> io::Result<()> {
        let size = term.size();
        if size != self.size {
            // Lines may have been wrapped again, so the place of the block is unknown.
            term.clear_screen()?;
            (self.size, self.lines) = (size, 0);
        }
        let (rows, columns) = (usize::from(size.0), usize::from(size.1));
        let mut lines = block(view, columns, self.ascii);
        lines.truncate(rows.saturating_sub(1));
        term.move_cursor_up(self.lines)?;
        for line in &lines {
            term.clear_line()?;
            term.write_line(line)?;
        }
        term.clear_to_end_of_screen()?;
        self.lines = lines.len();
        term.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.block.is_some() {
            // A closed terminal has no cursor to show.
            let _ = self.term.show_cursor().and_then(|()| self.term.flush());
        }
    }
}

/// Whether the locale says that the terminal's text is UTF-8.
fn is_utf8() -> bool {
    let set = |name: &&str| env::var(name).is_ok_and(|value| !value.is_empty());
    let name = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find(set);
    let value = name.and_then(|name| env::var(name).ok()).unwrap_or_default();
    value.to_ascii_uppercase().replace('-', "").contains("UTF8")
}

/// Time as `MM:SS`.
fn clock(time: Duration) -> String {
    text::clock(time.as_secs())
}
