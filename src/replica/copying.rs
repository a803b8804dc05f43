//! Keeps the local copy of the journal in step with what is followed. Owned by the replica.
//!
//! In:  records that were taken, and how far each journal partition was read. Out: changes of the
//! copy, about once a second.
//! Holds: the copy has every record that the state of a stream is made of; what comes before the
//! snapshot that a stream stands on is removed with it. The copy is never needed: one that fails is
//! given up, and what it says is dropped when it is not of this journal.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Instant,
};

use tracing::warn;

use crate::{
    ids::{Offset, PartitionId},
    journal::{Stream, chunk_seq},
    kafka::Record,
    limits::{COPY_PENDING_BYTES, COPY_WRITE_INTERVAL},
    metrics::{self, Metric},
    state::{
        Copied, CopiedJournal, CopiedPartition, CopiedRecord, CopyChange, CopyFault, JournalCopy,
    },
};

/// The copy, and what is not written yet.
#[derive(Debug)]
pub(super) struct Copying {
    /// `None` when there is none, or when it was given up.
    copy: Option<Box<dyn JournalCopy>>,
    dropped: BTreeSet<PartitionId>,
    records: BTreeMap<(PartitionId, Vec<u8>), Option<CopiedRecord>>,
    pending_bytes: usize,
    /// Of each stream, the records that the copy has or will have, with their sequence numbers.
    kept: BTreeMap<Stream, Kept>,
    positions: BTreeMap<PartitionId, Offset>,
    written_at: Option<Instant>,
}

/// What the copy keeps of a stream.
#[derive(Debug)]
struct Kept {
    partition: PartitionId,
    seqs: BTreeMap<Vec<u8>, u64>,
}

impl Copying {
    pub(super) fn new(copy: Option<Box<dyn JournalCopy>>) -> Self {
        Self {
            copy,
            dropped: BTreeSet::new(),
            records: BTreeMap::new(),
            pending_bytes: 0,
            kept: BTreeMap::new(),
            positions: BTreeMap::new(),
            written_at: None,
        }
    }

    /// What the copy holds. One that cannot be read is set aside.
    pub(super) fn load(&mut self) -> Option<Copied> {
        match self.copy.as_mut()?.load() {
            Ok(copied) => copied,
            Err(CopyFault(reason)) => {
                self.set_aside(&reason);
                None
            }
        }
    }

    /// The copy is of no use: it is moved out of the way, and begins anew.
    pub(super) fn set_aside(&mut self, reason: &str) {
        let Some(copy) = &mut self.copy else { return };
        let set_aside = copy.set_aside(reason);
        self.forget();
        if let Err(fault) = set_aside {
            self.give_up(&fault);
        }
    }

    fn give_up(&mut self, CopyFault(reason): &CopyFault) {
        warn!(
            reason,
            "the local copy of the journal cannot be written; this run goes on without it, and the \
             next start reads the journal"
        );
        self.copy = None;
        self.forget();
    }

    fn forget(&mut self) {
        self.dropped.clear();
        self.records.clear();
        self.pending_bytes = 0;
        self.kept.clear();
        self.positions.clear();
    }

    /// Takes note of what the copy has of a partition.
    pub(super) fn holds(&mut self, partition: PartitionId, copied: CopiedPartition) {
        self.positions.insert(partition, copied.position);
        for (key, record) in copied.records {
            if let Some((stream, seq)) = chunk_seq(&record.value) {
                self.note(partition, stream, key, seq);
            }
        }
    }

    fn note(&mut self, partition: PartitionId, stream: Stream, key: Vec<u8>, seq: u64) {
        let kept =
            self.kept.entry(stream).or_insert_with(|| Kept { partition, seqs: BTreeMap::new() });
        kept.seqs.insert(key, seq);
    }

    /// Keeps a record that what is known may be made of.
    pub(super) fn keep(&mut self, record: &Record<'_>) {
        let (Some(key), Some(value), true) = (record.key, record.value, self.copy.is_some()) else {
            return;
        };
        let copied = CopiedRecord {
            offset: Offset(record.offset),
            appended_ms: record.timestamp_ms,
            value: value.to_vec(),
        };
        self.pending_bytes += key.len() + value.len();
        // What an instance says of itself is of no stream, and stays until there is a newer one.
        if let Some((stream, seq)) = chunk_seq(value) {
            self.note(record.partition, stream, key.to_vec(), seq);
        }
        self.records.insert((record.partition, key.to_vec()), Some(copied));
    }

    /// A stream stands on this snapshot: what came before it is not needed.
    pub(super) fn stands_on(&mut self, stream: Stream, snapshot: u64) {
        let Some(Kept { partition, seqs }) = self.kept.get_mut(&stream) else { return };
        let is_older = |_: &Vec<u8>, seq: &mut u64| *seq < snapshot;
        for (key, _) in seqs.extract_if(.., is_older) {
            self.records.insert((*partition, key), None);
        }
    }

    /// Nothing is kept of a partition: it is read from another offset on.
    pub(super) fn drop_partition(&mut self, partition: PartitionId) {
        if self.copy.is_none() {
            return;
        }
        self.dropped.insert(partition);
        self.records.retain(|(p, _), _| *p != partition);
        self.kept.retain(|_, kept| kept.partition != partition);
        self.positions.remove(&partition);
    }

    /// Nothing is kept of any partition of a topic that has so many.
    pub(super) fn drop_all(&mut self, partitions: u32) {
        (0..partitions as i32).map(PartitionId).for_each(|p| self.drop_partition(p));
    }

    /// Whether it is time to write.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let waited = self.written_at.is_none_or(|at| now - at >= COPY_WRITE_INTERVAL);
        self.copy.is_some() && (waited || self.pending_bytes >= COPY_PENDING_BYTES)
    }

    /// Writes what has come. `positions` are those from which reading would go on.
    pub(super) fn write(
        &mut self,
        journal: CopiedJournal,
        mut positions: BTreeMap<PartitionId, Offset>,
        now: Instant,
    ) {
        let Some(copy) = &mut self.copy else { return };
        self.written_at = Some(now);
        positions.retain(|partition, position| self.positions.get(partition) != Some(position));
        if positions.is_empty() && self.records.is_empty() && self.dropped.is_empty() {
            return;
        }
        self.pending_bytes = 0;
        let (dropped, records) = (mem::take(&mut self.dropped), mem::take(&mut self.records));
        let change = CopyChange { journal, dropped, records, positions };
        // The disk's time is the machine's, whatever clock the rest goes by.
        let began = Instant::now();
        if let Err(fault) = copy.write(&change) {
            self.give_up(&fault);
            return;
        }
        metrics::observe(Metric::StateFlushSeconds, began.elapsed().as_micros() as u64, 1);
        metrics::set(Metric::StateSize, copy.size_bytes() as f64);
        self.positions.extend(change.positions);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::follower::Follower, *};
    use crate::{
        headers::HeaderBlock,
        ids::{Epoch, InstanceId},
        journal::{
            Chain, Content, CopyOf, Identity, InstanceRecord, Moment, PartitionRecord, Writer,
        },
        kafka::Headers,
        state::{MemoryDisk, RecordCopy},
        window::{Completeness, PartitionHead, PartitionState, PartitionTotals, WindowRules},
    };

    const P0: PartitionId = PartitionId(0);
    const RULES: WindowRules = WindowRules { size_ms: 10, grace_ms: 0, allowed_lateness_ms: 0 };

    /// Key and value of each record of a journal: whose it is, a partition, and who has it.
    fn journal() -> Vec<(Vec<u8>, Vec<u8>)> {
        let identity = Identity {
            cluster_id: "c".to_owned(),
            group_id: "g".to_owned(),
            topic: "t".to_owned(),
            topic_id: None,
            window_size_ms: RULES.size_ms,
            journal_partitions: 1,
            first_partitions: 2,
            began_ms: 0,
        };
        let instance = InstanceId::parse("one").expect("valid");
        let mut writer = Writer::new(instance.clone(), None, 1);
        let stream = Stream::Partition(PartitionId(1));
        writer.take_over(stream, &Chain::default(), Offset(0), 0);
        let moment = Moment { epoch: Epoch(1), now_ms: 0, positions: BTreeMap::new() };
        let state = PartitionState::new(Offset(7), Completeness::FromStart);
        let head = PartitionHead { state, at_end: false, totals: PartitionTotals::default() };
        let of_partition = writer.begin(moment).write(stream, |_| {
            Content::Partition(PartitionRecord { head, windows: BTreeMap::new() })
        });
        let said = InstanceRecord {
            epoch: Epoch(1),
            version: "1.0.0".to_owned(),
            started_ms: 5,
            http: None,
            rules: RULES,
            exactly_once: true,
            commit_interval_ms: 1000,
            idle_timeout_ms: 30_000,
            session_timeout_ms: 10_000,
        };
        [identity.record(), of_partition, said.record(&instance, P0)]
            .into_iter()
            .flat_map(|written| written.chunks)
            .collect()
    }

    fn follower(disk: &MemoryDisk) -> Follower {
        let [cluster_id, group_id, topic] = ["c", "g", "j"].map(str::to_owned);
        let copy = RecordCopy::new(disk.table(), CopyOf { cluster_id, group_id, topic });
        Follower::new("j", 1, RULES, Some(Box::new(copy)), None)
    }

    #[test]
    fn what_an_instance_said_is_known_after_a_start_from_the_copy() {
        let (disk, now) = (MemoryDisk::default(), Instant::now());
        let mut before = follower(&disk);
        for (offset, (key, value)) in (0..).zip(journal()) {
            let record = Record {
                partition: P0,
                offset,
                timestamp_ms: 9,
                key: Some(&key),
                value: Some(&value),
                headers: Headers::of_block(HeaderBlock::NONE),
            };
            before.take(&record, now).expect("as written");
        }
        before.end(P0, Offset(3));
        before.write_copy(now, true).expect("there are no rows");
        let known = before.group(false, 10).cluster.expect("the identity was read");
        let about = known.instances[0].about.as_ref().expect("it has said");
        assert_eq!((about.version.as_str(), about.started_at_ms), ("1.0.0", 5));
        let mut after = follower(&disk);
        after.load_copy();
        assert_eq!(after.group(false, 10).cluster, Some(known));
    }
}
