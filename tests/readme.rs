//! What the README and the docs name exists: flags, files, tools, links. They keep their width, and
//! the README its length. `cargo xtask check-readme` runs the README's commands.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const COMMANDS: &[&[&str]] = &[
    &[],
    &["run"],
    &["users"],
    &["demo"],
    &["check-config"],
    &["redrive"],
    &["state", "show"],
    &["state", "reset"],
    &["cluster"],
    &["completions"],
    &["man"],
];

/// Flags of other programs that the docs name.
const FOREIGN: &[(&str, &[&str])] = &[
    ("cargo", &["--release", "--workspace", "--locked", "--test", "--ignored", "--nocapture"]),
    ("criterion", &["--measurement-time", "--warm-up-time"]),
    ("docker", &["--build", "--cpuset-cpus", "--scale"]),
    ("helm", &["--install", "--namespace", "--set"]),
    (
        "kafka-acls.sh",
        &[
            "--add",
            "--allow-principal",
            "--bootstrap-server",
            "--group",
            "--operation",
            "--resource-pattern-type",
            "--topic",
            "--transactional-id",
        ],
    ),
    ("kafka-topics.sh", &["--describe"]),
    ("kubectl", &["--cascade"]),
    ("perf", &["--call-graph", "--sort"]),
    ("systemctl", &["--now"]),
    ("useradd", &["--system", "--home-dir", "--shell"]),
];

/// A README that is read to its end.
const README_LINES: usize = 150;
const COLUMNS: usize = 100;

/// What a path in a document may begin with.
const FOLDERS: &[&str] = &[
    "benches", "deploy", "docs", "examples", "fuzz", "loadgen", "scripts", "src", "testkit",
    "tests", "xtask",
];

fn root(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder of the project whose name has this ending.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has files");
    found
}

/// The README and the guides.
fn documents() -> Vec<PathBuf> {
    let mut documents = vec![root("README.md")];
    documents.extend(files("docs", ".md"));
    documents.extend(files("deploy", ".md"));
    documents
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

/// The flags of a source file that reads its arguments with clap's derive.
fn declared_flags(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices("#[arg(") {
        let (attribute, after) = source[at..].split_once(")]\n").expect("an attribute ends");
        if !attribute.contains("long") {
            continue;
        }
        let given = attribute.split_once("long = \"").and_then(|(_, rest)| rest.split_once('"'));
        let field = after.lines().map(str::trim).find(|line| !line.starts_with(['#', '/']));
        let field = field.and_then(|line| line.split_once(':')).map_or("", |(name, _)| name);
        let name = given.map_or(field.trim_start_matches("pub(crate) "), |(name, _)| name);
        found.push(format!("--{}", name.trim_start_matches("pub(super) ").replace('_', "-")));
    }
    found
}

/// Flags of the program's own help, of loadgen, of the tools, and of the scripts.
fn known() -> BTreeSet<String> {
    let foreign = FOREIGN.iter().flat_map(|(_, flags)| *flags);
    let mut known: BTreeSet<String> = foreign.map(|flag| (*flag).to_owned()).collect();
    for command in COMMANDS {
        let mut program = Command::new(env!("CARGO_BIN_EXE_logintide"));
        let output = program.args(*command).arg("--help").output().expect("logintide runs");
        assert!(output.status.success(), "{command:?}");
        known.extend(flags(&String::from_utf8_lossy(&output.stdout)));
    }
    for path in [files("loadgen/src", ".rs"), files("xtask/src", ".rs")].concat() {
        known.extend(declared_flags(&text(&path)));
    }
    for path in files("scripts", "") {
        known.extend(flags(&text(&path)));
    }
    known
}

/// The names of `cargo xtask`'s tools: the variants of an enum.
fn tools() -> BTreeSet<String> {
    let main = text(&root("xtask/src/main.rs"));
    let tools = main.split_once("enum Tool {\n").and_then(|(_, rest)| rest.split_once('}'));
    let variants = tools.expect("an enum of tools").0.lines().filter_map(|l| l.split_once('('));
    variants.map(|(name, _)| kebab(name.trim())).collect()
}

fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}

/// A document's text without blocks of code.
fn prose(markdown: &str) -> String {
    let blocks = markdown.split("\n```").enumerate().filter(|(number, _)| number % 2 == 0);
    blocks.map(|(_, block)| block).collect::<Vec<_>>().join("\n")
}

/// The code spans of prose.
fn spans(prose: &str) -> impl Iterator<Item = &str> {
    prose.split('`').skip(1).step_by(2)
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let prose = prose(markdown);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let is_kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    let anchor = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().chars().filter(is_kept);
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// Where a document's links and pictures lead.
fn links(markdown: &str) -> Vec<String> {
    let prose = prose(markdown);
    let texts = prose.split('`').step_by(2).collect::<String>();
    let targets = texts.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

#[test]
fn flags_are_found_in_prose_and_in_commands() {
    let found = flags("`--exit-at-end`, (`--nodes 3`) a--b --- -- x --a1\n--late-by 8m");
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["--a1", "--exit-at-end", "--late-by", "--nodes"]);
}

#[test]
fn flags_are_found_where_they_are_declared() {
    let source = "#[arg(long)]\n    pub(crate) topic_config: u8,\n#[arg(short = 'X')]\n  x: u8,\n\
                  #[arg(long = \"to\", value_name = \"A\")]\n    #[x]\n    until: u8,\n";
    assert_eq!(declared_flags(source), ["--topic-config", "--to"]);
}

#[test]
fn links_and_anchors_are_found() {
    let text = "# A `b` c, d\n[x](a.md#b) ![y](p.png) `[n](o)`\n```sh\n# no\n[n](o)\n```\n## _e\n";
    assert_eq!(links(text), ["a.md#b", "p.png"]);
    assert_eq!(anchors(text), ["_e", "a-b-c-d"].map(str::to_owned).into());
}

#[test]
fn every_flag_in_the_readme_and_the_guides_exists() {
    let known = known();
    assert!(known.contains("--exit-at-end") && known.contains("--share-poison"), "{known:?}");
    let (mut named, mut wrong) = (0, Vec::new());
    for path in documents() {
        let flags = flags(&text(&path));
        named += flags.len();
        let unknown = flags.difference(&known);
        wrong.extend(unknown.map(|flag| format!("{}: {flag}", path.display())));
    }
    assert!(wrong.is_empty(), "no program has these:\n{}", wrong.join("\n"));
    assert!(named > 80, "{named} flags are named");
}

#[test]
fn every_link_in_the_readme_and_the_guides_leads_somewhere() {
    let (mut followed, mut wrong) = (0, Vec::new());
    for path in documents().into_iter().chain([root("CHANGELOG.md")]) {
        let folder = path.parent().expect("a document lies in a folder");
        for link in links(&text(&path)).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { folder.join(file) };
            let leads = || anchor.is_empty() || anchors(&text(&target)).contains(anchor);
            if !target.exists() || !leads() {
                wrong.push(format!("{}: {link}", path.display()));
            }
            followed += 1;
        }
    }
    assert!(wrong.is_empty(), "these lead nowhere:\n{}", wrong.join("\n"));
    assert!(followed > 30, "{followed} links");
}

#[test]
fn every_file_and_tool_in_the_readme_and_the_guides_exists() {
    let tools = tools();
    let (mut found, mut wrong) = (0, Vec::new());
    for path in documents() {
        let text = text(&path);
        for span in spans(&prose(&text)) {
            let name = span.split([' ', ':']).next().expect("a first part");
            let is_path = name.split_once('/').is_some_and(|(first, _)| FOLDERS.contains(&first));
            if is_path && !name.contains(['<', '*', '{', '…']) {
                found += 1;
                if !root(name).exists() {
                    wrong.push(format!("{}: {name}", path.display()));
                }
            }
        }
        for rest in text.split("cargo xtask ").skip(1) {
            let is_part = |c: &char| c.is_ascii_lowercase() || *c == '-';
            let tool: String = rest.chars().take_while(is_part).collect();
            if !tool.starts_with('-') && !tools.contains(&tool) {
                wrong.push(format!("{}: cargo xtask {tool}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "these are missing:\n{}", wrong.join("\n"));
    assert!(found > 50, "{found} files are named");
}

#[test]
fn the_headings_of_the_architecture_are_the_modules_of_the_source() {
    let architecture = text(&root("docs/ARCHITECTURE.md"));
    let headings = architecture.lines().filter_map(|line| line.strip_prefix("## "));
    let described: BTreeSet<&str> = headings
        .flat_map(|heading| heading.split([' ', ',']))
        .filter_map(|word| word.strip_suffix('/').or_else(|| word.strip_suffix(".rs")))
        .filter(|name| *name != "src")
        .collect();
    let entries = fs::read_dir(root("src")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names: Vec<String> = names.map(|name| name.into_string().expect("UTF-8")).collect();
    let modules = names.iter().map(|name| name.trim_end_matches(".rs"));
    // It only declares the others.
    let modules: BTreeSet<&str> = modules.filter(|name| *name != "lib").collect();
    assert_eq!(described, modules);
}

#[test]
fn the_readme_is_short_and_no_document_is_wide() {
    let readme = text(&root("README.md"));
    let lines = readme.lines().count();
    assert!(lines <= README_LINES, "README.md has {lines} of {README_LINES} lines");
    let mut wide = Vec::new();
    for path in documents().into_iter().chain([root("CHANGELOG.md")]) {
        let is_readme = path == root("README.md");
        for (number, line) in text(&path).lines().enumerate() {
            let may_be_wide = !is_readme && (line.starts_with('|') || line.contains("://"));
            if line.chars().count() > COLUMNS && !may_be_wide {
                wide.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert!(wide.is_empty(), "wider than {COLUMNS} columns:\n{}", wide.join("\n"));
}
