//! The API's answers about windows, and what may be asked.
//!
//! On the http thread. Open and recently published windows are one list, the newest first.

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

use super::{App, refusal::Refusal};
use crate::{
    limits,
    status::{Snapshot, WindowView},
};

const TIME_REMEDY: &str = "write epoch seconds (1730653310) or an RFC 3339 time \
                           (2024-11-03T17:01:50Z; in a query a `+` is written %2B)";

/// Later is no time that a person means: it is milliseconds.
const LATEST_S: f64 = 1e11;

/// All windows, the newest first.
pub(super) fn newest_first(snapshot: &Snapshot) -> Vec<&WindowView> {
    let published = snapshot.recent_windows.iter().map(AsRef::as_ref);
    let mut all: Vec<&WindowView> = snapshot.open_windows.iter().chain(published).collect();
    all.sort_by_key(|window| std::cmp::Reverse(window.start_ms));
    all
}

/// A window's state, in a word.
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
    /// Older ones match too: ask again with `to` as the last one's start.
    more: bool,
    windows: Vec<Shown<'a>>,
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    limit: usize,
}

pub(super) async fn list(
    State(app): State<App>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Response {
    let asked = match query {
        Ok(Query(pairs)) => Asked::parse(&pairs),
        Err(error) => Err(Refusal::parameter("query", error.body_text(), "write name=value")),
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    let snapshot = app.context.board.newest();
    let mut windows = newest_first(&snapshot);
    windows.retain(|window| asked.includes(window.start_ms));
    let more = windows.len() > asked.limit;
    let windows = windows.into_iter().take(asked.limit).map(Shown::new).collect();
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
        Err(error) => return Refusal::parameter("start", error, TIME_REMEDY).into_response(),
    };
    let snapshot = app.context.board.newest();
    let found = newest_first(&snapshot).into_iter().find(|window| window.start_ms == start_ms);
    match found {
        Some(window) => Json(Shown::new(window)).into_response(),
        None => Refusal::new(
            StatusCode::NOT_FOUND,
            "no window that is still known starts then",
            "/api/v1/windows lists those that are; older ones are in the aggregated topic",
        )
        .into_response(),
    }
}

impl Asked {
    fn parse(pairs: &[(String, String)]) -> Result<Self, Refusal> {
        let mut asked = Self { from_ms: None, to_ms: None, limit: limits::HTTP_WINDOWS_DEFAULT };
        for (at, (name, text)) in pairs.iter().enumerate() {
            if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(Refusal::parameter(name, "is given twice", "keep one"));
            }
            let time = || {
                parse_time(text)
                    .map(Some)
                    .map_err(|error| Refusal::parameter(name, error, TIME_REMEDY))
            };
            match name.as_str() {
                "from" => asked.from_ms = time()?,
                "to" => asked.to_ms = time()?,
                "limit" => asked.limit = parse_limit(text)?,
                _ => {
                    let remedy = "there are `from`, `to` and `limit`";
                    return Err(Refusal::parameter(name, "no such parameter", remedy));
                }
            }
        }
        if let (Some(from_ms), Some(to_ms)) = (asked.from_ms, asked.to_ms)
            && from_ms >= to_ms
        {
            let error = "is not before `to`, which is excluded";
            return Err(Refusal::parameter("from", error, "exchange them, or leave one out"));
        }
        Ok(asked)
    }

    fn includes(&self, start_ms: i64) -> bool {
        self.from_ms.is_none_or(|from_ms| start_ms >= from_ms)
            && self.to_ms.is_none_or(|to_ms| start_ms < to_ms)
    }
}

fn parse_limit(text: &str) -> Result<usize, Refusal> {
    let range = 1..=limits::HTTP_WINDOWS_MAX;
    let limit = text.parse().ok().filter(|limit| range.contains(limit));
    limit.ok_or_else(|| {
        let error = format!("{} is no such number", shown(text));
        let remedy = format!("write a whole number from 1 to {}", limits::HTTP_WINDOWS_MAX);
        Refusal::parameter("limit", error, remedy)
    })
}

/// Milliseconds since the Unix epoch; the error is what is wrong.
fn parse_time(text: &str) -> Result<i64, Cow<'static, str>> {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
    if text.chars().all(is_number)
        && let Ok(seconds) = text.parse::<f64>()
    {
        if seconds.abs() >= LATEST_S {
            return Err(format!("{} looks like milliseconds", shown(text)).into());
        }
        return Ok((seconds * 1000.0).round() as i64);
    }
    let time: Result<Timestamp, _> = text.parse();
    time.map(Timestamp::as_millisecond).map_err(|_| format!("{} is no time", shown(text)).into())
}

/// What was sent, quoted, and not more of it than a person reads.
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
