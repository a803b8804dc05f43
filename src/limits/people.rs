//! Towards people and their tools: HTTP, the log, what is shown.

use std::time::Duration;

/// Time between two log lines about the same lasting trouble.
pub const TROUBLE_LOG_INTERVAL: Duration = Duration::from_secs(5);

/// Shortest time between two statistics lines.
pub const STATS_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Open connections to the HTTP port; a scraper and a probe need two.
pub const HTTP_CONNECTIONS: usize = 64;

/// Time from a connection's last answer (or its start) to the end of its next request. Above the
/// usual scrape interval of a minute, so that a scraper keeps its connection.
pub const HTTP_REQUEST_DEADLINE: Duration = Duration::from_secs(75);

/// How long a stop waits for open HTTP connections.
pub const HTTP_STOP_DEADLINE: Duration = Duration::from_secs(1);

/// Time between two clean-ups of the metrics recorder, as its documentation suggests.
pub const METRICS_UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Time between two snapshots for people. A page shows one a second.
pub const STATUS_INTERVAL: Duration = Duration::from_millis(500);

/// Values of each dimension that are shown and exported by name; a chart has room for no more.
pub const SHOWN_VALUES: usize = 50;

/// Open windows shown: a backfill may have thousands.
pub const SHOWN_OPEN_WINDOWS: usize = 20;

/// Published windows kept for people: an hour of ten seconds each. At most about 6 KiB per window.
pub const RECENT_WINDOWS: usize = 360;

/// Seconds of history kept for people.
pub const HISTORY_POINTS: usize = 600;

/// Bytes of a dead letter's value that are shown.
pub const SAMPLE_BYTES: usize = 256;

/// Largest file of settings: hundreds of times what one with all settings and comments needs.
pub const CONFIG_FILE_MAX_BYTES: u64 = 1024 * 1024;

/// Largest file that a secret is read from; a private key in PEM has some thousand bytes.
pub const SECRET_FILE_MAX_BYTES: u64 = 64 * 1024;
