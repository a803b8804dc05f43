//! Workers: each takes its messages in order, between them there is none.
//!
//! In:  records and barriers. Out: outputs of the epoch that is open for this worker, and its
//! account of the epoch at the barrier.

use std::collections::{BTreeMap, VecDeque};

use logintide::{
    epoch::{PartitionCounts, WorkerEpoch},
    ids::{Epoch, EventTimeMs, Incarnation, PartitionId, WindowStart, WorkerId},
    latency::EpochLatency,
    window::{Partial, PartitionDelta, WindowRules},
};

use crate::kafka::{Kind, Output, Record};

/// To a worker.
#[derive(Debug)]
pub(crate) enum Message {
    Record(Record),
    Barrier(Epoch, Option<EventTimeMs>),
}

/// From a worker.
#[derive(Debug)]
pub(crate) enum Answer {
    Outputs(Epoch, Vec<Output>),
    Epoch(WorkerEpoch),
}

/// What a worker has counted of a partition.
#[derive(Debug, Default)]
struct Counted {
    counts: PartitionCounts,
    windows: BTreeMap<WindowStart, Partial>,
    highest: Option<EventTimeMs>,
    first: Option<(i64, EventTimeMs)>,
}

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker {
    id: usize,
    rules: WindowRules,
    incarnation: Incarnation,
    epoch: Epoch,
    horizon: Option<EventTimeMs>,
    queue: VecDeque<Message>,
    counted: BTreeMap<i32, Counted>,
    late: u64,
}

impl Worker {
    pub(crate) fn new(
        id: usize,
        rules: WindowRules,
        incarnation: Incarnation,
        epoch: Epoch,
        horizon: Option<EventTimeMs>,
    ) -> Self {
        let (queue, counted) = (VecDeque::new(), BTreeMap::new());
        Self { id, rules, incarnation, epoch, horizon, queue, counted, late: 0 }
    }

    pub(crate) fn send(&mut self, message: Message) {
        self.queue.push_back(message);
    }

    /// Takes the next message.
    pub(crate) fn work(&mut self) -> Option<Answer> {
        match self.queue.pop_front()? {
            Message::Record(record) => Some(Answer::Outputs(self.epoch, self.record(&record))),
            Message::Barrier(epoch, horizon) => Some(Answer::Epoch(self.end(epoch, horizon))),
        }
    }

    fn record(&mut self, record: &Record) -> Vec<Output> {
        let place = record.place;
        let counted = self.counted.entry(place.0).or_default();
        if record.kind == Kind::Bad {
            counted.counts.dead_lettered += 1;
            return vec![Output::Dead(place)];
        }
        counted.counts.processed += 1;
        counted.highest = counted.highest.max(Some(record.time.min(record.appended)));
        counted.first.get_or_insert((place.1, record.time));
        let window = self.rules.window_of(record.time);
        if self.rules.is_late(window, self.horizon) {
            self.late += 1;
            return vec![Output::Processed(place), Output::Late(place)];
        }
        let user = ["a", "b", "c", "d", "e"][record.user];
        counted.windows.entry(window).or_default().count(
            place.1,
            ["NY", "iOS", "1.0"].into(),
            user,
        );
        vec![Output::Processed(place)]
    }

    fn end(&mut self, epoch: Epoch, horizon: Option<EventTimeMs>) -> WorkerEpoch {
        assert_eq!(epoch, self.epoch, "barriers come in order");
        self.epoch = epoch.next();
        self.horizon = horizon;
        let counted = std::mem::take(&mut self.counted);
        let counts = counted.iter().map(|(p, counted)| (PartitionId(*p), counted.counts)).collect();
        let delta = |(p, counted): (i32, Counted)| PartitionDelta {
            partition: PartitionId(p),
            windows: counted.windows.into_iter().collect(),
            highest_event_time: counted.highest,
            first_event: counted.first,
        };
        WorkerEpoch {
            incarnation: self.incarnation,
            epoch,
            worker: WorkerId(self.id),
            deltas: counted.into_iter().map(delta).collect(),
            counts,
            late: std::mem::take(&mut self.late),
            reasons: Vec::new(),
            soft: Vec::new(),
            latency: EpochLatency::default(),
            delta_bytes: 0,
        }
    }
}
