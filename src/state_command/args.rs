//! Arguments of `logintide state` and `logintide cluster`, and the checked places that they name.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::{
    config::{HttpToken, LogFormat, Problems, Surroundings, default_state_dir},
    error::RunError,
    kafka::ClientSettings,
    settings::{
        Flags, Layers, Setting, Subset, client_properties,
        table::{
            BROKERS, CLIENT, CONFIG, GROUP_ID, HTTP_TOKEN, INPUT_TOPIC, JOURNAL_TOPIC, LOG_FORMAT,
            STATE_DIR,
        },
        variable,
    },
};

/// Arguments of `state`.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Print the committed state of a group: offsets, watermarks, windows and totals
    Show(Box<ShowArgs>),
    /// Remove the local copy of the journal; with --journal the group's journal and offsets too
    Reset(Box<ResetArgs>),
}

/// The settings that say where the state is.
#[derive(Debug)]
pub(super) struct Everywhere;

impl Subset for Everywhere {
    fn settings() -> Vec<&'static dyn Setting> {
        vec![
            &BROKERS,
            &GROUP_ID,
            &INPUT_TOPIC,
            &JOURNAL_TOPIC,
            &STATE_DIR,
            &LOG_FORMAT,
            &CONFIG,
            &CLIENT,
        ]
    }
}

/// Those that say where an instance's copy is.
#[derive(Debug)]
struct Folder;

impl Subset for Folder {
    fn settings() -> Vec<&'static dyn Setting> {
        vec![&GROUP_ID, &STATE_DIR, &CONFIG]
    }
}

const SHOW_EXAMPLES: &str = "\
Examples:
  logintide state show --brokers kafka:9092
  logintide state show --config /etc/logintide.toml --json
  logintide state show --offline --state-dir /var/lib/logintide

The journal is read outside of the group, also while instances work; nothing is changed. It needs
Read on the journal's topic, and Describe on the group and the input topic.";

/// Arguments of `state show`.
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
#[command(mut_arg("group-id", |arg| arg.help("Consumer group whose state is shown")))]
pub(super) struct ShowArgs {
    #[command(flatten)]
    settings: Flags<Everywhere>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Print the local copy in the state folder instead, without asking a broker
    #[arg(long)]
    pub(super) offline: bool,
}

const RESET_EXAMPLES: &str = "\
Examples:
  The copy is damaged, or its disk is full; the next run reads the journal:
    logintide state reset --state-dir /var/lib/logintide

  The group begins anew, at --start-from:
    logintide state reset --journal --brokers kafka:9092 --group-id logintide

Without --journal nothing but time is lost. With it the group's journal topic and its committed
offsets are deleted. That needs Delete on both, and no instance may be in the group. The next run
may count windows again that were published before: give it another --group-id or
--aggregated-topic, or clear the output topics.";

/// Arguments of `state reset`.
#[derive(Debug, Args)]
#[command(after_help = RESET_EXAMPLES)]
#[command(mut_arg("group-id", |arg| arg.help("Consumer group whose state is removed")))]
pub(super) struct ResetArgs {
    #[command(flatten)]
    settings: Flags<Everywhere>,
    /// Also delete the group's journal topic and its committed offsets
    #[arg(long)]
    pub(super) journal: bool,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
}

/// A group, its journal, and the way there.
#[derive(Debug, Clone)]
pub(super) struct JournalPlace {
    pub(super) client: ClientSettings,
    pub(super) group_id: String,
    pub(super) input_topic: String,
    pub(super) topic: String,
    pub(super) log_format: LogFormat,
}

impl ShowArgs {
    /// The group's journal.
    pub(super) fn journal_place(&self) -> Result<JournalPlace, RunError> {
        journal_place(&self.settings)
    }

    /// The state folder with the local copy.
    pub(super) fn folder(&self) -> Result<PathBuf, RunError> {
        folder(&self.settings)
    }
}

impl ResetArgs {
    /// The group's journal.
    pub(super) fn journal_place(&self) -> Result<JournalPlace, RunError> {
        journal_place(&self.settings)
    }

    /// The state folder with the local copy.
    pub(super) fn folder(&self) -> Result<PathBuf, RunError> {
        folder(&self.settings)
    }
}

const CLUSTER_EXAMPLES: &str = "\
Examples:
  logintide cluster --brokers kafka:9092
  logintide cluster --config /etc/logintide.toml --json
  logintide cluster --url http://127.0.0.1:9464

Without --url the journal is read outside of the group, with the rights that `state show` needs. An
instance has the same at hand, and knows the lag of the partitions that it reads.";

/// The settings that say where the journal is, and the token of an instance.
#[derive(Debug)]
struct Anywhere;

impl Subset for Anywhere {
    fn settings() -> Vec<&'static dyn Setting> {
        vec![
            &BROKERS,
            &GROUP_ID,
            &INPUT_TOPIC,
            &JOURNAL_TOPIC,
            &HTTP_TOKEN,
            &LOG_FORMAT,
            &CONFIG,
            &CLIENT,
        ]
    }
}

/// Those that an instance is asked with.
#[derive(Debug)]
struct Token;

impl Subset for Token {
    fn settings() -> Vec<&'static dyn Setting> {
        vec![&HTTP_TOKEN, &CONFIG]
    }
}

/// Arguments of `cluster`.
#[derive(Debug, Args)]
#[command(after_help = CLUSTER_EXAMPLES)]
#[command(mut_arg("group-id", |arg| arg.help("Consumer group whose instances are shown")))]
#[command(mut_arg("http-token", |arg| arg.help("Token of the instance at --url")))]
pub(crate) struct ClusterArgs {
    #[command(flatten)]
    settings: Flags<Anywhere>,
    /// Print JSON, as /api/v1/cluster does
    #[arg(long)]
    pub(super) json: bool,
    /// Ask the instance with this --http, instead of reading the journal
    #[arg(long, value_name = "http://HOST:PORT")]
    url: Option<String>,
}

impl ClusterArgs {
    /// The instance to ask.
    pub(super) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The group's journal.
    pub(super) fn journal_place(&self) -> Result<JournalPlace, RunError> {
        journal_place(&self.settings)
    }

    /// The token of the instance to ask, if there is one.
    pub(super) fn token(&self) -> Result<Option<HttpToken>, RunError> {
        let mut problems = Problems::new();
        let layers = Layers::gather(&self.settings.narrowed::<Token>(), &variable, &mut problems);
        match problems.into_error() {
            Some(error) => Err(RunError::Refused(error.to_string())),
            None => Ok(layers.get(&HTTP_TOKEN)),
        }
    }
}

fn journal_place<S: Subset>(flags: &Flags<S>) -> Result<JournalPlace, RunError> {
    let mut problems = Problems::new();
    let layers = Layers::gather(flags, &variable, &mut problems);
    let properties = client_properties(&layers, &mut problems);
    if let Some(error) = problems.into_error() {
        return Err(RunError::Refused(error.to_string()));
    }
    Ok(JournalPlace {
        client: ClientSettings { brokers: layers.required(&BROKERS), properties },
        group_id: layers.required(&GROUP_ID),
        input_topic: layers.required(&INPUT_TOPIC),
        topic: layers.required(&JOURNAL_TOPIC),
        log_format: layers.required(&LOG_FORMAT),
    })
}

fn folder(flags: &Flags<Everywhere>) -> Result<PathBuf, RunError> {
    let mut problems = Problems::new();
    let layers = Layers::gather(&flags.narrowed::<Folder>(), &variable, &mut problems);
    if let Some(error) = problems.into_error() {
        return Err(RunError::Refused(error.to_string()));
    }
    let given = layers.get(&STATE_DIR);
    let default = || default_state_dir(&layers.required(&GROUP_ID), &Surroundings::read());
    given.map_or_else(default, Ok).map_err(RunError::Refused)
}
