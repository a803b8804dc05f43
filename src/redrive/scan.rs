//! Reads the dead-letter topic up to the ends it had at the start, batch by batch.
//!
//! In:  drained records. Out: batches of what is to be sent, counts.
//! Holds: offsets are assigned, no group is joined; a batch has a bounded number of bytes.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    progress::Done,
    report::LetterCounts,
    selection::{Letter, Selection, Skip},
};
use crate::{
    error::RunError,
    headers::{REDRIVEN, redriven_count},
    ids::{Offset, PartitionId},
    kafka::{CommitEntry, Consumer, DrainEvent, Flow, KafkaError, Record},
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

/// One partition.
#[derive(Debug)]
struct Log {
    position: i64,
    end: i64,
    done: Done,
    /// Whether the open batch has a record of it.
    touched: bool,
}

/// Reads the partitions up to their ends.
pub(super) struct Scan {
    selection: Selection,
    logs: BTreeMap<PartitionId, Log>,
    /// Bytes of the largest record that can be sent.
    largest: usize,
    batch_records: usize,
    batch: Batch,
    pub(super) counts: LetterCounts,
}

/// A partition: its first offset, its end, and what was sent of it.
pub(super) type Start = (PartitionId, Offset, Offset, Done);

impl Scan {
    pub(super) fn new(
        selection: Selection,
        starts: Vec<Start>,
        largest: usize,
        batch_records: usize,
    ) -> Self {
        let log = |(partition, low, end, done): Start| {
            (partition, Log { position: low.0, end: end.0, done, touched: false })
        };
        Self {
            selection,
            logs: starts.into_iter().map(log).collect(),
            largest,
            batch_records,
            batch: Batch::default(),
            counts: LetterCounts::default(),
        }
    }

    /// Offsets between the beginning and the end, records or not.
    pub(super) fn left(&self) -> u64 {
        self.logs.values().map(|log| (log.end - log.position).max(0) as u64).sum()
    }

    /// Begins to read.
    pub(super) fn begin(&self, consumer: &mut Consumer) -> Result<(), KafkaError> {
        let open = self.logs.iter().filter(|(_, log)| log.position < log.end);
        let from: Vec<_> = open.map(|(id, log)| (*id, Offset(log.position))).collect();
        consumer.assign(&from)
    }

    /// The next records to send; an empty batch at the end. Stops early when `stopped` says so.
    pub(super) fn next(
        &mut self,
        consumer: &mut Consumer,
        stopped: impl Fn() -> bool,
        mut seen: impl FnMut(&LetterCounts),
    ) -> Result<Batch, RunError> {
        let failed = |error: KafkaError| RunError::Kafka(error.to_string());
        let mut moved = Instant::now();
        while !self.is_full() && self.left() > 0 && !stopped() {
            let mut wrong = None;
            let taken = consumer.drain(limits::SOURCE_IDLE_WAIT, |event| {
                wrong = self.event(event).err();
                let enough = self.is_full() || self.left() == 0 || wrong.is_some();
                if enough { Flow::Stop } else { Flow::Continue }
            });
            wrong.map_or(Ok(()), |error| Err(failed(error)))?;
            consumer.serve(Duration::ZERO, &mut |_| {}).map_err(failed)?;
            if taken > 0 {
                moved = Instant::now();
            } else if moved.elapsed() >= limits::REDRIVE_PATIENCE {
                return Err(RunError::Failed(format!(
                    "no dead letter could be read for {:?}, {} offsets are left; is a broker \
                     away? Start again when it is back",
                    limits::REDRIVE_PATIENCE,
                    self.left()
                )));
            }
            seen(&self.counts);
        }
        Ok(std::mem::take(&mut self.batch))
    }

    /// What the open batch's transaction commits.
    pub(super) fn progress(&mut self) -> Result<Vec<CommitEntry>, RunError> {
        let mut entries = Vec::new();
        for (partition, log) in self.logs.iter_mut().filter(|(_, log)| log.touched) {
            log.touched = false;
            let metadata = log.done.encode(&self.selection.input_topic, log.position);
            if metadata.len() > limits::REDRIVE_PROGRESS_BYTES {
                return Err(RunError::Refused(format!(
                    "partition {partition}: what has been sent is in more pieces than a commit can \
                     name; select by --reason or --all instead of by time, or use --again"
                )));
            }
            entries.push((*partition, Offset(log.position), metadata));
        }
        Ok(entries)
    }

    fn is_full(&self) -> bool {
        self.batch.records.len() >= self.batch_records
            || self.batch.bytes >= limits::REDRIVE_BATCH_BYTES
    }

    fn event(&mut self, event: DrainEvent<'_>) -> Result<(), KafkaError> {
        match event {
            DrainEvent::Record(record) => self.record(&record),
            DrainEvent::EndOfPartition { partition, .. } => {
                if let Some(log) = self.logs.get_mut(&partition) {
                    log.position = log.position.max(log.end);
                }
            }
            DrainEvent::Error { error, .. } => return Err(error),
        }
        Ok(())
    }

    fn record(&mut self, record: &Record<'_>) {
        let headers = record.headers;
        let Some(log) = self.logs.get_mut(&record.partition) else { return };
        // What came after the start is left to the next run.
        if record.offset < log.position || record.offset >= log.end {
            return;
        }
        log.position = record.offset + 1;
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
