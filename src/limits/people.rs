//! Limits of what people and their tools see: HTTP, the log, the dashboard.

use std::time::Duration;

/// Time between two log lines about the same lasting error.
pub const REPEATED_LOG_INTERVAL: Duration = Duration::from_secs(5);

/// Time between two log lines of a process that stands by, because others have all partitions: that
/// is ordinary where a second one waits for the first to end.
pub const STANDBY_LOG_INTERVAL: Duration = Duration::from_mins(1);

/// Shortest time between two statistics lines.
pub const STATS_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Most open connections to the HTTP port: all streams, and as many others, so that streams never
/// keep a scraper or a probe out. One more takes the place of the connection that has kept the
/// server waiting longest.
pub const HTTP_CONNECTIONS: usize = 2 * HTTP_STREAMS;

/// Connections that the kernel holds until the http thread accepts them: what a flood makes while
/// that thread has no turn. Linux holds no more by default (`net.core.somaxconn`).
pub const HTTP_BACKLOG: i32 = 4096;

/// Most open streams of snapshots; each open dashboard has one. They share one text a second, so
/// each costs one write of it.
pub const HTTP_STREAMS: usize = 128;

/// Time between two events of a stream: as fast as a person can follow.
pub const HTTP_STREAM_INTERVAL: Duration = Duration::from_secs(1);

/// Windows in each event of a stream, without their values: the dashboard shows no more at once.
pub const HTTP_STREAM_WINDOWS: usize = 12;

/// Time from a connection's start, or from the first byte of a later request, to the end of that
/// request's head. A head is one packet, and this leaves room for some retransmissions of it.
pub const HTTP_HEAD_DEADLINE: Duration = Duration::from_secs(5);

/// Time from an answer to the first byte of the next request. Above the usual scrape interval of a
/// minute, so that a scraper keeps its connection while there is room.
pub const HTTP_IDLE_DEADLINE: Duration = Duration::from_secs(75);

/// Time in which a peer must read part of an answer that waits for it. The connection of a slower
/// peer is closed; that also ends a stream that nobody reads.
pub const HTTP_WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Bytes of an answer that wait in the kernel for a slow peer. Linux doubles the number. Without a
/// limit it grows the buffer to megabytes, and a stream that nobody reads would live for minutes.
pub const HTTP_SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Largest path with its query, bytes. The longest that the API knows has 60.
pub const HTTP_PATH_BYTES: usize = 1024;

/// Largest head of a request that is answered: a browser's has about 1 KiB.
pub const HTTP_HEAD_BYTES: usize = 8 * 1024;

/// Bytes that a peer may send before it has read an answer; then its connection is closed without
/// one. Well above `HTTP_HEAD_BYTES`, so that a request only somewhat above that gets its answer.
pub const HTTP_REQUEST_BYTES: usize = 64 * 1024;

/// Windows in an answer when the request does not say how many.
pub const HTTP_WINDOWS_DEFAULT: usize = 50;

/// Most windows in an answer: all that a snapshot has.
pub const HTTP_WINDOWS_MAX: usize = SHOWN_OPEN_WINDOWS + RECENT_WINDOWS;

/// Shortest and longest access token: 16 random letters cannot be guessed over a network, and 256
/// bytes fit in every client's header.
pub const HTTP_TOKEN_BYTES: (usize, usize) = (16, 256);

/// How long a stop waits for open HTTP connections.
pub const HTTP_STOP_DEADLINE: Duration = Duration::from_secs(1);

/// Time between two clean-ups of the metrics recorder, as its documentation suggests.
pub const METRICS_UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Time between two snapshots of the status. The dashboard shows one a second.
pub const STATUS_INTERVAL: Duration = Duration::from_millis(500);

/// Time between two looks of the replica at the group, for the snapshots: well below their
/// interval, so that they are hardly older than without.
pub const GROUP_INTERVAL: Duration = Duration::from_millis(200);

/// The next look waits at least this many times as long as the last one took. Windows of many
/// partitions are much to add up: so it takes at most a twentieth of the replica's time.
pub const GROUP_PAUSE: u32 = 20;

/// Values of each dimension that are shown and exported by name; a chart has room for no more.
pub const SHOWN_VALUES: usize = 50;

/// Most open windows shown: a backfill may have thousands.
pub const SHOWN_OPEN_WINDOWS: usize = 20;

/// Published windows kept for the dashboard and the API: an hour's, at ten seconds each.
pub const RECENT_WINDOWS: usize = 360;

/// Points of history kept for the dashboard, one a second.
pub const HISTORY_POINTS: usize = 600;

/// Bytes of a dead letter's value that are shown.
pub const SAMPLE_BYTES: usize = 256;

/// Largest settings file: far more than one with all settings and comments needs.
pub const CONFIG_FILE_MAX_BYTES: u64 = 1024 * 1024;

/// Largest file that a secret is read from; a private key in PEM has some thousand bytes.
pub const SECRET_FILE_MAX_BYTES: u64 = 64 * 1024;
