//! A file of settings: TOML to texts, each with its line.
//!
//! Pure, but for reading the file. In: the text of `--config FILE`. Out: the settings it gives, in
//! the order of their lines. Holds: a key that is none, a value of a wrong type and every error of
//! syntax is a problem that names the file, the line and the remedy; what the parser finds behind
//! it is still read.

use std::{fs::File, io::Read, path::Path};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::keys::{CLIENT, FIELD, Kind, SETTINGS, Setting, default_of};
use crate::{config::Problems, event::Field, limits};

/// A value of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileValue {
    /// The setting's id.
    pub(super) id: &'static str,
    /// Its name in a table; empty for a setting that is none.
    pub(super) name: String,
    pub(super) text: String,
    /// From 1.
    pub(super) line: usize,
}

/// The file's text.
///
/// # Errors
/// A remedy that follows the setting's name and value.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let cannot = |error| format!("cannot be read: {error}; name a file that can");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    // Also of a device or a pipe no more is taken.
    file.take(limits::CONFIG_FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > limits::CONFIG_FILE_MAX_BYTES {
        let most = limits::CONFIG_FILE_MAX_BYTES >> 20;
        return Err(format!("is larger than {most} MiB; name a file of settings"));
    }
    String::from_utf8(bytes).map_err(|_| "is no UTF-8 text; save it as UTF-8".to_owned())
}

/// Reads the settings in `text`; `file` is its name in problems.
pub(super) fn parse(file: &str, text: &str, problems: &mut Problems) -> Vec<FileValue> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reading = Reading { text, found: Vec::new(), wrong: Vec::new() };
    for error in &errors {
        let at = error.span().map_or(text.len(), |span| span.start);
        let what = error.message().trim_end().replace('\n', "; ");
        reading.note(at, format!("{what}; write key = value, texts in quotes"));
    }
    for (key, value) in table.get_ref() {
        reading.top_level(key, value);
    }
    // Of a line that could not be read, what the parser went on with is no finding of its own.
    let unreadable: Vec<usize> = reading.wrong.iter().map(|(line, _)| *line).collect();
    reading.found.retain(|value| !value.text.is_empty() || !unreadable.contains(&value.line));
    reading.wrong.sort_by_key(|(line, _)| *line);
    for (line, what) in reading.wrong {
        problems.add_text(format!("{file}:{line}: {what}"));
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

    fn note(&mut self, at: usize, what: String) {
        self.wrong.push((self.line(at), what));
    }

    fn top_level(&mut self, key: &Key<'_>, value: &Spanned<DeValue<'_>>) {
        let at = key.span().start;
        let name = key.get_ref().as_ref();
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key() == name) else {
            let what = unknown(name, value.get_ref());
            return self.note(at, what);
        };
        if setting.kind == Kind::Table {
            return match value.get_ref() {
                DeValue::Table(table) => self.table(*setting, "", table),
                _ => self.note(at, format!("{name} is a table; {}", how(*setting))),
            };
        }
        match scalar(*setting, value.get_ref()) {
            Ok(text) => self.add(setting.id, "", text, at),
            Err(what) => self.note(at, format!("{name} {what}")),
        }
    }

    /// The entries of a table. Property names have dots, so that `ssl.ca.location = "…"` is a table
    /// in a table to TOML; it is taken as the name it looks like.
    fn table(&mut self, setting: Setting, above: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let at = key.span().start;
            let name = format!("{above}{}", key.get_ref());
            match (setting.id, value.get_ref()) {
                (CLIENT, DeValue::Table(below)) => {
                    self.table(setting, &format!("{name}."), below);
                }
                (CLIENT, _) if SETTINGS.iter().any(|setting| setting.key() == name) => self.note(
                    at,
                    format!("{name} is no property of librdkafka; write it above all tables"),
                ),
                (FIELD, _) if Field::ALL.iter().all(|field| field.name() != name) => {
                    let what = unknown_field(&name);
                    self.note(at, what);
                }
                (_, value) => match entry(setting, value) {
                    Some(text) => self.add(setting.id, &name, text, at),
                    None => self.note(at, format!("{name} is no text; write {name} = \"…\"")),
                },
            }
        }
    }

    fn add(&mut self, id: &'static str, name: &str, text: String, at: usize) {
        let line = self.line(at);
        self.found.push(FileValue { id, name: name.to_owned(), text, line });
    }
}

fn unknown(name: &str, value: &DeValue<'_>) -> String {
    let keys: Vec<String> = SETTINGS.iter().map(|setting| setting.key()).collect();
    if name == "config" {
        return "config: a file cannot name another; remove it".to_owned();
    }
    let with_dashes = name.replace('_', "-").to_ascii_lowercase();
    if keys.contains(&with_dashes) {
        return format!("{name} is written {with_dashes} here; rename it");
    }
    if let DeValue::Table(_) = value {
        return format!(
            "there is no table [{name}]; the tables are [client] and [field], and all other keys \
             stand above them"
        );
    }
    match nearest(&with_dashes, keys.iter().map(String::as_str)) {
        Some(meant) => format!("there is no key {name}; did you mean {meant}?"),
        None => format!("there is no key {name}; logintide run --help lists them, without the --"),
    }
}

fn unknown_field(name: &str) -> String {
    let known = Field::ALL.map(Field::name);
    match nearest(name, known.into_iter()) {
        Some(meant) => format!("[field] has no key {name}; did you mean {meant}?"),
        None => format!("[field] has no key {name}; use one of {}", known.join(", ")),
    }
}

/// The text of a value, if its type is the setting's.
fn scalar(setting: Setting, value: &DeValue<'_>) -> Result<String, String> {
    match (setting.kind, value) {
        (Kind::Text, DeValue::String(text)) => Ok(text.clone().into_owned()),
        // An instant needs no quotes in TOML.
        (Kind::Text, DeValue::Datetime(time)) if setting.id == "start_from" => Ok(time.to_string()),
        (Kind::Number, DeValue::Integer(number)) => Ok(number.to_string()),
        (Kind::Switch, DeValue::Boolean(on)) => Ok(on.to_string()),
        (Kind::Text, _) => Err(format!("is no text; {}", how(setting))),
        (Kind::Number, _) => Err(format!("is no whole number; {}", how(setting))),
        (Kind::Switch | Kind::Table, _) => {
            Err(format!("is neither true nor false; {}", how(setting)))
        }
    }
}

/// The text of a table's entry. Of properties, numbers and truth values may go without quotes.
fn entry(setting: Setting, value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) if setting.id == CLIENT => Some(number.to_string()),
        DeValue::Float(number) if setting.id == CLIENT => Some(number.as_str().to_owned()),
        DeValue::Boolean(on) if setting.id == CLIENT => Some(on.to_string()),
        _ => None,
    }
}

/// How the setting is written.
fn how(setting: Setting) -> String {
    let example = match (setting.kind, setting.id) {
        (Kind::Table, FIELD) => "[field] and below it user_id = \"sub\"".to_owned(),
        (Kind::Table, _) => "[client] and below it \"security.protocol\" = \"ssl\"".to_owned(),
        (Kind::Number, _) => format!("{} = 4", setting.key()),
        (Kind::Switch, _) => format!("{} = true", setting.key()),
        (Kind::Text, "brokers") => "brokers = \"localhost:9092\"".to_owned(),
        (Kind::Text, id) => {
            let text = default_of(id).unwrap_or_else(|| "…".to_owned());
            format!("{} = \"{text}\"", setting.key())
        }
    };
    format!("write {example}")
}

#[cfg(test)]
mod tests;
