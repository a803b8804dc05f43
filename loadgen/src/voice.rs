//! Where a run says what it is doing: a terminal's progress bars and lines on stderr, or whoever
//! runs it as a library and has a screen of his own.
//!
//! Holds: results are returned or printed by the commands; only news of the run itself comes here.

/// Where news of a run go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Voice {
    /// Progress and troubles on stderr.
    #[default]
    Stderr,
    /// Troubles to this function, no progress.
    Caller(fn(&str)),
}

impl Voice {
    /// Says that something is wrong.
    pub(crate) fn trouble(self, text: &str) {
        match self {
            Self::Stderr => eprintln!("loadgen: {text}"),
            Self::Caller(say) => say(text),
        }
    }

    /// Whether progress is to be shown.
    pub(crate) fn shows_progress(self) -> bool {
        matches!(self, Self::Stderr)
    }
}
