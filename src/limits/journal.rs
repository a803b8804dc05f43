//! The journal: how its records are cut, and how often a stream is written whole.

use std::time::Duration;

use super::RECORD_OVERHEAD_BYTES;

/// Bytes of a record's body in one chunk: half of the largest message that Kafka accepts by
/// default, so that key, header and a batch's own bytes fit beside it, uncompressed.
pub const JOURNAL_CHUNK_BYTES: usize = 512 * 1024;

/// Largest key and header of a chunk, bytes, with room to spare: a key has at most 27, and a header
/// 165, most of them the instance id.
const JOURNAL_HEAD_BYTES: usize = 512;

/// Record size that the journal must accept: a chunk with its key and header.
pub const JOURNAL_RECORD_MIN_BYTES: usize =
    JOURNAL_CHUNK_BYTES + JOURNAL_HEAD_BYTES + RECORD_OVERHEAD_BYTES;

/// Most partitions of a journal that is created. Each one in a transaction costs half a millisecond
/// per commit, and a few are enough to read it quickly.
pub const JOURNAL_PARTITIONS_MAX: i32 = 8;

/// Bytes of a segment of the journal (`segment.bytes`). The cleaner leaves the newest segment
/// alone, so this and `JOURNAL_SEGMENT_MAX_AGE` bound what is outdated and still there.
pub const JOURNAL_SEGMENT_BYTES: usize = 64 * 1024 * 1024;

/// Longest time that a segment of the journal is written to (`segment.ms`).
pub const JOURNAL_SEGMENT_MAX_AGE: Duration = Duration::from_mins(10);

/// Time after which the cleaner takes an outdated record, however few there are
/// (`max.compaction.lag.ms`): three segments.
pub const JOURNAL_COMPACTION_LAG: Duration = Duration::from_mins(30);

/// How long the cleaner keeps markers of transactions (`delete.retention.ms`), Kafka's default: a
/// reader that is so far behind has begun anew.
pub const JOURNAL_DELETE_RETENTION: Duration = Duration::from_hours(24);

/// Most chunks of a record, 2 GiB together: far above what a memory budget allows a stream. A
/// higher number means that the record is damaged.
pub const JOURNAL_CHUNKS_MAX: u32 = 4096;

/// Slots of the ring that epoch records are keyed by: a record replaces the one that came so many
/// before it. Twice `JOURNAL_SNAPSHOT_RECORDS`, so that a slot is never used twice between two
/// snapshots, also when one of them was lost half written.
pub const JOURNAL_RING_SLOTS: u64 = 256;

/// Sequence numbers from one snapshot to the next at most. A restore reads so many small records
/// of a stream in the worst case.
pub const JOURNAL_SNAPSHOT_RECORDS: u64 = 128;

/// Records since a snapshot that make the next one due, in its size: a restore reads at most three
/// times the state, and half of what is written are snapshots at most.
pub const JOURNAL_SNAPSHOT_FACTOR: u64 = 2;

/// Shortest time between two snapshots of a stream, as long as its ring has room: under a burst of
/// large epochs the whole state would be written several times a second.
pub const JOURNAL_SNAPSHOT_MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Time after which a quiet stream is written whole although little has changed: as long as a
/// segment of the journal is written to. Otherwise a restore would begin at its old snapshot and
/// read what all the busy streams of its journal partition wrote since.
pub const JOURNAL_SNAPSHOT_MAX_INTERVAL: Duration = Duration::from_mins(10);

/// Records of one stream whose chunks a reader collects at the same time: one that is being
/// written, and one that was cut off when its writer was replaced. More are of no use.
pub const JOURNAL_OPEN_RECORDS: usize = 2;

/// Time between two writes of the local copy of the journal. A start reads again from Kafka what
/// came since the last one; each write waits twice for the disk.
pub const COPY_WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes that wait to be written to the local copy before they are written at once: a first read
/// of a large journal brings far more in a second.
pub const COPY_PENDING_BYTES: usize = 8 * 1024 * 1024;

/// Largest value of a row of the local copy. sled copies whole pages, and does not like values
/// above 64 KiB.
pub const COPY_ROW_BYTES: usize = 60 * 1024;

/// Rows of one batch of the local copy. A batch of 1 000 takes about 3 ms.
pub const COPY_BATCH_ROWS: usize = 1000;

/// How long a takeover waits for the journal without a word. Ordinary transactions are shorter,
/// and a restore of a journal of ordinary size takes less.
pub const FOLLOW_WAIT_NOTED: Duration = Duration::from_secs(3);

/// Memory of the replica that is worth a word, as a part of the memory budget: four times of it
/// ends the process.
pub const REPLICA_MEMORY_NOTED_DIVISOR: usize = 4;

/// What an epoch may write into the journal per commit interval, bytes; one that has written more
/// is followed by a longer one.
pub const JOURNAL_EPOCH_BYTES: usize = 4 * 1024 * 1024;

/// So many commit intervals an epoch lasts at most, if a transaction may last four such epochs.
pub const EPOCH_INTERVALS_MOST: u32 = 4;

/// Longest epochs in a row without a record of a partition, while others have one in each, after
/// which its owner counts as gone: a slow commit and a rollback are no reason to say so.
pub const SILENT_EPOCHS: u32 = 3;

/// How long a broker holds back the answer to a fetch of the journal while nothing is written. A
/// broker takes one request of a connection at a time, and a client has one fetch on its way: what
/// is asked at a takeover, and what is read from another offset on, waits for that answer.
pub const REPLICA_FETCH_WAIT: Duration = Duration::from_millis(50);

/// How long the replica waits for records when nothing else is due: how late a request is seen.
pub const REPLICA_IDLE_WAIT: Duration = Duration::from_millis(10);

/// What a row of a partition takes in memory beside its value and its entry: the hash table is half
/// empty on average, and the allocation has a head.
pub const ROW_OVERHEAD_BYTES: usize = 48;

/// What memory has of a row in the files: key and place, and a byte of the hash table.
pub const ROW_INDEX_BYTES: usize = 17;

/// A segment of the files of rows is closed when it is so long. Some hundred are there of ten
/// million rows, and what is moved when one is cleared is written in a tenth of a second.
pub const ROW_SEGMENT_BYTES: u64 = 64 << 20;

/// Rows that are written at once.
pub const ROW_BUFFER_BYTES: usize = 1 << 20;

/// Segments that are cleared at most each time rows are written: twice what a full load of new rows
/// leaves dead in a second, at a tenth of the load each more.
pub const ROW_SEGMENTS_CLEARED: usize = 2;

/// Entries of the table of waiting rows that are kept for the next ones.
pub const ROWS_WAITING_KEPT: usize = 4_096;

/// A file of commits is replaced when it is this part of a segment: after some minutes of commits
/// of 256 partitions.
pub const ROW_COMMITS_DIVISOR: u64 = 64;

/// How often a row is looked up again whose segment was removed meanwhile. It moves at most once in
/// the time that a read takes; more is an error of the disk.
pub const ROW_READ_TRIES: usize = 4;
