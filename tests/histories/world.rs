//! A history: steps carried out one after the other, and what must be true in the end.
//!
//! In:  steps, and how each new process starts.
//! Out: the first promise that is broken, if any.

use std::collections::{BTreeMap, BTreeSet};

use logintide::{
    epoch::CutReason,
    ids::{Incarnation, WindowStart},
    state::MemoryStore,
    window::WindowRules,
};
use proptest::prelude::*;

use crate::{
    kafka::{Fate, Kafka, Kind, Mode, Output, PARTITIONS, Place},
    process::{Process, StartUp, Turn},
};

pub(crate) const RULES: WindowRules =
    WindowRules { size_ms: 10, grace_ms: 3, allowed_lateness_ms: 12 };

/// The bits of all partitions.
const ALL: u8 = (1 << PARTITIONS) - 1;

/// One step.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Read {
        partition: i32,
        records: i64,
    },
    Work {
        worker: usize,
        messages: usize,
    },
    Cut {
        idle: u8,
    },
    Sink(Ending),
    /// Cut, everything that is due, and the commit.
    Epoch {
        idle: u8,
        first_worker: usize,
        ending: Ending,
    },
    /// The next write fails.
    BreakDisk,
    RollBack,
    /// Partitions are taken away or given back.
    Rebalance,
    Crash,
    Clock(i64),
}

/// How a commit ends, if the step comes to one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    pub(crate) fate: Fate,
    /// The process dies where it would have to roll back.
    pub(crate) dies: bool,
}

/// How the next process, or incarnation, begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Next {
    pub(crate) start: StartUp,
    /// Records on their way that arrive although the one before is gone.
    pub(crate) arrive: u8,
}

#[derive(Debug)]
pub(crate) struct World {
    kafka: Kafka,
    process: Option<Process>,
    incarnation: Incarnation,
    nexts: Vec<Next>,
    taken: usize,
    now_ms: i64,
    workers: usize,
    owned: u8,
    /// All partitions were owned all the time.
    owned_all: bool,
}

impl World {
    pub(crate) fn new(mode: Mode, jitter: Vec<i16>, nexts: Vec<Next>) -> Self {
        let mut world = Self {
            kafka: Kafka::new(mode, jitter),
            process: None,
            incarnation: Incarnation(0),
            nexts,
            taken: 0,
            now_ms: 0,
            workers: 1,
            owned: ALL,
            owned_all: true,
        };
        let next = world.next();
        world.workers = next.start.workers;
        world.begin(MemoryStore::new(), next.start.dies_after);
        world
    }

    pub(crate) fn step(&mut self, step: &Step) {
        let Self { kafka, process, .. } = self;
        let process = process.as_mut().expect("a process is always there between steps");
        match *step {
            Step::Read { partition, records } => process.read(kafka, partition, records),
            Step::Work { worker, messages } => process.work(worker, messages),
            Step::Cut { idle } => process.cut(idle, self.now_ms, CutReason::Interval),
            Step::Sink(ending) => drop(self.sink(ending)),
            Step::Epoch { idle, first_worker, ending } => {
                process.cut(idle, self.now_ms, CutReason::Interval);
                process.work_all(first_worker);
                while self.sink(ending) == Turn::Moved {}
            }
            Step::BreakDisk => process.break_disk(),
            Step::RollBack => self.leave(false, false),
            Step::Rebalance => self.leave(false, true),
            Step::Crash => self.leave(true, false),
            Step::Clock(ms) => self.now_ms += ms,
        }
    }

    fn sink(&mut self, Ending { fate, dies }: Ending) -> Turn {
        let process = self.process.as_mut().expect("a process is always there between steps");
        let turn = process.sink(&mut self.kafka, fate);
        match turn {
            Turn::Idle | Turn::Moved => {}
            Turn::RollBack => self.leave(dies, false),
            Turn::Stop => self.leave(true, false),
        }
        turn
    }

    fn next(&mut self) -> Next {
        self.taken += 1;
        self.nexts[self.taken % self.nexts.len()]
    }

    /// The incarnation ends, in a crash the process too; the next one begins.
    fn leave(&mut self, crash: bool, rebalance: bool) {
        let Next { start, arrive } = self.next();
        let process = self.process.take().expect("a process is always there between steps");
        let mut store = process.end(&mut self.kafka, arrive);
        if crash {
            store = store.reopen();
            store.break_disk(false);
            self.workers = start.workers;
        }
        if rebalance {
            self.owned = if start.owned & ALL == 0 { ALL } else { start.owned & ALL };
            self.owned_all &= self.owned == ALL;
        }
        // In a recovery a rollback can only die where a crash can.
        self.begin(store, if crash { start.dies_after } else { u8::MAX });
    }

    fn begin(&mut self, mut store: MemoryStore, mut dies_after: u8) {
        while self.process.is_none() {
            self.incarnation = self.incarnation.next();
            let how = StartUp { workers: self.workers, owned: self.owned, dies_after };
            let disk = store.clone();
            self.process = Process::start(&mut self.kafka, disk, RULES, self.incarnation, how);
            if self.process.is_none() {
                store = store.reopen();
                store.break_disk(false);
                dies_after = u8::MAX;
            }
        }
    }

    /// Reads everything to the end, closes everything, commits.
    pub(crate) fn drain(&mut self) {
        self.owned = ALL;
        let Next { arrive, .. } = self.next();
        let process = self.process.take().expect("a process is always there between steps");
        let store = process.end(&mut self.kafka, arrive).reopen();
        store.break_disk(false);
        self.begin(store, u8::MAX);
        let ending = Ending { fate: Fate::Committed, dies: false };
        for reason in [CutReason::Interval, CutReason::EndOfInput] {
            let process = self.process.as_mut().expect("begun");
            for (partition, records) in process.unread(&self.kafka) {
                process.read(&mut self.kafka, partition, records);
            }
            process.cut(0, self.now_ms, reason);
            process.work_all(0);
            while self.sink(ending) == Turn::Moved {}
        }
    }

    /// The promises.
    pub(crate) fn check(&self) -> Result<(), TestCaseError> {
        let exactly = self.kafka.mode == Mode::ExactlyOnce;
        let mut places = BTreeMap::<Place, (usize, usize)>::new();
        let mut late = BTreeSet::new();
        for output in &self.kafka.visible {
            match *output {
                Output::Processed(place) => places.entry(place).or_default().0 += 1,
                Output::Dead(place) => places.entry(place).or_default().1 += 1,
                Output::Late(place) => {
                    prop_assert!(late.insert(place) || !exactly, "{:?} is late twice", place);
                }
                Output::Window { .. } => {}
            }
        }
        let mut recount = BTreeMap::<WindowStart, u64>::new();
        for (p, end) in (0..).zip(self.kafka.ends) {
            for record in (0..end).map(|offset| self.kafka.record((p, offset))) {
                let (processed, dead) = places.get(&record.place).copied().unwrap_or_default();
                let good = |times: usize| times == 1 || (times > 1 && !exactly);
                let right = match record.kind {
                    Kind::Event => good(processed) && dead == 0,
                    Kind::Bad => good(dead) && processed == 0,
                    Kind::Tombstone => processed + dead == 0,
                };
                prop_assert!(right, "{:?}: {} times processed, {} dead", record, processed, dead);
                if record.kind == Kind::Event {
                    *recount.entry(RULES.window_of(record.time)).or_default() += 1;
                }
            }
        }
        let mut found = self.newest_totals(exactly)?;
        for place in late {
            let window = RULES.window_of(self.kafka.record(place).time);
            *found.entry(window).or_default() += 1;
        }
        prop_assert_eq!(found, recount, "newest total + late = recount");
        Ok(())
    }

    /// The newest total per window; checks the order of its records on the way.
    fn newest_totals(&self, exactly: bool) -> Result<BTreeMap<WindowStart, u64>, TestCaseError> {
        let mut newest = BTreeMap::<WindowStart, (u32, u64)>::new();
        for output in &self.kafka.visible {
            let Output::Window { start, revision, total, complete } = *output else { continue };
            let (last, before) = newest.get(&start).copied().unwrap_or_default();
            let again = !exactly && (revision, total) == (last, before);
            prop_assert!(
                revision == last + 1 || again,
                "window {}: revision {} after {}",
                start,
                revision,
                last
            );
            prop_assert!(total >= before, "window {}: total {} after {}", start, total, before);
            prop_assert!(complete || !self.owned_all, "window {} is complete", start);
            newest.insert(start, (revision, total));
        }
        Ok(newest.into_iter().map(|(start, (_, total))| (start, total)).collect())
    }
}
