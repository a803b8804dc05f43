//! `logintide state show` and `state reset`: show the content of the state folder, or remove it.
//!
//! On the main thread of a process of its own; both commands fail while a running processor holds
//! the folder's lock. Out: text on stdout. Holds: nothing is removed without a confirmation.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use crate::{
    config::{Problems, Surroundings, default_state_dir},
    error::RunError,
    output::printed,
    plain::{Plain, Style},
    settings::{
        Flags, Layers, Setting, Subset,
        table::{GROUP_ID, STATE_DIR},
        variable,
    },
    state::{self, StateError},
};

const EXAMPLES: &str = "\
Examples:
  logintide state show --group-id logintide
  logintide state reset --state-dir /var/lib/logintide --yes";

/// Arguments of `state`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print what the state folder holds: partitions, offsets, windows, the open redo record
    Show(FolderArgs),
    /// Remove the state; the next run starts at the committed offsets with incomplete windows
    Reset {
        #[command(flatten)]
        folder: FolderArgs,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// The settings that say where the state is.
#[derive(Debug)]
struct Place;

impl Subset for Place {
    fn settings() -> Vec<&'static dyn Setting> {
        vec![&STATE_DIR, &GROUP_ID]
    }
}

#[derive(Debug, Args)]
#[command(mut_arg("group-id", |arg| arg.help("Consumer group whose default folder is meant")))]
struct FolderArgs {
    #[command(flatten)]
    settings: Flags<Place>,
}

/// Runs the command.
pub(crate) fn run(args: &StateArgs) -> Result<(), RunError> {
    match &args.action {
        Action::Show(folder) => {
            let dir = folder.resolve(&Surroundings::read())?;
            todo!("{}", dir.display())
        }
        Action::Reset { folder, yes } => reset(&folder.resolve(&Surroundings::read())?, *yes),
    }
}

impl FolderArgs {
    fn resolve(&self, surroundings: &Surroundings) -> Result<PathBuf, RunError> {
        let mut problems = Problems::new();
        let layers = Layers::gather(&self.settings, &variable, &mut problems);
        if let Some(error) = problems.into_error() {
            return Err(RunError::Refused(error.to_string()));
        }
        layers.get(&STATE_DIR).map_or_else(
            || {
                default_state_dir(&layers.required(&GROUP_ID), surroundings)
                    .map_err(RunError::Refused)
            },
            Ok,
        )
    }
}

fn reset(dir: &Path, yes: bool) -> Result<(), RunError> {
    if !yes {
        if !io::stdin().is_terminal() {
            return Err(RunError::Refused(
                "state reset asks for confirmation, but its input is not a terminal; add --yes"
                    .to_owned(),
            ));
        }
        let question = format!("Remove the local copy in {}? [y/N] ", dir.display());
        let mut out = Plain::new(io::stdout().lock(), Style::Text);
        printed(out.write_all(question.as_bytes()).and_then(|()| out.flush()))?;
        if !agreed(&mut io::stdin().lock()) {
            return printed(writeln!(out, "nothing was removed"));
        }
    }
    let report = state::reset(dir).map_err(of_state)?;
    let mut out = Plain::new(io::stdout().lock(), Style::Text);
    let removed = report.removed.display();
    printed(writeln!(out, "removed {removed} ({})", size(report.removed_bytes)))?;
    for kept in &report.kept {
        printed(writeln!(out, "left alone: {}", kept.display()))?;
    }
    Ok(())
}

fn agreed(answers: &mut impl BufRead) -> bool {
    let mut answer = String::new();
    let read = answers.read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

fn size(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

fn of_state(error: StateError) -> RunError {
    RunError::with_exit_code(error.exit_code(), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_an_agreement() {
        for (answer, expected) in
            [("y\n", true), ("YES\n", true), ("", false), ("\n", false), ("no\n", false)]
        {
            assert_eq!(agreed(&mut answer.as_bytes()), expected, "{answer:?}");
        }
    }
}
