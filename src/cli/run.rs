//! `logintide run`: checks the settings, starts the log, hands over to the pipeline.
//!
//! On the main thread. Nothing is opened, created or asked before all settings are checked.

use std::collections::BTreeSet;

use super::{RunArgs, StartLogging, settings};
use crate::{config::Surroundings, error::RunError, pipeline};

/// Runs the processor until it is stopped or done.
pub(super) fn run(
    args: &RunArgs,
    from_variables: BTreeSet<String>,
    start_logging: StartLogging,
) -> Result<(), RunError> {
    let config = settings::check(args, from_variables, &Surroundings::read())
        .map_err(|error| RunError::Refused(error.to_string()))?;
    start_logging(config.log_format, None)?;
    pipeline::run(config)
}
