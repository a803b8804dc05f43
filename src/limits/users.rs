//! Limits of what is known about users: the files that an operator names.

use std::time::Duration;

/// Largest list of networks or devices: some hundred thousand entries.
pub const LIST_FILE_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Largest database of places; those of all cities have some hundred MiB. It is held in memory, and
/// a second time while a newer one is read.
pub const GEOIP_FILE_MAX_BYTES: u64 = 512 * 1024 * 1024;

/// Time between two looks at whether the database's file has changed: each is one system call.
pub const GEOIP_LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Age of a database from which the log says that it is old: publishers have a new one at least
/// every month, and addresses move meanwhile.
pub const GEOIP_STALE_AGE: Duration = Duration::from_hours(30 * 24);
