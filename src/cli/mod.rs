//! The command line: arguments as typed, turned into a checked configuration and a job.
//!
//! Runs on the main thread, before any other. In: arguments and `LOGINTIDE_…` variables; a flag
//! beats its variable. Out: the job's result. Holds: whatever is wrong with the settings is
//! reported together and before anything is opened; only this module writes to stdout.

mod args;
mod check;
mod demo;
mod redrive;
mod run;
mod settings;
mod state;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fs::File, io};

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, parser::ValueSource};

pub use self::{
    args::RunArgs, check::CheckArgs, demo::DemoArgs, redrive::RedriveArgs, state::StateArgs,
};
use crate::{config::LogFormat, error::RunError};

/// Reads login events from Kafka, enriches each and counts them in event-time windows, without
/// losing or double-counting one.
#[derive(Debug, Parser)]
#[command(name = "logintide", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Settings that came from variables, by argument id.
    #[arg(skip)]
    from_variables: BTreeSet<String>,
}

const EXIT_CODES: &str = "\
Exit codes: 0 clean, 1 failure while running, 2 usage or configuration.
The log goes to stderr; LOGINTIDE_LOG filters it (info by default; debug, logintide::sink=trace, …).";

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work: embedded broker, load, processor and audit in one process, nothing installed
    Demo(DemoArgs),
    /// Process events until SIGTERM or SIGINT
    Run(Box<RunArgs>),
    /// Say what `run` would do, ask the broker, and name every problem; changes nothing
    CheckConfig(Box<CheckArgs>),
    /// Put dead letters back into the input topic, each once
    Redrive(Box<RedriveArgs>),
    /// Look at the state folder, or clear it
    State(StateArgs),
}

/// Starts logging in this form, to stderr or to a file; the error is for the operator.
pub type StartLogging = fn(LogFormat, Option<File>) -> Result<(), RunError>;

impl Cli {
    /// Reads the process's arguments and variables. Wrong ones, `--help` and `--version` end the
    /// process here, with exit code 2 or 0.
    pub fn from_process() -> Self {
        Self::from_matches(&mut definition().get_matches()).unwrap_or_else(|error| error.exit())
    }

    fn from_matches(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        let from_variables = matches.subcommand().map_or_else(BTreeSet::new, |(_, matches)| {
            let ids = matches.ids().map(clap::Id::as_str);
            ids.filter(|id| matches.value_source(id) == Some(ValueSource::EnvVariable))
                .map(str::to_owned)
                .collect()
        });
        let mut cli = Self::from_arg_matches_mut(matches)?;
        cli.from_variables = from_variables;
        Ok(cli)
    }

    /// Does what was asked for, until it is done.
    pub fn execute(self, start_logging: StartLogging) -> Result<(), RunError> {
        match self.command {
            Command::Demo(args) => demo::run(&args, start_logging),
            Command::Run(args) => run::run(&args, self.from_variables, start_logging),
            Command::CheckConfig(args) => check::run(&args, self.from_variables, start_logging),
            Command::Redrive(args) => redrive::run(&args, start_logging),
            Command::State(args) => state::run(&args),
        }
    }
}

/// A reader that went away (`| head`) is no failure.
fn printed(result: io::Result<()>) -> Result<(), RunError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::Failed(format!("writing to stdout failed: {error}")))
        }
        _ => Ok(()),
    }
}

/// The parser's definition. The help shows the names of variables and never their values, which
/// may be secret and would make the help differ from machine to machine.
fn definition() -> clap::Command {
    Cli::command().mut_subcommands(hide_values)
}

fn hide_values(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(hide_values)
}
