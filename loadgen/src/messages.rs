//! Where messages about a run go: to stderr with progress bars and lines, or to the program that
//! uses the library.
//!
//! Holds: the commands return or print their results themselves; only messages about the run go
//! here.

/// The receiver of messages about a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum MessageOutput {
    /// Progress and warnings go to stderr.
    #[default]
    Stderr,
    /// Warnings go to this function; there is no progress display.
    Caller(fn(&str)),
}

impl MessageOutput {
    /// Reports a problem.
    pub(crate) fn warn(self, text: &str) {
        match self {
            Self::Stderr => eprintln!("loadgen: {text}"),
            Self::Caller(say) => say(text),
        }
    }

    /// Whether progress is shown.
    pub(crate) fn shows_progress(self) -> bool {
        matches!(self, Self::Stderr)
    }
}
