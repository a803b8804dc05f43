//! From a snapshot to the lines of a picture. Pure.
//!
//! Holds: every line fits the width; what others wrote is escaped; what does not fit is left out
//! from the right and from below.

use std::{net::SocketAddr, path::Path, time::Duration};

use console::style;
use jiff::Timestamp;

use super::{
    clock,
    text::{bar, curve, fitted, grouped, milliseconds, safe},
};
use crate::{
    demo::settings::Settings,
    metrics::HealthReport,
    status::{Snapshot, WindowView},
    window::Dimension,
};

/// Windows shown.
const WINDOWS: usize = 4;

/// Values shown of each dimension.
const VALUES: usize = 4;

/// Columns of a value's name and count beside its bar.
const NAME: usize = 8;
const COUNT: usize = 8;

/// Narrowest column of values.
const COLUMN_MIN: usize = 24;

/// Widest picture: on a wider terminal the eye would have too far to go.
const WIDTH_MAX: usize = 110;

/// What the demo is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) enum DemoPhase {
    /// The pipeline is getting its partitions.
    Starting,
    /// Events are sent, since then.
    Sending(Duration),
    /// The last windows are closing.
    Finishing,
}

/// All that is shown.
pub(in crate::demo) struct View<'a> {
    pub(in crate::demo) phase: DemoPhase,
    pub(in crate::demo) settings: &'a Settings,
    pub(in crate::demo) snapshot: &'a Snapshot,
    pub(in crate::demo) health: &'a HealthReport,
    pub(in crate::demo) http: SocketAddr,
    pub(in crate::demo) log: &'a Path,
}

/// The picture for a terminal of `columns`.
pub(super) fn block(view: &View<'_>, columns: usize, ascii: bool) -> Vec<String> {
    // The last column stays free: some terminals break a line that fills it.
    let width = columns.saturating_sub(1).min(WIDTH_MAX);
    let mut lines = vec![title(view), String::new()];
    lines.extend(flow(view, width, ascii));
    lines.push(String::new());
    lines.extend(windows(view.snapshot));
    lines.push(String::new());
    lines.extend(values(view.snapshot, width, ascii));
    lines.push(String::new());
    lines.extend(dead_letters(view.snapshot));
    lines.push(String::new());
    let address = style(format!("http://{}/", view.http)).cyan();
    lines.push(format!("dashboard {address}   metrics {address}metrics"));
    lines.push(
        style(format!("Ctrl-C ends with the audit   log {}", view.log.display())).dim().to_string(),
    );
    lines.iter().map(|line| fitted(line, width).trim_end().to_owned()).collect()
}

fn title(view: &View<'_>) -> String {
    let doing = match view.phase {
        DemoPhase::Starting => "starting".to_owned(),
        DemoPhase::Sending(time) => format!("{} of {}", clock(time), clock(view.settings.duration)),
        DemoPhase::Finishing => "finishing: last windows".to_owned(),
    };
    format!(
        "{}  {}  {}",
        style("logintide demo").bold(),
        style("embedded broker without transactions").dim(),
        style(doing).yellow()
    )
}

/// Rate, lag, delays, health.
fn flow(view: &View<'_>, width: usize, ascii: bool) -> Vec<String> {
    let snapshot = view.snapshot;
    let rate = format!("{}/s", grouped(snapshot.events_per_second.round() as u64));
    let rates = snapshot.history.iter().map(|point| point.events_per_second);
    let curve = if ascii { String::new() } else { curve(rates, width.min(30)) };
    let behind = snapshot.watermark_delay_ms.map_or("-".to_owned(), |ms| milliseconds(ms as f64));
    let lag = snapshot.lag_records.map_or("-".to_owned(), grouped);
    let latency = &snapshot.latency.end_to_end;
    let health = style(view.health.reason.as_str());
    let health = if view.health.healthy { health.green() } else { health.red().bold() };
    vec![
        format!(
            "events    {}  {} in  {}",
            style(fitted(&rate, 10)).bold(),
            grouped(snapshot.totals.events_in),
            style(curve).cyan()
        ),
        format!("behind    lag {} records   watermark {behind}   {health}", style(lag).bold()),
        format!(
            "latency   p50 {}   p99 {}   max {}   (append to commit)",
            style(milliseconds(latency.p50_ms)).bold(),
            style(milliseconds(latency.p99_ms)).bold(),
            milliseconds(latency.max_ms)
        ),
    ]
}

/// The windows that closed last, in the order of their time.
fn windows(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = vec![format!(
        "{}   {} open, {} records, {} of them revisions",
        style("windows").bold(),
        snapshot.open_window_count,
        grouped(snapshot.totals.window_records),
        grouped(snapshot.totals.revisions)
    )];
    let closed = last_closed(snapshot).into_iter().map(|window| {
        let revision = match window.revision {
            1 => String::new(),
            more => format!("revision {more}, {} late", window.late_events),
        };
        let incomplete = if window.complete { "" } else { " incomplete" };
        format!(
            "  {}  {:>9} events  {:>9} users  {revision}{incomplete}",
            time_of_day(window.start_ms),
            grouped(window.total_events),
            grouped(window.unique_users)
        )
    });
    lines.extend(closed);
    // The block keeps its height, so that what is below stays where it is.
    lines.resize(1 + WINDOWS, String::new());
    lines
}

/// By the time of the window, not of its last revision: late events revise old ones all the time.
fn last_closed(snapshot: &Snapshot) -> Vec<&WindowView> {
    let mut windows: Vec<&WindowView> = snapshot.recent_windows.iter().map(AsRef::as_ref).collect();
    windows.sort_by_key(|window| std::cmp::Reverse(window.start_ms));
    windows.truncate(WINDOWS);
    windows
}

/// The most frequent values, side by side as far as there is room.
fn values(snapshot: &Snapshot, width: usize, ascii: bool) -> Vec<String> {
    let columns = (width / COLUMN_MIN).clamp(1, Dimension::ALL.len());
    let column = width / columns;
    let mut lines = vec![String::new(); 1 + VALUES];
    for (dimension, values) in snapshot.usage.top.iter().take(columns) {
        let title = style(dimension.spec().values).bold();
        lines[0].push_str(&fitted(&title.to_string(), column));
        let most = values.first().map_or(1, |(_, count)| *count).max(1);
        for (place, line) in lines[1..].iter_mut().enumerate() {
            let cell = values.get(place).map_or_else(String::new, |(value, count)| {
                let room = column.saturating_sub(NAME + COUNT + 3);
                let bar = bar(*count as f64 / most as f64, room, ascii);
                let name = fitted(&safe(value, NAME), NAME);
                let bar = style(fitted(&bar, room)).blue();
                format!("{name} {bar}{:>COUNT$}", grouped(*count))
            });
            line.push_str(&fitted(&cell, column));
        }
    }
    lines
}

/// Dead letters by reason, and late events.
fn dead_letters(snapshot: &Snapshot) -> Vec<String> {
    let reasons: Vec<String> = snapshot
        .dead_letters
        .iter()
        .filter(|of| of.count > 0)
        .map(|of| format!("{} {}", of.reason, grouped(of.count)))
        .collect();
    let totals = &snapshot.totals;
    vec![
        format!(
            "{} {}   {}",
            style("dead letters").bold(),
            style(grouped(totals.dead_lettered)).red(),
            reasons.join("  ")
        ),
        format!(
            "{} {} too late for their window, tombstones {}",
            style("late").bold(),
            grouped(totals.late),
            grouped(totals.tombstones)
        ),
    ]
}

/// Everything in one line, `elapsed` since the demo's start.
pub(super) fn line(view: &View<'_>, elapsed: Duration) -> String {
    let snapshot = view.snapshot;
    let seconds = elapsed.as_secs();
    if view.phase == DemoPhase::Starting {
        return format!(
            "{seconds} s: logintide demo: embedded broker without transactions; {} events/s for \
             {:?}, windows of {:?}; dashboard http://{4}/, metrics http://{4}/metrics; log {}",
            view.settings.rate,
            view.settings.duration,
            view.settings.window,
            view.log.display(),
            view.http
        );
    }
    let doing = if view.phase == DemoPhase::Finishing { "finishing, " } else { "" };
    let latency = &snapshot.latency.end_to_end;
    let delay = snapshot.watermark_delay_ms.map_or("-".to_owned(), |ms| milliseconds(ms as f64));
    let lag = snapshot.lag_records.map_or("-".to_owned(), |records| records.to_string());
    let last = last_closed(snapshot).first().map_or_else(String::new, |window| {
        let time = time_of_day(window.start_ms);
        format!(", last closed {time} with {} events", window.total_events)
    });
    format!(
        "{seconds} s: {doing}{:.0}/s, {} in, lag {lag}, watermark {delay} behind, p50 {}, p99 {}, \
         {} windows open{last}, {} dead letters, {}",
        snapshot.events_per_second,
        snapshot.totals.events_in,
        milliseconds(latency.p50_ms),
        milliseconds(latency.p99_ms),
        snapshot.open_window_count,
        snapshot.totals.dead_lettered,
        view.health.reason
    )
}

/// `HH:MM:SS` in UTC.
fn time_of_day(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).map(|time| time.strftime("%H:%M:%S").to_string());
    time.unwrap_or_else(|_| ms.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use console::measure_text_width;

    use super::*;
    use crate::status::{DeadLetters, Usage};

    const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}界界界";

    fn snapshot() -> Snapshot {
        let values = |name: &str| vec![(name.to_owned(), 1_234), (HOSTILE.to_owned(), 617)];
        let usage = Usage { top: ["CA", "iOS", "2.3.0"].map(values).into() };
        let window = |start_s: i64, revision| {
            Arc::new(WindowView {
                start_ms: start_s * 1000,
                end_ms: start_s * 1000 + 5000,
                revision,
                total_events: 15_000,
                late_events: u64::from(revision) - 1,
                unique_users: 900,
                complete: true,
                usage: Usage::default(),
            })
        };
        let windows = [1, 2, 3, 4, 5, 6, 7].map(|n| window(1_730_653_300 + n * 5, n as u32));
        let reason = DeadLetters { reason: "not_json", count: 12, sample: None };
        Snapshot {
            usage,
            recent_windows: Arc::new(windows.to_vec()),
            dead_letters: vec![reason],
            events_per_second: 3_000.4,
            watermark_delay_ms: Some(1_200),
            ..Snapshot::default()
        }
    }

    fn lines(columns: usize) -> Vec<String> {
        console::set_colors_enabled(false);
        let health = crate::metrics::Health::new(0).report();
        let settings = Settings {
            rate: 3_000,
            duration: Duration::from_mins(1),
            window: Duration::from_secs(5),
        };
        let view = View {
            phase: DemoPhase::Sending(Duration::from_secs(5)),
            settings: &settings,
            snapshot: &snapshot(),
            health: &health,
            http: SocketAddr::from(([127, 0, 0, 1], 9464)),
            log: Path::new("/tmp/logintide-demo-x/log"),
        };
        block(&view, columns, false)
    }

    #[test]
    fn a_picture_fits_every_width_and_keeps_its_height() {
        let height = lines(80).len();
        assert!(height < 24, "{height} lines do not fit an ordinary terminal");
        for columns in 1..200 {
            let lines = lines(columns);
            assert_eq!(lines.len(), height);
            for line in lines {
                assert!(measure_text_width(&line) < columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn what_others_wrote_cannot_steer_the_terminal() {
        let text = lines(100).join("\n");
        // Colours of our own are off here.
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(text.contains("\\u{1b}") && !text.contains('\u{202e}'), "{text}");
    }

    #[test]
    fn the_newest_windows_stand_first() {
        let text = lines(100).join("\n");
        assert!(text.contains("00:05 of 01:00") && text.contains("3 000/s"), "{text}");
        let times: Vec<&str> = text
            .lines()
            .filter(|line| line.contains(" users"))
            .map(|line| line.split_whitespace().next().expect("a time"))
            .collect();
        assert_eq!(times, ["17:02:15", "17:02:10", "17:02:05", "17:02:00"]);
        assert!(text.contains("revision 7, 6 late") && text.contains("not_json 12"), "{text}");
    }
}
