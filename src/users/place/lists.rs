//! Lists that an operator names in files: one entry a line, `#` for a comment.

use std::{collections::HashSet, fs::File, io::Read, path::Path};

use super::NetworkError;
use crate::limits;

/// Why a list cannot be used. It says what was expected, and follows the setting's name and path.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file cannot be read.
    #[error("expected a readable file: {0}")]
    Unreadable(std::io::Error),
    /// The file is larger than any list.
    #[error(
        "expected at most {} MiB; a list has one entry a line",
        limits::LIST_FILE_MAX_BYTES >> 20
    )]
    TooLarge,
    /// A line is not text.
    #[error("line {line} is not UTF-8 text: save the file as UTF-8")]
    NotText {
        /// From 1.
        line: usize,
    },
    /// A line is no network.
    #[error("line {line} has '{entry}': {reason}")]
    Network {
        /// From 1.
        line: usize,
        /// What the line says, the first characters of it.
        entry: String,
        /// What was expected.
        reason: NetworkError,
    },
}

/// Characters of a line that an error shows: more than the longest network has.
const SHOWN_CHARS: usize = 64;

impl ListError {
    pub(super) fn network(line: usize, entry: &str, reason: NetworkError) -> Self {
        let entry = entry.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
        Self::Network { line, entry, reason }
    }
}

/// The text of a list's file.
pub(super) fn read(path: &Path) -> Result<String, ListError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(ListError::Unreadable)?;
    // No more is taken of a device or a pipe either.
    let mut file = file.take(limits::LIST_FILE_MAX_BYTES + 1);
    file.read_to_end(&mut bytes).map_err(ListError::Unreadable)?;
    if bytes.len() as u64 > limits::LIST_FILE_MAX_BYTES {
        return Err(ListError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ListError::NotText { line: 1 + memchr::memchr_iter(b'\n', before).count() }
    })
}

/// The entries of a list with the numbers of their lines, from 1, without blanks around them.
pub(super) fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // Editors on Windows write a mark in front of the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Ids of devices, each on a line of its own. A line that begins with `#` is a comment; elsewhere
/// `#` is part of an id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceList {
    ids: HashSet<Box<str>>,
}

impl DeviceList {
    /// Reads the list in a file.
    ///
    /// # Errors
    /// What was expected, and in which line; it follows the setting's name and the path.
    pub fn read(path: &Path) -> Result<Self, ListError> {
        Ok(Self::parse(&read(path)?))
    }

    /// Reads the list in a text. Every text is one.
    pub fn parse(text: &str) -> Self {
        Self { ids: entries(text).map(|(_, id)| Box::from(id)).collect() }
    }

    /// Whether the list has this id, in the same spelling.
    pub fn contains(&self, device_id: &str) -> bool {
        self.ids.contains(device_id)
    }

    /// Whether the list has no id.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::users::place::NetworkList;

    proptest! {
        #[test]
        fn a_list_has_the_ids_that_were_written(
            ids in prop::collection::hash_set("[a-z0-9:-]{1,12}", 0..20),
            other in "[a-z0-9:-]{1,2}",
        ) {
            let lines: Vec<String> = ids.iter().map(|id| format!(" {id} ")).collect();
            let list = DeviceList::parse(&lines.join("\r\n"));
            for id in ids.iter().chain([&other]) {
                prop_assert_eq!(list.contains(id), ids.contains(id), "{}", id);
            }
            prop_assert_eq!(list.is_empty(), ids.is_empty());
        }
    }

    #[test]
    fn a_comment_is_a_whole_line() {
        let list = DeviceList::parse("\u{feff}00000000\n#emulator\n  # tablet\n\nkiosk #7\nA");
        for id in ["00000000", "kiosk #7", "A"] {
            assert!(list.contains(id), "{id}");
        }
        for id in ["#emulator", "emulator", "", "kiosk", "a"] {
            assert!(!list.contains(id), "{id}");
        }
    }

    #[test]
    fn a_file_that_is_no_list_says_why() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("list");
        let said = |path: &Path| DeviceList::read(path).expect_err("refused").to_string();
        assert!(said(&path).starts_with("expected a readable file: "));
        assert!(said(dir.path()).starts_with("expected a readable file: "));
        fs::write(&path, b"a\nb\nc\xff\nd").expect("writable");
        assert_eq!(said(&path), "line 3 is not UTF-8 text: save the file as UTF-8");
        let large = vec![b'a'; limits::LIST_FILE_MAX_BYTES as usize + 1];
        fs::write(&path, &large).expect("writable");
        assert_eq!(said(&path), "expected at most 16 MiB; a list has one entry a line");
        fs::write(&path, &large[1..]).expect("writable");
        assert!(!DeviceList::read(&path).expect("a list").is_empty());
        fs::write(&path, "10.0.0.0/8\n\u{1b}[2Jx\n").expect("writable");
        let error = NetworkList::read(&path).expect_err("no network").to_string();
        assert!(error.starts_with(r"line 2 has '\u{1b}[2Jx': expected an address"), "{error}");
    }
}
