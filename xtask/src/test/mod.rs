//! `cargo xtask test`: checks everything.
//!
//! Two lanes run side by side: tests against a broker, which mostly wait, and everything that
//! computes. What both need is built first, once.

mod broker;
mod plan;
mod pool;
mod programs;
mod steps;

use std::{path::Path, process::ExitCode};

use clap::Args;

use self::{broker::Broker, plan::Plan, steps::Steps};
use crate::shell::{self, Misuse};

/// Checks everything: formatting, lints, docs, tests, and the tests that need a Kafka broker
///
/// The broker is the first of these that there is: `KAFKA_BROKERS` (host:port[,host:port...], used
/// as it is); `KAFKA_HOME` (an unpacked Kafka, with Java; started for the tests); Java and Maven
/// (they fetch Kafka; scripts/kafka-local starts it); Docker (the apache/kafka image).
///
/// The dashboard's tests run where there are Chromium and its driver; otherwise they are listed.
/// What this starts listens on 127.0.0.1 only, and ends with it.
///
/// Exit codes: 0 all passed, 1 a step failed, 2 something is missing (nothing was checked then).
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "one per flag")]
pub(crate) struct Arguments {
    /// Also: 100 000 histories of crashes, the fuzz targets compile, the instructions per event,
    /// the README's commands in a fresh clone, and the files under deploy/
    #[arg(long)]
    all: bool,
    /// Leaves out the tests that need a broker, and lists them
    #[arg(long)]
    without_kafka: bool,
    /// Instead, in more than an hour: the slow tests that break the network, brokers, disks and
    /// processes (they need Java and Maven, or `KAFKA_HOME`), 30 kills at random moments in each
    /// delivery mode, all benchmarks compile, and a minute of fuzzing each
    #[arg(long, conflicts_with_all = ["all", "without_kafka"])]
    faults: bool,
    /// How many tests against a broker run at the same time
    #[arg(long, default_value_t = 6, value_name = "N")]
    at_once: usize,
    /// Runs only the tests against a broker whose names contain this; fault tests only where it
    /// contains "faults"
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["all", "without_kafka", "faults"])]
    only: Option<String>,
    /// With --all: first scripts/setup --deploy, while the tests run
    #[arg(long, requires = "all")]
    setup_deploy: bool,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let scratch = tempfile::Builder::new().prefix("logintide-test.").tempdir()?;
    let steps = Steps::new(scratch.path());
    let result = run_in(arguments, scratch.path(), &steps);
    broker::wipe_left(scratch.path());
    steps.print_summary();
    match result {
        Err(error) if error.is::<Misuse>() => Err(error),
        Err(error) => {
            eprintln!("cargo xtask test: {error:#}");
            Ok(ExitCode::from(1))
        }
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn run_in(arguments: Arguments, scratch: &Path, steps: &Steps) -> anyhow::Result<()> {
    let broker = Broker::choose(!arguments.without_kafka)?;
    check_needs(&arguments, &broker)?;
    let tool = plan::copy_of_this_tool(scratch)?;
    let plan = Plan { steps, scratch, broker, arguments, tool };
    if plan.arguments.faults { plan.faults() } else { plan.all() }
}

/// Says what is missing before anything is compiled.
fn check_needs(arguments: &Arguments, broker: &Broker) -> anyhow::Result<()> {
    let mut missing = missing("build")?;
    if arguments.faults || *broker == Broker::Local {
        missing.push_str(&self::missing("kafka")?);
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Misuse(format!("missing:\n{missing}  scripts/setup installs it")).into())
}

/// What a part of the work lacks, by `scripts/setup`; one line each.
fn missing(part: &str) -> anyhow::Result<String> {
    shell::output(shell::command("scripts/setup").args(["--missing", part]))
}
