//! loadgen: makes login events, judges what a processor made of them, copies topics as a yardstick.
//!
//! It shares no code with the processor: what `verify` says is a second opinion.

mod args;
mod client;
mod copy;
mod generate;
mod json;
mod latency;
mod produce;
mod progress;
mod rules;
mod stop;
mod usage;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use args::{Cli, Command};
use stop::Stop;

// librdkafka allocates through it, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Fine,
    /// It ran, and found something wrong.
    Wrong,
}

/// Why a command did not run to its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The flags contradict each other.
    Usage(String),
    /// Anything else.
    Running(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Running(error)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = Stop::on_signals().map_err(|error| Failure::Running(error.into())).and_then(
        |stop| match cli.command {
            Command::Produce(args) => produce::run(&args, &stop),
            Command::Verify(args) => verify::run(&args, &stop),
            Command::Copy(args) => copy::run(&args, &stop),
            Command::Latency(args) => latency::run(&args, &stop),
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
