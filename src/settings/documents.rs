//! logintide.example.toml and the settings in docs/CONFIGURATION.md, made from the table.
//!
//! Both are checked here. `WRITE_DOCUMENTS=1 cargo test --lib documents` writes them.

use std::{fs, path::Path};

use super::{
    alerts::text_of,
    row::{Fallback, OfUsers, Setting as _, Spec, TomlForm},
    table::{ALERTS, FIELD, SECTIONS},
};
use crate::{
    config::alternatives,
    event::Field,
    users::{Rule, RuleSettings, RuleValue},
};

const COLUMNS: usize = 100;

const EXAMPLE_HEAD: &str = "\
# Every setting of `logintide run` with its default, and those of `logintide users` under Users. Use
# it by --config logintide.toml or LOGINTIDE_CONFIG; a LOGINTIDE_... variable beats the file, and a
# flag beats both.
# Durations and sizes need a unit: 500ms, 10s, 1h30m, 256MiB.
# `logintide run --config FILE --print-config` shows what holds, and where each value comes from.
";

const EXAMPLE_CLIENT: &str = "\
# \"security.protocol\" = \"sasl_ssl\"
# \"sasl.mechanisms\" = \"SCRAM-SHA-512\"
# \"sasl.username\" = \"logintide\"
# A secret is read from a file by its name and .file, and is then nowhere else:
# \"sasl.password.file\" = \"/run/secrets/kafka-password\"
";

const BEGIN: &str = "<!-- Made from src/settings/table.rs; its test of documents says how -->\n";
const END: &str = "<!-- The end of the settings -->\n";

/// Sections with the settings that a file may hold.
fn sections() -> impl Iterator<Item = (&'static str, Vec<&'static Spec>)> {
    SECTIONS.iter().map(|(heading, rows)| {
        let spec = rows.iter().map(|row| row.spec()).filter(|spec| spec.is_in_file);
        (*heading, spec.collect())
    })
}

fn words(spec: &Spec) -> Vec<String> {
    (spec.choices)().iter().map(|value| value.get_name().to_owned()).collect()
}

/// `text` in lines of at most `COLUMNS`, the first after `first`, all others after `other`.
fn wrapped(first: &str, other: &str, text: &str) -> String {
    let mut lines = vec![first.trim_end().to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("it begins with one");
        if line.chars().count() + 1 + word.chars().count() <= COLUMNS {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(format!("{other}{word}"));
        }
    }
    lines.join("\n") + "\n"
}

fn example() -> String {
    let sections = sections().map(|(heading, settings)| {
        let line = "-".repeat(COLUMNS - 8 - heading.len());
        let settings: Vec<String> = settings.into_iter().map(example_of).collect();
        format!("\n# ---- {heading} {line}\n\n{}", settings.join("\n"))
    });
    EXAMPLE_HEAD.to_owned() + &sections.collect::<String>()
}

fn example_of(spec: &Spec) -> String {
    let key = spec.key();
    let mut sentence = format!("{}.", spec.help);
    let words = words(spec);
    if !words.is_empty() {
        sentence = format!("{sentence} One of: {}.", words.join(", "));
    }
    let mark = match spec.default {
        Fallback::Otherwise(holds) if !spec.is_table() => {
            sentence = format!("{sentence} Default: {holds}.");
            "# "
        }
        Fallback::After { setting, suffix } => {
            sentence = format!("{sentence} Default: <{setting}>{suffix}.");
            "# "
        }
        Fallback::Required => {
            sentence += " Required.";
            "# "
        }
        Fallback::Text(_) | Fallback::Otherwise(_) => "",
    };
    let comment = wrapped("#", "# ", &sentence);
    let sample = spec.sample();
    comment
        + &match spec.form {
            TomlForm::Text => format!("{mark}{key} = \"{sample}\"\n"),
            TomlForm::Number | TomlForm::Switch => format!("{mark}{key} = {sample}\n"),
            TomlForm::Entries(_) if spec.name == FIELD.spec().name => {
                let line = |field: Field| format!("{0} = \"{0}\"\n", field.name());
                format!("[{key}]\n{}", Field::ALL.map(line).concat())
            }
            TomlForm::Entries(_) if spec.name == ALERTS.spec().name => example_of_rules(),
            TomlForm::Entries(_) => format!("[{key}]\n{EXAMPLE_CLIENT}"),
        }
}

fn example_of_rules() -> String {
    let rules = Rule::ALL.map(|rule| {
        let mut defaults = RuleSettings::default();
        let line = |(name, value): (&str, RuleValue<'_>)| match value {
            RuleValue::Seconds(_) => format!("{name} = \"{}\"\n", text_of(&value)),
            _ => format!("{name} = {}\n", text_of(&value)),
        };
        let lines = defaults.values(rule).into_iter().map(line);
        format!("[alerts.{}]\n{}", rule.name(), lines.collect::<String>())
    });
    rules.join("\n")
}

/// The part of the reference between `BEGIN` and `END`.
fn reference() -> String {
    let all = sections().flat_map(|(_, settings)| settings);
    let of_run = all.filter(|spec| spec.of_users == OfUsers::No);
    let of_run: Vec<_> = of_run.map(|spec| format!("`{}`", spec.key())).collect();
    let commands = format!(
        "Settings under Users are of `logintide users` alone, which has all others too, without {}.",
        of_run.join(", ")
    );
    let sections = sections().map(|(heading, settings)| {
        let settings: String = settings.into_iter().map(reference_of).collect();
        format!("\n### {heading}\n\n{settings}")
    });
    format!("\n{}{}\n", wrapped("", "", &commands), sections.collect::<String>())
}

fn reference_of(spec: &Spec) -> String {
    let key = spec.key();
    let name = match spec.default {
        _ if spec.is_table() => format!("* `[{key}]`, `{} {}`:", spec.flag(), spec.value_name),
        Fallback::Text(default) => match spec.of_users {
            OfUsers::Default(of_users) => {
                format!("* `{key}` (`{default}`, of `users` `{of_users}`):")
            }
            _ => format!("* `{key}` (`{default}`):"),
        },
        Fallback::Otherwise(holds) => format!("* `{key}` (default: {holds}):"),
        Fallback::After { setting, suffix } => {
            format!("* `{key}` (default: `<{setting}>{suffix}`):")
        }
        Fallback::Required => format!("* `{key}` (required):"),
    };
    let mut sentences = format!("{name} {}.", spec.help);
    let words: Vec<String> = words(spec).iter().map(|word| format!("`{word}`")).collect();
    if !words.is_empty() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        sentences = format!("{sentences} It is {}.", alternatives(&words));
    }
    if !spec.more.is_empty() {
        sentences = format!("{sentences} {}", spec.more);
    }
    wrapped("", "  ", &sentences)
}

/// The reference with the part that is made from the table replaced.
fn renewed(document: &str) -> String {
    let (before, rest) = document.split_once(BEGIN).expect("the settings' begin is marked");
    let (_, after) = rest.split_once(END).expect("the settings' end is marked");
    [before, BEGIN, &reference(), END, after].concat()
}

#[test]
fn the_documents_are_those_of_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (example_path, reference_path) =
        (root.join("logintide.example.toml"), root.join("docs/CONFIGURATION.md"));
    let read = |path: &Path| fs::read_to_string(path).expect("a document");
    for (path, text) in
        [(&reference_path, renewed(&read(&reference_path))), (&example_path, example())]
    {
        if std::env::var_os("WRITE_DOCUMENTS").is_some() {
            fs::write(path, text).expect("writable");
        } else {
            let path_shown = path.display();
            assert!(
                read(path) == text,
                "{path_shown} is not what the table of settings says; run: WRITE_DOCUMENTS=1 \
                 cargo test --lib documents"
            );
        }
    }
}

#[test]
fn lines_are_wrapped_between_words() {
    let word = "x".repeat(40);
    let text = wrapped("#", "# ", &[word.as_str(); 3].join(" "));
    assert_eq!(text, format!("# {word} {word}\n# {word}\n"));
}
