//! The command line: parses the arguments and hands over to the command.
//!
//! Runs on the main thread, before any other thread starts. In: the arguments. Out: the result of
//! the command.

mod generate;
mod run;

use std::sync::LazyLock;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use self::generate::{CompletionsArgs, ManArgs};
#[cfg(feature = "demo")]
use crate::demo::{self, DemoArgs};
use crate::{
    check::{self, CheckArgs},
    error::RunError,
    kafka,
    output::StartLogging,
    redrive::{self, RedriveArgs},
    settings::{RunArgs, UsersArgs},
    state_command::{self, ClusterArgs, StateArgs},
};

/// Reads login events from Kafka, enriches each and counts them in event-time windows, without
/// losing or double-counting one.
#[derive(Debug, Parser)]
#[command(name = "logintide", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Examples:
  logintide run --brokers localhost:9092 --create-topics
  logintide run --config /etc/logintide.toml --print-config
  logintide state show --config /etc/logintide.toml

Exit codes: 0 clean, 1 failure while running, 2 usage or configuration.
The log goes to stderr; LOGINTIDE_LOG filters it (info by default; debug, logintide::sink=trace, …).";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole system at work in one process: embedded broker, load, processor and audit
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// Process events until SIGTERM, SIGINT or SIGHUP
    Run(Box<RunArgs>),
    /// Keep a profile of each user, and say which logins do not look like it
    Users(Box<UsersArgs>),
    /// Check the settings and the cluster, and name every problem; changes nothing
    CheckConfig(Box<CheckArgs>),
    /// Put dead letters back into the input topic, each once
    Redrive(Box<RedriveArgs>),
    /// Show the committed state of a group, or clear it
    State(StateArgs),
    /// Show the instances of a group, and what each reads
    Cluster(Box<ClusterArgs>),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print a manual page, or write all into a folder
    Man(ManArgs),
}

impl Cli {
    /// Reads the process's arguments. Invalid ones, `--help` and `--version` end the process here,
    /// with exit code 2 or 0.
    pub fn from_process() -> Self {
        Self::from_arg_matches(&definition().get_matches()).unwrap_or_else(|error| error.exit())
    }

    /// Runs the command to its end.
    pub fn execute(self, start_logging: StartLogging) -> Result<(), RunError> {
        match self.command {
            #[cfg(feature = "demo")]
            Command::Demo(args) => demo::run(&args, start_logging),
            Command::Run(args) => run::run(&args, start_logging),
            Command::Users(args) => run::users(&args, start_logging),
            Command::CheckConfig(args) => check::run(&args, start_logging),
            Command::Redrive(args) => redrive::run(&args, start_logging),
            Command::State(args) => state_command::run(&args, start_logging),
            Command::Cluster(args) => state_command::run_cluster(&args, start_logging),
            Command::Completions(args) => generate::completions(&args),
            Command::Man(args) => generate::man(&args),
        }
    }
}

/// The parser's definition. The help shows the names of variables and never their values, which
/// may be secret and would make the help differ from machine to machine.
fn definition() -> clap::Command {
    Cli::command().long_version(LONG_VERSION.as_str()).mut_subcommands(hide_values)
}

/// `--version`; `-V` leaves out what is in brackets. The build script finds the commit.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("LOGINTIDE_COMMIT"));
    format!("{version} (commit {commit}, librdkafka {})", kafka::librdkafka_version())
});

fn hide_values(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(hide_values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        definition().debug_assert();
    }
}
