//! What every thread may ask or say about the process: stop, and health.
//!
//! Shared by all threads; atomics only. Holds: a stop, once asked for, is never taken back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use crate::metrics::Health;

/// The shared control block.
#[derive(Debug)]
pub struct Control {
    stop: AtomicBool,
    health: Arc<Health>,
}

impl Control {
    /// A control block of a process that has just begun.
    pub fn new(health: Arc<Health>) -> Arc<Self> {
        Arc::new(Self { stop: AtomicBool::new(false), health })
    }

    /// Asks for an ordered stop.
    pub fn stop(&self) {
        self.stop.store(true, SeqCst);
    }

    /// Whether a stop was asked for.
    pub fn stopping(&self) -> bool {
        self.stop.load(SeqCst)
    }

    /// The process's health.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }
}
