//! `cargo xtask bench`: what logintide costs beside an ordinary pass-through, how long events take
//! through it, and what becomes of both as the work grows.
//!
//! Each section is a module: it measures, and says how its figures are shown. A run writes its
//! figures into a folder of its own, `benches/runs/<date>-<machine>-<commit>`; docs/BENCHMARKS.md
//! is made of the runs that `benches/page.md` names.
//!
//! Holds: what is compared runs in turn over the same topic, so that a machine that drifts drifts
//! for all; a measurement during which the host took the processors is made again.

mod figures;
mod growth;
mod hard;
mod host;
mod instances;
mod latency;
mod measure;
mod memory;
mod page;
mod pairs;
mod plot;
pub(crate) mod profiles;
mod rebalances;
mod recorded;
mod run;
mod scaling;
mod starts;
mod statistics;
mod table;
mod workbench;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};

use self::{
    figures::Figures,
    host::Host,
    run::{Conditions, Run},
    workbench::{Plan, Programs, Workbench},
};
use crate::shell;

/// Measures what logintide costs beside an ordinary pass-through, and how long events take
///
/// Builds with optimisation over all crates, which takes minutes the first time. Starts brokers of
/// its own on 127.0.0.1, warms them with a round that does not count, and deletes the outputs after
/// each measurement. A measurement during which the host of a virtual machine took more than 1 % of
/// the processors is made again, twice at most. Processor time is that of the process (user and
/// system) until it ended; the broker's apart. The steady rate is taken at the output topic,
/// between a tenth and nine tenths of the records; the whole run also has the start, the group join
/// and the end in it. The figures of every round are written into benches/runs/.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct Arguments {
    /// What to measure; without any, all of it, in about an hour
    #[arg(value_enum)]
    sections: Vec<Section>,
    /// Pairs and latency in two to three minutes once it is built: fewer events, one round, neither
    /// mimalloc under a copy nor the upper bound
    #[arg(long)]
    quick: bool,
    /// Measures what scripts/build-release has made, which is what people download; without it the
    /// same without a profile, built here in minutes
    #[arg(long)]
    released: bool,
    /// Also shows this run's figures in docs/BENCHMARKS.md and its plots
    #[arg(long)]
    write: bool,
    /// Beside this logintide of another build, in turn: pairs and latency are of these two alone
    #[arg(long, value_name = "PROGRAM", conflicts_with = "write")]
    against: Option<PathBuf>,
    /// Only makes docs/BENCHMARKS.md and its plots again, of the runs that benches/page.md names
    #[arg(long, conflicts_with_all = ["sections", "quick", "released", "write", "against"])]
    page: bool,
    /// Events of a backlog [default: 3000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10..))]
    events: Option<u64>,
    /// Rounds that count, after one that warms up [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Events that lie behind in the section memory
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    backlog: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Section {
    /// Copies with the system's allocator and with mimalloc, logintide at-least-once, the same with
    /// transactions, and the most that can be done with logintide's libraries
    /// (`examples/upper_bound.rs`); in turn over the same topic
    Pairs,
    /// From an event's scheduled send time to a reader, at 20 000 events per second
    Latency,
    /// What a start takes beyond the group join, fresh and with many open windows
    Starts,
    /// One core and two, more workers, more brokers, and what each thread costs
    Scaling,
    /// Two instances of a group beside one, and how long events take through them
    Instances,
    /// How long a reader waits while instances join and leave at 100 000 events per second, and for
    /// windows of two instances
    Rebalances,
    /// Partitions, event size, users; locales, windows, late events, the slow path
    Growth,
    /// Cases that must stay fast: one user, dead letters, large events, a backlog
    Hard,
    /// Resident memory while ten million events are worked off
    Memory,
}

impl Section {
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    fn conditions(self, plan: &Plan, host: &Host) -> Conditions {
        match self {
            Self::Memory => Conditions::new(1, Some(plan.backlog), host),
            // They choose how many events themselves.
            Self::Latency | Self::Starts | Self::Rebalances => {
                Conditions::new(plan.rounds, None, host)
            }
            _ => Conditions::new(plan.rounds, Some(plan.events), host),
        }
    }

    fn measure(self, bench: &mut Workbench) -> anyhow::Result<Figures> {
        match self {
            Self::Pairs => pairs::measure(bench),
            Self::Latency => latency::measure(bench),
            Self::Starts => starts::measure(bench),
            Self::Scaling => scaling::measure(bench),
            Self::Instances => instances::measure(bench),
            Self::Rebalances => rebalances::measure(bench),
            Self::Growth => growth::measure(bench),
            Self::Hard => hard::measure(bench),
            Self::Memory => Ok(memory::measure(bench)),
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.page {
        page::write()?;
        return Ok(ExitCode::SUCCESS);
    }
    let quick = arguments.quick;
    let plan = Plan {
        events: arguments.events.unwrap_or(if quick { 500_000 } else { 3_000_000 }),
        rounds: arguments.rounds.unwrap_or(if quick { 1 } else { 5 }),
        repeats: if quick { 0 } else { 2 },
        latency_s: if quick { 8 } else { 40 },
        latency_skip_s: if quick { 3 } else { 10 },
        backlog: arguments.backlog,
        is_quick: quick,
    };
    let sections = match (arguments.sections.is_empty(), quick || arguments.against.is_some()) {
        (false, _) => arguments.sections,
        (true, true) => vec![Section::Pairs, Section::Latency],
        (true, false) => Section::value_variants().to_vec(),
    };
    // Says before minutes of building what is missing for a broker.
    shell::run(shell::command("scripts/kafka-local").arg("fetch"))?;
    let programs = Programs::build(arguments.released, arguments.against.as_deref())?;
    let mut bench = Workbench::new(plan, programs)?;
    let mut run = Run::begin(bench.programs(), arguments.released)?;
    for &section in &sections {
        let name = section.name();
        let figures = section.measure(&mut bench)?;
        bench.stop_broker();
        let host = bench.take_host();
        run.add_section(&name, section.conditions(bench.plan(), &host), &figures)?;
        let tables = page::tables_of(&name).map(|table| table.text(&[&figures]));
        for table in tables.filter(|table| !table.is_empty()) {
            println!("\n{table}");
        }
        if host.measured > 0 {
            println!("\n{host}");
        }
    }
    println!("\nThe figures of every round: {}", run.folder().display());
    if arguments.write {
        page::choose(&run, &sections.iter().map(|section| section.name()).collect::<Vec<_>>())?;
        page::write()?;
    }
    Ok(ExitCode::SUCCESS)
}
