//! The settings that a command takes, as typed on its command line.
//!
//! Everything is text here, so that all wrong values are reported together instead of the first
//! alone. A flag that was not typed is absent; its variable and its default come in later.

use std::{collections::BTreeMap, marker::PhantomData};

use clap::{ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};

use super::{
    row::{Fallback, OfUsers, Setting, Spec},
    table,
};

/// Which settings a command takes.
pub(crate) trait Subset {
    /// Their rows.
    fn settings() -> Vec<&'static dyn Setting>;

    /// What holds when one of them is not given.
    fn fallback(spec: &Spec) -> Fallback {
        spec.default
    }
}

/// The settings of `run` and `check-config`.
#[derive(Debug)]
pub(crate) struct RunSettings;

impl Subset for RunSettings {
    fn settings() -> Vec<&'static dyn Setting> {
        table::all().filter(|setting| setting.spec().of_users != OfUsers::Only).collect()
    }
}

/// The settings of `users`.
#[derive(Debug)]
pub(crate) struct UsersSettings;

impl Subset for UsersSettings {
    fn settings() -> Vec<&'static dyn Setting> {
        table::all().filter(|setting| setting.spec().of_users != OfUsers::No).collect()
    }

    fn fallback(spec: &Spec) -> Fallback {
        match spec.of_users {
            OfUsers::Default(text) => Fallback::Text(text),
            _ => spec.default,
        }
    }
}

/// The texts of the flags of a subset that were typed, by the settings' names.
#[derive(Debug)]
pub(crate) struct Flags<S> {
    texts: BTreeMap<&'static str, Vec<String>>,
    subset: PhantomData<S>,
}

impl<S: Subset> Flags<S> {
    /// The flags that would give these texts.
    #[cfg(feature = "demo")]
    pub(crate) fn of(texts: &[(&'static dyn Setting, &str)]) -> Self {
        let mut flags = Self { texts: BTreeMap::new(), subset: PhantomData };
        for (setting, text) in texts {
            flags.texts.entry(setting.spec().name).or_default().push((*text).to_owned());
        }
        flags
    }

    /// The same flags for a command that takes fewer settings, of which fewer are required.
    pub(crate) fn narrowed<T: Subset>(&self) -> Flags<T> {
        Flags { texts: self.texts.clone(), subset: PhantomData }
    }

    /// What was typed for a setting; empty when nothing was.
    pub(super) fn texts(&self, name: &str) -> &[String] {
        self.texts.get(name).map_or(&[], Vec::as_slice)
    }
}

impl<S: Subset> FromArgMatches for Flags<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let names = S::settings().into_iter().map(|setting| setting.spec().name);
        let typed = names.filter(|name| {
            // What the parser took from a variable is read again, for its place to be known.
            matches.value_source(name) == Some(ValueSource::CommandLine)
        });
        let texts = typed.map(|name| {
            let texts = matches.get_many::<String>(name).unwrap_or_default();
            (name, texts.cloned().collect())
        });
        Ok(Self { texts: texts.collect(), subset: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<S: Subset> Args for Flags<S> {
    fn augment_args(command: Command) -> Command {
        command.args(S::settings().into_iter().map(|setting| {
            let spec = setting.spec();
            spec.arg(S::fallback(spec))
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Flags of `run`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(super) settings: Flags<RunSettings>,
    /// Print the settings that hold, as a file for --config, with where each comes from; then end
    #[arg(long, help_heading = "Operation")]
    pub(super) print_config: bool,
}

impl RunArgs {
    /// Whether the settings are to be printed instead of used.
    pub(crate) fn print_config(&self) -> bool {
        self.print_config
    }
}

/// Flags of `users`.
#[derive(Debug, Args)]
#[command(after_help = USERS_EXAMPLES)]
pub(crate) struct UsersArgs {
    #[command(flatten)]
    pub(super) settings: Flags<UsersSettings>,
    /// Print the settings that hold, as a file for --config, with where each comes from; then end
    #[arg(long, help_heading = "Operation")]
    pub(crate) print_config: bool,
}

const USERS_EXAMPLES: &str = "\
Examples:
  Watch the logins that logintide run enriches, creating the topics that are missing:
    logintide users --brokers localhost:9092 --create-topics

  The same where locale is a state of the US, and a login may be ten minutes late:
    logintide users --brokers kafka:9092 --places us-states --allowed-lateness 10m

docs/ALERTS.md says what is said of a login. Every flag has a variable and a key of the file:
file < variable < flag. Durations and sizes need a unit: 500ms, 10s, 256MiB.";

const EXAMPLES: &str = "\
Examples:
  Process until stopped, creating the topics that are missing:
    logintide run --brokers localhost:9092 --create-topics

  Count a backlog in one-minute windows and end:
    logintide run --brokers kafka:9092 --group-id backfill --window 1m --exit-at-end

  Read fields of other names, over TLS, with a password that no process list shows:
    logintide run --brokers kafka:9093 --field user_id=sub,timestamp=iat \\
      -X security.protocol=ssl -X ssl.key.password.file=/run/secrets/key

  Take the settings from a file, one of them from here, and see what holds:
    logintide run --config /etc/logintide.toml --workers 4 --print-config

Every flag has a variable and a key of the file: file < variable < flag. Properties and fields are
merged by name. Durations and sizes need a unit: 500ms, 10s, 256MiB.";
