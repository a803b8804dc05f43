//! Reads the dead-letter topic up to the ends it had at the start, batch by batch.
//!
//! In:  dead letters. Out: batches of what is to be sent, counts.
//! Holds: no group is joined; a batch has a bounded number of bytes; what came after the start is
//! left to the next run.

use std::collections::BTreeMap;

use super::{
    progress::Done,
    report::LetterCounts,
    selection::{Letter, Selection, Skip},
};
use crate::{
    client::{ScanEnd, ScanEvent, ScanRange, ShortLog, SystemClock, TopicScan},
    error::RunError,
    headers::{REDRIVEN, redriven_count},
    ids::{Offset, PartitionId},
    kafka::{CommitEntry, Consumer, Flow, KafkaError, Record},
    limits,
    output::shortened,
    sink::{KEY_CUT, VALUE_CUT},
};

/// A record that will be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    /// A block: the input record's headers, and how often it will have been redriven.
    pub(super) headers: Vec<u8>,
}

impl Outgoing {
    /// What becomes of a dead letter.
    fn of(letter: &Record<'_>, largest: usize) -> Result<Self, Skip> {
        let mut headers = Vec::new();
        let mut travelling = letter.headers.copy(&mut headers, limits::MAX_HEADERS_BYTES);
        travelling.redriven = travelling.redriven.saturating_add(1);
        travelling.append(&mut headers);
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let outgoing = Self { key: owned(letter.key), value: owned(letter.value), headers };
        let fits = outgoing.bytes() + limits::RECORD_OVERHEAD_BYTES <= largest;
        if fits { Ok(outgoing) } else { Err(Skip::TooLarge) }
    }

    fn bytes(&self) -> usize {
        let payload = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        payload(&self.key) + payload(&self.value) + self.headers.len()
    }
}

/// Records of one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Outgoing>,
    bytes: usize,
}

/// What is known of one partition.
#[derive(Debug)]
struct Log {
    done: Done,
    /// Whether the open batch has a record of it.
    touched: bool,
}

/// Reads the partitions up to their ends.
pub(super) struct Scan {
    topic: TopicScan,
    letters: Letters,
}

/// A partition: its first offset, its end, and what was sent of it.
pub(super) type Start = (PartitionId, Offset, Offset, Done);

impl Scan {
    /// Begins to read.
    pub(super) fn begin(
        consumer: Consumer,
        selection: Selection,
        starts: Vec<Start>,
        largest: usize,
        batch_records: usize,
    ) -> Result<Self, KafkaError> {
        let range = |(partition, from, until, _): &Start| ScanRange {
            partition: *partition,
            from: *from,
            until: *until,
        };
        let ranges: Vec<_> = starts.iter().map(range).collect();
        let log = |(partition, _, _, done): Start| (partition, Log { done, touched: false });
        let letters = Letters {
            selection,
            logs: starts.into_iter().map(log).collect(),
            largest,
            batch_records,
            batch: Batch::default(),
            counts: LetterCounts::default(),
        };
        Ok(Self { topic: TopicScan::begin(consumer, &ranges, ShortLog::Ends)?, letters })
    }

    /// Offsets between the beginning and the end, records or not.
    pub(super) fn left(&self) -> u64 {
        self.topic.left()
    }

    pub(super) fn counts(&self) -> &LetterCounts {
        &self.letters.counts
    }

    /// These records are in the input topic.
    pub(super) fn sent(&mut self, records: usize) {
        self.letters.counts.sent += records as u64;
    }

    /// The next records to send; an empty batch at the end. Stops early when `stopped` says so.
    pub(super) fn next(
        &mut self,
        stopped: impl Fn() -> bool,
        mut seen: impl FnMut(&LetterCounts),
    ) -> Result<Batch, RunError> {
        let failed = |error: KafkaError| RunError::Kafka(error.to_string());
        if stopped() {
            return Ok(Batch::default());
        }
        let letters = &mut self.letters;
        let mut wrong = None;
        let run = self.topic.run(&SystemClock, limits::COMMAND_PATIENCE, |event| {
            let enough = match event {
                ScanEvent::Record(record) => {
                    letters.record(&record);
                    letters.is_full()
                }
                ScanEvent::Error(error) => {
                    wrong = Some(error);
                    true
                }
                ScanEvent::Turn { .. } => {
                    seen(&letters.counts);
                    stopped()
                }
                ScanEvent::EndOfRange { .. } | ScanEvent::ClientError(_) => false,
            };
            if enough { Flow::Stop } else { Flow::Continue }
        });
        let end = run.map_err(failed)?;
        wrong.map_or(Ok(()), |error| Err(failed(error)))?;
        if end == ScanEnd::Stalled {
            return Err(RunError::Failed(format!(
                "no dead letter could be read for {:?}, {} offsets are left; is a broker \
                 away? Start again when it is back",
                limits::COMMAND_PATIENCE,
                self.left()
            )));
        }
        Ok(std::mem::take(&mut self.letters.batch))
    }

    /// What the open batch's transaction commits.
    pub(super) fn progress(&mut self) -> Result<Vec<CommitEntry>, RunError> {
        let mut entries = Vec::new();
        let letters = &mut self.letters;
        for (partition, log) in letters.logs.iter_mut().filter(|(_, log)| log.touched) {
            log.touched = false;
            let position = self.topic.position(*partition).expect("a touched log is scanned");
            let metadata = log.done.encode(&letters.selection.input_topic, position.0);
            if metadata.len() > limits::REDRIVE_PROGRESS_BYTES {
                return Err(RunError::Refused(format!(
                    "partition {partition}: what has been sent is in more pieces than a commit can \
                     name; select by --reason or --all instead of by time, or use --again"
                )));
            }
            entries.push((*partition, position, metadata));
        }
        Ok(entries)
    }
}

/// Judges dead letters, and collects those to send.
struct Letters {
    selection: Selection,
    logs: BTreeMap<PartitionId, Log>,
    /// Bytes of the largest record that can be sent.
    largest: usize,
    batch_records: usize,
    batch: Batch,
    counts: LetterCounts,
}

impl Letters {
    fn is_full(&self) -> bool {
        self.batch.records.len() >= self.batch_records
            || self.batch.bytes >= limits::REDRIVE_BATCH_BYTES
    }

    fn record(&mut self, record: &Record<'_>) {
        let headers = record.headers;
        let log = self.logs.get_mut(&record.partition).expect("a record of a scanned log");
        self.counts.read += 1;
        let redriven = redriven_count(headers.get(REDRIVEN));
        let letter = Letter {
            timestamp_ms: record.timestamp_ms,
            reason: headers.get("logintide.reason"),
            topic: headers.get("logintide.topic"),
            is_cut: headers.get(VALUE_CUT).or(headers.get(KEY_CUT)).is_some(),
            redriven,
        };
        let (class, selected) = match self.selection.judge(&letter) {
            Ok(judged) => judged,
            Err(skip) => return self.counts.skip(skip),
        };
        if log.done.contains(class, record.offset) {
            log.done.sent(class, record.offset);
            return self.counts.skip(selected.err().unwrap_or(Skip::DoneBefore));
        }
        let outgoing = match selected.and_then(|()| Outgoing::of(record, self.largest)) {
            Ok(outgoing) => outgoing,
            Err(skip) => {
                log.done.passed(class);
                return self.counts.skip(skip);
            }
        };
        log.done.sent(class, record.offset);
        log.touched = true;
        self.counts.select(class.reason, || {
            // Whoever may write to the topic has written it.
            let detail = shortened(headers.get("logintide.detail").unwrap_or_default());
            let raw = shortened(record.value.unwrap_or_default());
            let (partition, offset) = (record.partition, record.offset);
            format!("partition {partition} offset {offset}: {}: {detail}\n    {raw}", class.reason)
        });
        self.batch.bytes += outgoing.bytes();
        self.batch.records.push(outgoing);
    }
}
