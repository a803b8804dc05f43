//! loadgen: makes login events, judges what a processor made of them, copies topics as a yardstick.
//!
//! A library for programs that want load and judge in their own process ([`embedded`]),
//! and the command line on top of it ([`run_command_line`]).
//! It shares no code with the processor: what the judge says is a second opinion.

mod args;
mod client;
mod copy;
pub mod embedded;
mod failure;
mod generate;
mod json;
mod latency;
mod produce;
mod progress;
mod rate;
mod rules;
mod stop;
mod usage;
mod verify;
mod voice;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use args::{Cli, Command};

pub use failure::Failure;
pub use produce::Sent;
pub use stop::Stop;
pub use usage::Usage;
pub use verify::RecordCounts;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Fine,
    /// It ran, and found something wrong.
    Wrong,
}

/// Does what the process's arguments say; a wrong one ends the process here, with exit code 2.
pub fn run_command_line() -> ExitCode {
    let cli = Cli::parse();
    let outcome = Stop::on_signals().map_err(|error| Failure::Running(error.into())).and_then(
        |stop| match cli.command {
            Command::Produce(args) => produce::run(&args, &stop),
            Command::Verify(args) => verify::run(&args, &stop),
            Command::Copy(args) => copy::run(&args, &stop),
            Command::Latency(args) => latency::run(&args, &stop),
            Command::Rate(args) => rate::run(&args, &stop),
        },
    );
    match outcome {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Wrong) => ExitCode::FAILURE,
        Err(Failure::Running(error)) => {
            eprintln!("loadgen: {error:#}");
            ExitCode::FAILURE
        }
        Err(Failure::Usage(message)) => {
            Cli::command().error(ErrorKind::ValueValidation, message).exit()
        }
    }
}
