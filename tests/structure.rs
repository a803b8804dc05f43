//! The house's rules: who may import whom, and how large files and lines may be.

#[path = "structure/names.rs"]
mod names;
#[path = "structure/planted.rs"]
mod planted;
#[path = "structure/rules.rs"]
mod rules;
#[path = "structure/size.rs"]
mod size;

use std::{fs, path::Path};

use names::Source;
use rules::{foreign_libraries, layers, libraries, roots, unsafe_code, wings};

/// Layers from the top down; a module may use those of its own layer only where `PEERS` says so,
/// and those of lower layers freely.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["check", "demo", "redrive", "state_command"],
    &["pipeline"],
    &["source", "worker", "sink", "http"],
    &["replica"],
    &["epoch", "control", "output", "settings"],
    &["batch", "client", "config", "error", "status"],
    &["kafka", "state", "metrics"],
    &["users"],
    &["rows"],
    &["journal"],
    &["topics", "window", "event"],
    &["budget", "failpoint", "headers", "ids", "latency", "limits", "clock", "plain", "signals"],
];

/// Modules of one layer that may use each other.
const PEERS: &[(&str, &str)] = &[
    ("epoch", "control"),
    ("budget", "limits"),
    ("ids", "limits"),
    ("event", "window"),
    ("batch", "error"),
];

/// The wings of the Kafka client, each with those below it.
const WINGS: &[(&str, &[&str])] = &[
    ("native", &[]),
    ("consumer", &["native"]),
    ("producer", &["native"]),
    ("admin", &["native"]),
];

/// The one module that uses a library.
const HOMES: &[(&str, &str)] = &[
    ("rdkafka", "kafka"),
    ("sled", "state"),
    ("axum", "http"),
    ("simd_json", "event"),
    ("maxminddb", "users"),
    ("loadgen", "demo"),
    ("console", "demo"),
];

/// The Rust sources below a folder of the package.
fn sources(dir: &str) -> Vec<Source> {
    files(dir, "rs")
}

/// The files below a folder of the package that have this extension.
fn files(dir: &str, extension: &str) -> Vec<Source> {
    fn walk(package: &Path, dir: &Path, extension: &str, found: &mut Vec<Source>) {
        let mut entries: Vec<_> = fs::read_dir(dir)
            .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
            .map(|entry| entry.expect("entry").path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(package, &path, extension, found);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = fs::read_to_string(&path).expect("UTF-8");
                let path = path.strip_prefix(package).expect("below the package").to_owned();
                found.push(Source { path, text });
            }
        }
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(package, &package.join(dir), extension, &mut found);
    assert!(!found.is_empty(), "{dir} has files *.{extension}");
    found
}

/// What people read: Markdown in the package's folder and below.
fn documents() -> Vec<Source> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| Source {
        path: Path::new(name).to_owned(),
        text: fs::read_to_string(package.join(name)).expect("UTF-8"),
    };
    let mut found = vec![read("README.md"), read("CHANGELOG.md")];
    found.extend(["docs", "deploy", "benches"].iter().flat_map(|dir| files(dir, "md")));
    found
}

fn none(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}:\n{}", faults.join("\n"));
}

#[test]
fn imports_point_down() {
    none(&layers(&sources("src")), "imports must point down");
}

#[test]
fn imports_of_the_kafka_client_s_wings_point_down() {
    none(&wings(&sources("src/kafka")), "a wing must use itself and those below only");
}

#[test]
fn items_are_used_from_where_they_are() {
    let sources = sources("src");
    none(&roots(&sources), "the crate's root must hold modules only");
    none(&libraries(&sources), "modules must export their own items only");
}

#[test]
fn each_foreign_library_has_one_home() {
    none(&foreign_libraries(&sources("src")), "a library must be used in its home");
}

#[test]
fn unsafe_stays_in_the_kafka_wrapper() {
    let sources: Vec<_> =
        ["src", "loadgen/src", "testkit/src", "xtask/src"].into_iter().flat_map(sources).collect();
    none(&unsafe_code(&sources), "unsafe code must stay in src/kafka");
}

#[test]
fn loadgen_judges_independently() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("loadgen/Cargo.toml");
    let text = fs::read_to_string(manifest).expect("a manifest");
    assert!(!text.contains("logintide"), "loadgen must not depend on what it judges");
}
