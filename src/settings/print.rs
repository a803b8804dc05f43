//! `run --print-config`: the settings that hold, as a file that `--config` reads back.
//!
//! In: checked settings with their origins. Out: TOML, each value with where it came from. Holds:
//! a secret is not shown; its line is a comment, so that reading the file back does not set it.

use std::io::{self, Write};

use toml::Value as Toml;

use super::{
    Loaded,
    layers::{Entry, Layers, Origin, SettingText},
    row::{Fallback, Setting, Spec, TomlForm},
    table::{CLIENT, INSTANCE_ID, STATE_DIR, WORKERS},
};
use crate::{
    config::{parse_switch, secrets},
    plain,
};

/// Writes the settings to `out`.
pub(crate) fn print(out: &mut impl Write, loaded: &Loaded) -> io::Result<()> {
    let command = if loaded.config.users.is_some() { "users" } else { "run" };
    writeln!(out, "# What logintide {command} would do, as a file for --config.")?;
    let (tables, settings): (Vec<_>, Vec<_>) = loaded
        .settings
        .iter()
        .copied()
        .filter(|setting| setting.spec().is_in_file)
        .partition(|setting| setting.spec().is_table());
    for setting in settings {
        let spec = setting.spec();
        let key = spec.key();
        let Some(SettingText { text, origin }) = value(setting, loaded) else {
            let Fallback::Otherwise(holds) = spec.default else { continue };
            writeln!(out, "# {key} is not set; what holds: {holds}")?;
            continue;
        };
        let source = source(&loaded.layers, spec, origin);
        if spec.is_secret {
            writeln!(out, "# {key} is secret and not shown  # {source}")?;
        } else {
            writeln!(out, "{key} = {}  # {source}", toml_of(spec.form, &text))?;
        }
    }
    for setting in tables {
        let entries = loaded.layers.table(setting);
        if entries.is_empty() {
            continue;
        }
        writeln!(out, "\n[{}]", setting.spec().key())?;
        for entry in entries {
            write_entry(out, &loaded.layers, setting.spec(), entry)?;
        }
    }
    Ok(())
}

fn write_entry(
    out: &mut impl Write,
    layers: &Layers,
    table: &Spec,
    entry: &Entry,
) -> io::Result<()> {
    let source = source(layers, table, entry.origin);
    let suffix = if entry.is_path { ".file" } else { "" };
    let is_client = table.name == CLIENT.spec().name;
    // Names of properties have dots.
    let name = if is_client {
        Toml::String(format!("{}{suffix}", entry.name)).to_string()
    } else {
        entry.name.clone()
    };
    if is_client && !entry.is_path && secrets::is_secret(&entry.name) {
        return writeln!(out, "# {name} is secret and not shown  # {source}");
    }
    let value = Toml::String(entry.text.clone());
    writeln!(out, "{name} = {value}  # {source}")
}

/// The text of a setting, also of one whose default is worked out.
fn value(setting: &dyn Setting, loaded: &Loaded) -> Option<SettingText> {
    if let Some(value) = loaded.layers.value(setting) {
        return Some(value.clone());
    }
    let name = setting.spec().name;
    let text = if name == WORKERS.spec().name {
        loaded.config.workers.to_string()
    } else if name == INSTANCE_ID.spec().name {
        loaded.config.instance_id.to_string()
    } else if name == STATE_DIR.spec().name {
        loaded.config.state_dir.to_str()?.to_owned()
    } else {
        return None;
    };
    Some(SettingText { text, origin: Origin::Default })
}

fn toml_of(form: TomlForm, text: &str) -> Toml {
    match form {
        TomlForm::Number => text.parse().map(Toml::Integer).ok(),
        TomlForm::Switch => parse_switch(text).map(Toml::Boolean).ok(),
        TomlForm::Text | TomlForm::Entries(_) => None,
    }
    .unwrap_or_else(|| Toml::String(text.to_owned()))
}

fn source(layers: &Layers, spec: &Spec, origin: Origin) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        // A comment takes no control characters.
        Origin::File(line) => format!("file {}:{line}", plain::one_line(layers.file())),
        Origin::Variable => format!("variable {}", spec.variable()),
        Origin::Flag => format!("flag {}", spec.flag()),
    }
}
