//! The process's health, which `/healthz` reports.
//!
//! Shared by all threads as an `Arc` of atomics: each thread stores its own part when it changes,
//! the http thread reads them all. It reads the parts one by one, so a report may mix two
//! neighbouring moments; but a thread's death and a failure are final and never missed.

use std::sync::{
    Arc,
    atomic::{
        AtomicBool, AtomicU8, AtomicU64, AtomicUsize,
        Ordering::{Acquire, Release},
    },
};

use serde::Serialize;

use super::Waiting;
use crate::ids::Epoch;

/// The phase of the pipeline.
///
/// `Starting` → `Running` ⇄ `RollingBack`; any → `Stopping`. The death of a thread is not a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PipelinePhase {
    /// Before the first assignment: connecting, opening the state, joining the group.
    Starting = 0,
    /// Reading, or waiting for records.
    Running = 1,
    /// Rolling back to the committed offsets.
    RollingBack = 2,
    /// Finishing the open epoch before the end.
    Stopping = 3,
}

impl PipelinePhase {
    fn from_u8(value: u8) -> Self {
        [Self::Starting, Self::Running, Self::RollingBack, Self::Stopping]
            .into_iter()
            .find(|phase| *phase as u8 == value)
            .expect("only phases are stored")
    }
}

/// The state that the threads report.
#[derive(Debug)]
pub struct Health {
    threads_expected: usize,
    threads_started: AtomicUsize,
    thread_died: AtomicBool,
    phase: AtomicU8,
    broker_away: AtomicBool,
    stalled: AtomicBool,
    waiting: AtomicU8,
    assigned_partitions: AtomicUsize,
    /// The epoch's number + 1; 0 before the first commit.
    committed_epoch: AtomicU64,
}

/// The answer of `/healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// No thread is missing, the pipeline is not stalled, and no wait takes too long.
    pub healthy: bool,
    /// Healthy, and records are being read; or the group has given it nothing, and it stands by.
    pub ready: bool,
    /// There is work but no progress, or a wait has taken longer than `--stall-timeout`.
    pub stalled: bool,
    /// The state in a few words.
    pub reason: String,
    /// Input partitions owned.
    pub assigned_partitions: usize,
    /// The last committed epoch of this process.
    pub committed_epoch: Option<u64>,
}

impl Health {
    /// The health of a process that will start `threads_expected` guarded threads.
    pub fn new(threads_expected: usize) -> Arc<Self> {
        Arc::new(Self {
            threads_expected,
            threads_started: AtomicUsize::new(0),
            thread_died: AtomicBool::new(false),
            phase: AtomicU8::new(PipelinePhase::Starting as u8),
            broker_away: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            waiting: AtomicU8::new(Waiting::Nothing as u8),
            assigned_partitions: AtomicUsize::new(0),
            committed_epoch: AtomicU64::new(0),
        })
    }

    /// Counts a thread as started. Dropping the guard outside `PipelinePhase::Stopping` counts as
    /// death.
    pub fn thread_started(self: &Arc<Self>) -> ThreadAlive {
        self.threads_started.fetch_add(1, Release);
        ThreadAlive { health: Arc::clone(self) }
    }

    /// Sets the phase. Nothing follows `PipelinePhase::Stopping`.
    pub fn set_phase(&self, phase: PipelinePhase) {
        let unless_stopping = |now| (now != PipelinePhase::Stopping as u8).then_some(phase as u8);
        // The error only says that the process is stopping, which stays true.
        let _ = self.phase.fetch_update(Release, Acquire, unless_stopping);
    }

    pub fn phase(&self) -> PipelinePhase {
        PipelinePhase::from_u8(self.phase.load(Acquire))
    }

    /// Stores whether the brokers are out of reach at the moment.
    pub fn set_broker_away(&self, away: bool) {
        self.broker_away.store(away, Release);
    }

    /// Stores whether the pipeline makes no progress although there is work.
    pub fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, Release);
    }

    /// Stores what the process waits for while it reads nothing.
    pub fn set_waiting(&self, waiting: Waiting) {
        self.waiting.store(waiting as u8, Release);
    }

    /// What the process waits for while it reads nothing.
    pub fn waiting(&self) -> Waiting {
        Waiting::from_u8(self.waiting.load(Acquire))
    }

    /// Number of input partitions owned.
    pub fn assigned(&self) -> usize {
        self.assigned_partitions.load(Acquire)
    }

    /// Stores the number of input partitions owned.
    pub fn set_assigned(&self, partitions: usize) {
        self.assigned_partitions.store(partitions, Release);
    }

    /// Stores that `epoch` is committed.
    pub fn set_committed(&self, epoch: Epoch) {
        self.committed_epoch.store(epoch.0 + 1, Release);
    }

    /// The health now.
    pub fn report(&self) -> HealthReport {
        let assigned_partitions = self.assigned();
        let waiting = self.waiting();
        let broker_away = self.broker_away.load(Acquire);
        let phase = self.phase();
        let died = self.thread_died.load(Acquire);
        let stalled = self.stalled.load(Acquire);
        let healthy = !died && !stalled;
        let reason = if died {
            "a thread died; the process is stopping".to_owned()
        } else if stalled && waiting != Waiting::Nothing {
            format!("stalled: {waiting}; the log names the cause and the remedy")
        } else if stalled {
            "stalled: there is work but no progress; the log says what each thread is doing"
                .to_owned()
        } else if phase == PipelinePhase::Stopping {
            "stopping".to_owned()
        } else if self.threads_started.load(Acquire) < self.threads_expected {
            "starting threads".to_owned()
        } else if broker_away {
            "the brokers do not answer; retrying".to_owned()
        } else {
            match phase {
                _ if waiting != Waiting::Nothing => waiting.to_string(),
                PipelinePhase::Starting => "joining the consumer group".to_owned(),
                PipelinePhase::RollingBack => "rolling back to the last committed epoch".to_owned(),
                _ if assigned_partitions == 0 => "running without partitions".to_owned(),
                _ => format!("running with {assigned_partitions} partitions"),
            }
        };
        let threads_ready = self.threads_started.load(Acquire) >= self.threads_expected;
        let is_reading = phase == PipelinePhase::Running && assigned_partitions > 0;
        let stands_by = phase != PipelinePhase::Stopping && waiting == Waiting::Standby;
        let ready = healthy && threads_ready && !broker_away && (is_reading || stands_by);
        let committed_epoch = self.committed_epoch.load(Acquire).checked_sub(1);
        HealthReport { healthy, ready, stalled, reason, assigned_partitions, committed_epoch }
    }
}

/// Held by a running thread.
#[derive(Debug)]
pub struct ThreadAlive {
    health: Arc<Health>,
}

impl Drop for ThreadAlive {
    fn drop(&mut self) {
        if self.health.phase() != PipelinePhase::Stopping || std::thread::panicking() {
            self.health.thread_died.store(true, Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> (Arc<Health>, ThreadAlive) {
        let health = Health::new(1);
        let alive = health.thread_started();
        health.set_phase(PipelinePhase::Running);
        health.set_assigned(3);
        (health, alive)
    }

    #[test]
    fn a_start_is_healthy_and_becomes_ready_with_the_assignment() {
        let health = Health::new(2);
        let report = health.report();
        assert!(report.healthy && !report.ready);
        assert_eq!((report.reason.as_str(), report.committed_epoch), ("starting threads", None));
        let _threads = [health.thread_started(), health.thread_started()];
        assert_eq!(health.report().reason, "joining the consumer group");
        health.set_phase(PipelinePhase::Running);
        assert_eq!(health.report().reason, "running without partitions");
        assert!(!health.report().ready);
        health.set_assigned(8);
        health.set_committed(Epoch(0));
        let report = health.report();
        assert!(report.healthy && report.ready);
        assert_eq!(report.reason, "running with 8 partitions");
        assert_eq!(report.committed_epoch, Some(0));
    }

    #[test]
    fn what_is_waited_for_is_the_reason() {
        let (health, _alive) = running();
        health.set_assigned(0);
        health.set_waiting(Waiting::Registration);
        let report = health.report();
        assert!(report.healthy && !report.ready);
        assert_eq!(report.reason, "waiting for the transactional id to be registered");
        health.set_stalled(true);
        let report = health.report();
        assert!(!report.healthy && report.stalled);
        assert!(report.reason.starts_with("stalled: waiting for the transactional id"));
        health.set_stalled(false);
        health.set_waiting(Waiting::Standby);
        let report = health.report();
        assert!(report.healthy && report.ready, "it takes over at once");
        assert!(report.reason.starts_with("standing by"), "{}", report.reason);
        health.set_phase(PipelinePhase::Stopping);
        assert!(!health.report().ready);
    }

    #[test]
    fn a_dead_thread_is_never_healthy_again() {
        let (health, alive) = running();
        drop(alive);
        health.set_phase(PipelinePhase::Stopping);
        let report = health.report();
        assert!(!report.healthy && !report.ready);
        assert_eq!(report.reason, "a thread died; the process is stopping");
    }

    #[test]
    fn a_thread_that_ends_while_stopping_did_not_die() {
        let (health, alive) = running();
        health.set_phase(PipelinePhase::Stopping);
        drop(alive);
        let report = health.report();
        assert!(report.healthy && !report.ready);
        assert_eq!(report.reason, "stopping");
    }

    #[test]
    fn a_panic_while_stopping_is_a_death() {
        let (health, alive) = running();
        health.set_phase(PipelinePhase::Stopping);
        let thread = std::thread::spawn(move || {
            let _alive = alive;
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert!(!health.report().healthy);
    }

    #[test]
    fn trouble_that_passes_is_healthy_but_not_ready() {
        let (health, _alive) = running();
        health.set_broker_away(true);
        let away = health.report();
        assert_eq!((away.healthy, away.ready), (true, false));
        health.set_broker_away(false);
        health.set_phase(PipelinePhase::RollingBack);
        let back = health.report();
        assert_eq!((back.healthy, back.ready), (true, false));
        health.set_phase(PipelinePhase::Running);
        assert!(health.report().ready);
        health.set_phase(PipelinePhase::Stopping);
        health.set_phase(PipelinePhase::Running);
        assert_eq!(health.phase(), PipelinePhase::Stopping);
    }
}
