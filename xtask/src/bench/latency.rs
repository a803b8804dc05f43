//! The section `latency`: how long events take through logintide at a steady rate.

use std::time::Duration;

use anyhow::Context;
use testkit::Process;

use super::{
    figures::Figures,
    starts::Lines,
    table::{Layout, Show},
    workbench::{BEFORE, OUTPUTS, Workbench},
};

const PER_SECOND: u64 = 20_000;

pub(crate) const PERCENTILES: Layout = Layout {
    corner: "",
    cases: &[
        ("none", "nothing between: the input as it comes"),
        ("copy", "copy"),
        ("at-least-once", "logintide, at-least-once"),
        ("exactly-once", "logintide, exactly-once"),
        ("at-least-once before", "the other build, at-least-once"),
        ("exactly-once before", "the other build, exactly-once"),
    ],
    measures: &[
        ("p50_ms", "p50, ms", Show::Median(1)),
        ("p90_ms", "p90", Show::Median(1)),
        ("p99_ms", "p99", Show::Spread(1)),
        ("p99.9_ms", "p99.9", Show::Spread(1)),
    ],
};

pub(crate) fn measure(bench: &mut Workbench) -> anyhow::Result<Figures> {
    let plan = bench.plan().clone();
    let mut figures = Figures::default();
    bench.start_broker(1);
    eprintln!("latency: {PER_SECOND} events per second");
    bench.warm(1_000_000)?;
    let pauses_before = pauses(bench).len();
    for round in 1..=plan.rounds {
        eprintln!("latency: round {round} of {}", plan.rounds);
        let cases: &[_] = if bench.programs().has_before() {
            &["at-least-once", "at-least-once before", "exactly-once", "exactly-once before"]
        } else {
            &["none", "copy", "at-least-once", "exactly-once"]
        };
        for &case in cases {
            let percentiles = bench.measured(round, |bench| live(bench, case))?;
            for (name, ms) in percentiles {
                figures.push(case, &format!("{name}_ms"), ms);
            }
        }
    }
    // How long the broker's garbage collector stopped it, each time.
    for ms in &pauses(bench)[pauses_before..] {
        figures.push("broker", "pause_ms", *ms);
    }
    Ok(figures)
}

/// Measures events through so many instances of a group in this round, and adds the percentiles.
pub(crate) fn add_of_instances(
    bench: &mut Workbench,
    round: u32,
    (case, delivery): (&str, &str),
    instances: &[&str],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let events = Read { topic: OUTPUTS[0], flags: &[] };
    add(bench, round, (case, delivery), instances, &events, figures)
}

/// The same of windows: from their closing time to their first record.
pub(crate) fn add_of_windows(
    bench: &mut Workbench,
    round: u32,
    (case, delivery): (&str, &str),
    instances: &[&str],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let flags = ["--of", "windows", "--grace", GRACE];
    let windows = Read { topic: OUTPUTS[1], flags: &flags };
    add(bench, round, (case, delivery), instances, &windows, figures)
}

fn add(
    bench: &mut Workbench,
    round: u32,
    (case, delivery): (&str, &str),
    instances: &[&str],
    read: &Read,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let percentiles = bench.measured(round, |bench| {
        create_topics(bench);
        let group = bench.unique("live");
        let own = ["--workers", "1", "--delivery", delivery, "--grace", GRACE];
        let flags = [&INTERVAL[..], &own].concat();
        let started = instances.iter().map(|instance| {
            bench.spawn(bench.instance_of("logintide", (&group, instance), "live", &flags))
        });
        let mut runs: Vec<_> = started.collect();
        for run in &mut runs {
            run.wait_for_line(Lines::READING);
        }
        through(bench, runs, read)
    })?;
    for (name, ms) in percentiles {
        figures.push(case, &format!("{name}_ms"), ms);
    }
    Ok(())
}

/// What a reader takes the times of.
struct Read<'a> {
    topic: &'a str,
    /// Of loadgen latency.
    flags: &'a [&'a str],
}

/// The default, which is part of a window's closing time.
const GRACE: &str = "7s";

const INTERVAL: [&str; 2] = ["--commit-interval", "100ms"];

fn create_topics(bench: &mut Workbench) {
    bench.fill("live", 8, 0, &[]);
    bench.create_like("live", &[&OUTPUTS[..], &["out-copy"]].concat());
}

/// Events go through one program while a reader takes their times.
fn live(bench: &mut Workbench, case: &str) -> anyhow::Result<Vec<(&'static str, f64)>> {
    create_topics(bench);
    let group = bench.unique("live");
    let (run, read_from) = match case {
        "none" => (None, "live"),
        "copy" => {
            let mut copy = bench.tool("loadgen", &["copy", "--from", "live", "--to", "out-copy"]);
            copy.args(["--group-id", &group]).args(INTERVAL);
            // It writes nothing about its group; the first seconds do not count.
            (Some(bench.spawn(copy)), "out-copy")
        }
        case => {
            let (delivery, program) = match case.split_once(' ') {
                Some((delivery, _)) => (delivery, BEFORE),
                None => (case, "logintide"),
            };
            let flags = [&INTERVAL[..], &["--delivery", delivery]].concat();
            let mut run = bench.spawn(bench.run_of(program, &group, "live", &flags));
            run.wait_for_line(Lines::READING);
            (Some(run), OUTPUTS[0])
        }
    };
    through(bench, run.into_iter().collect(), &Read { topic: read_from, flags: &[] })
}

/// Writes the input, takes the times of what is read, and ends what runs.
fn through(
    bench: &Workbench,
    runs: Vec<Process>,
    read: &Read,
) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let plan = bench.plan();
    let mut produce = bench.loadgen("produce");
    produce.args(["--topic", "live", "--rate", &PER_SECOND.to_string()]);
    produce.args(["--count", &(PER_SECOND * plan.latency_s).to_string()]);
    let mut produce = bench.spawn({
        produce.args(["--run-length", "200", "--seed", "2"]);
        produce
    });
    let mut latency = bench.loadgen("latency");
    latency.args(["--topic", read.topic, "--duration", &format!("{}s", plan.latency_s)]);
    latency.args(read.flags);
    latency.args(["--skip", &format!("{}s", plan.latency_skip_s)]);
    let report = bench.complete(latency);
    produce.ends_with(0);
    runs.into_iter().for_each(Process::stop);
    bench.drop_topics("out-.*|live");
    percentiles(&report).with_context(|| format!("loadgen latency printed: {report}"))
}

/// From "1000 events ... p50 4.2 ms, p90 6.0 ms, p99 8.1 ms, p99.9 40.0 ms, max 41.0 ms".
fn percentiles(report: &str) -> Option<Vec<(&'static str, f64)>> {
    let of = |name| {
        let (_, rest) = report.split_once(&format!("{name} "))?;
        Some((name, rest.split_once(" ms")?.0.parse().ok()?))
    };
    ["p50", "p90", "p99", "p99.9", "max"].into_iter().map(of).collect()
}

/// The pauses of the broker's garbage collector so far, in ms, from lines such as
/// "[12.345s] GC(6) Pause Young (Normal) (G1 Evacuation Pause) 448M->187M(512M) 20.1ms".
fn pauses(bench: &Workbench) -> Vec<f64> {
    // The broker writes its log in blocks now and then.
    super::workbench::pause(Duration::from_millis(100));
    bench.broker().logs().iter().flat_map(|log| log.lines()).filter_map(pause_ms).collect()
}

fn pause_ms(line: &str) -> Option<f64> {
    let pause = line.split_once(" Pause ").filter(|(before, _)| before.contains("] GC("))?.1;
    pause.rsplit(' ').next()?.strip_suffix("ms")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_four_percentiles_and_the_longest() {
        let report = "x\n9 events, p50 4.2 ms, p90 6.0 ms, p99 8.1 ms, p99.9 40.0 ms, max 41 ms\n";
        let expected =
            vec![("p50", 4.2), ("p90", 6.0), ("p99", 8.1), ("p99.9", 40.0), ("max", 41.0)];
        assert_eq!(percentiles(report), Some(expected));
        assert_eq!(percentiles("no events"), None);
    }

    #[test]
    fn only_pauses_of_the_collector_count() {
        let line =
            "[12.345s] GC(6) Pause Young (Normal) (G1 Evacuation Pause) 448M->187M(512M) 20.1ms";
        assert_eq!(pause_ms(line), Some(20.1));
        assert_eq!(pause_ms("[12.345s] GC(6) Concurrent Mark Cycle 20.1ms"), None);
        assert_eq!(pause_ms("[1.0s] Pause of the log 3ms"), None);
    }
}
