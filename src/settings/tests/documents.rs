//! The example file and the reference have every setting, with its default.

use super::*;

/// The example with the lines that are commented out, because their default is worked out.
fn example_uncommented() -> String {
    let is_setting = |line: &str| {
        let key = line.strip_prefix("# ").and_then(|rest| rest.split_once(" = "));
        key.is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
    };
    let lines = EXAMPLE.lines().map(|line| if is_setting(line) { &line[2..] } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_file_has_every_key_and_the_defaults() {
    let mut problems = Problems::new();
    let active = file::parse("example", EXAMPLE, &mut problems);
    let all = file::parse("example", &example_uncommented(), &mut problems);
    assert_eq!(problems.into_error(), None);
    let in_order: Vec<_> = all.iter().filter(|v| v.name.is_empty()).map(|v| v.id).collect();
    let settings = SETTINGS.iter().filter(|setting| setting.kind != Kind::Table);
    assert_eq!(in_order, settings.map(|setting| setting.id).collect::<Vec<_>>());
    for setting in SETTINGS.iter().filter(|setting| setting.kind != Kind::Table) {
        let of_file = active.iter().find(|value| value.id == setting.id);
        // What is commented out has no default; all others have exactly theirs.
        let text = of_file.map(|value| value.text.clone());
        assert_eq!(text, keys::default_of(setting.id), "{}", setting.id);
    }
    let fields: Vec<_> = active.iter().filter(|value| value.id == keys::FIELD).collect();
    assert_eq!(fields.len(), Field::ALL.len());
    assert!(fields.iter().all(|field| field.name == field.text));
    for table in ["[field]", "[client]"] {
        assert!(EXAMPLE.lines().any(|line| line == table), "{table}");
    }
}

#[test]
fn the_example_file_changes_nothing_and_is_right_as_a_whole() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("logintide.toml");
    let path_text = path.to_str().expect("UTF-8");
    std::fs::write(&path, EXAMPLE).expect("writable");
    let with_file = configured(&["--config", path_text]).expect("right");
    let without = configured(&[]).expect("right");
    assert_eq!(format!("{with_file:?}"), format!("{without:?}"));
    std::fs::write(&path, example_uncommented()).expect("writable");
    let config = checked(&["logintide", "run", "--config", path_text], &[]).expect("right");
    assert_eq!((config.workers, config.brokers.as_str()), (4, "localhost:9092"));
    assert_eq!((config.new_topic_partitions, config.new_topic_replication), (Some(8), Some(3)));
}

#[test]
fn the_reference_has_every_key_with_its_default() {
    let reference = include_str!("../../../docs/CONFIGURATION.md");
    for setting in SETTINGS {
        let key = setting.key();
        let default = keys::default_of(setting.id).map(|default| format!("`{default}`"));
        let start = match (setting.kind, default) {
            (Kind::Table, _) => format!("[{key}]"),
            (_, Some(default)) => format!("| `{key}` | {default} |"),
            (_, None) => format!("| `{key}` | "),
        };
        assert!(reference.lines().any(|line| line.starts_with(&start)), "{start}");
    }
}
