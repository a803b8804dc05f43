//! A history: instances of the program, what they read, and what happens to them, by a seed.
//!
//! In:  a seed and a mode of delivery. Out: what became of it.
//! Holds: every choice is the seed's; once the trouble is over, everything has to end by itself
//! within a bounded time.

mod groups;
mod of_users;

use std::time::Duration;

use logintide::{
    config::Delivery,
    ids::TopicId,
    topics::{PerTopic, SeenTopics, Topic},
};

use self::of_users::growing;
pub(crate) use self::of_users::play_users;
use super::{
    guest::Guest,
    house::{Repeats, bearable, timing},
    input::Feed,
    losses::{self, Loss},
    oracle::Outputs,
    plan::{
        GROUP, IDLE_TIMEOUT, MOST_PARTITIONS, Plan, SESSION, TRANSACTION_TIMEOUT, Trouble,
        WINDOW_MS, Work,
    },
    runs::Runs,
    sizes::{Outcome, Sizes},
    slot::Slot,
};
use crate::kafka::{Cluster, Faults, Random, SimKafka};

/// How long everything may take to end once the trouble is over.
const PATIENCE: Duration = Duration::from_mins(4);
/// Failures of a process that are accepted after the trouble is over: it was in the middle of one.
const LAST_FAILURES: usize = 3;
/// What the windows of the last events need to close, beyond their end and the grace: a leader that
/// has just moved, the pause before a silent partition is asked about again, and some commits.
const CLOSING: Duration = Duration::from_secs(7);
/// After so long brokers have ended what nobody else ends.
const EXPIRED: Duration = TRANSACTION_TIMEOUT.saturating_add(Duration::from_secs(3));
/// Longest time between two rounds: while there is trouble or something to do, and then.
const PAUSE: Duration = Duration::from_millis(120);
const LONG_PAUSE: Duration = Duration::from_millis(250);
/// One round in so many has a look at the topics: every few seconds.
const LOOK_ONE_IN: u32 = 40;
/// One history in so many has bounded runs.
const BOUNDED_ONE_IN: u32 = 6;
/// A history under way.
pub(crate) struct History {
    kafka: SimKafka,
    names: PerTopic<String>,
    random: Random,
    plan: Plan,
    slots: Vec<Slot>,
    feed: Feed,
    guest: Option<Guest>,
    /// Of processes that end by themselves.
    runs: Option<Runs>,
    losses: Vec<Loss>,
    last_failure: Option<String>,
    sizes: Sizes,
}

/// Plays a history. `look` is taken at its cluster before anything happens.
pub(crate) fn play(seed: u64, delivery: Delivery, look: fn(&mut Cluster)) -> Outcome {
    play_out(|| History::new(seed, delivery, look))
}

fn play_out(begin: impl FnOnce() -> History) -> Outcome {
    losses::listen(false);
    losses::take();
    let mut history = begin();
    let troubled = history.trouble();
    let broken = troubled.and_then(|()| history.calm()).and_then(|()| history.judge()).err();
    history.end();
    let trace = history.kafka.with(Cluster::take_trace);
    Outcome { broken, sizes: history.sizes, trace }
}

impl History {
    fn new(seed: u64, delivery: Delivery, look: fn(&mut Cluster)) -> Self {
        let mut random = Random::new(seed ^ 0x0051_4d15);
        let mut plan = Plan::new(delivery, &mut random);
        // By chance of its own, so that the other histories are what they were.
        if Random::new(seed ^ 0x0e4d).one_in(BOUNDED_ONE_IN) {
            plan = plan.bounded();
        }
        Self::of(seed, plan, random, look)
    }

    fn of(seed: u64, plan: Plan, mut random: Random, look: fn(&mut Cluster)) -> Self {
        let kafka = SimKafka::new(seed);
        kafka.with(look);
        kafka.with(|cluster| cluster.note(|| format!("{plan:?}")));
        let names = plan.work.names();
        for (topic, name) in names.iter() {
            kafka.create_topic(name, plan.partitions[topic]);
        }
        let slots = (0..plan.instances).map(|number| Slot::new(number, &plan)).collect();
        let input = &names[Topic::Input];
        let mut feed = Feed::new(input, plan.partitions[Topic::Input], &plan, &mut random);
        let runs = plan.is_bounded.then(|| {
            (0..random.below(20)).for_each(|_| feed.write(&kafka, &mut random));
            Runs::begin(&kafka, input, &feed)
        });
        Self {
            kafka,
            names,
            random,
            plan,
            slots,
            feed,
            guest: None,
            runs,
            losses: Vec::new(),
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
    fn trouble(&mut self) -> Result<(), String> {
        if self.plan.troubles.contains(&Trouble::Weather) && self.random.one_in(2) {
            self.kafka.set_faults(bearable(self.plan.weather(&mut self.random)));
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
            self.advance_runs()?;
            self.pass(PAUSE);
        }
        Ok(())
    }

    fn advance_runs(&mut self) -> Result<(), String> {
        let Some(runs) = &mut self.runs else { return Ok(()) };
        let kafka = (&self.kafka, &self.names);
        runs.advance(kafka, &self.feed, &mut self.slots, &mut self.random)?;
        self.sizes.runs = runs.ended();
        Ok(())
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
        let mut up_to = |most: Duration| random.between((Duration::ZERO, most));
        match trouble {
            Trouble::ExpireIds => kafka.expire_transactional_ids(up_to(3 * SESSION)),
            Trouble::MoveLeader => {
                let away = up_to(Duration::from_secs(2));
                let topic = *random.pick(self.plan.work.topics());
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
            Trouble::Weather => kafka.set_faults(bearable(self.plan.weather(random))),
            Trouble::Guest => {
                self.guest = Some(Guest::join(kafka, self.plan.work, up_to(2 * SESSION)));
            }
            Trouble::AddPartition => self.add_partition(),
            Trouble::DeleteJournal => self.delete_journal(),
            Trouble::CutJournal => self.cut_journal(),
            Trouble::Kill => self.bury(number),
            _ => self.slots[number].suffers(trouble, kafka, random),
        }
    }

    fn add_partition(&mut self) {
        let topic = *self.random.pick(growing(self.plan.work));
        if self.plan.partitions[topic] == MOST_PARTITIONS {
            return;
        }
        self.plan.partitions[topic] += 1;
        self.sizes.added += 1;
        self.kafka.add_partitions(&self.names[topic], self.plan.partitions[topic]);
        self.slots.iter_mut().for_each(|slot| slot.adds_partition(topic));
        if topic == Topic::Input {
            self.feed.add_partition(&mut self.random);
        }
    }

    fn delete_journal(&mut self) {
        self.sizes.deleted += 1;
        let journal = &self.names[Topic::Journal];
        self.kafka.delete_topic(journal);
        self.kafka.create_topic(journal, self.plan.partitions[Topic::Journal]);
    }

    fn cut_journal(&mut self) {
        self.sizes.cut += 1;
        let journal = &self.names[Topic::Journal];
        let partition = self.random.below(self.plan.partitions[Topic::Journal]) as i32;
        let most = *self.random.pick(&[4, 40]);
        let lost = self.random.below(most) as i64;
        let end = self.kafka.log_end(journal, partition);
        self.kafka.lose_end(journal, partition, end - lost);
    }

    /// Lets every process see what the brokers say about the topics.
    fn look_at_topics(&mut self) {
        let id = |topic| {
            let name = &self.names[topic];
            self.kafka.with(|cluster| cluster.topics.get(name).map(|it| TopicId(it.id)))
        };
        let seen = SeenTopics {
            input: id(Topic::Input),
            input_partitions: self.plan.partitions[Topic::Input] as i32,
            journal: id(Topic::Journal),
            outputs: self.plan.outputs(),
        };
        self.slots.iter().for_each(|slot| slot.sees(&self.kafka, seen));
    }

    /// Starts what is due, and lets every running instance make some turns.
    fn round(&mut self) {
        let now = self.now();
        self.guest = self.guest.take().and_then(|guest| guest.step(now));
        if self.plan.changes_topics() && self.random.one_in(LOOK_ONE_IN) {
            self.look_at_topics();
        }
        for number in 0..self.slots.len() {
            let slot = &mut self.slots[number];
            slot.come_back(&self.kafka);
            if slot.is_due(now) {
                self.sizes.starts += 1;
                slot.start(&self.kafka, &mut self.random);
            }
            self.step(number);
        }
    }

    /// Some turns of an instance.
    fn step(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        let is_over = slot.step(&self.kafka, &mut self.random);
        self.sizes.full += usize::from(slot.is_full());
        for windows in losses::take() {
            let named_at_ms = self.kafka.with(|cluster| cluster.now_ms());
            let is_alone = self.plan.instances == 1;
            self.losses.push(Loss { windows, named_at_ms, is_alone });
        }
        if is_over {
            self.bury(number);
        }
    }

    /// Ends a process where it stands, if one runs.
    fn bury(&mut self, number: usize) {
        let Some(failure) = self.slots[number].bury(&self.kafka, &mut self.random) else { return };
        self.note(|| format!("instance {number} failed: {failure}"));
        self.last_failure = Some(failure);
        self.sizes.failures += 1;
    }

    /// Everything works again: all is read, committed and closed, or the history hangs.
    fn calm(&mut self) -> Result<(), String> {
        self.note(|| "the trouble is over".to_owned());
        self.kafka.set_faults(Faults::none());
        self.kafka.tell_all_partitions();
        let now = self.now();
        self.slots.iter_mut().for_each(|slot| slot.calm(&self.kafka));
        let (deadline, failures) = (now + PATIENCE, self.sizes.failures);
        let before = self.sizes.runs;
        // Since when everything is committed, by instances that all run.
        let mut since = None;
        loop {
            self.look_at_topics();
            self.round();
            self.pass(if since.is_some() { LONG_PAUSE } else { PAUSE });
            self.advance_runs()?;
            // What was written while one went on is left to the next one.
            let left = self.runs.as_ref().map(|runs| (before + 2).saturating_sub(runs.ended()));
            if left == Some(0) {
                return Ok(());
            }
            if left.is_some() || !self.is_committed() {
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

    /// Whether everything that was written is committed, and every instance reads: a takeover that
    /// is under way may have to say what is lost.
    fn is_committed(&self) -> bool {
        // A guest commits nothing, and windows wait for what it has.
        if self.guest.is_some() || self.slots.iter().any(|slot| !slot.is_reading()) {
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
        // What was cut off before anybody has read it is missed by its writer only, and late.
        let unread = if self.plan.loses_journal() { timing().follow() } else { Duration::ZERO };
        self.now() >= committed_at + IDLE_TIMEOUT + unread + CLOSING
            && last.is_none_or(|last| now_ms >= last + CLOSING.as_millis() as i64)
    }

    /// Stops everything in an orderly way, and judges what readers see.
    fn judge(&mut self) -> Result<(), String> {
        self.slots.iter().for_each(Slot::stop);
        let deadline = self.now() + PATIENCE;
        let failures = self.sizes.failures;
        while self.slots.iter().any(Slot::is_running) {
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
        // A name that neither a commit nor the journal knows any more is nobody's to end.
        let is_renamed = self.slots.iter().any(Slot::is_renamed);
        self.kafka.pass(if is_renamed { EXPIRED } else { Duration::from_secs(1) });
        let all: Vec<_> = self.names.values().map(String::as_str).collect();
        if !self.kafka.is_settled(&all) {
            return Err("a transaction is still open".to_owned());
        }
        if self.plan.work == Work::Users {
            return self.judge_users();
        }
        let outputs = Outputs::read(&self.kafka, &self.names);
        self.sizes.inputs = self.feed.written().len();
        (self.sizes.late, self.sizes.windows, self.sizes.revisions) = outputs.counts();
        self.sizes.seconds = self.now().as_secs();
        let repeats = Repeats::of(self.plan.delivery);
        self.sizes.losses = self.losses.len();
        if self.sizes.deleted + self.sizes.cut == 0 && !self.losses.is_empty() {
            return Err(format!("a journal that is there is said to be lost: {:?}", self.losses));
        }
        outputs.check(self.feed.written(), repeats, self.plan.is_complete(), &self.losses)?;
        if self.plan.is_orderly { outputs.check_order() } else { Ok(()) }
    }

    fn describe(&self) -> String {
        self.slots.iter().map(Slot::describe).collect::<Vec<_>>().join(" | ")
    }

    /// Ends what still runs.
    fn end(&mut self) {
        for number in 0..self.slots.len() {
            self.bury(number);
        }
    }
}
