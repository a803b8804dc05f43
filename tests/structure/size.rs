//! How large files and lines may be.

use super::{Source, documents, none, sources};

const LONGEST_FILE_LINES: usize = 400;

const WIDEST_LINE_COLUMNS: usize = 100;

/// Folders with Rust sources.
const RUST: &[&str] = &[
    "src",
    "loadgen/src",
    "testkit/src",
    "xtask/src",
    "tests",
    "benches",
    "examples",
    "fuzz/src",
    "fuzz/targets",
];

pub(crate) fn long_files(sources: &[Source]) -> Vec<String> {
    let lines = |source: &Source| source.text.lines().count();
    let long = sources.iter().filter(|source| lines(source) > LONGEST_FILE_LINES);
    long.map(|source| format!("{} has {} lines", source.path.display(), lines(source))).collect()
}

pub(crate) fn wide_lines(sources: &[Source], is_exempt: impl Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        for (number, line) in (1..).zip(source.text.lines()) {
            let columns = line.chars().count();
            if columns > WIDEST_LINE_COLUMNS && !is_exempt(line) {
                let path = source.path.display();
                faults.push(format!("{path}:{number} has {columns} columns"));
            }
        }
    }
    faults
}

/// Rust: rustfmt breaks what is not a comment and not a text.
pub(crate) fn has_a_text(line: &str) -> bool {
    line.contains('"')
}

/// Markdown: a table cannot be broken, and neither can an address.
pub(crate) fn is_unbreakable(line: &str) -> bool {
    let words = line.split(' ').map(|word| match word.split_once("](") {
        Some((text, _)) => text,
        None if word.contains("://") => "",
        None => word,
    });
    let columns: usize = words.map(|word| word.chars().count() + 1).sum();
    line.starts_with('|') || columns <= WIDEST_LINE_COLUMNS + 1
}

#[test]
fn files_stay_readable() {
    let sources: Vec<_> = RUST.iter().copied().flat_map(sources).collect();
    none(&long_files(&sources), "files must be short");
}

#[test]
fn lines_of_sources_stay_readable() {
    let sources: Vec<_> = RUST.iter().copied().flat_map(sources).collect();
    none(&wide_lines(&sources, has_a_text), "lines must be short");
}

#[test]
fn lines_of_documents_stay_readable() {
    none(&wide_lines(&documents(), is_unbreakable), "lines must be short");
}
