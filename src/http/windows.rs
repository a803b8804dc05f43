//! The API's answers about windows, and their queries.
//!
//! On the http thread. Open and recently published windows form one list, newest first.

use std::borrow::Cow;

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Serialize;

use super::{App, error_answer::ErrorAnswer};
use crate::{
    limits,
    status::{Snapshot, WindowView},
};

const TIME_REMEDY: &str = "use epoch seconds (1730653310) or an RFC 3339 time \
                           (2024-11-03T17:01:50Z; in a query a `+` is written %2B)";

/// A number of seconds from which the caller has probably sent milliseconds.
const LATEST_S: f64 = 1e11;

/// All windows, the newest first.
pub(super) fn newest_first(snapshot: &Snapshot) -> Vec<&WindowView> {
    let published = snapshot.recent_windows.iter().map(AsRef::as_ref);
    let mut all: Vec<&WindowView> = snapshot.open_windows.iter().chain(published).collect();
    all.sort_by_key(|window| std::cmp::Reverse(window.start_ms));
    all
}

/// A window's state in one word.
pub(super) fn state(window: &WindowView) -> &'static str {
    if window.revision == 0 { "open" } else { "closed" }
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    state: &'static str,
    #[serde(flatten)]
    window: &'a WindowView,
}

impl<'a> Shown<'a> {
    fn new(window: &'a WindowView) -> Self {
        Self { state: state(window), window }
    }
}

#[derive(Debug, Serialize)]
struct Listed<'a> {
    at_ms: i64,
    /// Whether older windows match too: a query with `to` set to the last one's start returns them.
    more: bool,
    windows: Vec<Shown<'a>>,
}

/// The query of `/api/v1/windows`.
#[derive(Debug, PartialEq, Eq)]
struct WindowsQuery {
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    limit: usize,
}

pub(super) async fn list(
    State(app): State<App>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(pairs)) => WindowsQuery::parse(&pairs),
        Err(error) => Err(ErrorAnswer::parameter("query", error.body_text(), "use name=value")),
    };
    let query = match query {
        Ok(query) => query,
        Err(answer) => return answer.into_response(),
    };
    let snapshot = app.context.board.newest();
    let mut windows = newest_first(&snapshot);
    windows.retain(|window| query.includes(window.start_ms));
    let more = windows.len() > query.limit;
    let windows = windows.into_iter().take(query.limit).map(Shown::new).collect();
    Json(Listed { at_ms: snapshot.at_ms, more, windows }).into_response()
}

pub(super) async fn one(
    State(app): State<App>,
    start: Result<Path<String>, PathRejection>,
) -> Response {
    let start = start.map_err(|error| Cow::from(error.body_text()));
    let start_ms = start.and_then(|Path(text)| parse_time(&text));
    let start_ms = match start_ms {
        Ok(start_ms) => start_ms,
        Err(error) => return ErrorAnswer::parameter("start", error, TIME_REMEDY).into_response(),
    };
    let snapshot = app.context.board.newest();
    let found = newest_first(&snapshot).into_iter().find(|window| window.start_ms == start_ms);
    match found {
        Some(window) => Json(Shown::new(window)).into_response(),
        None => ErrorAnswer::new(
            StatusCode::NOT_FOUND,
            "no window with this start is kept",
            "/api/v1/windows lists those that are kept; older ones are in the aggregated topic",
        )
        .into_response(),
    }
}

impl WindowsQuery {
    fn parse(pairs: &[(String, String)]) -> Result<Self, ErrorAnswer> {
        let mut query = Self { from_ms: None, to_ms: None, limit: limits::HTTP_WINDOWS_DEFAULT };
        for (at, (name, text)) in pairs.iter().enumerate() {
            if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(ErrorAnswer::parameter(name, "it is given twice", "give it once"));
            }
            let time = || {
                parse_time(text)
                    .map(Some)
                    .map_err(|error| ErrorAnswer::parameter(name, error, TIME_REMEDY))
            };
            match name.as_str() {
                "from" => query.from_ms = time()?,
                "to" => query.to_ms = time()?,
                "limit" => query.limit = parse_limit(text)?,
                _ => {
                    let remedy = "use `from`, `to` or `limit`";
                    return Err(ErrorAnswer::parameter(name, "unknown parameter", remedy));
                }
            }
        }
        if let (Some(from_ms), Some(to_ms)) = (query.from_ms, query.to_ms)
            && from_ms >= to_ms
        {
            let error = "`from` must be before `to`, which is excluded";
            return Err(ErrorAnswer::parameter("from", error, "swap them, or leave one out"));
        }
        Ok(query)
    }

    fn includes(&self, start_ms: i64) -> bool {
        self.from_ms.is_none_or(|from_ms| start_ms >= from_ms)
            && self.to_ms.is_none_or(|to_ms| start_ms < to_ms)
    }
}

fn parse_limit(text: &str) -> Result<usize, ErrorAnswer> {
    let range = 1..=limits::HTTP_WINDOWS_MAX;
    let limit = text.parse().ok().filter(|limit| range.contains(limit));
    limit.ok_or_else(|| {
        let error = format!("invalid number {}", shown(text));
        let remedy = format!("use a whole number from 1 to {}", limits::HTTP_WINDOWS_MAX);
        ErrorAnswer::parameter("limit", error, remedy)
    })
}

/// Parses a time into milliseconds since the Unix epoch. The error says what is wrong.
fn parse_time(text: &str) -> Result<i64, Cow<'static, str>> {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
    if text.chars().all(is_number)
        && let Ok(seconds) = text.parse::<f64>()
    {
        if seconds.abs() >= LATEST_S {
            return Err(format!("invalid time {}: it looks like milliseconds", shown(text)).into());
        }
        return Ok((seconds * 1000.0).round() as i64);
    }
    let time: Result<Timestamp, _> = text.parse();
    time.map(Timestamp::as_millisecond).map_err(|_| format!("invalid time {}", shown(text)).into())
}

/// A value quoted for an error, at most the first 64 characters.
fn shown(text: &str) -> String {
    const CHARS: usize = 64;
    let cut: String = text.chars().take(CHARS).collect();
    if cut.len() < text.len() { format!("{cut:?}…") } else { format!("{cut:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_epoch_seconds_or_rfc_3339() {
        for (text, expected) in [
            ("1730653310", 1_730_653_310_000),
            ("1730653310.0", 1_730_653_310_000),
            ("1730653310.25", 1_730_653_310_250),
            ("-10", -10_000),
            ("0", 0),
            ("2024-11-03T17:01:50Z", 1_730_653_310_000),
            ("2024-11-03T19:01:50+02:00", 1_730_653_310_000),
        ] {
            assert_eq!(parse_time(text), Ok(expected), "{text}");
        }
        for bad in [
            "",
            "-",
            ".",
            "1-2",
            "x",
            "NaN",
            "inf",
            "1e9",
            "1730653310000",
            "2024-11-03",
            "2024-11-03T19:01:50 02:00",
            "<script>",
            "9999999999999999999999",
        ] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
        assert!(parse_time("1730653310000").is_err_and(|e| e.contains("milliseconds")));
    }

    #[test]
    fn what_was_sent_is_quoted_and_shortened() {
        assert_eq!(shown("a\"b\n"), r#""a\"b\n""#);
        assert_eq!(shown(&"é".repeat(100)), format!("\"{}\"…", "é".repeat(64)));
    }
}
