//! One measured run of a program from the start of its process to its end.

use std::{
    collections::HashMap,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context;
use testkit::usage;

use super::{
    figures::Figures,
    workbench::{LONGEST, OUTPUTS, Workbench, pause},
};

/// Time between two looks at a running process.
const LOOK: Duration = Duration::from_millis(20);

/// What a run took.
pub(crate) struct Measured {
    events: u64,
    wall_s: f64,
    own_cpu_s: f64,
    broker_cpu_s: f64,
    peak_kib: u64,
    /// Between a tenth and nine tenths of the records.
    steady_per_s: f64,
    /// Name and processor time of each thread, as last seen.
    pub(crate) threads: Vec<(String, f64)>,
}

impl Measured {
    /// Adds the steady rate.
    pub(crate) fn add_rate_to(&self, figures: &mut Figures, case: &str) {
        figures.push(case, "steady_k_per_s", self.steady_per_s / 1e3);
    }

    /// Adds the rates, and what the run took per event.
    pub(crate) fn add_to(&self, figures: &mut Figures, case: &str) {
        self.add_rate_to(figures, case);
        let events = self.events as f64;
        for (measure, figure) in [
            ("events", events),
            ("whole_k_per_s", events / self.wall_s / 1e3),
            ("own_us", self.own_cpu_s / events * 1e6),
            ("broker_us", self.broker_cpu_s / events * 1e6),
            ("peak_mib", self.peak_kib as f64 / 1024.0),
        ] {
            figures.push(case, measure, figure);
        }
    }
}

/// Measures commands that together take so many events; the output grows by as many records.
fn measure(
    bench: &Workbench,
    commands: Vec<Command>,
    events: u64,
    output: &str,
) -> anyhow::Result<Measured> {
    let mut rate = bench.loadgen("rate");
    rate.args(["--topic", output, "--count", &events.to_string()]);
    let mut watcher = bench.spawn(rate);
    let brokers = bench.broker().pids();
    let broker_cpu_s = || {
        let of = |pid: &u32| usage::process(*pid).expect("the broker runs").cpu_s;
        brokers.iter().map(of).sum::<f64>()
    };
    let broker_before_s = broker_cpu_s();
    let began = Instant::now();
    let mut processes: Vec<_> = commands.into_iter().map(|command| bench.spawn(command)).collect();
    let (mut peak_kib, mut threads) = (0, HashMap::new());
    let own_cpu_s = loop {
        let (mut cpu_s, mut kib, mut have_ended) = (0.0, 0, true);
        for process in &processes {
            // An ended process keeps its times until it is waited for.
            let now = usage::process(process.pid()).context("nobody else waits for the process")?;
            cpu_s += now.cpu_s;
            have_ended &= now.has_ended;
            kib += usage::peak_kib(process.pid()).unwrap_or(0);
            for (number, name, usage) in usage::threads(process.pid()) {
                threads.insert(number, (name, usage.cpu_s));
            }
            assert!(began.elapsed() < LONGEST, "still running\n{}", process.tail());
        }
        if have_ended {
            break cpu_s;
        }
        peak_kib = peak_kib.max(kib);
        pause(LOOK);
    };
    let wall_s = began.elapsed().as_secs_f64();
    for process in &mut processes {
        process.ends_with(0);
    }
    let broker_cpu_s = broker_cpu_s() - broker_before_s;
    watcher.ends_with(0);
    let log = watcher.log();
    let steady = log.split_once("rate ").and_then(|(_, rest)| rest.split_once("/s"));
    let steady = steady.with_context(|| format!("loadgen rate printed no rate: {log}"))?.0;
    Ok(Measured {
        events,
        wall_s,
        own_cpu_s,
        broker_cpu_s,
        peak_kib,
        steady_per_s: steady.parse().with_context(|| format!("rate {steady}"))?,
        threads: threads.into_values().collect(),
    })
}

/// A run of a group of logintide over a filled topic.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) program: &'a str,
    pub(crate) input: &'a str,
    pub(crate) events: u64,
    pub(crate) delivery: &'a str,
    pub(crate) flags: &'a [&'a str],
    /// Names of the instances.
    pub(crate) instances: &'a [&'a str],
    /// The output that grows by as many records.
    pub(crate) watched: &'a str,
    /// Only these cores, as taskset names them.
    pub(crate) cores: Option<&'a str>,
}

impl<'a> Job<'a> {
    /// At-least-once, from the topic `in`.
    pub(crate) fn new(events: u64) -> Self {
        Self {
            program: "logintide",
            input: "in",
            events,
            delivery: "at-least-once",
            flags: &[],
            instances: &["one"],
            watched: OUTPUTS[0],
            cores: None,
        }
    }

    pub(crate) fn input(self, input: &'a str) -> Self {
        Self { input, ..self }
    }

    /// Measures it in this round.
    pub(crate) fn run(&self, bench: &mut Workbench, round: u32) -> anyhow::Result<Measured> {
        bench.measured(round, |bench| {
            bench.create_like(self.input, &OUTPUTS);
            let flags = [&["--exit-at-end", "--delivery", self.delivery], self.flags].concat();
            let group = bench.unique("run");
            let commands = self.instances.iter().map(|instance| {
                let command =
                    bench.instance_of(self.program, (&group, instance), self.input, &flags);
                match self.cores {
                    Some(cores) => pinned(&command, cores),
                    None => command,
                }
            });
            let measured = measure(bench, commands.collect(), self.events, self.watched)?;
            bench.drop_topics("out-.*");
            Ok(measured)
        })
    }
}

/// The same command on these cores only.
fn pinned(command: &Command, cores: &str) -> Command {
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", cores]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => pinned.env(name, value),
            None => pinned.env_remove(name),
        };
    }
    pinned
}

/// Measures an ordinary copy of the topic `in` (`loadgen copy`) by this program.
pub(crate) fn copy(
    bench: &mut Workbench,
    round: u32,
    program: &str,
    flags: &[&str],
) -> anyhow::Result<Measured> {
    bench.measured(round, |bench| {
        bench.create_like("in", &["out-copy"]);
        let mut command = bench.tool(program, &["copy", "--from", "in", "--to", "out-copy"]);
        command.args(["--group-id", &bench.unique("copy"), "--exit-at-end"]).args(flags);
        let measured = measure(bench, vec![command], bench.plan().events, "out-copy")?;
        bench.drop_topics("out-.*");
        Ok(measured)
    })
}

/// Measures the most that can be done with logintide's libraries (`examples/upper_bound.rs`).
pub(crate) fn upper_bound(
    bench: &mut Workbench,
    round: u32,
    flags: &[&str],
) -> anyhow::Result<Measured> {
    bench.measured(round, |bench| {
        bench.create_like("in", &["out-bound"]);
        let mut command = bench.tool("upper_bound", &["--from", "in", "--to", "out-bound"]);
        command.args(["--group-id", &bench.unique("bound")]).args(flags);
        let measured = measure(bench, vec![command], bench.plan().events, "out-bound")?;
        bench.drop_topics("out-.*");
        Ok(measured)
    })
}
