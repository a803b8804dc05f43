//! `logintide state show`, `state reset` and `cluster`: print the committed state of a group or its
//! instances, or clear it.
//!
//! On the main thread of a process of its own, outside of the group. In: the journal in Kafka, or
//! an instance's local copy of it. Out: text or JSON on stdout.
//! Holds: showing changes nothing; nothing is removed without a confirmation. What is done with a
//! state folder fails while a process works in it.

mod args;
mod ask;
mod cluster;
mod cluster_text;
mod group_state;
mod journal;
mod report;
mod reset;
mod show;
#[cfg(test)]
mod tests;
mod text;

use self::args::Action;
pub(crate) use self::{
    args::{ClusterArgs, StateArgs},
    cluster::run as run_cluster,
};
use crate::{error::RunError, output::StartLogging, state::StateError};

/// Runs the command.
pub(crate) fn run(args: &StateArgs, start_logging: StartLogging) -> Result<(), RunError> {
    match &args.action {
        Action::Show(args) => show::run(args, start_logging),
        Action::Reset(args) => reset::run(args, start_logging),
    }
}

fn of_state(error: StateError) -> RunError {
    RunError::with_exit_code(error.exit_code(), error)
}
