//! A file of settings: TOML to texts, each with its line.
//!
//! Pure, but for reading the file. In: the text of `--config FILE`. Out: the settings it gives, in
//! the order of their lines. Holds: an unknown key, a value of a wrong type and every error of
//! syntax is a problem that names the file, the line and the remedy; what the parser finds behind
//! it is still read.

use std::{fs::File, io::Read, path::Path};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{
    row::{Setting, Spec, TomlForm},
    table::{self, ALERTS, CLIENT, CONFIG, FIELD, START_FROM},
};
use crate::{
    config::{Problems, alternatives},
    event::Field,
    limits,
};

/// A value of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileValue {
    /// The setting's name.
    pub(super) setting: &'static str,
    /// Its name in a table; empty for a setting that is no table.
    pub(super) name: String,
    pub(super) text: String,
    /// From 1.
    pub(super) line: usize,
}

/// The file's text.
///
/// # Errors
/// What was expected; it follows the setting's name and value.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let cannot = |error| format!("expected a readable file: {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    // No more is taken of a device or a pipe either.
    file.take(limits::CONFIG_FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > limits::CONFIG_FILE_MAX_BYTES {
        return Err(format!("expected at most {} MiB", limits::CONFIG_FILE_MAX_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "expected UTF-8 text; save it as UTF-8".to_owned())
}

/// Reads the settings in `text`; `file` is its name in problems.
pub(super) fn parse(file: &str, text: &str, problems: &mut Problems) -> Vec<FileValue> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reading = Reading { file, text, found: Vec::new(), wrong: Vec::new() };
    for error in &errors {
        let at = error.span().map_or(text.len(), |span| span.start);
        let what = error.message().trim_end().replace('\n', "; ");
        let place = reading.place(at);
        reading
            .note(at, format!("invalid TOML {place}: {what}; write key = value, texts in quotes"));
    }
    for (key, value) in table.get_ref() {
        reading.top_level(key, value);
    }
    // What the parser made up for a line that it could not read is no finding of its own.
    let unreadable: Vec<usize> = reading.wrong.iter().map(|(line, _)| *line).collect();
    reading.found.retain(|value| !value.text.is_empty() || !unreadable.contains(&value.line));
    reading.wrong.sort_by_key(|(line, _)| *line);
    for (_, what) in reading.wrong {
        problems.add(what);
    }
    reading.found.sort_by_key(|value| value.line);
    reading.found
}

/// The name of `known` that `name` was probably meant to be.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &&str| strsim::jaro_winkler(name, known);
    let best = known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    // Below, the names have no more in common than any two words of this program.
    (likeness(&best) >= 0.8).then_some(best)
}

type Key<'a> = Spanned<DeString<'a>>;

struct Reading<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<FileValue>,
    /// Lines and what is wrong there.
    wrong: Vec<(usize, String)>,
}

impl Reading<'_> {
    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    fn place(&self, at: usize) -> String {
        format!("({}:{})", self.file, self.line(at))
    }

    fn note(&mut self, at: usize, what: String) {
        self.wrong.push((self.line(at), what));
    }

    /// A value of a wrong type; it is not shown, because it may be secret.
    fn note_type(&mut self, key: &str, at: usize, expected: &str) {
        let what = format!("invalid value for '{key}' {}: expected {expected}", self.place(at));
        self.note(at, what);
    }

    fn top_level(&mut self, key: &Key<'_>, value: &Spanned<DeValue<'_>>) {
        let at = key.span().start;
        let name = key.get_ref().as_ref();
        let mut keys = table::all().map(Setting::spec).filter(|spec| spec.is_in_file);
        let Some(spec) = keys.find(|spec| spec.key() == name) else {
            let remedy = remedy_of_unknown(name, value.get_ref());
            return self.note(at, format!("unexpected key '{name}' {}; {remedy}", self.place(at)));
        };
        match (spec.form, value.get_ref()) {
            (TomlForm::Entries(_), DeValue::Table(table)) => self.table(spec, "", table),
            (_, value) => match scalar(spec, value) {
                Ok(text) => self.add(spec.name, "", text, at),
                Err(expected) => self.note_type(name, at, &expected),
            },
        }
    }

    /// The entries of a table. Property names have dots, so that `ssl.ca.location = "…"` is a table
    /// in a table to TOML; it is taken as the name it looks like.
    fn table(&mut self, spec: &Spec, above: &str, table: &DeTable<'_>) {
        let is_client = spec.name == CLIENT.spec().name;
        let is_alerts = spec.name == ALERTS.spec().name;
        for (key, value) in table {
            let at = key.span().start;
            let name = format!("{above}{}", key.get_ref());
            let place = self.place(at);
            if let (true, DeValue::Table(below)) = (is_client || is_alerts, value.get_ref()) {
                self.table(spec, &format!("{name}."), below);
            } else if is_client && table::all().any(|row| row.spec().key() == name) {
                let remedy = "it is not a property of librdkafka; write it above all tables";
                self.note(at, format!("unexpected key '{name}' in [client] {place}; {remedy}"));
            } else if !is_client
                && !is_alerts
                && Field::ALL.iter().all(|field| field.name() != name)
            {
                let remedy = remedy_of_unknown_field(&name);
                self.note(at, format!("unexpected key '{name}' in [field] {place}; {remedy}"));
            } else if let Some(text) = entry(is_client || is_alerts, value.get_ref()) {
                self.add(spec.name, &name, text, at);
            } else {
                self.note_type(&name, at, &format!("a text; write {name} = \"…\""));
            }
        }
    }

    fn add(&mut self, setting: &'static str, name: &str, text: String, at: usize) {
        let line = self.line(at);
        self.found.push(FileValue { setting, name: name.to_owned(), text, line });
    }
}

fn remedy_of_unknown(name: &str, value: &DeValue<'_>) -> String {
    let keys = || table::all().map(Setting::spec).filter(|f| f.is_in_file).map(Spec::key);
    if name == CONFIG.spec().name {
        return "a file cannot name another; remove it".to_owned();
    }
    let with_dashes = name.replace('_', "-").to_ascii_lowercase();
    if keys().any(|key| key == with_dashes) {
        return format!("rename it to '{with_dashes}'");
    }
    if let DeValue::Table(_) = value {
        return "the tables are [client], [field] and [alerts.RULE], and all other keys stand above \
                them"
            .to_owned();
    }
    nearest(&with_dashes, keys()).map_or_else(
        || "logintide run --help lists the keys, with -- before them".to_owned(),
        |meant| format!("did you mean '{meant}'?"),
    )
}

fn remedy_of_unknown_field(name: &str) -> String {
    let known = Field::ALL.map(Field::name);
    nearest(name, known.into_iter()).map_or_else(
        || format!("use {}", alternatives(&known)),
        |meant| format!("did you mean '{meant}'?"),
    )
}

/// The text of a value, if its type is the setting's; else what was expected.
fn scalar(spec: &Spec, value: &DeValue<'_>) -> Result<String, String> {
    let expected = match (spec.form, value) {
        (TomlForm::Text, DeValue::String(text)) => return Ok(text.clone().into_owned()),
        // An instant needs no quotes in TOML.
        (TomlForm::Text, DeValue::Datetime(time)) if spec.name == START_FROM.spec().name => {
            return Ok(time.to_string());
        }
        (TomlForm::Number, DeValue::Integer(number)) => return Ok(number.to_string()),
        (TomlForm::Switch, DeValue::Boolean(on)) => return Ok(on.to_string()),
        (TomlForm::Text, _) => "a text",
        (TomlForm::Number, _) => "a whole number",
        (TomlForm::Switch, _) => "true or false",
        (TomlForm::Entries(_), _) => "a table",
    };
    let (key, sample) = (spec.key(), spec.sample());
    Err(match spec.form {
        TomlForm::Entries(_) if spec.name == FIELD.spec().name => {
            format!("{expected}; write [{key}] and below it user_id = \"sub\"")
        }
        TomlForm::Entries(_) => {
            format!("{expected}; write [{key}] and below it \"security.protocol\" = \"ssl\"")
        }
        TomlForm::Text => format!("{expected}; write {key} = \"{sample}\""),
        TomlForm::Number | TomlForm::Switch => format!("{expected}; write {key} = {sample}"),
    })
}

/// The text of a table's entry. Of properties and rules, numbers and truth values may go without
/// quotes.
fn entry(is_free: bool, value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) if is_free => Some(number.to_string()),
        DeValue::Float(number) if is_free => Some(number.as_str().to_owned()),
        DeValue::Boolean(on) if is_free => Some(on.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
