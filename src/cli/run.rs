//! `logintide run` and `logintide users`: checks the settings, starts the log, hands over to the
//! pipeline.
//!
//! On the main thread. Nothing is opened, created or asked before all settings are checked.

use std::io;

use crate::{
    config::Surroundings,
    error::RunError,
    output::{StartLogging, printed},
    pipeline,
    settings::{self, RunArgs, UsersArgs},
};

/// Runs the processor until it is stopped or done; or prints its settings.
pub(super) fn run(args: &RunArgs, start_logging: StartLogging) -> Result<(), RunError> {
    let loaded =
        args.load(&Surroundings::read()).map_err(|error| RunError::Refused(error.to_string()))?;
    if args.print_config() {
        return printed(settings::print(&mut io::stdout().lock(), &loaded));
    }
    start_logging(loaded.config.log_format, None)?;
    pipeline::run(loaded.config)
}

/// The same for users' profiles.
pub(super) fn users(args: &UsersArgs, start_logging: StartLogging) -> Result<(), RunError> {
    let loaded =
        args.load(&Surroundings::read()).map_err(|error| RunError::Refused(error.to_string()))?;
    if args.print_config {
        return printed(settings::print(&mut io::stdout().lock(), &loaded));
    }
    start_logging(loaded.config.log_format, None)?;
    pipeline::run(loaded.config)
}
