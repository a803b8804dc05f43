//! Limits of the commands `check-config`, `redrive` and `state`.

use std::time::Duration;

/// Free space of the state folder's disk below which `check-config` warns: sled writes in segments
/// of 8 MiB, and keeps the old ones until the next snapshot.
pub const STATE_FREE_MIN_BYTES: u64 = 64 * 1024 * 1024;

/// Largest `check-config --sample`: reading so many takes seconds, and nobody looks at more.
pub const SAMPLE_MAX_RECORDS: usize = 10_000;

/// Bytes of a rejected record's value that are shown.
pub const SHOWN_RAW_BYTES: usize = 200;

/// Most records of one of `redrive`'s transactions: sending so many takes about as long as a
/// commit.
pub const REDRIVE_BATCH_RECORDS: usize = 1000;

/// Bytes after which `redrive` commits its transaction; one dead letter may have a MiB.
pub const REDRIVE_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How long the broker lets a transaction of `redrive` be open: the default of Kafka's own clients.
pub const REDRIVE_TRANSACTION_TIMEOUT: Duration = Duration::from_mins(1);

/// How long librdkafka retries the delivery of a record of `redrive`: half of its transaction.
pub const REDRIVE_DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long `redrive` and `state` wait for a broker that is away: longer than a leader election or
/// a restart, and below the transaction timeout.
pub const COMMAND_PATIENCE: Duration = Duration::from_secs(45);

/// How long they wait for the first answer: a cold connection with TLS and a lookup of names takes
/// a few seconds.
pub const COMMAND_FIRST_ANSWER: Duration = Duration::from_secs(10);

/// How long `redrive` and `state` wait for transactions that are open when they begin to read, or
/// committed but not yet marked so in every partition. One of the processor lasts an epoch.
pub const OPEN_TRANSACTION_PATIENCE: Duration = Duration::from_secs(3);

/// Pause between two questions whether these transactions have ended.
pub const OPEN_TRANSACTION_PAUSE: Duration = Duration::from_millis(20);

/// Longest text of `redrive`'s progress per partition. Brokers accept 4 096 bytes of commit
/// metadata unless `offset.metadata.max.bytes` says otherwise.
pub const REDRIVE_PROGRESS_BYTES: usize = 4000;

/// Examples that `redrive --dry-run` shows.
pub const REDRIVE_EXAMPLES: usize = 5;

/// Records of the journal in which `check-config` looks for its identity: it is written before all
/// others, and the cleaner never moves it.
pub const IDENTITY_SEARCH_RECORDS: usize = 100;

/// Longest answer of an instance to `cluster`: some thousand partitions have 1 MiB.
pub const CLUSTER_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// How often `state` reads the journal when a stream seems to have a gap: while it is read, the
/// cleaner may remove a snapshot that a newer one has replaced.
pub const JOURNAL_READINGS: usize = 3;
