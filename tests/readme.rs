//! Every flag that the README and the docs name exists: in the program, in loadgen or in a script.
//! `cargo xtask check-readme` runs the README's commands.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const COMMANDS: &[&[&str]] = &[
    &[],
    &["run"],
    &["demo"],
    &["check-config"],
    &["redrive"],
    &["state", "show"],
    &["state", "reset"],
    &["completions"],
    &["man"],
];

/// Flags of other programs: cargo, docker, perf.
const FOREIGN: &[&str] = &[
    "--release",
    "--workspace",
    "--build",
    "--call-graph",
    "--sort",
    "--measurement-time",
    "--warm-up-time",
];

fn root(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Everything that looks like a long flag.
fn flags(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let at_start = |at: usize| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace() || "`([|\"'".contains(c))
    };
    let starts = text.match_indices("--").map(|(at, _)| at).filter(|at| at_start(*at));
    let found = starts.map(|at| text[at..].chars().take_while(|c| is_part(*c)).collect::<String>());
    found.filter(|flag| flag.len() > 3 && !flag.starts_with("---")).collect()
}

fn files(folder: &str, is_wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(root(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = paths.filter(|p| p.is_file() && is_wanted(p)).collect();
    found.sort();
    assert!(!found.is_empty(), "{folder} has files");
    found
}

fn rust_sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("entry").path()) {
        if path.is_dir() {
            found.extend(rust_sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(text(&path));
        }
    }
    found
}

/// Flags of the program's own help, of loadgen's arguments, of xtask's and of the scripts.
fn known() -> BTreeSet<String> {
    let mut known: BTreeSet<String> = FOREIGN.iter().map(|flag| (*flag).to_owned()).collect();
    for command in COMMANDS {
        let mut program = Command::new(env!("CARGO_BIN_EXE_logintide"));
        let output = program.args(*command).arg("--help").output().expect("logintide runs");
        assert!(output.status.success(), "{command:?}");
        known.extend(flags(&String::from_utf8_lossy(&output.stdout)));
    }
    // An argument of loadgen is a field of its structs.
    for path in ["args.rs", "latency.rs", "rate.rs", "generate/plan.rs"] {
        let source = text(&root("loadgen/src").join(path));
        let fields = source.lines().filter_map(|line| line.trim().strip_prefix("pub(crate) "));
        let names = fields.filter_map(|field| field.split_once(':')).map(|(name, _)| name);
        known.extend(names.map(|name| format!("--{}", name.replace('_', "-"))));
    }
    // So is one of an xtask command.
    for source in rust_sources(&root("xtask/src")) {
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0].starts_with("#[arg(long")) {
            let name = pair[1].trim_start_matches("pub(crate) ").split(':').next();
            known.insert(format!("--{}", name.unwrap_or_default().replace('_', "-")));
        }
    }
    for path in files("scripts", |_| true) {
        known.extend(flags(&text(&path)));
    }
    known
}

#[test]
fn flags_are_found_in_prose_and_in_commands() {
    let found = flags("`--exit-at-end`, (`--nodes 3`) a--b --- -- x --a1\n--late-by 8m");
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["--a1", "--exit-at-end", "--late-by", "--nodes"]);
}

#[test]
fn every_flag_in_the_readme_and_the_guides_exists() {
    let known = known();
    assert!(known.contains("--exit-at-end") && known.contains("--share-poison"), "{known:?}");
    let readme = root("README.md");
    assert!(flags(&text(&readme)).len() > 20, "the README names flags");
    let is_guide = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // OPERATING and SECURITY also tell of other programs: tests/deploy.rs looks at them.
        ["ARCHITECTURE.md", "BENCHMARKS.md", "CONFIGURATION.md", "GUARANTEES.md", "HTTP.md"]
            .contains(&name)
    };
    for path in [vec![readme], files("docs", is_guide)].concat() {
        let unknown: Vec<_> = flags(&text(&path)).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{} names {unknown:?}", path.display());
    }
}
