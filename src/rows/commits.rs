//! What is on disk for certain: a file of commits, of which the last one counts.
//!
//! Files: `commits-<n>`; a new one is begun when the old one is long, and begins with a whole
//! commit, as all are. A commit is: length of the body (4 bytes), its checksum (CRC-32C, 4),
//! numbers little endian; the body is postcard.
//! Holds: a commit that is cut off does not count, nor does what follows it.

use std::{collections::BTreeMap, io};

use serde::{Deserialize, Serialize};

use super::RowDisk;
use crate::{journal::CopyOf, limits::ROW_COMMITS_DIVISOR};

/// Number of this format.
const FORMAT: u8 = 1;
const PREFIX: &str = "commits-";
const HEAD_BYTES: usize = 8;

/// What the files hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Commit {
    pub(super) format: u8,
    pub(super) of: CopyOf,
    /// Bytes of each segment.
    pub(super) segments: BTreeMap<u32, u64>,
    /// Of each journal partition the offset from which on the journal has what the files do not.
    pub(super) positions: BTreeMap<i32, i64>,
    /// How often the rows of an input partition were dropped.
    pub(super) incarnations: BTreeMap<i32, u32>,
}

impl Commit {
    pub(super) fn of(of: CopyOf) -> Self {
        Self {
            format: FORMAT,
            of,
            segments: BTreeMap::new(),
            positions: BTreeMap::new(),
            incarnations: BTreeMap::new(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let bytes = postcard::to_extend(self, vec![0; HEAD_BYTES]);
        let mut bytes = bytes.expect("a commit serialises into memory without errors");
        let (head, body) = bytes.split_at_mut(HEAD_BYTES);
        head[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
        head[4..].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
        bytes
    }
}

/// The last commit of a file's bytes.
pub(super) fn last(mut bytes: &[u8]) -> Option<Commit> {
    let mut last = None;
    while let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() {
        let [length, sum] = [0, 4].map(|at| {
            let word = head[at..].first_chunk().expect("a head is two words");
            u32::from_le_bytes(*word)
        });
        let Some((body, rest)) = rest.split_at_checked(length as usize) else { break };
        if crc32c::crc32c(body) != sum {
            break;
        }
        let Ok(commit) = postcard::from_bytes(body) else { break };
        last = Some(commit);
        bytes = rest;
    }
    last
}

/// The file that commits are written to.
#[derive(Debug)]
pub(super) struct CommitFile {
    number: u32,
    bytes: u64,
    /// At which a new file is begun.
    full_bytes: u64,
}

impl CommitFile {
    /// A file that is none of these.
    pub(super) fn after(names: &[String], segment_bytes: u64) -> Self {
        let number = numbers(names).last().map_or(0, |last| last + 1);
        Self { number, bytes: 0, full_bytes: segment_bytes / ROW_COMMITS_DIVISOR }
    }

    /// Adds a commit. It is on disk then.
    pub(super) fn add(&mut self, disk: &dyn RowDisk, commit: &Commit) -> Result<(), Failed> {
        let former = name(self.number);
        let is_long = self.bytes > self.full_bytes;
        if is_long {
            *self = Self { number: self.number + 1, bytes: 0, ..*self };
        }
        let (name, bytes) = (name(self.number), commit.encode());
        let written = disk.append(&name, &bytes).and_then(|()| disk.sync(&name));
        let removed = || if is_long { disk.remove(&former) } else { Ok(()) };
        written.and_then(|()| removed()).map_err(|error| Failed(name, error))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.bytes
    }
}

/// A file, and what went wrong with it.
#[derive(Debug)]
pub(super) struct Failed(pub(super) String, pub(super) io::Error);

/// The last commit among these files.
pub(super) fn read(disk: &dyn RowDisk, names: &[String]) -> Result<Option<Commit>, Failed> {
    for number in numbers(names).into_iter().rev() {
        let name = name(number);
        let bytes = disk.read(&name).map_err(|error| Failed(name, error))?;
        // A file that was begun and has no commit: the one before it is still there.
        if let Some(commit) = last(&bytes) {
            return Ok(Some(commit));
        }
    }
    Ok(None)
}

fn name(number: u32) -> String {
    format!("{PREFIX}{number}")
}

fn numbers(names: &[String]) -> Vec<u32> {
    let number = |name: &String| name.strip_prefix(PREFIX)?.parse().ok();
    let mut numbers: Vec<u32> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

pub(super) fn is_one(name: &str) -> bool {
    name.starts_with(PREFIX)
}

impl Commit {
    /// Whether this program reads files of this form.
    pub(super) fn is_known_format(&self) -> bool {
        self.format == FORMAT
    }
}
