//! Random histories: a replica that is killed, and whose disk loses writes, says the same as one
//! that reads the journal from its start; both say what was committed.

use std::{sync::Arc, time::Duration};

use logintide::{
    ids::{Offset, PartitionId},
    replica::BeginAt,
    state::MemoryDisk,
};

use super::{
    INPUT_PARTITIONS, JOURNAL, PARTITIONS,
    author::{Author, End, MANY},
    running::{Running, Start},
    state::assert_followed,
};
use crate::kafka::{Faults, Random, SimKafka};

struct History {
    kafka: SimKafka,
    random: Random,
    author: Author,
    disk: MemoryDisk,
    running: Running,
    /// Epochs that are written at once, at most.
    burst: usize,
    window: i64,
    incarnation: u64,
    hint: String,
}

impl History {
    fn new(seed: u64) -> Self {
        let kafka = SimKafka::new(seed);
        let mut random = Random::new(seed ^ 0xc0b7);
        let mut author = Author::new(&kafka);
        let is_large = random.one_in(8);
        if is_large {
            author.event = Arc::clone(&MANY);
        }
        let slow_fetch_one_in = if random.one_in(2) { 3 } else { 0 };
        kafka.set_faults(Faults { slow_fetch_one_in, ..Faults::none() });
        let disk = MemoryDisk::default();
        let running = Start::with(&kafka, &disk).start();
        let hint = format!("seed {seed}");
        let burst = if is_large { 2 } else { 30 };
        Self { kafka, random, author, disk, running, burst, window: 0, incarnation: 0, hint }
    }

    fn step(&mut self) {
        match self.random.below(24) {
            0..10 => {
                for _ in 0..=self.random.below(self.burst) {
                    self.epoch(End::Commit);
                }
            }
            10 => self.fail(End::Abort),
            11 => {
                let chunks = self.random.below(9);
                self.fail(End::Torn(chunks));
            }
            12..16 => {
                let ms = self.random.below(3_000) as u64;
                self.running.run_for(Duration::from_millis(ms));
            }
            16 | 17 => {
                let p = self.random.below(PARTITIONS as usize) as i32;
                self.kafka.compact(JOURNAL, p, Duration::ZERO);
            }
            18 | 19 => self.crash(),
            20 => {
                let next = Start::with(&self.kafka, &self.disk).start();
                std::mem::replace(&mut self.running, next).stop();
            }
            21 => {
                let room = self.random.below(300);
                self.disk.fill_after((!self.random.one_in(3)).then_some(room));
            }
            22 => {
                self.window += 1;
                self.author.forget(self.window);
                self.epoch(End::Commit);
            }
            _ => self.check(),
        }
    }

    fn epoch(&mut self, end: End) {
        let partitions: Vec<_> = (0..INPUT_PARTITIONS).filter(|_| self.random.one_in(3)).collect();
        let window = self.window + self.random.below(4) as i64;
        self.author.epoch(&partitions, &[window], end);
        self.kafka.pass(Duration::from_millis(self.random.below(400) as u64));
    }

    /// An epoch that is not committed is followed by a takeover.
    fn fail(&mut self, end: End) {
        self.epoch(end);
        let request = self.next_request();
        let followed = self.running.follow(request);
        self.author.take_over(&followed);
    }

    /// The machine stops, and starts again with what is on its disk.
    fn crash(&mut self) {
        let next = Start::with(&self.kafka, &self.disk);
        std::mem::replace(&mut self.running, next.start()).kill();
        let (keeps, of) = (self.random.below(4), 3);
        self.disk.crash(|| self.random.below(of) < keeps);
        self.disk.fill_after(None);
    }

    fn next_request(&mut self) -> logintide::replica::FollowRequest {
        self.incarnation += 1;
        let mut request = self.author.request(self.incarnation);
        for p in (0..PARTITIONS as i32).map(PartitionId) {
            if self.random.one_in(6) {
                let offset = Offset(self.random.below(100) as i64);
                request.begin.insert(p, BeginAt::Again(offset));
            } else if self.random.one_in(3) {
                // As the commits have it.
                let here = self.author.commits.iter().filter(|(of, _)| of.0 % 2 == p.0);
                let from = here.map(|(_, commit)| commit.restore_from).min();
                request.begin.insert(p, BeginAt::AtLeast(from.unwrap_or_default()));
            }
        }
        request
    }

    fn check(&mut self) {
        let request = self.next_request();
        let followed = self.running.follow(request);
        assert_followed(&followed, &self.author.truth, &self.hint);
        let mut cold = Start::new(&self.kafka).start();
        let from_the_start = cold.follow(self.author.request(1));
        assert_followed(&from_the_start, &self.author.truth, &self.hint);
        for (stream, chain) in &from_the_start.chains {
            let copied = followed.chains[stream].clone();
            let place = |chain: &logintide::journal::Chain| {
                let by = chain.applied_by().map(|(epoch, writer)| (epoch, writer.clone()));
                (chain.condition(), chain.applied_seq(), by)
            };
            assert_eq!(place(&copied), place(chain), "{}: stream {stream}", self.hint);
        }
    }
}

#[test]
fn a_copy_and_the_rest_are_the_journal_from_its_start() {
    for seed in 0..40 {
        let mut history = History::new(seed);
        for _ in 0..60 {
            history.step();
        }
        history.check();
        history.crash();
        history.check();
        let reasons = history.disk.set_aside();
        // A process that was killed before its first takeover has not heard the topic's id.
        let is_nameless = |reason: &String| reason.contains("does not say of which topic");
        assert!(reasons.iter().all(is_nameless), "seed {seed}: nothing is unsound: {reasons:?}");
    }
}
