//! `logintide state show` and `state reset`: show the content of the state folder, or remove it.
//!
//! On the main thread of a process of its own; both commands fail while a running processor holds
//! the folder's lock. Out: text on stdout. Holds: nothing is removed without a confirmation.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::{
    config::{Problems, Surroundings, default_state_dir},
    error::RunError,
    ids::EventTimeMs,
    output::printed,
    plain::{Plain, Style},
    settings::{
        Flags, Layers, Setting, Subset,
        table::{GROUP_ID, STATE_DIR},
        variable,
    },
    state::{self, StateError, StateSummary},
    window::Completeness,
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
            let summary = state::describe(&dir).map_err(of_state)?;
            let mut out = Plain::new(io::stdout().lock(), Style::Text);
            printed(show(&mut out, &dir, &summary))
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
    // Also refuses early what cannot be removed, before asking about it; unreadable state can be.
    let content = match state::describe(dir) {
        Ok(summary) => format!("{} partitions", summary.partitions.len()),
        Err(StateError::Unreadable { .. }) => "unreadable".to_owned(),
        Err(error) => return Err(of_state(error)),
    };
    if !yes {
        if !io::stdin().is_terminal() {
            return Err(RunError::Refused(
                "state reset asks for confirmation, but its input is not a terminal; add --yes"
                    .to_owned(),
            ));
        }
        let question = format!("Remove the state in {} ({content})? [y/N] ", dir.display());
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

fn show(out: &mut impl Write, dir: &Path, summary: &StateSummary) -> io::Result<()> {
    let StateSummary { identity, format, epoch, watermark, horizon, .. } = summary;
    writeln!(out, "folder      {} ({})", dir.display(), size(summary.size_bytes))?;
    writeln!(out, "format      {format}")?;
    writeln!(out, "cluster     {}", identity.cluster_id)?;
    let ids: Vec<&str> = summary.topic_ids.iter().map(String::as_str).collect();
    let ids = if ids.is_empty() { String::new() } else { format!(" (id {})", ids.join(", ")) };
    writeln!(out, "topic       {}{ids}", identity.topic)?;
    writeln!(out, "group       {}", identity.group_id)?;
    writeln!(out, "window      {} s", identity.window_size_ms / 1000)?;
    writeln!(out, "epoch       {epoch}")?;
    writeln!(out, "watermark   {}", time(*watermark))?;
    writeln!(out, "horizon     {}", time(*horizon))?;
    writeln!(out, "windows     {} remembered", summary.windows)?;
    match &summary.redo {
        None => writeln!(out, "redo        none")?,
        Some(redo) => {
            let (epoch, partials) = (redo.epoch, redo.partials);
            writeln!(out, "redo        epoch {epoch}, {partials} partials, {}", size(redo.bytes))?;
        }
    }
    for broken in &summary.quarantined {
        writeln!(out, "moved aside {}", broken.display())?;
    }
    writeln!(
        out,
        "\n{:>9}  {:>12}  {:>10}  {:>7}  {:<24}  windows are complete",
        "partition", "next offset", "epoch", "windows", "watermark"
    )?;
    for partition in &summary.partitions {
        writeln!(
            out,
            "{:>9}  {:>12}  {:>10}  {:>7}  {:<24}  {}",
            partition.partition.0,
            partition.next_offset.0,
            partition.epoch.0,
            partition.windows,
            time(partition.watermark),
            completeness(partition.completeness)
        )?;
    }
    Ok(())
}

fn time(event_time: Option<EventTimeMs>) -> String {
    event_time.map_or_else(
        || "-".to_owned(),
        // Beyond the calendar the number itself is the honest answer.
        |time| {
            Timestamp::from_millisecond(time.0)
                .map_or_else(|_| format!("{time} ms"), |time| format!("{time:.3}"))
        },
    )
}

fn completeness(completeness: Completeness) -> String {
    match completeness {
        Completeness::FromStart => "all".to_owned(),
        Completeness::UntilFirstEvent { .. } => "after the first event".to_owned(),
        Completeness::After(window) => format!("after {}", time(Some(EventTimeMs(window.0)))),
    }
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
    use crate::{
        ids::{Epoch, Offset, PartitionId, WindowStart},
        state::{Identity, PartitionSummary, RedoSummary},
    };

    fn summary() -> StateSummary {
        let partition = PartitionSummary {
            partition: PartitionId(3),
            epoch: Epoch(41),
            next_offset: Offset(1200),
            watermark: Some(EventTimeMs(1_730_653_311_500)),
            completeness: Completeness::After(WindowStart(1_730_653_300_000)),
            windows: 2,
        };
        StateSummary {
            identity: Identity {
                cluster_id: "c1".into(),
                topic: "user-login".into(),
                group_id: "g".into(),
                window_size_ms: 10_000,
            },
            topic_ids: ["nqAmRzPZT3uqT2wTpMuR9A".to_owned()].into(),
            format: 1,
            epoch: Epoch(41),
            watermark: Some(EventTimeMs(i64::MAX)),
            horizon: None,
            windows: 5,
            partitions: vec![partition],
            redo: Some(RedoSummary { epoch: Epoch(42), bytes: 2048, partials: 7 }),
            size_bytes: 0,
            quarantined: vec!["/s/db.broken-1".into()],
        }
    }

    #[test]
    fn everything_in_the_folder_is_shown() {
        let mut out = Vec::new();
        show(&mut out, Path::new("/s"), &summary()).expect("a Vec takes everything");
        let text = String::from_utf8(out).expect("UTF-8");
        let expected = [
            "folder      /s (0 B)",
            "format      1",
            "cluster     c1",
            "topic       user-login (id nqAmRzPZT3uqT2wTpMuR9A)",
            "group       g",
            "window      10 s",
            "epoch       41",
            "watermark   9223372036854775807 ms",
            "horizon     -",
            "windows     5 remembered",
            "redo        epoch 42, 7 partials, 2.0 KiB",
            "moved aside /s/db.broken-1",
            "",
            "partition   next offset       epoch  windows  watermark                 windows are \
             complete",
            "        3          1200          41        2  2024-11-03T17:01:51.500Z  after \
             2024-11-03T17:01:40.000Z",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn only_a_yes_is_an_agreement() {
        for (answer, expected) in
            [("y\n", true), ("YES\n", true), ("", false), ("\n", false), ("no\n", false)]
        {
            assert_eq!(agreed(&mut answer.as_bytes()), expected, "{answer:?}");
        }
    }
}
