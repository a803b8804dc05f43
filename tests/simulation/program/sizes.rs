//! What happened in histories, in numbers.

use std::{fmt, ops::AddAssign};

/// What happened in histories.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sizes {
    /// Records that were written to the input.
    pub(crate) inputs: usize,
    /// Starts of instances.
    pub(crate) starts: usize,
    pub(crate) troubles: usize,
    /// Processes that ended with an error.
    pub(crate) failures: usize,
    /// Events in user-login-late.
    pub(crate) late: usize,
    /// Windows, and how often they were revised.
    pub(crate) windows: usize,
    pub(crate) revisions: usize,
    /// Alerts and sessions of users.
    pub(crate) alerts: usize,
    pub(crate) sessions: usize,
    /// Rounds in which a process had to do with little memory.
    pub(crate) full: usize,
    /// Partitions that were added, journals that were deleted or cut, and losses that were named.
    pub(crate) added: usize,
    pub(crate) deleted: usize,
    pub(crate) cut: usize,
    pub(crate) losses: usize,
    /// How often all processes of a group have ended by themselves.
    pub(crate) runs: usize,
    /// Virtual time.
    pub(crate) seconds: u64,
}

/// What a history has come to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The first promise that is broken.
    pub(crate) broken: Option<String>,
    pub(crate) sizes: Sizes,
    pub(crate) trace: Vec<String>,
}

impl AddAssign for Sizes {
    fn add_assign(&mut self, other: Self) {
        self.inputs += other.inputs;
        self.starts += other.starts;
        self.troubles += other.troubles;
        self.failures += other.failures;
        self.late += other.late;
        self.windows += other.windows;
        self.revisions += other.revisions;
        self.alerts += other.alerts;
        self.sessions += other.sessions;
        self.full += other.full;
        self.added += other.added;
        self.deleted += other.deleted;
        self.cut += other.cut;
        self.losses += other.losses;
        self.runs += other.runs;
        self.seconds += other.seconds;
    }
}

impl Sizes {
    /// Whether so many histories had enough of everything.
    pub(crate) fn are_worth_it(&self, histories: u64) -> bool {
        let histories = histories as usize;
        let is_rare = |count: usize| histories > 100 && count * 100 < histories;
        let Self { late, revisions, failures, full, added, deleted, cut, losses, runs, .. } = *self;
        self.inputs >= 10 * histories
            && self.starts > histories
            && self.troubles > histories
            && self.windows > histories
            && (failures.min(losses) > 0 || histories < 1_000)
            && ![late, revisions, full, added, deleted, cut, runs].into_iter().any(is_rare)
    }
}

impl Sizes {
    /// The same of histories of users.
    pub(crate) fn are_worth_it_of_users(&self, histories: u64) -> bool {
        let histories = histories as usize;
        self.inputs >= 10 * histories
            && self.starts > histories
            && self.troubles > histories
            && self.alerts > histories
            && self.sessions > histories
            && (self.late > histories / 10 && self.added > histories / 50 || histories < 100)
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} s of virtual time: {} records, {} starts, {} troubles, {} failed processes, {} \
             windows, {} revisions, {} late events, {} alerts, {} sessions, {} rounds with little \
             memory, {} partitions added, {} journals deleted, {} cut, {} losses, {} bounded runs",
            self.seconds,
            self.inputs,
            self.starts,
            self.troubles,
            self.failures,
            self.windows,
            self.revisions,
            self.late,
            self.alerts,
            self.sessions,
            self.full,
            self.added,
            self.deleted,
            self.cut,
            self.losses,
            self.runs
        )
    }
}
