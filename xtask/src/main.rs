//! The workshop's tools: `cargo xtask --help`.
//!
//! Each command is a module of its own. What it shares with the tests (processes, brokers, ports)
//! is in `testkit`.

mod bench;
mod check_containers;
mod check_deploy;
mod check_readme;
mod crash_test;
mod deploy_tools;
mod fuzz;
mod instructions;
mod record_screen;
mod render_manifests;
mod render_places;
mod shell;
mod test;

use std::{panic, process::ExitCode};

use clap::{Parser, Subcommand};
use testkit::interrupt;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The workshop's tools")]
struct Arguments {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Subcommand)]
enum Tool {
    Bench(bench::Arguments),
    BenchProfiles(bench::profiles::Arguments),
    CheckContainers(check_containers::Arguments),
    CheckDeploy(check_deploy::Arguments),
    CheckReadme(check_readme::Arguments),
    CrashTest(crash_test::Arguments),
    Fuzz(fuzz::Arguments),
    Instructions(instructions::Arguments),
    RecordScreen(record_screen::Arguments),
    RenderManifests(render_manifests::Arguments),
    RenderPlaces(render_places::Arguments),
    Test(test::Arguments),
}

/// Exit codes: 0 done, 1 a step failed, 2 wrong usage or something is missing, 128 + the signal
/// that ended it.
fn main() -> ExitCode {
    // testkit panics with the reason: it is shown as an error, and what it started has ended then.
    panic::set_hook(Box::new(|reason| {
        let text = reason.payload_as_str().unwrap_or("a tool panicked");
        eprintln!("cargo xtask: {text}");
    }));
    let Arguments { tool } = Arguments::parse();
    let code = match panic::catch_unwind(|| run(tool)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::from(if error.is::<shell::Misuse>() { 2 } else { 1 })
        }
        Err(_) => ExitCode::from(1),
    };
    interrupt::signal().map_or(code, |signal| ExitCode::from(128 + signal as u8))
}

fn run(tool: Tool) -> anyhow::Result<ExitCode> {
    shell::end_with_signals()?;
    match tool {
        Tool::Bench(arguments) => bench::run(arguments),
        Tool::BenchProfiles(arguments) => bench::profiles::run(&arguments),
        Tool::CheckContainers(arguments) => check_containers::run(&arguments),
        Tool::CheckDeploy(arguments) => check_deploy::run(arguments),
        Tool::CheckReadme(arguments) => check_readme::run(&arguments),
        Tool::CrashTest(arguments) => crash_test::run(arguments),
        Tool::Fuzz(arguments) => fuzz::run(arguments),
        Tool::Instructions(arguments) => instructions::run(&arguments),
        Tool::RecordScreen(arguments) => record_screen::run(arguments),
        Tool::RenderManifests(arguments) => render_manifests::run(&arguments),
        Tool::RenderPlaces(arguments) => render_places::run(&arguments),
        Tool::Test(arguments) => test::run(arguments),
    }
}
