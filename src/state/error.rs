//! What can go wrong with the state folder. The variant names the reaction.
//!
//! Plain data. Everything found while starting is configuration trouble (exit code 2) and leaves
//! the folder as it was; what happens while running is exit code 1.

use std::{fmt, io, path::PathBuf};

/// A part of the state's identity, shown as the setting it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityField {
    /// The input topic.
    Topic,
    /// The consumer group.
    Group,
    /// The cluster behind the bootstrap servers.
    Cluster,
    /// The window size.
    Window,
}

impl fmt::Display for IdentityField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topic => "input topic (--input-topic)",
            Self::Group => "consumer group (--group-id)",
            Self::Cluster => "Kafka cluster id (of --brokers)",
            Self::Window => "window size (--window)",
        })
    }
}

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
    /// A later version of the program wrote the state.
    #[error(
        "the state folder {} (--state-dir) has {stored}, this program reads format {supported}: \
         run the newer program, or name another --state-dir", .dir.display()
    )]
    NewerFormat {
        /// The state folder.
        dir: PathBuf,
        /// What was found.
        stored: String,
        /// `FORMAT_VERSION` of this program.
        supported: u8,
    },
    /// The state belongs to something else.
    #[error(
        "the state folder {} (--state-dir) belongs to another {what}: it has {stored:?}, this run \
         has {configured:?}; name another --state-dir, or clear it with `logintide state reset \
         --state-dir {}`", .dir.display(), .dir.display()
    )]
    OtherIdentity {
        /// What differs.
        what: IdentityField,
        /// Value in the state folder.
        stored: String,
        /// Value of this run.
        configured: String,
        /// The state folder.
        dir: PathBuf,
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
    /// There is no state to show or clear.
    #[error("there is no state in {} (--state-dir)", .dir.display())]
    NoState {
        /// The folder.
        dir: PathBuf,
    },
    /// The database cannot be read (and is not moved aside, because it is only looked at, or
    /// because it was readable when this process started).
    #[error(
        "the state in {} (--state-dir) cannot be read: {reason}; the next `logintide run` moves \
         it aside and starts from the committed offsets", .dir.display()
    )]
    Unreadable {
        /// The state folder.
        dir: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A write did not reach the disk. Nothing after it may be committed.
    #[error("writing the state to {} (--state-dir) failed: {reason}; {remedy}", .dir.display())]
    WriteFailed {
        /// The state folder.
        dir: PathBuf,
        /// What happened.
        reason: String,
        /// What to do about it.
        remedy: &'static str,
    },
}

impl StateError {
    /// Exit code of a process that ends because of this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. } | Self::WriteFailed { .. } => 1,
            Self::NotWritable { .. }
            | Self::Locked { .. }
            | Self::NewerFormat { .. }
            | Self::OtherIdentity { .. }
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
