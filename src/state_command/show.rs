//! `logintide state show`. Changes nothing.

use std::io::{self, Write};

use super::{
    args::ShowArgs,
    group_state::GroupState,
    journal::{JournalTopic, empty, missing},
    of_state,
    report::StateReport,
    text,
};
use crate::{
    error::RunError,
    output::{StartLogging, printed},
    plain::{Plain, Style},
    state,
};

/// Prints the journal of a group, or the local copy of it.
pub(super) fn run(args: &ShowArgs, start_logging: StartLogging) -> Result<(), RunError> {
    let report = if args.offline { of_copy(args)? } else { of_journal(args, start_logging)? };
    let style = if args.json { Style::Json } else { Style::Text };
    let mut out = Plain::new(io::stdout().lock(), style);
    printed(if args.json {
        serde_json::to_writer_pretty(&mut out, &report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        text::write(&mut out, &report)
    })
}

fn of_journal(args: &ShowArgs, start_logging: StartLogging) -> Result<StateReport, RunError> {
    let place = args.journal_place()?;
    start_logging(place.log_format, None)?;
    let topic = JournalTopic::find(&place)?.ok_or_else(|| missing(&place))?;
    let identity = topic.identity()?.ok_or_else(|| empty(&place))?;
    let committed = topic.read(&identity)?;
    Ok(StateReport::of_journal(&committed, &place.client.brokers, &place.topic))
}

fn of_copy(args: &ShowArgs) -> Result<StateReport, RunError> {
    let dir = args.folder()?;
    let stored = state::stored_copy(&dir).map_err(of_state)?;
    let state = GroupState::of_copy(&stored.copied);
    let state = state.map_err(|error| RunError::Refused(error.to_string()))?;
    Ok(StateReport::of_copy(&state, &stored, dir))
}
