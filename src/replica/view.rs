//! The state of every stream as far as the journal was followed. Pure; owned by the replica.
//!
//! In:  records in the order in which they are applied, each with its Kafka timestamp.
//! Out: the newest head and all counts of a stream, for who takes it over, merges or shows it.
//! Holds: a stream's state is that of its last record; windows that everyone has forgotten are
//! dropped, whoever names them later; what a snapshot leaves out is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    ids::{Epoch, EventTimeMs, InstanceId, PartitionId, WindowStart},
    journal::{Applied, Content, InstanceRecord, Record, Stream},
    limits,
    window::{
        BoundedRun, GroupFacts, MergerHead, Partial, PartitionHead, PartitionTotals,
        PublishedTotal, UsageCounts, WindowRules,
    },
};

/// Who has written a stream's newest record, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The instance.
    pub writer: InstanceId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The record's Kafka timestamp, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The first one since which it has written the stream without a pause, as far as was read.
    pub since_ms: i64,
}

/// What the journal says of an input partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionView {
    /// Its newest head.
    pub head: PartitionHead,
    /// Counts of every window that is not forgotten.
    pub windows: BTreeMap<WindowStart, Arc<Partial>>,
    /// The record that brought the head.
    pub written: Written,
}

/// What the journal says of the merger.
#[derive(Debug, Clone, PartialEq)]
pub struct MergerView {
    /// Its newest head.
    pub head: MergerHead,
    /// Usage in all windows that are forgotten.
    pub past_usage: Arc<UsageCounts>,
    /// Every window that was published and is not forgotten.
    pub windows: BTreeMap<WindowStart, PublishedTotal>,
    /// The record that brought the head.
    pub written: Written,
}

/// The committed state of the group.
#[derive(Debug)]
pub struct View {
    rules: WindowRules,
    partitions: BTreeMap<PartitionId, PartitionView>,
    merger: Option<MergerView>,
    /// What was published last of the newest windows that were forgotten.
    last_published: BTreeMap<WindowStart, PublishedTotal>,
    /// What instances say of themselves; one that no longer owns a stream is dropped at times.
    instances: BTreeMap<InstanceId, InstanceRecord>,
    memory_bytes: usize,
}

impl View {
    /// Of a group of which nothing is known.
    pub fn new(rules: WindowRules) -> Self {
        Self {
            rules,
            partitions: BTreeMap::new(),
            merger: None,
            last_published: BTreeMap::new(),
            instances: BTreeMap::new(),
            memory_bytes: 0,
        }
    }

    /// Takes a record that continues its stream. `at_ms`: its Kafka timestamp.
    pub fn apply(&mut self, applied: Applied, at_ms: i64) {
        let (is_snapshot, Record { stream, content, writer, epoch, .. }) = match applied {
            Applied::Snapshot(record) => (true, record),
            Applied::Next(record) => (false, record),
        };
        let written = self.written(stream, writer, epoch, at_ms);
        match (stream, content) {
            (Stream::Partition(p), Content::Partition(record)) => {
                let before = self.partitions.remove(&p);
                let former = before.as_ref().map(|before| &before.written.writer);
                let is_taken_over = former.is_some_and(|former| *former != written.writer);
                let mut windows = before.map(|before| before.windows).unwrap_or_default();
                self.memory_bytes -= bytes_of(&windows);
                if is_snapshot {
                    windows.clear();
                }
                windows.extend(record.windows);
                self.drop_forgotten(&mut windows);
                self.memory_bytes += bytes_of(&windows);
                self.partitions.insert(p, PartitionView { head: record.head, windows, written });
                if is_taken_over {
                    self.drop_departed();
                }
            }
            (Stream::Merger, Content::Merger(record)) => {
                let before = self.merger.take().filter(|_| !is_snapshot);
                let (mut windows, usage) =
                    before.map(|before| (before.windows, before.past_usage)).unwrap_or_default();
                windows.extend(record.windows);
                let past_usage = record.past_usage.unwrap_or(usage);
                self.merger = Some(MergerView { head: record.head, past_usage, windows, written });
                self.forget();
            }
            (stream, _) => panic!("a record of stream {stream} has another stream's content"),
        }
    }

    /// Takes what an instance says of itself.
    pub fn take_instance(&mut self, name: InstanceId, said: InstanceRecord) {
        let is_newer = self.instances.get(&name).is_none_or(|before| before.epoch <= said.epoch);
        if is_newer {
            self.instances.insert(name, said);
        }
    }

    /// What an instance has said of itself, if that was read.
    pub fn instance(&self, name: &InstanceId) -> Option<&InstanceRecord> {
        self.instances.get(name)
    }

    /// Drops what is known of a stream: it is read again, or was lost.
    pub fn remove(&mut self, stream: Stream) {
        match stream {
            Stream::Merger => self.merger = None,
            Stream::Partition(p) => {
                let before = self.partitions.remove(&p);
                self.memory_bytes -= before.map_or(0, |before| bytes_of(&before.windows));
            }
        }
    }

    /// What is known of an input partition.
    pub fn partition(&self, p: PartitionId) -> Option<&PartitionView> {
        self.partitions.get(&p)
    }

    /// Every input partition that has a record.
    pub fn partitions(&self) -> impl Iterator<Item = (PartitionId, &PartitionView)> {
        self.partitions.iter().map(|(p, view)| (*p, view))
    }

    /// What is known of the merger.
    pub fn merger(&self) -> Option<&MergerView> {
        self.merger.as_ref()
    }

    /// The newest bounded run.
    pub fn run(&self) -> Option<BoundedRun> {
        self.merger.as_ref().and_then(|merger| merger.head.run.clone())
    }

    /// Windows that end at or before this are forgotten by everyone.
    pub fn forgotten(&self) -> Option<EventTimeMs> {
        self.merger.as_ref().and_then(|merger| merger.head.forgotten)
    }

    /// What was published last of the newest windows that were forgotten, as far as it was read.
    pub fn last_published(&self) -> &BTreeMap<WindowStart, PublishedTotal> {
        &self.last_published
    }

    /// What is true of the group. Looks at every window of every partition.
    pub fn facts(&self) -> GroupFacts {
        let head = self.merger.as_ref().map(|merger| &merger.head);
        let is_open = |start: &&WindowStart| {
            self.merger.as_ref().is_none_or(|merger| !merger.windows.contains_key(start))
        };
        let counted = self.partitions.values().flat_map(|view| view.windows.keys());
        // Each partition's windows are in order already, so that sorting is a merge.
        let mut open: Vec<_> = counted.filter(is_open).copied().collect();
        open.sort();
        open.dedup();
        GroupFacts {
            watermark: head.and_then(|head| head.watermark),
            horizon: head.and_then(|head| head.horizon),
            forgotten: head.and_then(|head| head.forgotten),
            announced: head.map_or(0, |head| head.partitions),
            open_windows: open.len(),
            lowest_open: open.first().copied(),
        }
    }

    /// What has become of all records of the input.
    pub fn totals(&self) -> PartitionTotals {
        let mut sum = PartitionTotals::default();
        for PartitionView { head: PartitionHead { totals, .. }, .. } in self.partitions.values() {
            sum.records_in += totals.records_in;
            sum.processed += totals.processed;
            sum.dead_lettered += totals.dead_lettered;
            sum.late += totals.late;
            sum.tombstones += totals.tombstones;
        }
        sum
    }

    /// Memory of all counts, in bytes. Constant time.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Drops what the merger's newest head says is forgotten.
    fn forget(&mut self) {
        let (rules, forgotten) = (self.rules, self.forgotten());
        let is_forgotten = |start: &WindowStart| rules.is_late(*start, forgotten);
        if let Some(merger) = &mut self.merger {
            let gone = merger.windows.extract_if(.., |start, _| is_forgotten(start));
            self.last_published.extend(gone);
            while self.last_published.len() > limits::RECENT_WINDOWS {
                self.last_published.pop_first();
            }
        }
        for view in self.partitions.values_mut() {
            view.windows.retain(|start, partial| {
                let drops = is_forgotten(start);
                if drops {
                    self.memory_bytes -= partial.memory_bytes();
                }
                !drops
            });
        }
    }

    fn written(&self, stream: Stream, writer: InstanceId, epoch: Epoch, at_ms: i64) -> Written {
        let before = match stream {
            Stream::Merger => self.merger.as_ref().map(|merger| &merger.written),
            Stream::Partition(p) => self.partitions.get(&p).map(|partition| &partition.written),
        };
        let pause_ms = self.instances.get(&writer).map(InstanceRecord::patience_ms);
        let goes_on = before.filter(|before| {
            before.writer == writer && Some(at_ms.saturating_sub(before.at_ms)) <= pause_ms
        });
        let since_ms = goes_on.map_or(at_ms, |before| before.since_ms);
        Written { writer, epoch, at_ms, since_ms }
    }

    /// Drops what instances have said that own nothing any more.
    fn drop_departed(&mut self) {
        let owners: BTreeSet<_> =
            self.partitions.values().map(|view| &view.written.writer).collect();
        self.instances.retain(|name, _| owners.contains(name));
    }

    fn drop_forgotten(&self, windows: &mut BTreeMap<WindowStart, Arc<Partial>>) {
        let forgotten = self.forgotten();
        windows.retain(|start, _| !self.rules.is_late(*start, forgotten));
    }
}

fn bytes_of(windows: &BTreeMap<WindowStart, Arc<Partial>>) -> usize {
    windows.values().map(|partial| partial.memory_bytes()).sum()
}

#[cfg(test)]
pub(super) mod tests;
