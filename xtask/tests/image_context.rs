//! What the image is built from: `.dockerignore` lets through all that the release build reads.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project's folder").to_owned()
}

fn text(relative: &str) -> String {
    fs::read_to_string(root().join(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// The files and folders that are let through.
fn let_through() -> Vec<String> {
    let ignore = text(".dockerignore");
    let mut lines = ignore.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    assert_eq!(lines.next(), Some("*"), "everything is left out that is not named");
    let named = |line: &str| {
        line.strip_prefix('!')
            .unwrap_or_else(|| panic!("{line:?} names nothing to take"))
            .to_owned()
    };
    lines.map(named).collect()
}

/// Paths, relative to the project's folder, of which one or a folder above is let through.
fn assert_let_through(needed: &BTreeSet<String>) {
    let named = let_through();
    let is_in = |path: &String| {
        let folder_or_file = |name: &String| Path::new(path).starts_with(name);
        named.iter().any(folder_or_file)
    };
    let missing: Vec<&String> = needed.iter().filter(|path| !is_in(path)).collect();
    assert!(missing.is_empty(), "the build needs these; name them in .dockerignore: {missing:?}");
}

fn relative(path: &str) -> String {
    let path = Path::new(path).strip_prefix(root()).expect("a path in the project");
    path.to_string_lossy().into_owned()
}

fn workspace() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"]);
    let output = command.current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

#[test]
fn every_manifest_and_target_is_in_the_image_build() {
    let workspace = workspace();
    let packages = workspace["packages"].as_array().expect("packages");
    assert!(packages.len() >= 4, "{} packages", packages.len());
    let mut needed = BTreeSet::new();
    for package in packages {
        let manifest = package["manifest_path"].as_str().expect("a manifest");
        needed.insert(relative(manifest));
        // With the build script. Cargo finds tests and examples by itself, but refuses one that the
        // manifest names and whose file is missing.
        let manifest_text = fs::read_to_string(manifest).expect("a manifest");
        let is_needed = |target: &&Value| {
            let found = target["kind"][0] == "example" || target["kind"][0] == "test";
            let name = target["name"].as_str().expect("a name");
            !found || manifest_text.contains(&format!("\nname = \"{name}\"\n"))
        };
        let targets = package["targets"].as_array().expect("targets").iter().filter(is_needed);
        let sources = targets.map(|target| target["src_path"].as_str().expect("a source"));
        needed.extend(sources.map(relative));
        if let Some(readme) = package["readme"].as_str() {
            let folder = Path::new(manifest).parent().expect("a folder");
            needed.insert(relative(&folder.join(readme).to_string_lossy()));
        }
    }
    assert!(needed.contains("build.rs"), "{needed:?}");
    needed.extend(["Cargo.lock", "rust-toolchain.toml"].map(str::to_owned));
    assert_let_through(&needed);
}

#[test]
fn every_script_of_the_image_build_is_in_it() {
    let mut needed = BTreeSet::new();
    let dockerfile = text("Dockerfile");
    let mut waiting: Vec<String> = dockerfile
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .filter(|word| word.starts_with("scripts/"))
        .map(str::to_owned)
        .collect();
    assert!(!waiting.is_empty(), "the Dockerfile runs no script");
    while let Some(script) = waiting.pop() {
        let text = text(&script);
        needed.insert(script);
        let sourced = text.lines().filter_map(|line| line.strip_prefix("# shellcheck source="));
        waiting.extend(sourced.map(str::to_owned));
        for rest in text.split("$root/scripts/").skip(1) {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            let name: String = rest.chars().take_while(|c| is_part(*c)).collect();
            if !needed.contains(&format!("scripts/{name}")) {
                waiting.push(format!("scripts/{name}"));
            }
        }
    }
    assert!(needed.contains("scripts/lib.sh"), "{needed:?}");
    assert_let_through(&needed);
}

#[test]
fn every_file_that_the_programs_include_is_in_the_image_build() {
    let mut needed = BTreeSet::new();
    let mut folders = vec![root().join("src"), root().join("loadgen/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry"))
        {
            let path = entry.path();
            let is_test = path.file_stem().is_some_and(|name| name == "tests");
            if is_test {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|is| is == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                for rest in text.split("include_str!(\"").skip(1) {
                    let name = rest.split('"').next().expect("a name");
                    let file = folder.join(name).canonicalize().expect("an included file");
                    needed.insert(relative(&file.to_string_lossy()));
                }
            }
        }
    }
    assert!(needed.contains("src/http/assets/index.html"), "{needed:?}");
    assert_let_through(&needed);
}

#[test]
fn what_is_let_through_is_there() {
    for name in let_through() {
        assert!(root().join(&name).exists(), ".dockerignore names {name}, which is not there");
    }
}
