//! Random histories of producers and members under all faults: what a reader may ever see.

use std::{collections::BTreeMap, time::Duration};

use logintide::{
    client::{Client, OffsetCommitter, RecordConsumer, RecordProducer},
    ids::{Offset, PartitionId},
    kafka::{Flow, OutRecord, RebalanceEvent},
};

use crate::{
    kafka::{Cluster, Faults, Link, Random, SimClient},
    script::stage::{ConsumerOf, PATIENCE, Play, Writer, entry},
    stage::{Simulated, play},
};

const STEPS: usize = 120;
const INSTANCES: usize = 3;
const TIMEOUT: Duration = Duration::from_secs(15);

/// A process of the history: a member and, when it could register, a writer.
struct Instance {
    client: SimClient,
    member: ConsumerOf<Simulated>,
    writer: Option<Writer<Simulated>>,
    /// What its open transaction has sent.
    sent: Vec<String>,
    is_paused: bool,
}

/// A history, and what its transactions have told those who wrote them.
struct History {
    play: Play<Simulated>,
    random: Random,
    instances: Vec<Instance>,
    values: usize,
    /// Values of transactions that were committed; of those that were not; of those whose end
    /// nobody knows.
    committed: Vec<Vec<String>>,
    aborted: Vec<Vec<String>>,
    unknown: Vec<Vec<String>>,
}

/// What a history has come to.
struct Outcome {
    trace: Vec<String>,
    committed: usize,
    unknown: usize,
    /// The first promise that is broken.
    broken: Option<String>,
}

impl History {
    fn new(seed: u64, faults: Faults) -> Self {
        let play = play(seed);
        play.stage.kafka.with(Cluster::trace);
        play.stage.kafka.set_faults(faults);
        let mut history = Self {
            play,
            random: Random::new(seed ^ 0x5eed),
            instances: Vec::new(),
            values: 0,
            committed: Vec::new(),
            aborted: Vec::new(),
            unknown: Vec::new(),
        };
        for number in 0..INSTANCES {
            let instance = history.start(number);
            history.instances.push(instance);
        }
        history
    }

    fn start(&self, number: usize) -> Instance {
        let client = self.play.stage.kafka.process();
        let settings = self.play.consumer_settings(Some(&format!("i{number}")));
        let member = client.consumer(&settings).expect("a consumer");
        member.subscribe().expect("subscribe");
        Instance { client, member, writer: None, sent: Vec::new(), is_paused: false }
    }

    fn step(&mut self) {
        let number = self.random.below(INSTANCES);
        let process = self.instances[number].client.process();
        let kafka = &self.play.stage.kafka;
        match self.random.below(40) {
            0 => {
                kafka.kill(process);
                let sent = std::mem::take(&mut self.instances[number].sent);
                self.unknown.push(sent);
                self.instances[number] = self.start(number);
            }
            1 if !self.instances[number].is_paused => {
                kafka.pause(process);
                self.instances[number].is_paused = true;
            }
            2 => {
                let links = [Link::Down, Link::Mute, Link::Up];
                kafka.connect(process, *self.random.pick(&links));
            }
            3 => kafka.move_leader(&self.play.topic, 0, Duration::from_secs(2)),
            4 => kafka.move_group_coordinator(Duration::from_secs(1)),
            5 => kafka.move_transaction_coordinator(Duration::from_secs(1)),
            6..10 => kafka.pass(Duration::from_secs(1 + self.random.below(8) as u64)),
            10..14 => kafka.connect(process, Link::Up),
            14..20 if self.instances[number].is_paused => {
                kafka.resume(process);
                self.instances[number].is_paused = false;
            }
            _ if self.instances[number].is_paused => {}
            _ => self.work(number),
        }
        let pause = Duration::from_millis(self.random.below(100) as u64);
        self.play.stage.kafka.pass(pause);
    }

    /// What an instance does by itself.
    fn work(&mut self, number: usize) {
        let instance = &mut self.instances[number];
        if instance.member.serve(Duration::ZERO, &mut |_| {}).is_err() {
            let settings = self.play.consumer_settings(Some(&format!("i{number}")));
            instance.member.renew(&settings).expect("renewed");
            instance.member.subscribe().expect("subscribe");
        }
        while let Some(event) = instance.member.next_rebalance() {
            match event {
                RebalanceEvent::Assigned(partitions) => {
                    let starts: Vec<_> = partitions.iter().map(|it| (*it, Offset(0))).collect();
                    instance.member.assign(&starts).expect("assign");
                }
                _ => instance.member.unassign().expect("unassign"),
            }
        }
        instance.member.drain(Duration::ZERO, |_| Flow::Continue);
        if instance.writer.is_none() {
            let name = format!("w{number}");
            instance.writer = register(&self.play, &instance.client, &name);
            return;
        }
        match self.random.below(4) {
            0 => self.end(number),
            _ => self.send(number),
        }
    }

    fn send(&mut self, number: usize) {
        let instance = &mut self.instances[number];
        let writer = instance.writer.as_ref().expect("registered");
        if instance.sent.is_empty() && writer.producer.begin_transaction().is_err() {
            instance.writer = None;
            return;
        }
        for _ in 0..=self.random.below(3) {
            self.values += 1;
            let value = format!("v{}", self.values);
            let record = OutRecord { key: b"k", value: value.as_bytes(), ..OutRecord::default() };
            let partition = PartitionId(self.random.below(2) as i32);
            let outcome = writer.producer.send_batch(&writer.topic, partition, [record]);
            if outcome.accepted == 1 {
                instance.sent.push(value);
            }
        }
    }

    /// Commits or aborts; whatever fails is left to a new producer.
    fn end(&mut self, number: usize) {
        let instance = &mut self.instances[number];
        if instance.sent.is_empty() {
            return;
        }
        let writer = instance.writer.take().expect("registered");
        let sent = std::mem::take(&mut instance.sent);
        if self.random.one_in(5) {
            if writer.producer.abort_transaction(PATIENCE).is_ok() {
                instance.writer = Some(writer);
            }
            self.aborted.push(sent);
            return;
        }
        let place = instance.member.committer().group_metadata();
        let entries = entry(self.values as i64, "m");
        let offsets = place.and_then(|place| {
            writer.producer.send_offsets(&self.play.topic, &entries, &place, PATIENCE)
        });
        if offsets.is_err() {
            self.aborted.push(sent);
            return;
        }
        for _ in 0..200 {
            self.play.stage.kafka.pass(Duration::from_millis(20));
            writer.producer.poll(Duration::ZERO);
            if writer.producer.in_flight() == 0 {
                break;
            }
        }
        if writer.producer.in_flight() > 0 || writer.producer.take_delivery_failures().count > 0 {
            self.aborted.push(sent);
            return;
        }
        match writer.producer.commit_transaction(PATIENCE) {
            Ok(()) => {
                self.committed.push(sent);
                self.instances[number].writer = Some(writer);
            }
            Err(_) => self.unknown.push(sent),
        }
    }

    /// Lets everything end, and reads both partitions.
    fn finish(&mut self) -> BTreeMap<String, usize> {
        let kafka = &self.play.stage.kafka;
        kafka.set_faults(Faults::none());
        for instance in &self.instances {
            kafka.kill(instance.client.process());
        }
        kafka.pass(Duration::from_mins(2));
        assert!(kafka.is_settled(&[&self.play.topic]), "every transaction ends");
        let mut reader = self.play.consumer(None);
        let starts = [0, 1].map(|partition| (PartitionId(partition), Offset(0)));
        reader.assign(&starts).expect("assign");
        let mut seen = BTreeMap::new();
        while reader.drain(Duration::ZERO, |event| {
            if let logintide::kafka::DrainEvent::Record(record) = event {
                let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                *seen.entry(value).or_default() += 1;
            }
            Flow::Continue
        }) > 0
        {}
        seen
    }
}

/// Registers a writer's id; `None` when nobody answered.
fn register(play: &Play<Simulated>, client: &SimClient, id: &str) -> Option<Writer<Simulated>> {
    let settings = play.producer_settings(Some(id), TIMEOUT);
    let mut producer = client.producer(&settings).expect("a producer");
    let topic = producer.topic(&play.topic).expect("a topic");
    producer.init_transactions(PATIENCE).ok()?;
    Some(Writer { producer, topic })
}

impl History {
    /// What a reader sees, against what the writers were told.
    fn check(&self, seen: &BTreeMap<String, usize>) -> Option<String> {
        let times = |value: &String| seen.get(value).copied().unwrap_or(0);
        let twice = seen.iter().find(|(_, times)| **times > 1);
        let lost = self.committed.iter().flatten().find(|value| times(value) == 0);
        let leaked = self.aborted.iter().flatten().find(|value| times(value) > 0);
        let is_torn = |values: &&Vec<String>| {
            let visible = values.iter().filter(|value| times(value) > 0).count();
            visible > 0 && visible < values.len()
        };
        let torn = self.unknown.iter().find(is_torn);
        twice
            .map(|value| format!("{value:?} times"))
            .or_else(|| lost.map(|value| format!("{value} was committed and is not there")))
            .or_else(|| leaked.map(|value| format!("{value} was aborted and is there")))
            .or_else(|| torn.map(|values| format!("not all of {values:?} are there")))
    }
}

/// Plays a history.
fn run(seed: u64, faults: Faults) -> Outcome {
    let mut history = History::new(seed, faults);
    for _ in 0..STEPS {
        history.step();
    }
    let visible = history.finish();
    let count = |transactions: &[Vec<String>]| transactions.iter().map(Vec::len).sum();
    Outcome {
        broken: history.check(&visible),
        committed: count(&history.committed),
        unknown: count(&history.unknown),
        trace: history.play.stage.kafka.with(Cluster::take_trace),
    }
}

/// All faults, or some, but those by which brokers themselves break transactions.
fn honest(seed: u64) -> Faults {
    let some = Faults::swarm(&mut Random::new(seed));
    let faults = if seed.is_multiple_of(3) { Faults::some() } else { some };
    Faults { late_end_one_in: 0, late_offsets_one_in: 0, ..faults }
}

#[test]
fn a_transaction_is_visible_once_and_as_a_whole_or_not_at_all() {
    let (mut committed, mut unknown) = (0, 0);
    for seed in 0..600 {
        let outcome = run(seed, honest(seed));
        assert_eq!(outcome.broken, None, "seed {seed}");
        committed += outcome.committed;
        unknown += outcome.unknown;
    }
    println!("{committed} values committed, {unknown} of which nobody knows");
    assert!(committed > 1_000 && unknown > 100, "histories that do something");
}

#[test]
fn a_late_copy_of_a_commit_tears_a_transaction_sooner_or_later() {
    let faults = |seed| Faults { late_end_one_in: 3, ..honest(seed) };
    let broken = (0..300).find_map(|seed| run(seed, faults(seed)).broken);
    println!("{broken:?}");
    assert!(broken.is_some(), "the fault has an effect");
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in 0..20 {
        let (first, second) = (run(seed, honest(seed)).trace, run(seed, honest(seed)).trace);
        assert!(first.len() > STEPS, "seed {seed} has a trace");
        assert_eq!(first, second, "seed {seed}");
        assert_ne!(first, run(seed + 1_000, honest(seed)).trace, "another seed");
    }
}
