//! A history: instances of the program, what they read, and what happens to them, by a seed.
//!
//! In:  a seed and a mode of delivery. Out: what became of it.
//! Holds: every choice is the seed's; once the trouble is over, everything has to end by itself
//! within a bounded time.

use std::time::Duration;

use logintide::{
    config::Delivery,
    topics::{PerTopic, Topic},
};

use super::{
    guest::Guest,
    house::{House, INSTANCES, Repeats, bearable},
    input::Feed,
    instance::Instance,
    oracle::Outputs,
    plan::{GROUP, IDLE_TIMEOUT, Plan, SESSION, Trouble, WINDOW_MS, names},
    sizes::Sizes,
};
use crate::kafka::{Cluster, Faults, Link, Random, SimClient, SimKafka};

/// How long everything may take to end once the trouble is over.
const PATIENCE: Duration = Duration::from_mins(4);
/// Failures of a process that are accepted after the trouble is over: it was in the middle of one.
const LAST_FAILURES: usize = 3;
/// What the windows of the last events need to close, beyond their end and the grace: a leader that
/// has just moved, the pause before a silent partition is asked about again, and some commits.
const CLOSING: Duration = Duration::from_secs(7);
/// Longest time between two rounds: while there is trouble or something to do, and then.
const PAUSE: Duration = Duration::from_millis(120);
const LONG_PAUSE: Duration = Duration::from_millis(250);

/// A process, and what is done to it.
struct Running {
    client: SimClient,
    instance: Instance,
    paused_until: Option<Duration>,
    cut_until: Option<Duration>,
}

/// A place for an instance, with or without a process.
struct Slot {
    house: House,
    running: Option<Running>,
    starts_at: Duration,
}

/// What a history has come to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The first promise that is broken.
    pub(crate) broken: Option<String>,
    pub(crate) sizes: Sizes,
    pub(crate) trace: Vec<String>,
}

/// A history under way.
pub(crate) struct History {
    kafka: SimKafka,
    names: PerTopic<String>,
    random: Random,
    plan: Plan,
    slots: Vec<Slot>,
    feed: Feed,
    guest: Option<Guest>,
    last_failure: Option<String>,
    sizes: Sizes,
}

/// Plays a history. `look` is taken at its cluster before anything happens.
pub(crate) fn play(seed: u64, delivery: Delivery, look: fn(&mut Cluster)) -> Outcome {
    let mut history = History::new(seed, delivery, look);
    history.trouble();
    let broken = history.calm().and_then(|()| history.judge()).err();
    history.end();
    let trace = history.kafka.with(Cluster::take_trace);
    Outcome { broken, sizes: history.sizes, trace }
}

impl History {
    fn new(seed: u64, delivery: Delivery, look: fn(&mut Cluster)) -> Self {
        let mut random = Random::new(seed ^ 0x0051_4d15);
        let plan = Plan::new(delivery, &mut random);
        let kafka = SimKafka::new(seed);
        kafka.with(look);
        kafka.with(|cluster| cluster.note(|| format!("{plan:?}")));
        let names = names();
        for (topic, name) in names.iter() {
            kafka.create_topic(name, plan.partitions[topic]);
        }
        let house = |number| House::new(number, &plan);
        let slots = (0..INSTANCES).map(house).map(|house| Slot {
            house,
            running: None,
            starts_at: Duration::ZERO,
        });
        let slots = slots.collect();
        let input = &names[Topic::Input];
        let feed = Feed::new(input, plan.partitions[Topic::Input], &plan, &mut random);
        Self {
            kafka,
            names,
            random,
            plan,
            slots,
            feed,
            guest: None,
            last_failure: None,
            sizes: Sizes::default(),
        }
    }

    fn now(&self) -> Duration {
        self.kafka.clock().elapsed()
    }

    fn note(&self, line: impl FnOnce() -> String) {
        self.kafka.with(|cluster| cluster.note(line));
    }

    /// The time in which things go wrong: while the input is written, and a little longer.
    fn trouble(&mut self) {
        if self.plan.troubles.contains(&Trouble::Weather) && self.random.one_in(2) {
            self.kafka.set_faults(bearable(Plan::weather(&mut self.random)));
        }
        let mut rounds_left = self.random.below(20);
        while rounds_left > 0 || !self.feed.is_done() {
            if self.feed.is_done() {
                rounds_left -= 1;
            }
            self.feed.write(&self.kafka, &mut self.random);
            if !self.plan.troubles.is_empty() && self.random.one_in(self.plan.trouble_one_in) {
                self.make_trouble();
            }
            self.round();
            self.pass(PAUSE);
        }
    }

    fn pass(&mut self, most: Duration) {
        let pause = self.random.between((Duration::ZERO, most));
        self.kafka.pass(pause);
    }

    fn make_trouble(&mut self) {
        let trouble = *self.random.pick(&self.plan.troubles);
        let number = self.random.below(self.slots.len());
        self.sizes.troubles += 1;
        self.note(|| format!("{trouble:?} for instance {number}"));
        let (kafka, random) = (&self.kafka, &mut self.random);
        let now = kafka.clock().elapsed();
        let mut up_to = |most: Duration| random.between((Duration::ZERO, most));
        match trouble {
            Trouble::ExpireIds => kafka.expire_transactional_ids(up_to(3 * SESSION)),
            Trouble::MoveLeader => {
                let away = up_to(Duration::from_secs(2));
                let topic = *random.pick(&Topic::ALL);
                let partition = random.below(self.plan.partitions[topic]);
                kafka.move_leader(&self.names[topic], partition as i32, away);
            }
            Trouble::MoveCoordinators => {
                kafka.move_group_coordinator(up_to(Duration::from_secs(2)));
                kafka.move_transaction_coordinator(up_to(Duration::from_secs(2)));
            }
            Trouble::Compact => {
                let partition = random.below(self.plan.partitions[Topic::Journal]);
                let journal = &self.names[Topic::Journal];
                kafka.compact(journal, partition as i32, Duration::from_secs(1));
            }
            Trouble::Weather => kafka.set_faults(bearable(Plan::weather(random))),
            Trouble::Guest => self.guest = Some(Guest::join(kafka, up_to(2 * SESSION))),
            Trouble::Kill => self.bury(number),
            _ => {
                let Some(running) = &mut self.slots[number].running else { return };
                let process = running.client.process();
                match trouble {
                    Trouble::KillAtRequest => kafka.kill_after(process, random.below(12) as u32),
                    Trouble::BreakDisk => self.slots[number].house.break_disk(random.below(8)),
                    Trouble::Stop => running.instance.stop(),
                    Trouble::Pause if running.paused_until.is_none() => {
                        kafka.pause(process);
                        let most = *random.pick(&[Duration::from_secs(1), 2 * SESSION]);
                        let pause = random.between((Duration::ZERO, most));
                        running.paused_until = Some(now + pause);
                    }
                    Trouble::Cut => {
                        kafka.connect(process, *random.pick(&[Link::Down, Link::Mute]));
                        let most = *random.pick(&[Duration::from_secs(1), 2 * SESSION]);
                        let pause = random.between((Duration::ZERO, most));
                        running.cut_until = Some(now + pause);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Starts what is due, and lets every running instance make some turns.
    fn round(&mut self) {
        let now = self.now();
        self.guest = self.guest.take().and_then(|guest| guest.step(now));
        for number in 0..self.slots.len() {
            self.come_back(number, now);
            let slot = &mut self.slots[number];
            if slot.running.is_none() && slot.starts_at <= now {
                self.start(number);
            }
            self.step(number);
        }
    }

    /// Ends a pause or a cut that is over.
    fn come_back(&mut self, number: usize, now: Duration) {
        let Some(running) = &mut self.slots[number].running else { return };
        let process = running.client.process();
        if running.cut_until.take_if(|until| *until <= now).is_some() {
            self.kafka.connect(process, Link::Up);
        }
        if running.paused_until.take_if(|until| *until <= now).is_some() {
            self.kafka.resume(process);
        }
    }

    fn start(&mut self, number: usize) {
        self.sizes.starts += 1;
        let workers = Plan::workers(&mut self.random);
        let slot = &mut self.slots[number];
        let state = slot.house.disturb_state(&mut self.random);
        let client = self.kafka.process();
        let process = client.process();
        self.kafka.with(|cluster| {
            cluster.note(|| {
                format!("instance {number} starts: process {process}, {workers} workers, {state}")
            });
        });
        let instance = slot.house.build(&client, workers).expect("an instance can be made");
        slot.running = Some(Running { client, instance, paused_until: None, cut_until: None });
    }

    /// Some turns of an instance's parts, in any order.
    fn step(&mut self, number: usize) {
        let Some(running) = &mut self.slots[number].running else { return };
        if running.paused_until.is_some() {
            return;
        }
        let parts = running.instance.parts();
        for _ in 0..=self.random.below(3 * parts) {
            let part = self.random.below(parts);
            running.instance.step(part);
            if self.kafka.is_dead(running.client.process()) {
                return self.bury(number);
            }
        }
        if running.instance.failure().is_some() || running.instance.is_over() {
            self.bury(number);
        }
    }

    /// Ends a process where it stands, if one runs; another one starts some time later.
    fn bury(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        let Some(running) = slot.running.take() else { return };
        // NOTE: before the parts are dropped: what is dropped would end its transaction.
        self.kafka.kill(running.client.process());
        if let Some(failure) = running.instance.failure() {
            let text = failure.to_string();
            self.kafka.with(|cluster| cluster.note(|| format!("instance {number} failed: {text}")));
            self.last_failure = Some(text);
            self.sizes.failures += 1;
        }
        drop(running);
        let pause = self.random.between((Duration::ZERO, Duration::from_secs(2)));
        slot.starts_at = self.kafka.clock().elapsed() + pause;
    }

    /// Everything works again: all is read, committed and closed, or the history hangs.
    fn calm(&mut self) -> Result<(), String> {
        self.note(|| "the trouble is over".to_owned());
        self.kafka.set_faults(Faults::none());
        let now = self.now();
        for slot in &mut self.slots {
            slot.house.mend_disk();
            if let Some(running) = &mut slot.running {
                running.cut_until = running.cut_until.map(|_| now);
                running.paused_until = running.paused_until.map(|_| now);
                self.kafka.spare(running.client.process());
            }
        }
        self.guest = None;
        let (deadline, failures) = (now + PATIENCE, self.sizes.failures);
        // Since when everything is committed, by instances that all run.
        let mut since = None;
        loop {
            self.round();
            self.pass(if since.is_some() { LONG_PAUSE } else { PAUSE });
            if !self.is_committed() {
                since = None;
            } else if self.is_closed(*since.get_or_insert(self.now())) {
                return Ok(());
            }
            if self.sizes.failures > failures + LAST_FAILURES {
                return Err(format!("it fails again and again: {:?}", self.last_failure));
            }
            if self.now() > deadline {
                return Err(format!("it hangs: {}", self.describe()));
            }
        }
    }

    /// Whether everything that was written is committed, and every instance runs.
    fn is_committed(&self) -> bool {
        if self.slots.iter().any(|slot| slot.running.is_none()) {
            return false;
        }
        let input = &self.names[Topic::Input];
        (0..self.plan.partitions[Topic::Input] as i32).all(|partition| {
            let end = self.kafka.log_end(input, partition);
            self.kafka.committed(GROUP, input, partition).unwrap_or(0) == end
        })
    }

    /// Whether every window has had the time to close.
    fn is_closed(&self, committed_at: Duration) -> bool {
        let needed = WINDOW_MS + self.plan.rules.grace_ms;
        let last = self.feed.written().iter().map(|input| input.time_ms + needed).max();
        let now_ms = self.kafka.with(|cluster| cluster.now_ms());
        self.now() >= committed_at + IDLE_TIMEOUT + CLOSING
            && last.is_none_or(|last| now_ms >= last + CLOSING.as_millis() as i64)
    }

    /// Stops everything in an orderly way, and judges what readers see.
    fn judge(&mut self) -> Result<(), String> {
        for slot in &self.slots {
            if let Some(running) = &slot.running {
                running.instance.stop();
            }
        }
        let deadline = self.now() + PATIENCE;
        let failures = self.sizes.failures;
        while self.slots.iter().any(|slot| slot.running.is_some()) {
            for number in 0..self.slots.len() {
                self.step(number);
            }
            self.kafka.pass(Duration::from_millis(20));
            if self.sizes.failures > failures {
                return Err(format!("it fails at its stop: {:?}", self.last_failure));
            }
            if self.now() > deadline {
                return Err(format!("it does not stop: {}", self.describe()));
            }
        }
        self.kafka.pass(Duration::from_secs(1));
        let all: Vec<_> = self.names.values().iter().map(String::as_str).collect();
        if !self.kafka.is_settled(&all) {
            return Err("a transaction is still open".to_owned());
        }
        let outputs = Outputs::read(&self.kafka, &self.names);
        self.sizes.inputs = self.feed.written().len();
        (self.sizes.late, self.sizes.windows, self.sizes.revisions) = outputs.counts();
        self.sizes.seconds = self.now().as_secs();
        let repeats = Repeats::of(self.plan.delivery);
        let is_complete = !self.plan.troubles.contains(&Trouble::Guest);
        outputs.check(self.feed.written(), repeats, is_complete)?;
        if self.plan.is_orderly { outputs.check_order() } else { Ok(()) }
    }

    fn describe(&self) -> String {
        let of = |slot: &Slot| {
            slot.running.as_ref().map_or("none".to_owned(), |running| running.instance.describe())
        };
        self.slots.iter().map(of).collect::<Vec<_>>().join(" | ")
    }

    /// Ends what still runs.
    fn end(&mut self) {
        for number in 0..self.slots.len() {
            self.bury(number);
        }
    }
}
