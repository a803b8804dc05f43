//! What the program says that it has lost. It is heard as people read it: in a log line.
//!
//! In:  the program's log. Out: the windows that it names, and when it named them.
//! Holds: only what is logged on this thread is heard, as a history is played on one.

use std::{cell::RefCell, fmt::Debug, ops::Range, sync::Once};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, filter::LevelFilter, fmt, layer::Context, prelude::*, registry};

/// Windows that have lost counts. What one instance alone has published before stands.
#[derive(Debug, Clone)]
pub(crate) struct Loss {
    pub(crate) windows: Range<i64>,
    pub(crate) named_at_ms: i64,
    /// Whether there is one instance alone.
    pub(crate) is_alone: bool,
}

impl Loss {
    /// Whether a window may have lost counts whose first record is of this time.
    pub(crate) fn is_of(&self, window: i64, published_ms: Option<i64>) -> bool {
        let stands = self.is_alone && published_ms.is_some_and(|at| at <= self.named_at_ms);
        self.windows.contains(&window) && !stands
    }
}

thread_local! {
    static NAMED: RefCell<Vec<Range<i64>>> = const { RefCell::new(Vec::new()) };
}

/// Begins to listen, in this whole process; prints all that is logged as well, if that is wanted.
pub(crate) fn listen(shows_all: bool) {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        let shown = shows_all.then(|| {
            let lines = fmt::layer().without_time().with_ansi(false);
            lines.with_filter(LevelFilter::DEBUG)
        });
        registry().with(Listener.with_filter(LevelFilter::ERROR)).with(shown).init();
    });
}

/// What was named since the last call.
pub(crate) fn take() -> Vec<Range<i64>> {
    NAMED.take()
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut bounds = Bounds::default();
        event.record(&mut bounds);
        if let Some(until) = bounds.until {
            let from = bounds.from.unwrap_or(i64::MIN);
            NAMED.with_borrow_mut(|named| named.push(from..until));
        }
    }
}

#[derive(Default)]
struct Bounds {
    from: Option<i64>,
    until: Option<i64>,
}

impl Visit for Bounds {
    fn record_i64(&mut self, field: &Field, value: i64) {
        match field.name() {
            "lost_from_ms" => self.from = Some(value),
            "lost_until_ms" => self.until = Some(value),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}
