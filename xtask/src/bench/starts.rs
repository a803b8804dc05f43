//! The section `starts`: what a start takes beyond the group join: fresh, with many open windows,
//! and with these out of the journal alone, because the folder is lost.

use std::{
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use serde_json::Value;
use testkit::Process;

use super::{
    figures::Figures,
    table::{Layout, Show},
    workbench::{OUTPUTS, Workbench},
};

const PARTITIONS: u16 = 64;
/// The commits of an hour at one per second are made in a tenth of it.
const HOUR: &str = "restored-hour";
const HOUR_S: u64 = 360;
const HOUR_INTERVAL: &str = "100ms";
const HOUR_PER_SECOND: u64 = 20_000;
/// Open windows of ten seconds in every partition.
const WINDOWS: u64 = 50;

pub(crate) const STARTS: Layout = Layout {
    corner: "",
    cases: &[
        ("fresh", "fresh"),
        ("recovery", "after a kill"),
        ("restored", "after a kill, without the folder"),
        (HOUR, "the same, the journal uncleaned for an hour's commits"),
    ],
    measures: &[
        ("join_ms", "group join, ms", Show::Spread(0)),
        ("record_ms", "to the first record", Show::Spread(0)),
        ("commit_ms", "to the first commit", Show::Spread(0)),
        ("windows", "windows", Show::Median(0)),
    ],
};

pub(crate) fn measure(bench: &mut Workbench) -> anyhow::Result<Figures> {
    let rounds = bench.plan().rounds;
    let mut figures = Figures::default();
    bench.start_broker(1);
    eprintln!("starts: {PARTITIONS} partitions, {WINDOWS} open windows");
    let per_second = (1_000_000 / (WINDOWS * 10)).to_string();
    let flags = ["--run-length", "10", "--events-per-second-of-event-time", &per_second];
    bench.fill("in", PARTITIONS, 1_000_000, &flags);
    bench.create_like("in", &OUTPUTS);
    // The first warms up: a broker that has just started also makes its topic of transactions.
    for round in 0..=rounds {
        let starts = bench.measured(round, |bench| {
            let (fresh, process) = start(bench)?;
            // As the next start finds it: killed, so that its place in the group stays.
            process.kill();
            catch_up(bench);
            add_live(bench);
            let (recovery, process) = start(bench)?;
            process.kill();
            add_live(bench);
            bench.lose_state(&group(bench));
            let (restored, process) = start(bench)?;
            process.stop();
            Ok([("fresh", fresh), ("recovery", recovery), ("restored", restored)])
        })?;
        for (case, start) in starts.iter().filter(|_| round > 0) {
            for (measure, figure) in start {
                figures.push(case, measure, *figure);
            }
        }
    }
    if !bench.plan().is_quick {
        eprintln!("starts: an hour's commits");
        for (measure, figure) in hour(bench)? {
            figures.push(HOUR, measure, figure);
        }
    }
    Ok(figures)
}

/// The group goes on for as many commits as an hour has, every partition with each, and loses its
/// folder. Its journal's topic is one that is not cleaned meanwhile.
fn hour(bench: &mut Workbench) -> anyhow::Result<[(&'static str, f64); 4]> {
    let group = group(bench);
    bench.keep_uncleaned(&format!("{group}-journal"));
    let mut command = command(bench);
    command.args(["--commit-interval", HOUR_INTERVAL]);
    let process = bench.spawn(command);
    let mut produce = bench.loadgen("produce");
    produce.args(["--topic", "in", "--rate", &HOUR_PER_SECOND.to_string(), "--bare"]);
    produce.args(["--count", &(HOUR_PER_SECOND * HOUR_S).to_string(), "--seed", "2"]);
    bench.complete(produce);
    process.kill();
    add_live(bench);
    bench.lose_state(&group);
    let (restored, process) = start(bench)?;
    process.stop();
    Ok(restored)
}

/// Events of now, so that the first commit has some.
fn add_live(bench: &mut Workbench) {
    let now = unix_ms() / 1000;
    let flags = ["--run-length", "10", "--start-time", &now.to_string()];
    bench.fill("in", PARTITIONS, 100_000, &flags);
}

fn group(bench: &Workbench) -> String {
    bench.unique("starts")
}

fn spawn(bench: &Workbench) -> Process {
    bench.spawn(command(bench))
}

fn command(bench: &Workbench) -> Command {
    let group = group(bench);
    let mut command = bench.logintide(&group, "in", &["--instance-id", &group]);
    command.args(["--grace", "10m", "--allowed-lateness", "15m", "--delivery", "exactly-once"]);
    command.args(["--stats-interval", "1s", "--log-format", "json"]);
    command.env("LOGINTIDE_LOG", "info,logintide=debug,librdkafka=off");
    command
}

/// Starts, and waits for the first committed output.
fn start(bench: &Workbench) -> anyhow::Result<([(&'static str, f64); 4], Process)> {
    let began_ms = (unix_ms() % DAY_MS) as f64;
    let mut process = spawn(bench);
    process.wait_for_line(Lines::COMMITTED);
    let lines = Lines::parse(&process.log());
    let join_ms = lines.ms_between(Lines::JOINING, Lines::ASSIGNED)?;
    let since =
        |message| Ok::<_, anyhow::Error>(between(began_ms, lines.ms_of(message)?) - join_ms);
    let windows = lines.numbers(Lines::READING, "open_windows").first().copied().unwrap_or(0);
    let figures = [
        ("join_ms", join_ms),
        ("record_ms", since(Lines::FIRST_RECORDS)?),
        ("commit_ms", since(Lines::COMMITTED)?),
        ("windows", windows as f64),
    ];
    Ok((figures, process))
}

/// Reads everything, with all windows open, and is killed.
fn catch_up(bench: &Workbench) {
    let mut process = spawn(bench);
    let is_caught_up = |log: &str| {
        let lines = Lines::parse(log);
        let [events, lag] = ["events", "lag"].map(|name| lines.numbers(Lines::STATISTICS, name));
        events.iter().zip(&lag).any(|(events, lag)| *events > 0 && *lag == 0)
    };
    let deadline = std::time::Instant::now() + testkit::SOON;
    while !is_caught_up(&process.log()) {
        assert!(std::time::Instant::now() < deadline, "not caught up\n{}", process.tail());
        assert!(process.ended().is_none(), "logintide ended\n{}", process.tail());
        super::workbench::pause(std::time::Duration::from_millis(50));
    }
    process.kill();
}

/// Milliseconds in a day.
const DAY_MS: u64 = 86_400_000;

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    now.as_millis() as u64
}

/// Between two times of day, also over midnight.
fn between(from_ms: f64, to_ms: f64) -> f64 {
    (to_ms - from_ms).rem_euclid(DAY_MS as f64)
}

/// logintide's log as JSON, a line each.
pub(crate) struct Lines(Vec<Value>);

/// The messages that are looked for.
impl Lines {
    pub(crate) const STATISTICS: &str = "statistics";
    pub(crate) const READING: &str = "reading";
    const JOINING: &str = "joining the group";
    const ASSIGNED: &str = "partitions assigned";
    const FIRST_RECORDS: &str = "the first records are read";
    const COMMITTED: &str = "the first output is committed";

    pub(crate) fn parse(log: &str) -> Self {
        // The last line may not be whole yet.
        Self(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    fn with<'a>(&'a self, message: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |line| line["message"] == message)
    }

    /// This field of each line with the message.
    pub(crate) fn numbers(&self, message: &str, field: &str) -> Vec<u64> {
        self.with(message).filter_map(|line| line[field].as_u64()).collect()
    }

    /// When the first line with the message was written: milliseconds of the day.
    fn ms_of(&self, message: &str) -> anyhow::Result<f64> {
        self.with(message).next().and_then(ms_of_day).with_context(|| format!("no {message:?}"))
    }

    /// From the first line with one message to the last with another.
    pub(crate) fn ms_between(&self, from: &str, to: &str) -> anyhow::Result<f64> {
        let last = self.with(to).last().and_then(ms_of_day);
        Ok(between(self.ms_of(from)?, last.with_context(|| format!("no {to:?}"))?))
    }
}

/// Of a line with "timestamp":"2026-11-29T12:34:56.789Z".
fn ms_of_day(line: &Value) -> Option<f64> {
    let time = line["timestamp"].as_str()?.split_once('T')?.1.strip_suffix('Z')?;
    let parts: Option<Vec<f64>> = time.split(':').map(|part| part.parse().ok()).collect();
    let [hours, minutes, seconds] = parts?.try_into().ok()?;
    Some(((hours * 60.0 + minutes) * 60.0 + seconds) * 1000.0)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn times_and_numbers_are_read_from_the_log() {
        let log = r#"{"timestamp":"2026-11-29T23:59:59.500Z","message":"reading","open_windows":3}
            {"timestamp":"2026-11-30T00:00:01.250Z","message":"statistics","events":7,"lag":0}
            {"timestamp":"2026-11-30T00"#;
        let lines = Lines::parse(log);
        let ms = lines.ms_between(Lines::READING, Lines::STATISTICS).expect("both are there");
        assert!((ms - 1750.0).abs() < 1e-6, "{ms}");
        assert_eq!(lines.numbers(Lines::STATISTICS, "events"), [7]);
        assert!(lines.ms_of(Lines::COMMITTED).is_err());
    }

    #[test]
    fn the_program_writes_these_messages() {
        fn sources(folder: &Path, text: &mut String) {
            for path in
                fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("entry").path())
            {
                if path.is_dir() {
                    sources(&path, text);
                } else {
                    *text += &fs::read_to_string(path).unwrap_or_default();
                }
            }
        }
        let mut text = String::new();
        sources(&crate::shell::root().join("src"), &mut text);
        for message in [
            Lines::STATISTICS,
            Lines::READING,
            Lines::JOINING,
            Lines::ASSIGNED,
            Lines::FIRST_RECORDS,
            Lines::COMMITTED,
        ] {
            assert!(text.contains(&format!("\"{message}\"")), "nothing writes {message:?}");
        }
    }
}
