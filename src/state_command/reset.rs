//! `logintide state reset`: removes the local copy, and with `--journal` what it is a copy of.
//!
//! Holds: everything that can be refused is refused before a question is asked. The copy goes
//! first, then the group with its offsets, the journal last: whatever is left after a crash, the
//! next run reads the journal and goes on where it ends, or finds nothing and begins anew.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
};

use super::{
    args::{JournalPlace, ResetArgs},
    journal::{JournalTopic, failed},
    of_state,
    text::size,
};
use crate::{
    client::patiently,
    error::RunError,
    kafka::{Admin, delete_group, delete_topic, describe_group},
    limits,
    output::{StartLogging, printed},
    plain::{Plain, Style},
    state::{self, StateError},
};

/// Removes what was asked for, once it was agreed to.
pub(super) fn run(args: &ResetArgs, start_logging: StartLogging) -> Result<(), RunError> {
    let dir = args.folder()?;
    let journal = if args.journal { Some(args.journal_place()?) } else { None };
    if let Some(place) = &journal {
        start_logging(place.log_format, None)?;
    }
    if !args.yes && !io::stdin().is_terminal() {
        return Err(RunError::Refused(
            "state reset asks for confirmation, but its input is not a terminal; add --yes"
                .to_owned(),
        ));
    }
    check_copy(&dir, args.journal)?;
    if let Some(place) = &journal {
        check_journal(place)?;
    }
    let mut out = Plain::new(io::stdout().lock(), Style::Text);
    if !args.yes {
        let mut answers = io::stdin().lock();
        let agreed = ask_about_copy(&mut out, &mut answers, &dir)
            .and_then(|agreed| match &journal {
                Some(place) if agreed => ask_about_journal(&mut out, &mut answers, place),
                _ => Ok(agreed),
            })
            .map_err(|error| RunError::Failed(format!("the question was not answered: {error}")))?;
        if !agreed {
            return printed(writeln!(out, "nothing was removed"));
        }
    }
    remove_copy(&mut out, &dir, args.journal)?;
    journal.map_or(Ok(()), |place| remove_journal(&mut out, &place))
}

/// Refuses a folder in use, one that cannot be written, and one without a copy unless that does not
/// matter.
fn check_copy(dir: &Path, is_optional: bool) -> Result<(), RunError> {
    let has_copy = dir.exists() && {
        let seen = state::peek(dir);
        seen.problems.into_iter().next().map_or(Ok(()), |problem| Err(of_state(problem)))?;
        seen.has_copy
    };
    if has_copy || is_optional {
        return Ok(());
    }
    Err(of_state(StateError::NoState { dir: dir.to_owned() }))
}

/// Refuses what is not this group's journal, or a group that is at work.
fn check_journal(place: &JournalPlace) -> Result<(), RunError> {
    if let Some(topic) = JournalTopic::find(place)? {
        topic.identity()?;
    }
    let failed = |error| failed(place, &error);
    let admin = Admin::new(&place.client).map_err(failed)?;
    let timeout = limits::BROKER_QUERY_TIMEOUT;
    let group = patiently(|| describe_group(&admin, &place.group_id, timeout)).map_err(failed)?;
    if let Some(protocol) = group.foreign_protocol {
        return Err(RunError::Refused(format!(
            "the group '{}' (--group-id) is used by clients of another kind (protocol {protocol}); \
             name the processor's group",
            place.group_id
        )));
    }
    if group.members.is_empty() {
        return Ok(());
    }
    let members: Vec<_> = group.members.iter().map(ToString::to_string).collect();
    Err(RunError::Refused(format!(
        "the group '{}' (--group-id) has members: {}; stop every instance; a stopped one stays \
         a member until its session has ended",
        place.group_id,
        members.join(", ")
    )))
}

pub(super) fn ask_about_copy(
    out: &mut impl Write,
    answers: &mut impl BufRead,
    dir: &Path,
) -> io::Result<bool> {
    write!(out, "Remove the local copy in {}? [y/N] ", dir.display())?;
    out.flush()?;
    let answer = answer(answers)?.to_ascii_lowercase();
    Ok(["y", "yes"].contains(&answer.as_str()))
}

pub(super) fn ask_about_journal(
    out: &mut impl Write,
    answers: &mut impl BufRead,
    place: &JournalPlace,
) -> io::Result<bool> {
    let JournalPlace { client, group_id, topic, .. } = place;
    writeln!(
        out,
        "This deletes the journal topic '{topic}' and the committed offsets of the group \
         '{group_id}' on {}. All instances forget what they have counted. {NEXT_RUN}",
        client.brokers
    )?;
    write!(out, "Type the topic's and the group's name, with a blank between them, to go on: ")?;
    out.flush()?;
    Ok(answer(answers)?.split_whitespace().eq([topic.as_str(), group_id]))
}

const NEXT_RUN: &str = "The next run of the group begins at --start-from, and may count windows \
                        again that were published before: give it another --group-id or \
                        --aggregated-topic, or clear the output topics.";

/// An answer's line; empty at the end of the input.
fn answer(answers: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    answers.read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn remove_copy(out: &mut impl Write, dir: &Path, is_optional: bool) -> Result<(), RunError> {
    let report = match state::reset(dir) {
        Ok(report) => report,
        Err(error @ StateError::NoState { .. }) if is_optional => {
            return printed(writeln!(out, "{error}"));
        }
        Err(error) => return Err(of_state(error)),
    };
    let removed = report.removed.display();
    printed(writeln!(out, "removed {removed} ({})", size(report.removed_bytes)))?;
    for kept in &report.kept {
        printed(writeln!(out, "left alone: {}", kept.display()))?;
    }
    Ok(())
}

fn remove_journal(out: &mut impl Write, place: &JournalPlace) -> Result<(), RunError> {
    let JournalPlace { client, group_id, topic, .. } = place;
    let failed = |error| failed(place, &error);
    let timeout = limits::BROKER_QUERY_TIMEOUT;
    let admin = Admin::new(client).map_err(failed)?;
    // NOTE: the offsets first. A head without an offset goes on; an offset without a head is a
    // journal that was lost.
    let had_group = patiently(|| delete_group(&admin, group_id, timeout)).map_err(failed)?;
    let had_topic = patiently(|| delete_topic(&admin, topic, timeout)).map_err(failed)?;
    let done = |was_there| if was_there { "deleted" } else { "was not there" };
    printed(writeln!(out, "group {group_id} with its committed offsets: {}", done(had_group)))?;
    printed(writeln!(out, "journal topic {topic}: {}", done(had_topic)))?;
    printed(writeln!(out, "{NEXT_RUN}"))
}
