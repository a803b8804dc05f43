//! The simulated processes: alive or not, and how they are connected.

use std::time::Duration;

/// Number of a process.
pub(crate) type ProcessId = usize;

/// Whether a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    Running,
    /// Stopped, with all its threads, since then.
    Paused(Duration),
    Dead,
}

/// A process's connection to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Up,
    /// Requests are carried out, answers are lost.
    Mute,
    /// Nothing arrives.
    Down,
}

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) run: Run,
    pub(crate) link: Link,
    /// Counts changes of the link.
    pub(crate) cuts: u64,
    /// After so many requests it dies, if it is to die at one.
    pub(crate) requests_left: Option<u32>,
}

impl Process {
    pub(crate) fn new() -> Self {
        Self { run: Run::Running, link: Link::Up, cuts: 0, requests_left: None }
    }

    /// Counts a request. True: the process dies of it.
    pub(crate) fn dies_of_request(&mut self) -> bool {
        match &mut self.requests_left {
            None => false,
            Some(0) => self.run == Run::Running,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    /// Its requests arrive.
    pub(crate) fn reaches(&self) -> bool {
        self.run == Run::Running && self.link != Link::Down
    }

    /// Its requests arrive, and their answers too.
    pub(crate) fn hears(&self) -> bool {
        self.run == Run::Running && self.link == Link::Up
    }
}
