//! Limits of what is known about users, and of the files that an operator names for it.

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

/// What a profile remembers of each kind. A person has one to three devices, a home, a work and some
/// mobile networks; more than these are told apart by how new they are.
pub const PROFILE_DEVICES: usize = 8;
pub const PROFILE_NETWORKS: usize = 8;
pub const PROFILE_PLACES: usize = 6;
pub const PROFILE_LOCALES: usize = 6;
pub const PROFILE_TYPES: usize = 4;
pub const PROFILE_VERSIONS: usize = 4;

/// Places among which a rule looks for different ones.
pub const LAST_PLACES: usize = 10;

/// Minutes of a user's logins that are counted one by one: the span of `device_rotation`.
pub const RECENT_MINUTES: i64 = 30;

/// Devices of the last half hour: more than twice what `device_rotation` fires at.
pub const RECENT_DEVICES: usize = 16;

/// Minutes of `login_burst`.
pub const BURST_MINUTES: i64 = 10;

/// Days without a login that bring the mean down one by one: what is left of it after them is
/// 0.9^60 = 0.2 %.
pub const SILENT_DAYS_MOST: u32 = 60;

/// Seconds between two logins that end a session, as in Flink's and Kafka Streams' examples.
pub const SESSION_GAP_S: i64 = 1_800;

/// Values of each kind that a session tells apart.
pub const SESSION_VALUES: usize = 8;

/// Logins of a user from which on an hour can be rare, and the share below which it is.
pub const RARE_HOUR_LOGINS: u32 = 30;
pub const RARE_HOUR_SHARE: f64 = 0.01;

/// Names that a shard numbers. There are 51 states, 250 countries or 3 600 subdivisions of them, a
/// handful of device types, and a version a week for 20 years.
pub const SHARD_PLACES: u16 = 4_095;
pub const SHARD_LOCALES: u16 = 1_023;
pub const SHARD_TYPES: u16 = 63;
pub const SHARD_VERSIONS: u16 = 1_023;

/// Devices of a shard with a contradiction, and the users of one that are told apart: one more than
/// make it shared by default, so that a setting up to 7 means something.
pub const SHARD_CONTRADICTED: usize = 1_024;
pub const SHARED_USERS: usize = 8;
