//! The section `rebalances`: how long a reader of the outputs waits while instances join and leave,
//! and until it sees a window with two instances.

use std::time::{Duration, Instant};

use anyhow::Context;
use testkit::Process;

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
const ROLLING: &str = "restarts one after the other";
const WINDOWS: &str = "windows of two";

/// A sentence of the page.
pub(crate) fn sentence(figures: &Figures) -> String {
    let most = |case, measure| {
        let spread = figures.spread(case, measure);
        spread.map_or_else(|| "?".to_owned(), |spread| format!("{:.0}", spread.maximum))
    };
    format!(
        "No partition stood still for longer than {} ms at 100 000/s when one became three and \
         one again,\n{} ms when three restarted in turn; windows of two came at most {} ms late \
         (goals: 3, 2, 1 s).",
        most(ONE_THREE_ONE, "standstill_ms"),
        most(ROLLING, "standstill_ms"),
        most(WINDOWS, "max_ms")
    )
}

pub(crate) const REBALANCES: Layout = Layout {
    corner: "",
    cases: &[
        (ONE_THREE_ONE, "one instance, three, one, 100 000 events/s"),
        (ROLLING, "three, restarted one after the other, 100 000 events/s"),
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
        for course in Course::ALL {
            let (standstill_ms, k_per_s) = bench.measured(round, |bench| played(bench, course))?;
            figures.push(course.case(), "standstill_ms", standstill_ms);
            figures.push(course.case(), "steady_k_per_s", k_per_s);
        }
        let two = ["one", "two"];
        latency::add_of_windows(bench, round, (WINDOWS, "exactly-once"), &two, &mut figures)?;
    }
    Ok(figures)
}

/// What becomes of instances while events come in.
#[derive(Clone, Copy)]
enum Course {
    /// One has all partitions, two more join, the same two leave.
    OneThreeOne,
    /// Three are restarted one after the other, within their session.
    Rolling,
}

const NAMES: [&str; 3] = ["one", "two", "three"];

impl Course {
    const ALL: [Self; 2] = [Self::OneThreeOne, Self::Rolling];

    fn case(self) -> &'static str {
        match self {
            Self::OneThreeOne => ONE_THREE_ONE,
            Self::Rolling => ROLLING,
        }
    }

    /// Flags of every instance.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::OneThreeOne => &["--leave-on-stop"],
            Self::Rolling => &["--session-timeout", "1m"],
        }
    }

    /// Those that are there before the first event.
    fn begin(self, start: &dyn Fn(&str) -> Process) -> Vec<Process> {
        let names: &[_] = match self {
            Self::OneThreeOne => &NAMES[..1],
            Self::Rolling => &NAMES,
        };
        names.iter().map(|name| start(name)).collect()
    }

    /// Takes two of three parts.
    fn go(self, running: &mut Vec<Process>, start: &dyn Fn(&str) -> Process, part: Duration) {
        match self {
            Self::OneThreeOne => {
                pause(part);
                let joined = [start(NAMES[1]), start(NAMES[2])];
                pause(part);
                joined.into_iter().for_each(Process::stop);
            }
            Self::Rolling => {
                for name in NAMES {
                    pause(part * 2 / 3);
                    running.remove(0).stop();
                    running.push(start(name));
                }
            }
        }
    }
}

/// Events come in while instances come and go; nothing is missing, doubled or wrong. The longest
/// time in which no committed enriched event came in some partition, and the steady rate in
/// thousands per second.
fn played(bench: &mut Workbench, course: Course) -> anyhow::Result<(f64, f64)> {
    let part = Duration::from_secs(if bench.plan().is_quick { 8 } else { 20 });
    let count = (PER_SECOND * 3 * part.as_secs()).to_string();
    bench.fill("live", 8, 0, &[]);
    bench.create_like("live", &OUTPUTS);
    let group = bench.unique("rebalances");
    let flags = [&["--workers", "1", "--delivery", "exactly-once"], course.flags()].concat();
    let start = |instance: &str| {
        let command = bench.instance_of("logintide", (&group, instance), "live", &flags);
        let mut process = bench.spawn(command);
        process.wait_for_line(Lines::READING);
        process
    };
    let mut running = course.begin(&start);
    let mut rate = bench.loadgen("rate");
    rate.args(["--topic", OUTPUTS[0], "--count", &count, "--committed"]);
    let mut watcher = bench.spawn(rate);
    let mut produce = bench.loadgen("produce");
    produce.args(["--topic", "live", "--rate", &PER_SECOND.to_string(), "--count", &count]);
    produce.args(["--run-length", "200", "--seed", "2", "--bare"]);
    let mut produce = bench.spawn(produce);
    course.go(&mut running, &start, part);
    produce.ends_with(0);
    watcher.ends_with(0);
    until_exact(bench)?;
    running.into_iter().for_each(Process::stop);
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
