//! The section `rebalances`: how long a reader of the outputs waits while instances join and leave,
//! and until it sees a window with two instances.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::{
    figures::Figures,
    latency,
    starts::Lines,
    table::{Layout, Show},
    workbench::{LONGEST, OUTPUTS, Workbench, pause},
};

const PER_SECOND: u64 = 100_000;

/// Kafka's own default, which a broker for tests lowers.
const REBALANCE_DELAY: &str = "group.initial.rebalance.delay.ms=3000";

const ONE_THREE_ONE: &str = "one, three, one";
const WINDOWS: &str = "windows of two";

/// A sentence of the page.
pub(crate) fn sentence(figures: &Figures) -> String {
    let most = |case, measure| {
        let spread = figures.spread(case, measure);
        spread.map_or_else(|| "?".to_owned(), |spread| format!("{:.0}", spread.maximum))
    };
    format!(
        "One instance, three, one again at 100 000/s: no partition stood still for longer than {} \
         ms.\nWindows of two at 20 000/s came at most {} ms after their closing time. Goals: 3 s \
         and 1 s.",
        most(ONE_THREE_ONE, "standstill_ms"),
        most(WINDOWS, "max_ms")
    )
}

pub(crate) const REBALANCES: Layout = Layout {
    corner: "",
    cases: &[
        (ONE_THREE_ONE, "one instance, three, one, 100 000 events/s"),
        (WINDOWS, "windows of two instances, 20 000 events/s, epochs of 100 ms"),
    ],
    measures: &[
        ("standstill_ms", "longest standstill of a partition, ms", Show::Spread(0)),
        ("p50_ms", "after closing time: p50, ms", Show::Median(0)),
        ("max_ms", "at most", Show::Spread(0)),
    ],
};

pub(crate) fn measure(bench: &mut Workbench) -> anyhow::Result<Figures> {
    let plan = bench.plan().clone();
    let mut figures = Figures::default();
    bench.start_broker_with(1, &[REBALANCE_DELAY]);
    bench.warm(1_000_000)?;
    for round in 1..=plan.rounds {
        eprintln!("rebalances: round {round} of {}", plan.rounds);
        let (standstill_ms, k_per_s) = bench.measured(round, one_three_one)?;
        figures.push(ONE_THREE_ONE, "standstill_ms", standstill_ms);
        figures.push(ONE_THREE_ONE, "steady_k_per_s", k_per_s);
        let two = ["one", "two"];
        latency::add_of_windows(bench, round, (WINDOWS, "exactly-once"), &two, &mut figures)?;
    }
    Ok(figures)
}

/// One instance has all partitions, two more join, the same two leave; nothing is missing, doubled
/// or wrong. The longest time in which no committed enriched event came in some partition, and the
/// steady rate in thousands per second.
fn one_three_one(bench: &mut Workbench) -> anyhow::Result<(f64, f64)> {
    let part = Duration::from_secs(if bench.plan().is_quick { 8 } else { 20 });
    let count = (PER_SECOND * 3 * part.as_secs()).to_string();
    bench.fill("live", 8, 0, &[]);
    bench.create_like("live", &OUTPUTS);
    let group = bench.unique("rebalances");
    let flags = ["--workers", "1", "--delivery", "exactly-once", "--leave-on-stop"];
    let start = |instance| {
        let command = bench.instance_of("logintide", (&group, instance), "live", &flags);
        let mut process = bench.spawn(command);
        process.wait_for_line(Lines::READING);
        process
    };
    let first = start("one");
    let mut rate = bench.loadgen("rate");
    rate.args(["--topic", OUTPUTS[0], "--count", &count, "--committed"]);
    let mut watcher = bench.spawn(rate);
    let mut produce = bench.loadgen("produce");
    produce.args(["--topic", "live", "--rate", &PER_SECOND.to_string(), "--count", &count]);
    produce.args(["--run-length", "200", "--seed", "2", "--bare"]);
    let mut produce = bench.spawn(produce);
    pause(part);
    let joined = [start("two"), start("three")];
    pause(part);
    for process in joined {
        process.stop();
    }
    produce.ends_with(0);
    watcher.ends_with(0);
    until_exact(bench)?;
    first.stop();
    bench.drop_topics("out-.*|live");
    let log = watcher.log();
    let figure = |before, after| {
        let text = log.split_once(before)?.1.split_once(after)?.0;
        text.parse::<f64>().ok()
    };
    let found = figure("standstill of a partition ", " ms").zip(figure("rate ", "/s"));
    let (standstill_ms, per_s) = found.with_context(|| format!("loadgen rate printed: {log}"))?;
    Ok((standstill_ms, per_s / 1e3))
}

/// Waits until a recount finds every event and every window.
fn until_exact(bench: &Workbench) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let mut verify = bench.loadgen("verify");
        verify.args(["--input-topic", "live", "--expect-complete"]);
        for (flag, topic) in ["processed", "aggregated", "dead-letter", "late"].iter().zip(OUTPUTS)
        {
            verify.args([&format!("--{flag}-topic"), topic]);
        }
        let mut verify = bench.spawn(verify);
        if verify.wait(LONGEST).success() {
            return Ok(());
        }
        // The last windows close by silence.
        anyhow::ensure!(began.elapsed() < testkit::SOON, "not exact:\n{}", verify.log());
        pause(Duration::from_secs(1));
    }
}
