//! Limits between the process and its brokers: timeouts, retries, sizes of requests.

use std::time::Duration;

/// Timeout of one attempt to commit offsets outside a transaction. A healthy broker answers within
/// milliseconds; the sink does nothing else while it waits.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Timeout of one attempt of a call that the transaction coordinator answers. A repeated call
/// continues where the one before it stopped.
pub const TRANSACTION_CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// Time between two checks whether the open transaction has failed unnoticed. A check is cheap:
/// librdkafka's own thread answers it.
pub const TRANSACTION_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// First pause before a client connects to a broker again; it doubles up to librdkafka's maximum of
/// 10 s. The first connection to a broker already counts as a second one, after that of the
/// bootstrap address. With librdkafka's default of 100 ms every start would wait so long several
/// times.
pub const RECONNECT_BACKOFF: Duration = Duration::from_millis(10);

/// Timeout of the first attempt to register a transactional id; each further one is twice as long.
/// Kafka ends a dead producer's transaction within tens of milliseconds; librdkafka itself would
/// pause for half a second between two requests.
pub const TRANSACTION_INIT_ATTEMPT: Duration = Duration::from_millis(5);

/// Longest timeout of an attempt to register a transactional id.
pub const TRANSACTION_INIT_ATTEMPT_MAX: Duration = Duration::from_millis(50);

/// Longest wait of the producer for an answer to a request. librdkafka's own value in exactly-once
/// is nearly the transaction timeout, and a broker that hangs would hold the sink for so long.
pub const PRODUCER_SOCKET_TIMEOUT: Duration = Duration::from_secs(30);

/// Age at which the transactional producer closes a connection that nothing uses. librdkafka asks
/// for the group's coordinator again only when a connection opens or closes, whatever the call's
/// timeout: with one broker of several dead, adding offsets would wait for that broker for ever.
/// Nothing else is sent meanwhile, so idle connections close, and librdkafka asks again.
pub const TRANSACTION_IDLE_CONNECTION: Duration = Duration::from_secs(5);

/// Pause between two attempts of a commit.
pub const COMMIT_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Longest commit interval in exactly-once: a transaction lasts at most twice as long, which leaves
/// half of its timeout for retries.
pub const TRANSACTION_COMMIT_INTERVAL_MAX: Duration = Duration::from_secs(15);

/// How long a stop or a rollback waits for the abort of an open transaction. The abort only spares
/// readers a wait: the next start ends the transaction as well.
pub const ABORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Fetch queue of a consumer outside the group: the replica's, or one that reads a topic again.
pub const SCAN_QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// Timeout of one blocking query to the brokers (committed offsets, log ends, metadata). It is
/// short, so that a signal is still noticed while the brokers are away.
pub const BROKER_QUERY_TIMEOUT: Duration = Duration::from_secs(3);

/// Timeout that librdkafka is given for a question to a group's coordinator, the longest that it
/// takes: when it gives such a question up, and the coordinator comes back after that, it aborts
/// the process (confluentinc/librdkafka#4605). The wait ends earlier, and the client with it.
pub const COORDINATOR_QUESTION_LIFE: Duration = Duration::from_hours(1);

/// Timeout of such a query while partitions are recovered. It is longer, because on a slow line no
/// answer would ever come; the source polls its consumer between two of them.
pub const RECOVERY_QUERY_TIMEOUT: Duration = Duration::from_secs(8);

/// How long brokers may refuse the password or the certificate before the start fails. It allows
/// several attempts, because a broker that has just started may not know its users yet.
pub const REFUSAL_PATIENCE: Duration = Duration::from_secs(2);

/// Pause between two attempts of a query to a broker that is away.
pub const BROKER_RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Timeout of the query whether the leaders of silent partitions answer. The source's loop waits.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause after such a query when some partitions got no answer: while some brokers are away, the
/// records of the others must not wait for queries most of the time.
pub const PROBE_RETRY_PAUSE: Duration = Duration::from_secs(3);

/// Time between two looks of a bounded run's merger, once it has nothing to read, at whether the
/// others' logs still reach the run's ends. One that has lost its end to a broker is rare.
pub const RUN_LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// How long reading a partition may fail with the same data error before the batch is probed:
/// librdkafka itself has fetched it again three times by then.
pub const UNREADABLE_PATIENCE: Duration = Duration::from_secs(2);

/// Probes, each with a new client, that must fail alike before a batch counts as unreadable.
pub const UNREADABLE_ATTEMPTS: u32 = 3;

/// Pause between two such probes.
pub const UNREADABLE_RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Most offsets that may be skipped where brokers do not name the batch they cannot read: a longer
/// range is not a batch but storage that is away.
pub const UNREADABLE_MOST_OFFSETS: i64 = 100_000;

/// How long a probe behind the first offset of a batch of unknown format may find nothing until its
/// offset counts as inside the batch: an answer takes some milliseconds, without data half a
/// second.
pub const UNREADABLE_SILENCE: Duration = Duration::from_secs(3);

/// Most group and error events that one `Consumer::serve` handles. A burst of log lines must not
/// keep the source from its records; the rest is served next time.
pub const CONSUMER_SERVE_EVENTS: usize = 64;

/// Longest time that closing the consumer may take. Leaving a group is one request; a broker that
/// is away must not hold up the end of the process.
pub const CONSUMER_CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// Timeout of one poll for an event while the consumer closes.
pub const CONSUMER_CLOSE_POLL: Duration = Duration::from_millis(50);

/// How often the topics' metadata is refreshed, by one small request. It bounds how long new
/// partitions of the input go unread; librdkafka's own default is five minutes.
pub const METADATA_REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// Records per call of librdkafka's batch send: enough that its fixed cost does not matter, and few
/// enough that the array of native records (36 KiB) fits the stack and the L1 cache.
pub const PRODUCER_RUN_RECORDS: usize = 512;

/// Most events that one `Producer::poll` handles; one report event covers all records of a request.
pub const PRODUCER_SERVE_EVENTS: usize = 256;

/// Most bytes of keys and headers that librdkafka may hold for records that are sent one by one;
/// its own limit counts values only. A third of what values have: room for some thousand records
/// with traces, or for more than one request of the largest ones.
pub const PRODUCER_UNCOUNTED_BYTES: usize = 8 * 1024 * 1024;

/// What librdkafka allocates for a header to send beside its name and value.
pub const PRODUCED_HEADER_BYTES: usize = 64;

/// Longest time that a record waits in librdkafka for others to share its request.
pub const PRODUCER_LINGER: Duration = Duration::from_millis(5);

/// Longest time that a record waits while little is in flight: the sink then flushes.
pub const SINK_LINGER: Duration = Duration::from_millis(2);

/// Number of records in flight from which larger requests are worth the longer wait: there is much
/// to do, or the broker is slow to answer.
pub const SINK_LINGER_RECORDS: usize = 1000;

/// Timeout of one attempt to abort a transaction. librdkafka waits for delivery reports to be
/// polled, which happens only between two attempts, so a long attempt would only block. But
/// librdkafka's own thread needs a turn within an attempt, or a late answer is taken for that of
/// the next step.
pub const TRANSACTION_ABORT_ATTEMPT: Duration = Duration::from_millis(200);

/// Longest time in which the delivery reports of discarded records are served between two attempts
/// to abort.
pub const TRANSACTION_ABORT_SERVE: Duration = Duration::from_millis(100);

/// Wait for one report between two attempts to abort; also the pause after one that failed at once.
pub const TRANSACTION_ABORT_POLL: Duration = Duration::from_millis(10);

/// Largest answer that the consumer accepts, and the limit for a zstd batch when it is
/// decompressed. Where a batch does not name its size, librdkafka guesses it, and retries with
/// three times as much when that is too little: a batch of up to a third of this limit, 85 MiB, is
/// always read. A higher limit would let a sender of some kilobytes take as much memory beside the
/// memory budget.
pub const RECEIVE_LIMIT_BYTES: usize = 256 * 1024 * 1024;

/// librdkafka's own default of `message.max.bytes`.
pub const MESSAGE_MAX_BYTES: usize = 1_000_000;

/// Bytes of a batch of one record beyond its key, value and headers: the batch's head, lengths, and
/// what compression adds to data that cannot be compressed.
pub const RECORD_OVERHEAD_BYTES: usize = 1024;

/// Record size that processed-logins and aggregated-usage must accept: an enriched event of the
/// largest size whose user id, which is also its key, is most of it; or a window with a thousand
/// long values in each dimension; and a margin.
pub const OUTPUT_RECORD_MIN_BYTES: usize = 256 * 1024;

/// Partitions of topics that `--create-topics` creates when the input does not exist either.
pub const NEW_TOPIC_PARTITIONS: i32 = 8;

/// Most log lines and errors that one admin call serves.
pub const ADMIN_SERVE_EVENTS: usize = 256;

/// Time between two statistics of the client that finds out which brokers are out of reach; it
/// lives for one query.
pub const ADMIN_STATISTICS_INTERVAL: Duration = Duration::from_millis(100);

/// Pause between two checks whether the brokers know a new topic yet; usually one is enough.
pub const TOPIC_VISIBLE_POLL: Duration = Duration::from_millis(100);

/// Largest `--partitions`: more than a topic of logins needs, and few enough that a mistyped number
/// is refused and not created on the cluster.
pub const NEW_TOPIC_PARTITIONS_MAX: i32 = 10_000;

/// Largest `--replication`: as many brokers as a large cluster has.
pub const NEW_TOPIC_REPLICATION_MAX: i32 = 100;

/// Time between two checks for partitions that an open transaction holds back. A check compares the
/// ends that librdkafka knows, and sends a small query to the leaders of partitions that seem held.
pub const OPEN_TRANSACTION_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a partition stands at its readable end while its log goes on, before its leader is
/// asked. Ordinary transactions are shorter, and records on their way arrive sooner.
pub const OPEN_TRANSACTION_NOTED: Duration = Duration::from_secs(3);

/// Time between two log lines about open transactions; most last at most a minute.
pub const OPEN_TRANSACTION_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Kafka's default of `transaction.max.timeout.ms`, for users who may not read the brokers' value.
pub const TRANSACTION_MAX_TIMEOUT: Duration = Duration::from_mins(15);

/// How much longer than its timeout a transaction may be open: brokers look for expired ones every
/// ten seconds, and then write a marker to every partition.
pub const TRANSACTION_EXPIRY_SLACK: Duration = Duration::from_secs(15);

/// Markers of transactions that a broker takes per second without much else to do.
pub const MARKERS_PER_SECOND: usize = 2_000;

/// Pause before the same commits and the journal are asked for again at a takeover.
pub const ASK_AGAIN_PAUSE: Duration = Duration::from_millis(500);

/// A commit that takes longer may have been sent twice: librdkafka repeats a request that is not
/// answered, and a broker takes a late copy for one of the next transaction of the same producer.
pub const SLOW_COMMIT: Duration = Duration::from_secs(1);

/// How long a takeover tries to find out which instances have gone, and then to register their ids:
/// that takes some tenths of a second. Without it their transactions end when they expire.
pub const DEPARTED_PATIENCE: Duration = Duration::from_secs(10);

/// How long a fence is remembered.
pub const FENCE_MEMORY: Duration = Duration::from_mins(1);

/// So many fences within `FENCE_MEMORY` are a second process with this name.
pub const FENCES_MOST: usize = 5;
