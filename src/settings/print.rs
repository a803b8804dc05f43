//! `run --print-config`: the settings that hold, as a file that `--config` reads back.
//!
//! In: checked settings with their origins. Out: TOML, each value with where it came from. Holds:
//! a secret is not shown; its line is a comment, so that reading the file back does not set it.

use std::io::{self, Write};

use toml::Value as Toml;

use super::{
    Loaded,
    keys::{CLIENT, Kind, SETTINGS, Setting},
    layers::{Entry, Layers, Origin},
};
use crate::{config::secrets, plain};

/// Writes the settings to `out`.
pub fn print(out: &mut impl Write, loaded: &Loaded) -> io::Result<()> {
    writeln!(out, "# What logintide run would do, as a file for --config.")?;
    for setting in SETTINGS.iter().filter(|setting| setting.kind != Kind::Table) {
        let key = setting.key();
        match value(*setting, loaded) {
            Some((text, origin)) => {
                let value = toml_of(setting.kind, &text);
                let source = source(&loaded.layers, setting, origin);
                if secrets::is_secret(setting.id) {
                    writeln!(out, "# {key} is secret and not shown  # {source}")?;
                } else {
                    writeln!(out, "{key} = {value}  # {source}")?;
                }
            }
            None => writeln!(out, "# {key} is {}", without(setting.id))?,
        }
    }
    for setting in SETTINGS.iter().filter(|setting| setting.kind == Kind::Table) {
        let entries = loaded.layers.table(setting.id);
        if entries.is_empty() {
            continue;
        }
        writeln!(out, "\n[{}]", setting.key())?;
        for entry in entries {
            write_entry(out, &loaded.layers, setting, entry)?;
        }
    }
    Ok(())
}

fn write_entry(
    out: &mut impl Write,
    layers: &Layers,
    setting: &Setting,
    entry: &Entry,
) -> io::Result<()> {
    let source = source(layers, setting, entry.origin);
    let suffix = if entry.is_path { ".file" } else { "" };
    let name = match setting.id {
        // Names of properties have dots.
        CLIENT => Toml::String(format!("{}{suffix}", entry.name)).to_string(),
        _ => entry.name.clone(),
    };
    if setting.id == CLIENT && !entry.is_path && secrets::is_secret(&entry.name) {
        return writeln!(out, "# {name} is secret and not shown  # {source}");
    }
    let value = Toml::String(entry.text.clone());
    writeln!(out, "{name} = {value}  # {source}")
}

/// The text of a setting, also of one whose default is worked out.
fn value(setting: Setting, loaded: &Loaded) -> Option<(String, Origin)> {
    if let Some(value) = loaded.layers.value(setting.id) {
        return Some((value.text.clone(), value.origin));
    }
    let worked_out = match setting.id {
        "workers" => loaded.config.workers.to_string(),
        "state_dir" => loaded.config.state_dir.to_str()?.to_owned(),
        _ => return None,
    };
    Some((worked_out, Origin::Default))
}

fn toml_of(kind: Kind, text: &str) -> Toml {
    match kind {
        Kind::Number => text.parse().map(Toml::Integer).ok(),
        Kind::Switch => super::values::parse_switch(text).map(Toml::Boolean).ok(),
        Kind::Text | Kind::Table => None,
    }
    .unwrap_or_else(|| Toml::String(text.to_owned()))
}

fn source(layers: &Layers, setting: &Setting, origin: Origin) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        // A comment takes no control characters.
        Origin::File(line) => format!("file {}:{line}", plain::one_line(layers.file())),
        Origin::Variable => format!("variable {}", setting.variable()),
        Origin::Flag => format!("flag {}", setting.flag()),
    }
}

/// What holds without a value.
fn without(id: &str) -> &'static str {
    match id {
        "instance_id" => "generated once into the state folder",
        "partitions" => "that of the input, or 8",
        "replication" => "the broker's default",
        _ => "not set",
    }
}
