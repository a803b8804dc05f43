//! Of the commands that look and mend: `check-config` and `redrive`.

use std::time::Duration;

/// Largest state database that `check-config` copies to look into it: a second or two of copying.
/// An ordinary one has some MiB.
pub const STATE_PEEK_MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Free space below which `check-config` warns of the state folder's disk: sled writes in segments
/// of 8 MiB, and keeps the old ones until the next snapshot.
pub const STATE_FREE_MIN_BYTES: u64 = 64 * 1024 * 1024;

/// Most records of `check-config --sample`: some seconds of reading, and more than anybody reads.
pub const SAMPLE_MAX_RECORDS: usize = 10_000;

/// Bytes of a rejected record's value that are shown.
pub const SHOWN_RAW_BYTES: usize = 200;

/// Records of one of `redrive`'s transactions. A commit takes some 10 ms, sending so many as long.
pub const REDRIVE_BATCH_RECORDS: usize = 1000;

/// Bytes after which such a transaction is committed; a dead letter may have a MiB.
pub const REDRIVE_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How long `redrive` waits for a broker that is away: a leader election or a restart, below the
/// transaction timeout.
pub const REDRIVE_PATIENCE: Duration = Duration::from_secs(45);

/// How long `redrive` waits for transactions that hold dead letters and are open when it starts, or
/// committed and not yet marked so in every partition. A processor's take an epoch.
pub const REDRIVE_OPEN_TRANSACTION_PATIENCE: Duration = Duration::from_secs(3);

/// Pause between its questions whether they have ended.
pub const REDRIVE_OPEN_TRANSACTION_PAUSE: Duration = Duration::from_millis(20);

/// Longest text of `redrive`'s progress per partition. Brokers take 4 096 bytes of metadata unless
/// `offset.metadata.max.bytes` is set.
pub const REDRIVE_PROGRESS_BYTES: usize = 4000;

/// Examples that `redrive --dry-run` shows.
pub const REDRIVE_EXAMPLES: usize = 5;
