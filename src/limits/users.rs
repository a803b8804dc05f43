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

/// Devices in a profile: a person has one to three, and replaces one in two or three years.
pub const PROFILE_DEVICES: usize = 8;

/// Networks in a profile: a home, a work and some mobile ones.
pub const PROFILE_NETWORKS: usize = 8;

/// Places in a profile, two of them usual.
pub const PROFILE_PLACES: usize = 6;

/// Locales in a profile, as many as places.
pub const PROFILE_LOCALES: usize = 6;

/// Device types in a profile: few exist.
pub const PROFILE_TYPES: usize = 4;

/// App versions in a profile: those of a few months.
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

/// Logins of a user from which on an hour can be rare.
pub const RARE_HOUR_LOGINS: u32 = 30;

/// Share of a user's logins below which an hour is rare.
pub const RARE_HOUR_SHARE: f64 = 0.01;

/// Places that a shard numbers: 51 states, 250 countries, or some 3 600 parts of them.
pub const SHARD_PLACES: u16 = 4_095;

/// Locales that a shard numbers.
pub const SHARD_LOCALES: u16 = 1_023;

/// Device types that a shard numbers: a handful exist.
pub const SHARD_TYPES: u16 = 63;

/// App versions that a shard numbers: one a week for 20 years.
pub const SHARD_VERSIONS: u16 = 1_023;

/// Devices of a shard with a contradiction: they are rare, and an id that many phones have comes
/// again soon.
pub const SHARD_CONTRADICTED: usize = 1_024;

/// Users of such a device that are told apart: twice as many as make it shared by default.
pub const SHARED_USERS: usize = 8;

/// How far the partitions of logins may be apart in event time, in steps of which a partition that
/// is ahead waits for the others: a backlog is read evenly.
pub const USERS_ALIGNMENT: Duration = Duration::from_mins(10);
