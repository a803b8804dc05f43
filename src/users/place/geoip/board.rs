//! The newest database of places, for all who look up.
//!
//! In:  what the thread has read that looks after the file. Out: the database, shared.
//! Holds: who asks takes a lock only when there is a newer one than it has.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
};

use super::GeoIp;

/// The newest database.
#[derive(Debug)]
pub struct GeoIpBoard {
    version: AtomicU64,
    newest: Mutex<Arc<GeoIp>>,
}

impl GeoIpBoard {
    /// With a first database.
    pub fn new(first: Arc<GeoIp>) -> Self {
        Self { version: AtomicU64::new(1), newest: Mutex::new(first) }
    }

    /// Puts a database in the place of the one before, if it is another.
    pub fn publish(&self, database: &Arc<GeoIp>) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&newest, database) {
            *newest = Arc::clone(database);
            self.version.fetch_add(1, Release);
        }
    }

    /// The newest database, if it is newer than `version`, which is updated; 0 is before the first.
    pub fn newer(&self, version: &mut u64) -> Option<Arc<GeoIp>> {
        let now = self.version.load(Acquire);
        if now == *version {
            return None;
        }
        *version = now;
        Some(Arc::clone(&self.newest.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}
