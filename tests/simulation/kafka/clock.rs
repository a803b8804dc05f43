//! Virtual time: it moves when the cluster is told so, and a little in each wait for nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use logintide::client::Clock;

/// The wall clock at the beginning of every simulation: 2024-10-30 11:28:30 UTC.
const BEGINNING_US: i64 = 1_730_287_710_000_000;

/// The one clock of a simulated cluster and of its processes. It could go to another thread, as a
/// worker's clock must; in the simulation there is one thread.
#[derive(Debug, Clone)]
pub(crate) struct SimClock {
    start: Instant,
    elapsed_ns: Arc<AtomicU64>,
    /// What a wait costs in which nothing comes, at most, so that loops with a deadline end.
    idle_ns: Arc<AtomicU64>,
}

const IDLE_NS: u64 = 1_000_000;

impl SimClock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            elapsed_ns: Arc::default(),
            idle_ns: Arc::new(AtomicU64::new(IDLE_NS)),
        }
    }

    /// Time since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.elapsed_ns.load(Relaxed))
    }

    /// What of a wait for nothing passes.
    pub(crate) fn idle(&self, timeout: Duration) -> Duration {
        timeout.min(Duration::from_nanos(self.idle_ns.load(Relaxed)))
    }

    /// Changes what a wait for nothing costs at most.
    pub(crate) fn set_idle(&self, idle: Duration) {
        self.idle_ns.store(idle.as_nanos() as u64, Relaxed);
    }

    /// Moves on; never back.
    pub(crate) fn move_to(&self, elapsed: Duration) {
        self.elapsed_ns.fetch_max(elapsed.as_nanos() as u64, Relaxed);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Instant {
        self.start + self.elapsed()
    }

    fn now_us(&self) -> i64 {
        BEGINNING_US + self.elapsed().as_micros() as i64
    }

    /// Takes what is there: whoever else is to send it runs after this process's step.
    fn receive<T>(&self, from: &Receiver<T>, timeout: Duration) -> Result<T, RecvTimeoutError> {
        from.try_recv().map_err(|error| match error {
            TryRecvError::Empty => {
                self.move_to(self.elapsed() + self.idle(timeout));
                RecvTimeoutError::Timeout
            }
            TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
        })
    }
}
