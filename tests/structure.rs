//! The house's rules about who may import whom, checked on the source text.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Layers from the top down; a module may use those of its own layer only where `PEERS` says so,
/// and those of lower layers freely.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["check", "demo", "redrive", "state_command"],
    &["pipeline"],
    &["source", "worker", "sink", "http"],
    &["epoch", "control", "output", "settings"],
    &["batch", "config", "error", "status", "topics"],
    &["kafka", "state", "metrics"],
    &["window", "event"],
    &[
        "budget",
        "failpoint",
        "headers",
        "ids",
        "latency",
        "limits",
        "clock",
        "plain",
        "short",
        "signals",
    ],
];

/// Modules of one layer that may use each other.
const PEERS: &[(&str, &str)] =
    &[("epoch", "control"), ("budget", "limits"), ("event", "window"), ("batch", "error")];

/// The house's rule.
const LONGEST_FILE_LINES: usize = 400;

fn sources(dir: &str) -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
        let mut entries: Vec<_> = fs::read_dir(dir)
            .expect("a folder of sources")
            .map(|e| e.expect("entry").path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8 source");
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut found);
    assert!(!found.is_empty(), "{dir} has sources");
    found
}

/// The first path component below `src`, without `.rs`.
fn module_of(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inside = path.strip_prefix(root).expect("below src");
    let first = inside.components().next().expect("a component").as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Modules named after `crate::`, in plain and in grouped imports.
fn used_modules(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => used.push(std::mem::take(&mut name)),
                    c if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            used.push(name);
        } else {
            used.push(rest.to_owned());
        }
    }
    let first_word = |path: String| -> String {
        path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    used.into_iter().map(first_word).filter(|name| !name.is_empty()).collect()
}

#[test]
fn grouped_imports_are_read() {
    let text = "use crate::{\n    batch::{Pool, Span},\n    ids::Epoch,\n};\nuse crate::kafka::X;";
    assert_eq!(used_modules(text), ["batch", "ids", "kafka"]);
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let module = module_of(&path);
        let Some(layer) = layer_of(&module) else {
            assert!(["lib", "main"].contains(&module.as_str()), "{module} has no layer");
            continue;
        };
        for used in used_modules(&text) {
            let Some(used_layer) = layer_of(&used) else { continue };
            let peer = PEERS.contains(&(module.as_str(), used.as_str()));
            if used != module && (used_layer < layer || (used_layer == layer && !peer)) {
                wrong.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports must point down:\n{}", wrong.join("\n"));
}

#[test]
fn each_foreign_library_has_one_home() {
    let homes = [
        ("rdkafka", "kafka"),
        ("sled", "state"),
        ("axum", "http"),
        ("simd_json", "event"),
        ("loadgen", "demo"),
        ("console", "demo"),
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        for (library, home) in homes {
            let used = text.contains(&format!("{library}::"));
            if used && module_of(&path) != home {
                wrong.push(format!("{} uses {library}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_stays_in_the_kafka_wrapper() {
    for (path, text) in sources("src").into_iter().chain(sources("loadgen/src")) {
        let wrapper = path.starts_with(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kafka"));
        let used = text.contains("unsafe {") || text.contains("unsafe fn");
        assert!(!used || wrapper, "{}", path.display());
    }
}

#[test]
fn loadgen_judges_independently() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("loadgen/Cargo.toml");
    let text = fs::read_to_string(manifest).expect("a manifest");
    assert!(!text.contains("logintide"), "loadgen must not depend on what it judges");
}

#[test]
fn files_stay_readable() {
    let folders = ["src", "loadgen/src", "tests"];
    let long: Vec<String> = folders
        .iter()
        .flat_map(|folder| sources(folder))
        .filter(|(_, text)| text.lines().count() > LONGEST_FILE_LINES)
        .map(|(path, text)| format!("{} has {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST_FILE_LINES} lines:\n{}", long.join("\n"));
}
