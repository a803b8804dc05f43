//! What a process waits for while it reads nothing. The source sets it; `/healthz`, the statistics
//! line and the watchdog read it.
//!
//! Holds: a process that neither reads nor waits for one of these pauses before a retry, or ends.

use std::fmt;

/// A state in which nothing is read, named after what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Waiting {
    /// Nothing: the input is read, or the process is pausing or ending.
    Nothing = 0,
    /// The consumer group has assigned no partitions yet.
    Assignment = 1,
    /// Partitions are assigned; the workers still hold records of the incarnation before.
    Workers = 2,
    /// The transactional id is not registered yet.
    Registration = 3,
    /// The brokers have not answered where reading continues.
    Offsets = 4,
    /// The sink is reading the window state and published windows.
    State = 5,
    /// The group's other members have all partitions.
    Standby = 6,
}

impl Waiting {
    pub(super) fn from_u8(value: u8) -> Self {
        [
            Self::Nothing,
            Self::Assignment,
            Self::Workers,
            Self::Registration,
            Self::Offsets,
            Self::State,
            Self::Standby,
        ]
        .into_iter()
        .find(|waiting| *waiting as u8 == value)
        .expect("only these are stored")
    }

    /// Whether this state should end soon by itself. A process may stand by for years.
    pub fn should_end(self) -> bool {
        !matches!(self, Self::Nothing | Self::Standby)
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "waiting for nothing",
            Self::Assignment => "waiting for the consumer group to assign partitions",
            Self::Workers => "waiting for the workers to drop the records of the open epoch",
            Self::Registration => "waiting for the transactional id to be registered",
            Self::Offsets => "waiting for the brokers to answer where reading continues",
            Self::State => "waiting for the window state to be read",
            Self::Standby => "standing by: other members of the group have all partitions",
        })
    }
}
