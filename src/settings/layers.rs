//! Puts the settings' sources above each other: default < file < variable < flag.
//!
//! In: arguments as typed, and which of them came from a variable; the file they name. Out: for
//! each setting the text that holds and where it came from. Holds: a table's entries are merged by
//! name, each with its own origin, higher layers last; a name that one layer gives twice is a
//! problem.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use clap::{ArgMatches, parser::ValueSource};

use super::{
    RunArgs, file,
    keys::{CLIENT, FIELD, Kind, SETTINGS, setting},
};
use crate::config::{Problems, parse_pair, secrets};

/// Where a setting's text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nobody gave it.
    Default,
    /// The line of the file.
    File(usize),
    /// Its `LOGINTIDE_…` variable.
    Variable,
    /// The command line.
    Flag,
}

/// What the command line knows beside the texts.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Arguments that are no defaults.
    origins: BTreeMap<String, Origin>,
    /// Variables of tables of which there are flags too.
    below_flags: BTreeMap<&'static str, String>,
}

impl Given {
    /// Reads it from what was parsed; `variable` gives the text of a variable.
    pub fn new(matches: &ArgMatches, variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut given = Self::default();
        for id in matches.ids().map(clap::Id::as_str) {
            let origin = match matches.value_source(id) {
                Some(ValueSource::EnvVariable) => Origin::Variable,
                Some(ValueSource::CommandLine) => Origin::Flag,
                _ => continue,
            };
            given.origins.insert(id.to_owned(), origin);
        }
        for table in SETTINGS.iter().filter(|setting| setting.kind == Kind::Table) {
            if given.origin(table.id) == Origin::Flag
                && let Some(text) = variable(&table.variable())
            {
                given.below_flags.insert(table.id, text);
            }
        }
        given
    }

    pub(super) fn origin(&self, id: &str) -> Origin {
        self.origins.get(id).copied().unwrap_or(Origin::Default)
    }
}

/// The text of a setting.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// An entry of a table.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) origin: Origin,
    /// Whether the text is the path of a file that holds the value.
    pub(super) is_path: bool,
}

/// Every setting with its origin.
pub(super) struct Layers {
    /// The file's name, if there is one.
    file: Option<String>,
    values: BTreeMap<&'static str, Value>,
    tables: BTreeMap<&'static str, Vec<Entry>>,
}

impl Layers {
    /// Reads the file, if one is named, and puts everything above each other.
    pub(super) fn gather(args: RunArgs, given: &Given, problems: &mut Problems) -> Self {
        let file = args.operation.config.clone();
        let from_file = file.as_deref().map_or_else(Vec::new, |path| {
            file::read(Path::new(path))
                .map(|text| file::parse(path, &text, problems))
                .map_err(|what| problems.add(config_name(given), path, what))
                .unwrap_or_default()
        });
        let mut layers = Self { file, values: BTreeMap::new(), tables: BTreeMap::new() };
        for id in [FIELD, CLIENT] {
            let of_file = from_file.iter().filter(|value| value.id == id);
            let of_file = of_file.map(|v| (v.name.clone(), v.text.clone(), Origin::File(v.line)));
            layers.lay(id, of_file.collect(), problems);
            let own = given.origin(id);
            if let Some(text) = given.below_flags.get(id) {
                let separator = if id == FIELD { ',' } else { '\n' };
                let lines: Vec<String> = text.split(separator).map(str::to_owned).collect();
                layers.lay_pairs(id, &lines, Origin::Variable, problems);
            }
            layers.lay_pairs(id, args.entries(id), own, problems);
        }
        for (id, text) in args.into_texts() {
            if let Some(text) = text {
                layers.values.insert(id, Value { text, origin: given.origin(id) });
            }
        }
        for value in from_file.into_iter().filter(|value| value.name.is_empty()) {
            if given.origin(value.id) == Origin::Default {
                let origin = Origin::File(value.line);
                layers.values.insert(value.id, Value { text: value.text, origin });
            }
        }
        layers
    }

    /// The setting's text; `None` when nobody gave one and it has no default.
    pub(super) fn value(&self, id: &str) -> Option<&Value> {
        self.values.get(id)
    }

    /// The entries of a table, lower layers first.
    pub(super) fn table(&self, id: &str) -> &[Entry] {
        self.tables.get(id).map_or(&[], Vec::as_slice)
    }

    /// The setting as the operator gave it: line and key, variable, or flag.
    pub(super) fn name(&self, id: &str) -> String {
        self.name_at(id, self.values.get(id).map_or(Origin::Default, |value| value.origin))
    }

    /// As `name`, of an entry.
    pub(super) fn name_at(&self, id: &str, origin: Origin) -> String {
        let setting = setting(id);
        match origin {
            Origin::File(line) if setting.kind == Kind::Table => {
                format!("{}:{line}: [{}]", self.file(), setting.key())
            }
            Origin::File(line) => format!("{}:{line}: {}", self.file(), setting.key()),
            Origin::Variable => setting.variable(),
            Origin::Default | Origin::Flag => setting.flag(),
        }
    }

    /// The file's name.
    pub(super) fn file(&self) -> &str {
        self.file.as_deref().unwrap_or_default()
    }

    /// Splits `name=value` texts. Only names are reported, because a value may be secret.
    fn lay_pairs(
        &mut self,
        id: &'static str,
        texts: &[String],
        origin: Origin,
        problems: &mut Problems,
    ) {
        let mut pairs = Vec::new();
        // A variable may end in a line break.
        for text in texts.iter().map(|text| text.trim_end_matches(['\r', '\n'])) {
            if text.is_empty() && origin == Origin::Variable {
                continue;
            }
            match parse_pair(text) {
                Ok((name, value)) => pairs.push((name, value, origin)),
                Err(what) => {
                    let name = text.split_inclusive('=').next().unwrap_or(text);
                    problems.add(&self.name_at(id, origin), name, what);
                }
            }
        }
        self.lay(id, pairs, problems);
    }

    /// Puts one layer's entries above what is there.
    fn lay(
        &mut self,
        id: &'static str,
        pairs: Vec<(String, String, Origin)>,
        problems: &mut Problems,
    ) {
        let mut names = BTreeSet::new();
        for (name, text, origin) in pairs {
            let of_file = (id == CLIENT).then(|| secrets::property_of_file(&name)).flatten();
            let is_path = of_file.is_some();
            let name = of_file.map_or(name.clone(), str::to_owned);
            if !names.insert(name.clone()) {
                problems.add(&self.name_at(id, origin), &name, "is given twice; keep one");
                continue;
            }
            let entries = self.tables.entry(id).or_default();
            entries.retain(|entry| entry.name != name);
            entries.push(Entry { name, text, origin, is_path });
        }
    }
}

fn config_name(given: &Given) -> &'static str {
    if given.origin("config") == Origin::Variable { "LOGINTIDE_CONFIG" } else { "--config" }
}
