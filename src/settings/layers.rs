//! Puts the settings' sources above each other: default < file < variable < flag.
//!
//! In: the flags as typed, the variables, and the file they name. Out: for each setting the text
//! that holds and where it came from. Holds: a table's entries are merged by name, each with its
//! own origin, higher layers last; a name that one layer gives twice is a problem, and so is a
//! value that is wrong by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    path::Path,
};

use super::{
    file,
    flags::{Flags, Subset},
    row::{Fallback, Row, Setting, Spec, TomlForm},
    table::{CLIENT, CONFIG},
};
use crate::config::{Problems, invalid_value, parse_pair, secrets};

/// Where a setting's text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    /// The line of the file.
    File(usize),
    Variable,
    Flag,
}

/// The text of a setting.
#[derive(Debug, Clone)]
pub(super) struct SettingText {
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
pub(crate) struct Layers {
    /// The file's name; empty when there is no file.
    file: String,
    values: BTreeMap<&'static str, SettingText>,
    tables: BTreeMap<&'static str, Vec<Entry>>,
}

impl Layers {
    /// Reads the variables, and the file if one is named, puts everything above each other, and
    /// checks each value by itself.
    pub(crate) fn gather<S: Subset>(
        flags: &Flags<S>,
        variable: &dyn Fn(&str) -> Option<String>,
        problems: &mut Problems,
    ) -> Self {
        let mut layers =
            Self { file: String::new(), values: BTreeMap::new(), tables: BTreeMap::new() };
        let from_file = layers.read_file(flags, variable, problems);
        for setting in S::settings() {
            let spec = setting.spec();
            let mut of_file = from_file.iter().filter(|value| value.setting == spec.name);
            if let TomlForm::Entries(separator) = spec.form {
                let of_file =
                    of_file.map(|v| (v.name.clone(), v.text.clone(), Origin::File(v.line)));
                layers.lay(spec, of_file.collect(), problems);
                let of_variable = variable(spec.variable()).unwrap_or_default();
                layers.lay_pairs(spec, of_variable.split(separator), Origin::Variable, problems);
                let of_flags = flags.texts(spec.name).iter().map(String::as_str);
                layers.lay_pairs(spec, of_flags, Origin::Flag, problems);
                continue;
            }
            let fallback = S::fallback(spec);
            let default = layers.default(fallback).map(|text| (text, Origin::Default));
            let of_file = of_file.next_back().map(|v| (v.text.clone(), Origin::File(v.line)));
            let given = typed(flags, variable, spec).or(of_file);
            if let Some((text, origin)) = given.or(default) {
                layers.values.insert(spec.name, SettingText { text, origin });
                if let Err(what) = setting.check(&layers.values[spec.name].text) {
                    problems.add(layers.invalid(setting, what + &layers.made_of(spec)));
                }
            } else if fallback == Fallback::Required {
                problems.add(format!(
                    "missing value for '{}': expected {}, for example {}; set the flag or {}",
                    spec.flag(),
                    spec.value_name,
                    spec.example,
                    spec.variable()
                ));
            }
        }
        layers
    }

    fn read_file<S: Subset>(
        &mut self,
        flags: &Flags<S>,
        variable: &dyn Fn(&str) -> Option<String>,
        problems: &mut Problems,
    ) -> Vec<file::FileValue> {
        let config = CONFIG.spec();
        if !S::settings().iter().any(|setting| setting.spec().name == config.name) {
            return Vec::new();
        }
        let Some((path, origin)) = typed(flags, variable, config) else { return Vec::new() };
        self.file.clone_from(&path);
        let text = file::read(Path::new(&path));
        self.values.insert(config.name, SettingText { text: path, origin });
        match text {
            Ok(text) => file::parse(&self.file, &text, problems),
            Err(what) => {
                problems.add(self.invalid(&CONFIG, what));
                Vec::new()
            }
        }
    }

    /// The text of a setting that is not given.
    fn default(&self, fallback: Fallback) -> Option<String> {
        match fallback {
            Fallback::Text(text) => Some(text.to_owned()),
            Fallback::After { setting, suffix } => {
                Some(self.values.get(setting)?.text.clone() + suffix)
            }
            Fallback::Otherwise(_) | Fallback::Required => None,
        }
    }

    /// What to do about a wrong default that is made of another setting; nothing otherwise.
    fn made_of(&self, spec: &Spec) -> String {
        let is_default = self.values[spec.name].origin == Origin::Default;
        match spec.default {
            Fallback::After { setting, .. } if is_default => {
                format!("; the default is made of --{setting}, so give {} a value", spec.flag())
            }
            _ => String::new(),
        }
    }

    /// The value of a setting; `None` when it is wrong, or not given and without a default.
    pub(crate) fn get<T>(&self, row: &Row<T>) -> Option<T> {
        row.parse(&self.value(row)?.text).ok()
    }

    /// The value of a setting that has a default or is required, when there are no problems.
    pub(crate) fn required<T>(&self, row: &Row<T>) -> T {
        self.get(row).expect("a missing or wrong value is a problem")
    }

    /// The setting's text; `None` when it is not given and has no default.
    pub(super) fn value(&self, setting: &dyn Setting) -> Option<&SettingText> {
        self.values.get(setting.spec().name)
    }

    /// The entries of a table, lower layers first.
    pub(super) fn table(&self, setting: &dyn Setting) -> &[Entry] {
        self.tables.get(setting.spec().name).map_or(&[], Vec::as_slice)
    }

    /// A problem with the value of a setting; a secret is not shown.
    pub(crate) fn invalid(&self, setting: &dyn Setting, what: impl Display) -> String {
        let name = self.quoted(setting);
        match self.value(setting) {
            Some(value) if !setting.spec().is_secret => invalid_value(&value.text, &name, what),
            _ => format!("invalid value for {name}: {what}"),
        }
    }

    /// A setting with its value, as another's problem names it.
    pub(crate) fn shown(&self, setting: &dyn Setting) -> String {
        let spec = setting.spec();
        let Some(SettingText { text, origin }) = self.value(setting) else { return spec.flag() };
        match origin {
            Origin::File(line) => format!("{} = {text} ({}:{line})", spec.key(), self.file),
            Origin::Variable => format!("{}={text}", spec.variable()),
            Origin::Default | Origin::Flag => format!("{} {text}", spec.flag()),
        }
    }

    /// The setting by the name that it was given by: flag, variable, or key and place in the file.
    pub(super) fn quoted(&self, setting: &dyn Setting) -> String {
        let spec = setting.spec();
        match self.value(setting).map_or(Origin::Default, |value| value.origin) {
            Origin::File(line) => format!("'{}' ({}:{line})", spec.key(), self.file),
            Origin::Variable => format!("'{}'", spec.variable()),
            Origin::Default | Origin::Flag => format!("'{}'", spec.flag()),
        }
    }

    /// An entry of a table, its name or more of it, by what it was given by.
    fn entry_at(&self, table: &Spec, entry: &str, origin: Origin, quote: &str) -> String {
        match origin {
            Origin::File(line) => {
                format!("{quote}[{}] {entry}{quote} ({}:{line})", table.key(), self.file)
            }
            Origin::Variable => format!("{quote}{entry}{quote} ({})", table.variable()),
            Origin::Default | Origin::Flag => format!("{quote}{} {entry}{quote}", table.flag()),
        }
    }

    /// An entry of a table with its value, as another's problem names it.
    pub(super) fn shown_entry(
        &self,
        table: &Spec,
        Entry { name, text, origin, .. }: &Entry,
    ) -> String {
        let text = if secrets::is_secret(name) { "(not shown)" } else { text };
        self.entry_at(table, &format!("{name}={text}"), *origin, "")
    }

    /// A problem with an entry of a table; a secret is not shown.
    pub(super) fn invalid_entry(&self, table: &Spec, entry: &Entry, what: impl Display) -> String {
        let suffix = if entry.is_path { ".file" } else { "" };
        let quoted = self.entry_at(table, &format!("{}{suffix}", entry.name), entry.origin, "'");
        if secrets::is_secret(&entry.name) && !entry.is_path {
            format!("invalid value for {quoted}: {what}")
        } else {
            invalid_value(&entry.text, &quoted, what)
        }
    }

    /// The file's name.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Splits `name=value` texts. Only names are reported, because a value may be secret.
    fn lay_pairs<'a>(
        &mut self,
        table: &Spec,
        texts: impl Iterator<Item = &'a str>,
        origin: Origin,
        problems: &mut Problems,
    ) {
        let mut pairs = Vec::new();
        // A variable may end in a line break.
        for text in texts.map(|text| text.trim_end_matches(['\r', '\n'])) {
            if text.is_empty() && origin == Origin::Variable {
                continue;
            }
            match parse_pair(text) {
                Ok((name, value)) => pairs.push((name, value, origin)),
                Err(what) => {
                    let name = text.split_inclusive('=').next().unwrap_or(text);
                    let setting = match origin {
                        Origin::Variable => table.variable().to_owned(),
                        _ => table.flag(),
                    };
                    problems.invalid(&setting, name, what);
                }
            }
        }
        self.lay(table, pairs, problems);
    }

    /// Puts one layer's entries above what is there.
    fn lay(&mut self, table: &Spec, pairs: Vec<(String, String, Origin)>, problems: &mut Problems) {
        let mut names = BTreeSet::new();
        for (name, text, origin) in pairs {
            let is_client = table.name == CLIENT.spec().name;
            let of_file = is_client.then(|| secrets::property_of_file(&name)).flatten();
            let is_path = of_file.is_some();
            let name = of_file.map_or(name.clone(), str::to_owned);
            if !names.insert(name.clone()) {
                let entry = self.entry_at(table, &name, origin, "'");
                problems.add(format!("{entry} is given twice; keep one"));
                continue;
            }
            let entries = self.tables.entry(table.name).or_default();
            entries.retain(|entry| entry.name != name);
            entries.push(Entry { name, text, origin, is_path });
        }
    }
}

/// The text of a setting's flag, else of its variable.
fn typed<S: Subset>(
    flags: &Flags<S>,
    variable: &dyn Fn(&str) -> Option<String>,
    spec: &Spec,
) -> Option<(String, Origin)> {
    let of_flag = flags.texts(spec.name).last().map(|text| (text.clone(), Origin::Flag));
    of_flag.or_else(|| variable(spec.variable()).map(|text| (text, Origin::Variable)))
}
