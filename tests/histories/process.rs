//! The process: a source that reads and cuts, and a sink that aligns, prepares, writes, commits.
//!
//! In:  steps of a history. Out: what the step came to.
//! Holds: it does what the threads do, call for call into the library, but one step at a time; all
//! of it is lost in a crash except the store's disk.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use logintide::{
    epoch::{Alignment, CutPartition, CutReason, EpochCut},
    ids::{Epoch, EventTimeMs, Incarnation, Offset, PartitionId, TopicId},
    state::{CommitMetadata, MemoryStore, Start, Store, decide},
    window::{
        Completeness, EpochChange, EpochInput, PartitionProgress, PartitionState, Prepared,
        StateImage, WindowRecord, WindowRules, Windows,
    },
};

use crate::{
    kafka::{Fate, Kafka, Kind, Mode, Offsets, Output, PARTITIONS},
    workers::{Answer, Message, Worker},
};

const INSTANCE: &str = "instance-a";

/// How a process starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartUp {
    pub(crate) workers: usize,
    /// A bit per partition that it owns.
    pub(crate) owned: u8,
    /// After how many of its writes the recovery dies; more than it has: it does not.
    pub(crate) dies_after: u8,
}

/// What a step of the sink came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There was nothing to do.
    Idle,
    Moved,
    /// Reading again mends it.
    RollBack,
    /// The process ends.
    Stop,
}

#[derive(Debug)]
enum Stage {
    Open,
    Prepared(Box<Prepared>),
    /// The redo record is written.
    Written(Box<Prepared>),
    /// Committed; its window records are on their way where they do not become visible with it.
    Committed,
}

#[derive(Debug)]
pub(crate) struct Process {
    incarnation: Incarnation,
    // The source.
    next: BTreeMap<i32, i64>,
    routed: BTreeMap<i32, u64>,
    tombstones: BTreeMap<i32, u64>,
    epoch: Epoch,
    cut: bool,
    horizon: Option<EventTimeMs>,
    workers: Vec<Worker>,
    // The sink.
    store: MemoryStore,
    windows: Windows,
    alignment: Alignment,
    stage: Stage,
    committed_change: Option<Arc<EpochChange>>,
    /// Outputs of the open epoch that were not delivered yet.
    queued: VecDeque<Output>,
    /// Outputs of the epoch after it.
    held: Vec<Output>,
    sent: bool,
}

impl Process {
    /// Recovers; `None` when it dies while doing so, be it of a broken disk.
    pub(crate) fn start(
        kafka: &mut Kafka,
        mut store: MemoryStore,
        rules: WindowRules,
        incarnation: Incarnation,
        how: StartUp,
    ) -> Option<Self> {
        kafka.end_transaction();
        let is_owned = |p: &PartitionId| how.owned >> p.0 & 1 == 1;
        let owned: Vec<_> = (0..PARTITIONS as i32).map(PartitionId).filter(is_owned).collect();
        // Of all partitions: the redo record may be of an epoch that owned other ones than now.
        let all = (0..PARTITIONS as i32).map(PartitionId);
        let committed: Vec<_> = all.map(|p| kafka.committed(p)).collect();
        let loaded = store.load().expect("in memory");
        let recovery = decide(INSTANCE, None, &loaded, &committed);
        let mut image = recovery.image;
        let mut next = BTreeMap::new();
        for decided in recovery.partitions.iter().filter(|decided| is_owned(&decided.partition)) {
            let offset = begin(decided.partition, &decided.start, &mut image);
            let at_least = kafka.committed(decided.partition).offset.unwrap_or_default();
            assert!(offset >= at_least, "a commit is never undone");
            next.insert(decided.partition.0, offset.0);
        }
        let mut alive = how.dies_after;
        let mut dies = || {
            alive = alive.wrapping_sub(1);
            alive == u8::MAX
        };
        let windows = Windows::new(rules, &image, &owned, owned.len() == PARTITIONS);
        if dies() {
            return None;
        }
        // NOTE: before the redo record is settled. Afterwards nobody knows any more what its epoch
        // has published, and whether that arrived.
        if let Some(change) = loaded.redo.as_ref().filter(|_| recovery.apply_redo) {
            publish_again(kafka, &windows.published_in(change), how.dies_after);
        }
        if dies() {
            return None;
        }
        store.settle(recovery.apply_redo).ok()?;
        if dies() {
            return None;
        }
        store.forget(&recovery.forget).ok()?;
        if dies() {
            return None;
        }
        let epoch = recovery.next_epoch;
        let horizon = windows.next_horizon();
        let worker = |id| Worker::new(id, rules, incarnation, epoch, horizon);
        Some(Self {
            incarnation,
            next,
            routed: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            epoch,
            cut: false,
            horizon,
            workers: (0..how.workers).map(worker).collect(),
            store,
            windows,
            alignment: Alignment::new(how.workers, epoch),
            stage: Stage::Open,
            committed_change: None,
            queued: VecDeque::new(),
            held: Vec::new(),
            sent: false,
        })
    }

    /// What is left of it: the disk. Of what was on its way, so many records arrive.
    pub(crate) fn end(mut self, kafka: &mut Kafka, arrive: u8) -> MemoryStore {
        let arrive = usize::from(arrive) % (self.queued.len() + 1);
        self.queued.drain(..arrive).for_each(|output| kafka.deliver(output));
        self.store
    }

    /// The next write to the disk fails.
    pub(crate) fn break_disk(&self) {
        self.store.break_disk(true);
    }

    /// The source reads records of a partition, if it owns it.
    pub(crate) fn read(&mut self, kafka: &mut Kafka, partition: i32, records: i64) {
        let Some(next) = self.next.get_mut(&partition) else { return };
        for _ in 0..records {
            let record = kafka.read((partition, *next));
            *next += 1;
            if record.kind == Kind::Tombstone {
                *self.tombstones.entry(partition).or_default() += 1;
                continue;
            }
            *self.routed.entry(partition).or_default() += 1;
            let worker = record.user % self.workers.len();
            self.workers[worker].send(Message::Record(record));
        }
    }

    /// Partitions with records that were not read yet, and how many there are.
    pub(crate) fn unread(&self, kafka: &Kafka) -> Vec<(i32, i64)> {
        let left = |(p, next): (&i32, &i64)| (*p, kafka.ends[*p as usize] - next);
        self.next.iter().map(left).filter(|(_, left)| *left > 0).collect()
    }

    /// The source cuts the epoch, unless the last one is not committed yet.
    pub(crate) fn cut(&mut self, idle: u8, now_ms: i64, reason: CutReason) {
        if self.cut {
            return;
        }
        let partition = |(p, next): (&i32, &i64)| CutPartition {
            progress: PartitionProgress {
                partition: PartitionId(*p),
                next_offset: Offset(*next),
                idle: idle >> p & 1 == 1,
            },
            routed: self.routed.get(p).copied().unwrap_or_default(),
            tombstones: self.tombstones.get(p).copied().unwrap_or_default(),
            lag: None,
            held: false,
        };
        let cut = EpochCut {
            incarnation: self.incarnation,
            epoch: self.epoch,
            partitions: self.next.iter().map(partition).collect(),
            horizon: self.horizon,
            cut_at_ms: now_ms,
            reason,
            bytes: 0,
            dropped: 0,
        };
        for worker in &mut self.workers {
            worker.send(Message::Barrier(self.epoch, self.horizon));
        }
        self.alignment.offer_cut(cut);
        self.routed.clear();
        self.tombstones.clear();
        self.cut = true;
        self.epoch = self.epoch.next();
    }

    /// A worker takes messages; the sink hears of them at once.
    pub(crate) fn work(&mut self, worker: usize, messages: usize) {
        let worker = worker % self.workers.len();
        for _ in 0..messages {
            match self.workers[worker].work() {
                Some(Answer::Outputs(epoch, outputs)) if epoch == self.alignment.open_epoch() => {
                    self.sent = true;
                    self.queued.extend(outputs);
                }
                Some(Answer::Outputs(epoch, outputs)) => {
                    assert_eq!(epoch, self.alignment.open_epoch().next(), "one epoch ahead");
                    self.held.extend(outputs);
                }
                Some(Answer::Epoch(answer)) => self.alignment.offer_worker(answer),
                None => return,
            }
        }
    }

    /// All workers take all they have, beginning with this one.
    pub(crate) fn work_all(&mut self, first: usize) {
        (0..self.workers.len()).for_each(|worker| self.work(first + worker, usize::MAX));
    }

    /// The sink does the next thing that is due.
    pub(crate) fn sink(&mut self, kafka: &mut Kafka, fate: Fate) -> Turn {
        match std::mem::replace(&mut self.stage, Stage::Open) {
            Stage::Open => self.complete(kafka.mode),
            Stage::Prepared(prepared) => {
                let committed = self.committed_change.as_deref();
                if self.store.write_epoch(committed, &prepared.change).is_err() {
                    return Turn::Stop;
                }
                self.committed_change = None;
                self.stage = Stage::Written(prepared);
                Turn::Moved
            }
            Stage::Written(prepared) => {
                self.queued.drain(..).for_each(|output| kafka.deliver(output));
                if kafka.commit(offsets(&prepared), fate).is_err() {
                    return Turn::RollBack;
                }
                self.windows.commit(&prepared);
                // What an epoch counted is seen only when it is certain: read again, its events
                // may be late.
                if kafka.mode == Mode::AtLeastOnce {
                    self.queued.extend(prepared.merge.records.iter().map(window_output));
                }
                self.committed_change = Some(prepared.change);
                self.stage = Stage::Committed;
                Turn::Moved
            }
            Stage::Committed => {
                self.queued.drain(..).for_each(|output| kafka.deliver(output));
                self.finish();
                Turn::Moved
            }
        }
    }

    fn complete(&mut self, mode: Mode) -> Turn {
        let Some(aligned) = self.alignment.take_complete() else { return Turn::Idle };
        aligned.assert_conserved();
        let cut = aligned.cut;
        let deltas = aligned.workers.into_iter().flat_map(|worker| worker.deltas);
        let prepared = self.windows.prepare(EpochInput {
            epoch: cut.epoch,
            deltas: deltas.collect(),
            progress: cut.partitions.iter().map(|partition| partition.progress).collect(),
            horizon: cut.horizon,
            now_ms: cut.cut_at_ms,
            close_all: cut.reason == CutReason::EndOfInput,
        });
        if prepared.is_empty && !self.sent {
            self.finish();
            return Turn::Moved;
        }
        if mode == Mode::ExactlyOnce {
            self.queued.extend(prepared.merge.records.iter().map(window_output));
        }
        self.stage = Stage::Prepared(Box::new(prepared));
        Turn::Moved
    }

    /// The open epoch is finished; the source hears of it at once.
    fn finish(&mut self) {
        self.alignment.finish();
        self.sent = !self.held.is_empty();
        self.queued.extend(self.held.drain(..));
        self.cut = false;
        self.horizon = self.windows.next_horizon();
    }
}

/// One partition's start; what nobody knows begins at the log's start.
fn begin(partition: PartitionId, start: &Start, image: &mut StateImage) -> Offset {
    match start {
        Start::Resumed { offset } | Start::StateOnly { offset } => *offset,
        Start::Fresh => {
            let fresh = PartitionState {
                epoch: Epoch::default(),
                next_offset: Offset(0),
                watermark: None,
                completeness: Completeness::FromStart,
                topic: None,
            };
            image.partitions.insert(partition, fresh);
            Offset(0)
        }
        Start::CommittedOnly { why, .. } => panic!("windows of {partition} are lost: {why}"),
        Start::Recreated { was, .. } => panic!("{partition} is not of another topic, {was}"),
    }
}

fn window_output(record: &WindowRecord) -> Output {
    Output::Window {
        start: record.start,
        revision: record.revision,
        total: record.sum.total,
        complete: record.complete,
    }
}

/// Where outputs become visible by themselves: those of an epoch that was found to be committed.
/// Half of them arrive if the recovery dies right then.
fn publish_again(kafka: &mut Kafka, records: &[WindowRecord], dies_after: u8) {
    if kafka.mode == Mode::ExactlyOnce {
        return;
    }
    let arrive = if dies_after == 1 { records.len() / 2 } else { records.len() };
    records[..arrive].iter().for_each(|record| kafka.deliver(window_output(record)));
}

fn offsets(prepared: &Prepared) -> Offsets {
    let entry = |(partition, state): (&PartitionId, &PartitionState)| {
        let metadata = CommitMetadata {
            instance: INSTANCE.to_owned(),
            epoch: prepared.change.epoch,
            replay_from: prepared.replay_from[partition],
            watermark: state.watermark,
            completeness: state.completeness,
            global_watermark: prepared.change.watermark,
            horizon: prepared.change.horizon,
            topic: state.topic.map(TopicId::mark),
        };
        (*partition, state.next_offset, metadata.encode())
    };
    prepared.change.partitions.iter().map(entry).collect()
}
