//! Why a state folder cannot be used. The variant names the reaction.
//!
//! Plain data. Holds: whatever is refused (exit code 2) is left as it was.

use std::{io, path::PathBuf};

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder, or a file in it, cannot be created or opened.
    #[error(
        "the state folder {} (--state-dir) cannot be used: {source}; {}", .dir.display(),
        folder_remedy(.source)
    )]
    NotWritable {
        /// The state folder.
        dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process works in the folder.
    #[error(
        "the state folder {} (--state-dir) is in use by {}; stop that process, or give each \
         instance its own --state-dir", .dir.display(), holder(*.pid)
    )]
    Locked {
        /// The state folder.
        dir: PathBuf,
        /// The other process, as it noted itself in the lock file.
        pid: Option<u32>,
    },
    /// The folder holds files that are not this program's.
    #[error(
        "{} (--state-dir) is not a state folder of this program: it contains {found:?}, which is \
         left alone; name a folder of its own", .dir.display()
    )]
    NotAStateFolder {
        /// The folder.
        dir: PathBuf,
        /// The first foreign name in it.
        found: PathBuf,
    },
    /// There is nothing to show or clear.
    #[error("there is no local copy of a journal in {} (--state-dir)", .dir.display())]
    NoState {
        /// The folder.
        dir: PathBuf,
    },
    /// The copy cannot be read. It is not moved aside, because it is only looked at.
    #[error(
        "the local copy in {} (--state-dir) cannot be read: {reason}; the next `logintide run` \
         moves it aside and reads the journal, as `logintide state show` does without --offline",
        .dir.display()
    )]
    Unreadable {
        /// The state folder.
        dir: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl StateError {
    /// Exit code of a process that ends because of this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. } => 1,
            Self::NotWritable { .. }
            | Self::Locked { .. }
            | Self::NotAStateFolder { .. }
            | Self::NoState { .. } => 2,
        }
    }
}

fn folder_remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space there, or name a folder on a larger disk"
        }
        _ => "make it a folder this user may write to, or name another one",
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
