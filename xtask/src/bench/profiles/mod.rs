//! `cargo xtask bench-profiles`: layouts of many small rows on disk, behind a cache of bounded
//! size. It needs no broker: what the rows are a copy of is left out.
//!
//! Holds: each measurement is a process of its own, this program again.

mod blob;
mod cache;
mod layout;
mod phase;
mod range_files;
mod sled_ranges;
mod sled_rows;
mod workload;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, ValueEnum};

use self::{
    layout::Kind,
    phase::{Job, Phase},
    workload::Users,
};
use super::{
    figures::Figures,
    host::Host,
    run::{Conditions, Run},
    table::{Layout, Show},
};
use crate::shell::{self, Misuse};

/// Measures where many profiles could be kept: loading, point reads, changes at a rate, starts
///
/// To be run with optimisation: `cargo run --release --package xtask -- bench-profiles`. Writes
/// some gigabytes into the folder for temporary files, and removes them. Processor time is that of
/// all threads of the process; memory is without the kernel's cache of files. The figures are
/// written into benches/runs/.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Which layouts; all when none is named
    #[arg(value_enum)]
    layouts: Vec<Kind>,
    /// Profiles
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    users: u64,
    /// Logins a second, each of which changes a profile
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    rate: u64,
    /// How long logins come
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Rows in memory
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    cache_mib: usize,
    #[arg(long, hide = true, requires = "folder")]
    phase: Option<Phase>,
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
    #[arg(long, hide = true, default_value = "uniform")]
    logins: Users,
}

const MEASURES: Layout = Layout {
    corner: "",
    cases: &[
        ("memory", "in memory"),
        ("sled-rows", "sled, rows"),
        ("sled-ranges8", "sled, 8 KiB"),
        ("sled-ranges32", "sled, 32 KiB"),
        ("files4", "files, 4 KiB"),
        ("files8", "files, 8 KiB"),
        ("files16", "files, 16 KiB"),
    ],
    measures: &[
        ("load_k_per_s", "loaded, thousand rows/s", Show::Spread(0)),
        ("load_cpu_us", "processor time of a row, µs", Show::Spread(2)),
        ("load_written_mib", "written, MiB", Show::Spread(0)),
        ("loaded_mib", "size then, MiB", Show::Spread(0)),
        ("load_peak_mib", "memory, MiB", Show::Spread(0)),
        ("cold_open_s", "opened, not in the kernel's cache, s", Show::Spread(2)),
        ("cold_reads_1_per_s", "reads/s then", Show::Spread(0)),
        ("cold_reads_32_per_s", "by 32 threads", Show::Spread(0)),
        ("warm_reads_uniform_k_per_s", "reads, thousand/s, uniform", Show::Spread(0)),
        ("warm_reads_zipf_k_per_s", "Zipf", Show::Spread(0)),
        ("warm_read_uniform_cpu_us", "processor time of a read, µs", Show::Spread(2)),
        ("read_peak_mib", "memory, MiB", Show::Spread(0)),
        ("uniform_logins_k_per_s", "uniform: thousand logins/s", Show::Spread(1)),
        ("uniform_login_cpu_us", "processor time of a login, µs", Show::Spread(2)),
        ("uniform_busy_percent", "busy, %", Show::Spread(0)),
        ("uniform_missed_percent", "not in the cache, %", Show::Spread(0)),
        ("uniform_dirty_percent", "of the cache not yet written, %", Show::Spread(0)),
        ("uniform_late_p99_ms", "batches late, p99, ms", Show::Spread(0)),
        ("uniform_late_max_ms", "at most, ms", Show::Spread(0)),
        ("uniform_written_mib_per_s", "written, MiB/s", Show::Spread(1)),
        ("uniform_largest_mib", "size, MiB", Show::Spread(0)),
        ("uniform_run_peak_mib", "memory, MiB", Show::Spread(0)),
        ("uniform_start_open_s", "start: opened, s", Show::Spread(2)),
        ("uniform_start_s", "rolled forward, s", Show::Spread(2)),
        ("uniform_start_cpu_s", "processor time, s", Show::Spread(2)),
        ("zipf_logins_k_per_s", "Zipf: thousand logins/s", Show::Spread(1)),
        ("zipf_login_cpu_us", "processor time of a login, µs", Show::Spread(2)),
        ("zipf_busy_percent", "busy, %", Show::Spread(0)),
        ("zipf_missed_percent", "not in the cache, %", Show::Spread(0)),
        ("zipf_dirty_percent", "of the cache not yet written, %", Show::Spread(0)),
        ("zipf_late_p99_ms", "batches late, p99, ms", Show::Spread(0)),
        ("zipf_late_max_ms", "at most, ms", Show::Spread(0)),
        ("zipf_written_mib_per_s", "written, MiB/s", Show::Spread(1)),
        ("zipf_largest_mib", "size, MiB", Show::Spread(0)),
        ("zipf_run_peak_mib", "memory, MiB", Show::Spread(0)),
        ("zipf_start_open_s", "start: opened, s", Show::Spread(2)),
        ("zipf_start_s", "rolled forward, s", Show::Spread(2)),
    ],
};

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if cfg!(debug_assertions) {
        let text = "to be run with optimisation: cargo run --release -p xtask -- bench-profiles";
        return Err(Misuse(text.to_owned()).into());
    }
    if let (Some(phase), Some(folder)) = (arguments.phase, &arguments.folder) {
        let &Arguments { users, rate, seconds, logins, cache_mib, .. } = arguments;
        let kind = *arguments.layouts.first().context("a layout")?;
        let (folder, cache_bytes) = (folder.clone(), cache_mib << 20);
        Job { kind, phase, logins, folder, users, rate, seconds, cache_bytes }.measure()?;
        return Ok(ExitCode::SUCCESS);
    }
    let kinds = match arguments.layouts.as_slice() {
        [] => Kind::value_variants(),
        named => named,
    };
    let (mut run, mut figures) = (Run::begin_alone("release profile")?, Figures::default());
    for &kind in kinds {
        measure(arguments, kind, &mut figures)?;
        // After each, so that an interrupted run has what was measured.
        let conditions = Conditions::new(1, Some(arguments.users), &Host::default());
        run.add_section("profiles", conditions, &figures)?;
    }
    println!("\n{}\n\nThe figures: {}", MEASURES.across(&figures), run.folder().display());
    Ok(ExitCode::SUCCESS)
}

/// All phases of a layout.
fn measure(arguments: &Arguments, kind: Kind, figures: &mut Figures) -> anyhow::Result<()> {
    let scratch = tempfile::Builder::new().prefix("logintide-profiles.").tempdir()?;
    let folder = scratch.path().join("rows");
    fs::create_dir(&folder)?;
    let case = name(&kind);
    let mut phase = |phase: Phase, logins: Option<Users>| -> anyhow::Result<()> {
        let mut command = shell::command(&std::env::current_exe()?.to_string_lossy());
        command.args(["bench-profiles", &case, "--phase", &name(&phase), "--folder"]).arg(&folder);
        let &Arguments { users, rate, seconds, cache_mib, .. } = arguments;
        let numbers = [users, rate, seconds, cache_mib as u64];
        for (flag, number) in ["--users", "--rate", "--seconds", "--cache-mib"].iter().zip(numbers)
        {
            command.args([flag, number.to_string().as_str()]);
        }
        let prefix = logins.map_or_else(String::new, |logins| format!("{}_", name(&logins)));
        if let Some(logins) = logins {
            command.args(["--logins", &name(&logins)]);
        }
        for line in shell::output(&mut command)?.lines() {
            let (measure, figure) = line.split_once('\t').context("a measure and a figure")?;
            eprintln!("{case}: {prefix}{measure} {figure}");
            figures.push(&case, &format!("{prefix}{measure}"), figure.parse()?);
        }
        Ok(())
    };
    let is_on_disk = kind != Kind::Memory;
    if is_on_disk {
        phase(Phase::Load, None)?;
        phase(Phase::Read, None)?;
    }
    for logins in [Users::Zipf, Users::Uniform] {
        phase(Phase::Run, Some(logins))?;
        if is_on_disk {
            phase(Phase::Start, Some(logins))?;
        }
    }
    Ok(())
}

fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
