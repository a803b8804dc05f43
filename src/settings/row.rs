//! What one row of the table of settings says, and the forms of its name.
//!
//! Holds: a setting has one name in all its forms: `--commit-interval`, `commit-interval` in a
//! file, `LOGINTIDE_COMMIT_INTERVAL`. The type of its value is known at compile time.

use std::{ffi::OsStr, fmt};

use clap::{
    Arg, ArgAction, Command, ValueEnum,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};

use super::table;
use crate::config::{parse_choice, parse_pair, parse_switch, possible_values};

/// How a setting is written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TomlForm {
    /// A string.
    Text,
    /// An integer.
    Number,
    /// `true` or `false`.
    Switch,
    /// A table of names and values; elsewhere `name=value`, repeated or with this between them.
    Entries(char),
}

/// What holds when a setting is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// This text.
    Text(&'static str),
    /// What this says in words.
    Otherwise(&'static str),
    /// The text of a setting that stands before this one in the table, followed by this.
    After { setting: &'static str, suffix: &'static str },
    /// Nothing: it must be given.
    Required,
}

/// What a setting is to `logintide users`; all but its own are of `run` too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfUsers {
    /// Nothing.
    No,
    /// The same.
    Same,
    /// The same, with this default.
    Default(&'static str),
    /// It is of this command alone.
    Only,
}

/// The part of a row that does not depend on the value's type.
#[derive(Clone, Copy)]
pub(crate) struct Spec {
    /// The name, with `-`.
    pub(super) name: &'static str,
    /// What stands for the value in the help.
    pub(super) value_name: &'static str,
    pub(super) form: TomlForm,
    pub(super) default: Fallback,
    /// A value, where the default is not one.
    pub(super) example: &'static str,
    /// A sentence for the help, the example file and the reference.
    pub(super) help: &'static str,
    /// More sentences for the reference, in Markdown.
    pub(super) more: &'static str,
    /// The words that it takes; none where it takes others.
    pub(super) choices: fn() -> Vec<PossibleValue>,
    /// The letter of a flag that has no long name, and the table's name in a file.
    pub(super) short: Option<(char, &'static str)>,
    /// Whether its value is shown nowhere.
    pub(super) is_secret: bool,
    /// Whether it may stand in a file.
    pub(super) is_in_file: bool,
    pub(super) of_users: OfUsers,
}

/// One row: a setting whose value is a `T`.
pub(crate) struct Row<T: 'static> {
    spec: Spec,
    parse: fn(&str) -> Result<T, String>,
}

/// A row without its type.
pub(crate) trait Setting: Sync {
    /// What the row says.
    fn spec(&self) -> &Spec;
    /// What was expected instead of `text`, if it is wrong.
    fn check(&self, text: &str) -> Result<(), String>;
}

impl<T> Setting for Row<T> {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn check(&self, text: &str) -> Result<(), String> {
        (self.parse)(text).map(drop)
    }
}

impl fmt::Debug for dyn Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec().name)
    }
}

/// A row of a text.
pub(super) const fn text<T>(
    name: &'static str,
    value_name: &'static str,
    parse: fn(&str) -> Result<T, String>,
) -> Row<T> {
    let spec = Spec {
        name,
        value_name,
        form: TomlForm::Text,
        default: Fallback::Required,
        example: "",
        help: "",
        more: "",
        choices: Vec::new,
        short: None,
        is_secret: false,
        is_in_file: true,
        of_users: OfUsers::No,
    };
    Row { spec, parse }
}

/// A row of one of some words.
pub(super) const fn choice<T: ValueEnum>(name: &'static str, value_name: &'static str) -> Row<T> {
    let mut row = text(name, value_name, parse_choice);
    row.spec.choices = possible_values::<T>;
    row
}

/// A row of a whole number.
pub(super) const fn number<T>(name: &'static str, parse: fn(&str) -> Result<T, String>) -> Row<T> {
    let mut row = text(name, "N", parse);
    row.spec.form = TomlForm::Number;
    row
}

/// A row of a switch that is off by default.
pub(super) const fn switch(name: &'static str) -> Row<bool> {
    let mut row = text(name, "true|false", parse_switch).default("false");
    row.spec.form = TomlForm::Switch;
    row
}

/// A row of names and values.
pub(super) const fn entries(
    name: &'static str,
    value_name: &'static str,
    separator: char,
) -> Row<(String, String)> {
    let mut row = text(name, value_name, parse_pair).otherwise("none", "");
    row.spec.form = TomlForm::Entries(separator);
    row
}

impl<T> Row<T> {
    pub(super) const fn default(mut self, text: &'static str) -> Self {
        self.spec.default = Fallback::Text(text);
        self
    }

    pub(super) const fn otherwise(mut self, holds: &'static str, example: &'static str) -> Self {
        (self.spec.default, self.spec.example) = (Fallback::Otherwise(holds), example);
        self
    }

    /// NOTE: the row comes after the other setting's.
    pub(super) const fn default_after(
        mut self,
        setting: &'static str,
        suffix: &'static str,
        example: &'static str,
    ) -> Self {
        self.spec.default = Fallback::After { setting, suffix };
        self.spec.example = example;
        self
    }

    pub(super) const fn required(mut self, example: &'static str) -> Self {
        self.spec.example = example;
        self
    }

    pub(super) const fn help(mut self, sentence: &'static str) -> Self {
        self.spec.help = sentence;
        self
    }

    pub(super) const fn more(mut self, sentences: &'static str) -> Self {
        self.spec.more = sentences;
        self
    }

    pub(super) const fn short(mut self, letter: char, key: &'static str) -> Self {
        self.spec.short = Some((letter, key));
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.spec.is_secret = true;
        self
    }

    /// It is a setting of `logintide users` too.
    pub(super) const fn of_both(mut self) -> Self {
        self.spec.of_users = OfUsers::Same;
        self
    }

    /// The same, with another default there.
    pub(super) const fn of_both_but(mut self, default: &'static str) -> Self {
        self.spec.of_users = OfUsers::Default(default);
        self
    }

    /// It is a setting of `logintide users` alone.
    pub(super) const fn of_users(mut self) -> Self {
        self.spec.of_users = OfUsers::Only;
        self
    }

    pub(super) const fn not_in_file(mut self) -> Self {
        self.spec.is_in_file = false;
        self
    }

    /// The value of a text.
    pub(super) fn parse(&self, text: &str) -> Result<T, String> {
        (self.parse)(text)
    }
}

impl Spec {
    /// Its key in a file.
    pub(super) fn key(&self) -> &'static str {
        self.short.map_or(self.name, |(_, key)| key)
    }

    /// Its variable.
    pub(super) fn variable(&self) -> &'static str {
        table::variable(self.name)
    }

    /// Its flag.
    pub(super) fn flag(&self) -> String {
        self.short.map_or_else(|| format!("--{}", self.name), |(letter, _)| format!("-{letter}"))
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.form, TomlForm::Entries(_))
    }

    /// A value as it could be given.
    pub(super) fn sample(&self) -> &'static str {
        if let Fallback::Text(text) = self.default { text } else { self.example }
    }

    /// Its flag on the command line. Every text is taken there, so that all wrong values are
    /// reported together later.
    pub(super) fn arg(&self, default: Fallback) -> Arg {
        let help = match default {
            Fallback::Otherwise(holds) if !self.is_table() => {
                format!("{} [default: {holds}]", self.help)
            }
            Fallback::After { setting, suffix } => {
                format!("{} [default: <{setting}>{suffix}]", self.help)
            }
            Fallback::Required => format!("{}; required", self.help),
            _ => self.help.to_owned(),
        };
        let mut arg = Arg::new(self.name)
            .value_name(self.value_name)
            .help(help)
            .help_heading(table::heading(self.name))
            .env(self.variable())
            .hide_env_values(true)
            .value_parser(AnyText((self.choices)()));
        arg = match self.short {
            Some((letter, _)) => arg.short(letter),
            None => arg.long(self.name),
        };
        if let Fallback::Text(text) = default {
            arg = arg.default_value(text);
        }
        match self.form {
            TomlForm::Switch => {
                arg.num_args(0..=1).require_equals(true).default_missing_value("true")
            }
            TomlForm::Entries(separator) => {
                arg.value_delimiter(separator).action(ArgAction::Append)
            }
            TomlForm::Text | TomlForm::Number => arg,
        }
    }
}

/// Takes every text, and lists the words that are right.
#[derive(Clone)]
struct AnyText(Vec<PossibleValue>);

impl TypedValueParser for AnyText {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        (!self.0.is_empty()).then(|| Box::new(self.0.iter().cloned()) as Box<_>)
    }
}
