//! Every capacity, retry count and timeout that is not configuration, with its reason.
//!
//! Used by every thread. Constants, and in `timing` what follows from two settings. Units stand
//! last in the names.
#![warn(missing_docs)]

mod broker;
mod commands;
#[cfg(feature = "demo")]
mod demo;
mod journal;
mod people;
mod timing;
mod users;

use std::time::Duration;

#[cfg(feature = "demo")]
pub use self::demo::*;
pub use self::{broker::*, commands::*, journal::*, people::*, timing::*, users::*};

/// Bytes of payload after which the source sends a worker's batch: about 1 200 ordinary events,
/// enough that the cost of a channel operation vanishes, and small enough to stay in the L2 cache.
pub const INPUT_BATCH_BYTES: usize = 256 * 1024;

/// Longest time an admitted record waits for its batch to fill.
pub const INPUT_BATCH_MAX_AGE: Duration = Duration::from_millis(2);

/// Batches that may wait in one worker's queue: two being parsed or sent,
/// two filling the gap while the sink commits. More only adds latency.
pub const WORKER_QUEUE_BATCHES: usize = 4;

/// Messages (batches, barriers, resets) the source holds for one worker beyond its queue before it
/// stops draining: one batch that did not fit, and a barrier and a reset behind it.
pub const OUTBOX_MESSAGES: usize = 4;

/// Messages that may wait for the sink. Their bytes are bounded by the budget; this bounds their
/// number: with 4 workers and 8 output partitions it takes the output of some tens of input
/// batches.
pub const SINK_QUEUE_MESSAGES: usize = 4096;

/// Records after which a worker hands an output partition's batch to the sink. A call of
/// librdkafka's batch send takes as many (`PRODUCER_RUN_RECORDS`).
pub const OUTPUT_BATCH_RECORDS: usize = 512;

/// Bytes after which a worker hands an output partition's batch to the sink.
pub const OUTPUT_BATCH_BYTES: usize = 160 * 1024;

/// Room in a new arena beyond its batch's bytes: the record that completes a batch is mostly far
/// smaller, so that an arena never grows. Growing would leave blocks of every size on the way.
pub const ARENA_SLACK_BYTES: usize = 16 * 1024;

/// Empty arenas kept per direction for reuse: what two workers' queues hold. They are outside the
/// budget, so there are few.
pub const POOL_ARENAS: usize = 16;

/// Bytes of the budget that an open batch takes in advance, so that the shared account is touched
/// once for some dozens of records.
pub const ADMISSION_STEP_BYTES: usize = 32 * 1024;

/// Largest block of headers that a record keeps, bytes, eight of each header's lengths among them.
/// With it an enriched event of the largest size still fits `OUTPUT_RECORD_MIN_BYTES`, whatever its
/// sender put into the headers. Ordinary headers carry traces and types, some hundred bytes.
pub const MAX_HEADERS_BYTES: usize = 64 * 1024;

/// Share of the batch pool that batches may always use, however large the window state has grown:
/// without it a ledger as large as the budget would stop the source for ever.
pub const BUDGET_FLOOR_BYTES: usize = 8 * 1024 * 1024;

/// Bytes an enriched record may be longer than its input: six defaulted fields with long renamed
/// names, three added fields, separators.
pub const ENRICH_MAX_ADDED_BYTES: usize = 512;

/// Use of the budget, in percent, at which an epoch is cut before its commit interval has passed.
pub const EARLY_CUT_PERCENT: usize = 80;

/// Deltas below this are not worth an early cut: it would only multiply epochs under a ledger that
/// is large by itself.
pub const EARLY_CUT_MIN_DELTA_BYTES: usize = 4 * 1024 * 1024;

/// Memory for prefetched records in librdkafka: one half for their payload, the other half for
/// `FETCHED_RECORD_BYTES` of each.
pub const FETCH_QUEUE_BYTES: usize = 16 * 1024 * 1024;

/// What librdkafka allocates for a fetched record beside its payload: 304 bytes, in blocks of 320.
pub const FETCHED_RECORD_BYTES: usize = 320;

/// The fetch queue holds so many fetch responses. librdkafka takes a response whole, so the queue
/// can exceed its size by one, and by a multiple of one where the input is compressed.
pub const FETCH_RESPONSE_DIVISOR: usize = 8;

/// Memory for records waiting in the producer: two thirds for their payload, the rest for
/// `PRODUCED_RECORD_BYTES` of each.
pub const PRODUCER_QUEUE_BYTES: usize = 24 * 1024 * 1024;

/// What librdkafka allocates for a record to send beside its key and value: 176 bytes and the
/// rounding of both blocks.
pub const PRODUCED_RECORD_BYTES: usize = 256;

/// How long the source may wait for records when nothing else is due; bounds the reaction to a
/// message of the sink or to a signal.
pub const SOURCE_IDLE_WAIT: Duration = Duration::from_millis(10);

/// How long the sink waits for a message while nothing is in flight.
pub const SINK_IDLE_WAIT: Duration = Duration::from_millis(20);

/// How long the sink lets librdkafka serve reports while an epoch drains.
pub const SINK_DRAIN_POLL: Duration = Duration::from_millis(1);

/// Rollbacks without a committed epoch between them before the process gives up; with the backoff
/// between them this is several minutes of steady failure.
pub const ROLLBACK_ATTEMPTS: u32 = 20;

/// Longest pause before a rolled-back pipeline starts again.
pub const ROLLBACK_BACKOFF_MAX: Duration = Duration::from_secs(15);

/// How long the process waits for the threads after the first one failed.
pub const JOIN_DEADLINE: Duration = Duration::from_secs(10);

/// Distinct values per dimension and window; the rest count as `other`.
pub const MAX_VALUES_PER_DIMENSION: usize = 1000;

/// Longest dimension value that is counted under its own name, bytes; longer ones count as
/// `other`.
pub const MAX_VALUE_BYTES: usize = 64;

/// Deepest nesting of an accepted event, arrays and objects together, the event itself being 1.
pub const MAX_NESTING: usize = 16;

/// Largest accepted event, bytes.
pub const MAX_EVENT_BYTES: usize = 64 * 1024;

/// sled's page cache. Rows are read at the start only; what is written goes through once.
pub const SLED_CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// Milliseconds between sled's own background flushes.
pub const SLED_FLUSH_EVERY_MS: u64 = 500;

/// Records taken from the fetch queue before the source looks at its other duties: some
/// milliseconds of work.
pub const DRAIN_MAX_RECORDS: usize = 4096;

/// Wait of a source that may not take records (an outbox or the budget is full).
pub const SOURCE_BLOCKED_WAIT: Duration = Duration::from_micros(500);

/// Smallest memory budget: the batch floor for batches and once more for window state, and a third
/// of the whole for the two queues.
pub const MEMORY_BUDGET_MIN_BYTES: usize = 32 * 1024 * 1024;

/// Divides the budget beside the queues: this part of it is a reserve for pages that the allocator
/// keeps between threads, and for what librdkafka holds while it encodes and decodes requests.
pub const MEMORY_RESERVE_DIVISOR: usize = 2;

/// Largest reserve: its causes do not grow with the pool.
pub const MEMORY_RESERVE_MAX_BYTES: usize = 128 * 1024 * 1024;

/// Most memory that a process takes beside its budget, without what librdkafka decompresses:
/// docs/OPERATING.md promises it, and the benchmark `memory` measures it.
pub const MEMORY_OVERHEAD_BYTES: u64 = 100 * 1024 * 1024;

/// Part of the pool that batches keep where users have rows: they need no more to keep the workers
/// busy, and rows are what there is much of.
pub const ROWS_POOL_DIVISOR: usize = 4;

/// Rows of the smallest budget: what the workers have changed since the files were last written.
pub const ROWS_MIN_BYTES: usize = 4 * 1024 * 1024;

/// Part of the rows that waits to be written: those of a minute, which the workers have too.
pub const ROW_FILES_DIVISOR: usize = 3;

/// What a worker needs of the batch pool to work without waiting for the next commit: an input
/// batch that fills and one that is worked on, each with its output, and an output batch.
pub const WORKER_POOL_BYTES: usize = 2 * 2 * INPUT_BATCH_BYTES + OUTPUT_BATCH_BYTES;

/// Smallest budget with which both queues have their full size; half of the default.
pub const MEMORY_BUDGET_FULL_BYTES: usize = 128 * 1024 * 1024;

/// Longest duration of any setting; keeps sums of them and event times far from overflow.
pub const DURATION_MAX: Duration = Duration::from_hours(366 * 24);

/// Shortest and longest time between two epochs. With a shorter one the commit itself costs more
/// than the work; with a longer one a restart repeats minutes of work and the open epoch fills the
/// budget.
pub const COMMIT_INTERVAL_RANGE: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_mins(1));

/// Smallest window: window records are keyed by whole seconds.
pub const WINDOW_MIN: Duration = Duration::from_secs(1);

/// Shortest idle timeout: with one below an ordinary fetch wait every pause between two records
/// would count as idleness.
pub const IDLE_TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// Time between two checks of the main thread on what the other threads are doing.
pub const SUPERVISION_INTERVAL: Duration = Duration::from_millis(500);

/// Shortest stall timeout: with one below the time of a leader election or a rebalance, ordinary
/// operation would count as a stall.
pub const STALL_TIMEOUT_MIN: Duration = Duration::from_secs(5);

/// Most worker threads: more than any machine this runs on has cores for.
pub const MAX_WORKERS: usize = 256;

/// Kafka's own limit for topic names.
pub const MAX_TOPIC_NAME_BYTES: usize = 249;

/// How long opening the state waits for sled's own file lock while this process has the folder's
/// lock already: sled's threads release theirs some time after the database is dropped.
pub const SLED_LOCK_WAIT: Duration = Duration::from_secs(5);

/// Pause between two attempts to get sled's file lock.
pub const SLED_LOCK_RETRY: Duration = Duration::from_millis(10);

/// Longest instance id. Commit metadata holds it beside three numbers of at most 20 digits;
/// brokers accept 4 096 bytes by default.
pub const INSTANCE_ID_MAX_BYTES: usize = 128;

/// Longest name of an input field, bytes. Five of them, defaulted, and the added fields fit in
/// `ENRICH_MAX_ADDED_BYTES`.
pub const FIELD_NAME_MAX_BYTES: usize = 48;

/// Messages that the sink handles before it polls librdkafka: batches of some thousand records.
pub const SINK_TURN_MESSAGES: usize = 64;

/// How long freed pages stay with the process. With a shorter time the process fetches them again
/// all the time; with a longer one, such as mimalloc's default of a second, more of them pile up
/// unused.
pub const FREED_PAGES_KEPT: Duration = Duration::from_millis(500);
