//! loadgen generates login events, verifies a processor's outputs, and copies topics as a baseline.
//!
//! It is a library for programs that run load and judge in their own process ([`embedded`]), and
//! the command line on top of it ([`run_command_line`]). It shares no code with the processor, so
//! the judge is independent of what it verifies.

mod args;
mod client;
mod copy;
pub mod embedded;
mod failure;
mod generate;
mod json;
mod latency;
mod messages;
mod produce;
mod progress;
mod rate;
mod rules;
mod settled;
mod stop;
mod usage;
mod values;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use args::{Cli, Command};

pub use failure::Failure;
pub use produce::Sent;
pub use stop::Stop;
pub use usage::Usage;
pub use verify::RecordCounts;

/// The result of a command that ran to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing is wrong.
    Fine,
    /// The command found something wrong.
    Wrong,
}

/// Runs the command of the process's arguments. An invalid argument ends the process with exit code
/// 2.
pub fn run_command_line() -> ExitCode {
    let cli = Cli::parse();
    let outcome = Stop::on_signals().map_err(|error| Failure::Running(error.into())).and_then(
        |stop| match cli.command {
            Command::Produce(args) => produce::run(&args, &stop),
            Command::Verify(args) => verify::run(&args, &stop),
            Command::Copy(args) => copy::run(&args, &stop),
            Command::Latency(args) => latency::run(&args, &stop),
            Command::Rate(args) => rate::run(&args, &stop),
            Command::Settled(args) => settled::run(&args, &stop),
            Command::Population => {
                print!("{}", generate::DEFAULT_POPULATION);
                Ok(Outcome::Fine)
            }
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
