//! Between the process and its brokers: timeouts, retries, sizes of requests.

use std::time::Duration;

/// One attempt of an offset commit outside a transaction. A healthy broker answers in 5 ms; while
/// it waits the sink does nothing else.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(2);

/// One attempt of a call that the transaction coordinator answers. Such a call goes on where it
/// stood when it is made again.
pub const TRANSACTION_CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// Time between two looks at an open transaction that nothing hints at having failed. A look costs
/// some microseconds: librdkafka's own thread answers it.
pub const TRANSACTION_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// First pause before a client connects to a broker again; it doubles up to librdkafka's longest one
/// of 10 s. The first connection to a broker counts as one after that of the bootstrap address, so
/// every start would take librdkafka's own 100 ms several times.
pub const RECONNECT_BACKOFF: Duration = Duration::from_millis(10);

/// First attempt of registering a transactional id; each further one is twice as long. Kafka ends a
/// dead producer's transaction within tens of milliseconds; librdkafka's own pause between two
/// requests is half a second.
pub const TRANSACTION_INIT_ATTEMPT: Duration = Duration::from_millis(5);

/// Longest attempt of registering a transactional id.
pub const TRANSACTION_INIT_ATTEMPT_MAX: Duration = Duration::from_millis(50);

/// Adding offsets to a transaction. Unlike the other calls it cannot be taken up again: librdkafka
/// gives the transaction up when the group's coordinator has not answered by then.
pub const TRANSACTION_OFFSETS_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait of the producer for an answer to a request. librdkafka's own value in exactly-once
/// is nearly the transaction timeout, and a broker that hangs would hold the sink for so long.
pub const PRODUCER_SOCKET_TIMEOUT: Duration = Duration::from_secs(30);

/// Age at which the transactional producer closes a connection that nothing uses. librdkafka asks
/// who the group's coordinator is again only when a connection comes or goes, whatever the call's
/// timeout: with one broker of several dead, adding offsets would wait for that broker for ever.
/// While it waits nothing else is sent, so connections go, and it asks again.
pub const TRANSACTION_IDLE_CONNECTION: Duration = Duration::from_secs(5);

/// Pause between two attempts of a commit.
pub const COMMIT_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How long one epoch's commit is tried before the epoch is rolled back: longer than a leader
/// election, and than the half dozen answers that a commit waits for on a line that takes seconds
/// for each; below the transaction timeout.
pub const COMMIT_DEADLINE: Duration = Duration::from_secs(45);

/// How long the broker lets a transaction be open before it aborts it: the default of Kafka's own
/// clients. It bounds how long a dead instance's open transaction hides later records.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_mins(1);

/// Longest commit interval in exactly-once: a transaction lasts at most twice as long, and that
/// leaves half of its timeout for trouble.
pub const TRANSACTION_COMMIT_INTERVAL_MAX: Duration = Duration::from_secs(15);

/// How long ending a process or a rollback waits for an open transaction's abort. It is a courtesy
/// to readers: the next start ends it as well.
pub const ABORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest wait for published windows while they are read back: as long as a dead instance's
/// transaction can hide them, and a little more.
pub const READBACK_STALL_TIMEOUT: Duration = Duration::from_secs(75);

/// Fetch queue of the reader that reads published windows back.
pub const READBACK_QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// How much earlier than its first event's time a window may seem to have been published: the
/// largest lead of event time that can be allowed, within reason, and wrong clocks.
pub const READBACK_MARGIN: Duration = Duration::from_hours(1);

/// One attempt of a blocking question to the broker (committed offsets, watermarks, metadata).
/// Short, so that a signal is still noticed while the broker is away.
pub const BROKER_QUERY_TIMEOUT: Duration = Duration::from_secs(3);

/// One attempt of such a question while partitions are recovered. Longer: on a slow line no answer
/// would ever come, and the group waits for minutes.
pub const RECOVERY_QUERY_TIMEOUT: Duration = Duration::from_secs(8);

/// How long a broker may refuse the password or the certificate before the start ends with that:
/// several attempts, because one that has just started may not know its users yet.
pub const REFUSAL_PATIENCE: Duration = Duration::from_secs(2);

/// Pause between two attempts of a question to a broker that is away.
pub const BROKER_RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Asking whether brokers answer for quiet partitions, in the source's loop.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause after such a question was not answered for all: while some brokers are away, the records
/// of others must not wait for it most of the time.
pub const PROBE_RETRY_PAUSE: Duration = Duration::from_secs(3);

/// How long a partition stands at an error of its data before it is asked whether that lasts:
/// librdkafka itself has fetched the same again three times by then.
pub const UNREADABLE_PATIENCE: Duration = Duration::from_secs(2);

/// Readings of new clients that must fail alike before a batch counts as unreadable.
pub const UNREADABLE_ATTEMPTS: u32 = 3;

/// Pause between two of them.
pub const UNREADABLE_RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Offsets that may be skipped where brokers name no batch but only what they cannot read: more
/// than that is no batch, but a storage that is away.
pub const UNREADABLE_MOST_OFFSETS: i64 = 100_000;

/// How long a reading behind the first offset of a batch of unknown format may find nothing until
/// it counts as inside of it: an answer takes some milliseconds, and half a second without data.
pub const UNREADABLE_SILENCE: Duration = Duration::from_secs(3);

/// Group and error events that one `Consumer::serve` handles. A crowd of log lines must not keep
/// the source from its records; what is left is served next time.
pub const CONSUMER_SERVE_EVENTS: usize = 64;

/// How long closing the consumer may take. Leaving a group is one request; a broker that is away
/// must not hold up the end of the process.
pub const CONSUMER_CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// Wait for one event while the consumer closes.
pub const CONSUMER_CLOSE_POLL: Duration = Duration::from_millis(50);

/// How often the topics' metadata is asked for. It bounds how long new partitions of the input go
/// unread; librdkafka's own default is five minutes. One small request.
pub const METADATA_REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// librdkafka's own default of `session.timeout.ms`: the group gives the partitions of a member that
/// has been silent for so long to others.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(45);

/// librdkafka's own default of `heartbeat.interval.ms`.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(3);

/// Records per call of librdkafka's batch send: its fixed cost vanishes, and the array of native
/// records (36 KiB) still fits the stack and the L1 cache.
pub const PRODUCER_RUN_RECORDS: usize = 512;

/// Events that one `Producer::poll` handles; a report event covers a whole request's records.
pub const PRODUCER_SERVE_EVENTS: usize = 256;

/// Bytes of keys and headers that librdkafka may hold for records that are sent one by one; its own
/// limit counts values only. A third of what values have: some thousand records with traces, or more
/// than a request's worth of the largest ones.
pub const PRODUCER_UNCOUNTED_BYTES: usize = 8 * 1024 * 1024;

/// What librdkafka allocates for a header to send beside its name and value.
pub const PRODUCED_HEADER_BYTES: usize = 64;

/// Longest time between two polls before the group takes the partitions away: librdkafka's own
/// default. The source polls at least every few milliseconds; a broker that is away takes seconds.
pub const MAX_POLL_INTERVAL: Duration = Duration::from_mins(5);

/// How long a record waits in librdkafka for others to share its request, at most.
pub const PRODUCER_LINGER: Duration = Duration::from_millis(5);

/// After how long the sink lets its records go nevertheless, while little is in flight.
pub const SINK_LINGER: Duration = Duration::from_millis(2);

/// Records in flight from which on larger requests are worth the longer wait: there is much to do, or
/// the broker is slow to answer.
pub const SINK_LINGER_RECORDS: usize = 1000;

/// How long librdkafka tries to deliver a record before the epoch is rolled back: longer than a
/// leader election or an ordinary broker restart, and shorter than `TRANSACTION_TIMEOUT`.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// One attempt of aborting a transaction. librdkafka waits for reports that only a poll between two
/// attempts takes away, so a long one would only block; but its own thread must have had its turn
/// within an attempt, or an answer that comes late is taken for that of the next step.
pub const TRANSACTION_ABORT_ATTEMPT: Duration = Duration::from_millis(200);

/// How long the reports of thrown-away records are served between two attempts of an abort, if so
/// many come.
pub const TRANSACTION_ABORT_SERVE: Duration = Duration::from_millis(100);

/// Wait for one report between two attempts of an abort; also the pause of one that failed at once.
pub const TRANSACTION_ABORT_POLL: Duration = Duration::from_millis(10);

/// The largest answer that the consumer takes, and what a zstd batch may be unpacked to. librdkafka
/// guesses the size of a batch that does not name its own, and three times as much when that is too
/// little: every batch of up to a third of this is read, 85 MiB. More is as much again beside the
/// memory budget, for whoever sends some kilobytes.
pub const RECEIVE_LIMIT_BYTES: usize = 256 * 1024 * 1024;

/// librdkafka's own default of `message.max.bytes`.
pub const MESSAGE_MAX_BYTES: usize = 1_000_000;

/// Bytes of a batch of one record beyond its key, value and headers: batch head, lengths, and what
/// a compression that does not help adds.
pub const RECORD_OVERHEAD_BYTES: usize = 1024;

/// What processed-logins and aggregated-usage must take in one record: an enriched event of the
/// largest size under a user id that is most of it, or a window with a thousand long values in each
/// dimension; and something to spare.
pub const OUTPUT_RECORD_MIN_BYTES: usize = 256 * 1024;

/// Partitions of topics created by `--create-topics` when the input does not exist either.
pub const NEW_TOPIC_PARTITIONS: i32 = 8;

/// Log lines and errors that one admin call serves.
pub const ADMIN_SERVE_EVENTS: usize = 256;

/// Time between two statistics of the client that finds out which brokers are out of reach; it lives
/// for a question.
pub const ADMIN_STATISTICS_INTERVAL: Duration = Duration::from_millis(100);

/// Pause before asking again whether a new topic is seen by the broker; usually once.
pub const TOPIC_VISIBLE_POLL: Duration = Duration::from_millis(100);

/// Commit intervals that a transaction's timeout must hold: a transaction lasts at most two, and
/// that leaves half of its timeout for trouble.
pub const TRANSACTION_INTERVALS: u32 = 4;

/// Most partitions that `--partitions` asks for: more than a topic of logins has, and few enough
/// that a slip of the keyboard is refused here and not made on the cluster.
pub const NEW_TOPIC_PARTITIONS_MAX: i32 = 10_000;

/// Most copies of a partition that `--replication` asks for: brokers of a large cluster.
pub const NEW_TOPIC_REPLICATION_MAX: i32 = 100;

/// Time between two looks for partitions that an open transaction holds back: what librdkafka
/// knows of their ends, and one small question to the leaders of those that seem to be held.
pub const OPEN_TRANSACTION_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a partition stands at its end while its log goes on before its leader is asked: ordinary
/// transactions are shorter, and records on their way arrive sooner.
pub const OPEN_TRANSACTION_NOTED: Duration = Duration::from_secs(3);

/// Time between two lines about open transactions: they last a minute, mostly.
pub const OPEN_TRANSACTION_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Kafka's default of `transaction.max.timeout.ms`, for users who may not read the brokers' value.
pub const TRANSACTION_MAX_TIMEOUT: Duration = Duration::from_mins(15);

/// How much longer than its timeout a transaction may be open: brokers look for such ones every ten
/// seconds, and then mark every partition.
pub const TRANSACTION_EXPIRY_SLACK: Duration = Duration::from_secs(15);
