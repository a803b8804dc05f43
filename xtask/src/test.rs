//! `cargo xtask test`: checks everything.

use std::process::ExitCode;

use clap::Args;

use crate::shell;

/// Checks everything: formatting, lints, docs, tests, and the tests that need a Kafka broker
#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    shell::run(shell::command("scripts/test").args(arguments.arguments))?;
    Ok(ExitCode::SUCCESS)
}
