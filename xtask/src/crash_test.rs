//! `cargo xtask crash-test`: kills instances at random moments, then has everything recounted.
//!
//! In:    a seed: events, mishaps, their moments and numbers of workers come from it.
//! Holds: what it starts ends with it; logs and state are kept only when it fails.

mod fleet;
mod plan;
mod runs;
mod table;

use std::{
    fmt,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{anyhow, bail};
use clap::{Args, ValueEnum, value_parser};

use crate::shell::{self, Misuse};
pub(crate) use plan::WorkerCounts;
use runs::Runs;

/// Kills logintide again and again while events come in, then recounts every output
///
/// One instance gets SIGKILL: four times in five 0.3 to 3 s after it began to read, the others
/// within 0.8 s after its launch, during start and recovery. Several instances of one group share
/// the input; every 1.5 to 5 s one of them gets SIGKILL or SIGTERM, with or without
/// --leave-on-stop. Each is started again at once, and before every third start its state folder is
/// removed. The events' rate is such that they last until the last mishap. When all is read and all
/// windows are closed, all are stopped. `loadgen verify` judges, and no transaction may be open.
///
/// Exit codes: 0 exact, 1 not exact or a step failed (the logs are kept then), 2 wrong usage.
#[derive(Args)]
pub(crate) struct Arguments {
    /// at-least-once: outputs may repeat; exactly-once: nothing may
    #[arg(long, value_name = "MODE", value_enum)]
    pub(crate) delivery: Delivery,

    /// How many instances share the input
    #[arg(long, value_name = "N", default_value_t = Self::INSTANCES,
        value_parser = value_parser!(u64).range(1..=Self::MOST_INSTANCES))]
    pub(crate) instances: u64,

    /// How often an instance is killed, stopped or paused
    #[arg(long, value_name = "N", default_value_t = Self::KILLS,
        value_parser = value_parser!(u64).range(..Self::TOO_MANY))]
    pub(crate) kills: u64,

    /// One mishap in six is a pause: SIGSTOP for longer than the session, then SIGCONT
    #[arg(long)]
    pub(crate) pause: bool,

    /// Events, mishaps, their moments and worker counts come from it
    #[arg(long, value_name = "S", default_value_t = Self::SEED)]
    pub(crate) seed: u64,

    /// How many events
    #[arg(long, value_name = "EVENTS", default_value_t = Self::COUNT,
        value_parser = value_parser!(u64).range(1..Self::TOO_MANY))]
    pub(crate) count: u64,

    /// Each run has another number of workers in this range
    #[arg(long, value_name = "FROM-TO", default_value = Self::WORKERS)]
    pub(crate) workers: WorkerCounts,

    /// A state folder is removed before every N-th start; 0: none is
    #[arg(long, value_name = "N", default_value_t = Self::LOSE_STATE)]
    pub(crate) lose_state: usize,

    /// Gives up after this long
    #[arg(long, value_name = "T", default_value_t = Self::MAX_SECONDS,
        value_parser = value_parser!(u64).range(..Self::TOO_MANY))]
    pub(crate) max_seconds: u64,

    /// Where logintide and loadgen are; otherwise target/release, else target/debug, else they are
    /// built
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: Option<PathBuf>,

    /// The broker, where the fresh topics stay; otherwise one is started on 127.0.0.1 and wiped
    #[arg(long, value_name = "LIST", env = "KAFKA_BROKERS")]
    pub(crate) brokers: Option<String>,
}

impl Arguments {
    const INSTANCES: u64 = 1;
    const MOST_INSTANCES: u64 = 9;
    const KILLS: u64 = 30;
    const SEED: u64 = 1;
    const COUNT: u64 = 500_000;
    const WORKERS: &str = "1-4";
    const LOSE_STATE: usize = 3;
    const MAX_SECONDS: u64 = 600;
    const TOO_MANY: u64 = 1_000_000_000;
}

/// logintide's promise in this run.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Delivery {
    AtLeastOnce,
    ExactlyOnce,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtLeastOnce => "at-least-once",
            Self::ExactlyOnce => "exactly-once",
        })
    }
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let Arguments { delivery, instances, kills, seed, count, .. } = arguments;
    let programs = find_programs(arguments.bin_dir.as_deref())?;
    eprintln!("programs: {}", programs.display());
    Runs::prepare(arguments, &programs, began)?
        .run()
        .map_err(|error| anyhow!("{error:#} (seed {seed})"))?;
    let seconds = began.elapsed().as_secs();
    println!(
        "exact after {kills} mishaps: instances {instances}, {count} events, {delivery}, seed \
         {seed}, {seconds} s"
    );
    Ok(ExitCode::SUCCESS)
}

/// The folder of both programs.
fn find_programs(wanted: Option<&Path>) -> anyhow::Result<PathBuf> {
    let has_both =
        |folder: &Path| ["logintide", "loadgen"].iter().all(|name| folder.join(name).is_file());
    if let Some(folder) = wanted {
        if !has_both(folder) {
            bail!(Misuse(format!("--bin-dir {} has no logintide and loadgen", folder.display())));
        }
        return Ok(folder.to_owned());
    }
    let built = shell::target_dir();
    let folders = ["release", "debug"].map(|profile| built.join(profile));
    if let Some(folder) = folders.into_iter().find(|folder| has_both(folder)) {
        return Ok(folder);
    }
    shell::run(&mut shell::cargo(["build", "--workspace", "--locked"]))?;
    Ok(built.join("debug"))
}
