//! A place for an instance: its house, and the process that runs there, or when the next one
//! starts.
//!
//! In:  what happens to the process. Out: turns of its parts, and how it has ended.
//! Holds: a process that ends is dead for the brokers before anything of it is dropped: what is
//! dropped would end its transaction.

use std::time::Duration;

use logintide::{
    budget::Permit,
    topics::{SeenTopics, Topic},
};

use super::{
    house::House,
    instance::Instance,
    plan::{Plan, SESSION, Trouble},
};
use crate::kafka::{Link, Random, SimClient, SimKafka};

/// A place for an instance.
pub(crate) struct Slot {
    number: usize,
    house: House,
    running: Option<Running>,
    /// When the next process starts; `None` when the last one has ended by itself.
    starts_at: Option<Duration>,
}

/// A process, and what is done to it.
struct Running {
    client: SimClient,
    instance: Instance,
    paused_until: Option<Duration>,
    cut_until: Option<Duration>,
    /// What takes all of its memory.
    full_until: Option<(Duration, Permit)>,
    is_stopped: bool,
}

impl Slot {
    pub(crate) fn new(number: usize, plan: &Plan) -> Self {
        let house = House::new(number, plan);
        Self { number, house, running: None, starts_at: Some(Duration::ZERO) }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether a process runs and reads.
    pub(crate) fn is_reading(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.instance.is_reading())
    }

    /// Whether its process has had another name before.
    pub(crate) fn is_renamed(&self) -> bool {
        self.house.is_another_machine()
    }

    /// Whether a process is to be started.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.running.is_none() && self.starts_at.is_some_and(|at| at <= now)
    }

    /// Whether its last process has ended by itself.
    pub(crate) fn is_resting(&self) -> bool {
        self.running.is_none() && self.starts_at.is_none()
    }

    /// Another process starts soon.
    pub(crate) fn wake(&mut self, kafka: &SimKafka, random: &mut Random) {
        let pause = random.between((Duration::ZERO, Duration::from_secs(2)));
        self.starts_at = Some(kafka.clock().elapsed() + pause);
    }

    /// A topic has a partition more, for processes that start later.
    pub(crate) fn adds_partition(&mut self, topic: Topic) {
        self.house.adds_partition(topic);
    }

    /// Something happens to the process, if one runs.
    pub(crate) fn suffers(&mut self, trouble: Trouble, kafka: &SimKafka, random: &mut Random) {
        let Some(running) = &mut self.running else { return };
        let now = kafka.clock().elapsed();
        let process = running.client.process();
        let mut some_time = || {
            let most = *random.pick(&[Duration::from_secs(1), 2 * SESSION]);
            now + random.between((Duration::ZERO, most))
        };
        match trouble {
            Trouble::Pause if running.paused_until.is_none() => {
                kafka.pause(process);
                running.paused_until = Some(some_time());
            }
            Trouble::Cut => {
                running.cut_until = Some(some_time());
                kafka.connect(process, *random.pick(&[Link::Down, Link::Mute]));
            }
            Trouble::FillMemory => {
                running.full_until = Some((some_time(), running.instance.fill_memory()));
            }
            Trouble::KillAtRequest => kafka.kill_after(process, random.below(12) as u32),
            Trouble::BreakDisk => self.house.break_disk(random.below(8)),
            Trouble::Stop => {
                running.is_stopped = true;
                running.instance.stop();
            }
            _ => {}
        }
    }

    /// Asks the process to end.
    pub(crate) fn stop(&self) {
        if let Some(running) = &self.running {
            running.instance.stop();
        }
    }

    /// What its process sees of the topics, if the brokers answer it.
    pub(crate) fn sees(&self, kafka: &SimKafka, topics: SeenTopics) {
        let Some(running) = &self.running else { return };
        let process = running.client.process();
        if kafka.with(|cluster| cluster.processes[process].hears()) {
            running.instance.sees(topics);
        }
    }

    /// Nothing more happens to it, and what was done is over soon.
    pub(crate) fn calm(&mut self, kafka: &SimKafka) {
        self.house.mend_disk();
        let now = kafka.clock().elapsed();
        if let Some(running) = &mut self.running {
            running.cut_until = running.cut_until.map(|_| now);
            running.paused_until = running.paused_until.map(|_| now);
            running.full_until = None;
            kafka.spare(running.client.process());
        }
    }

    /// Ends a pause, a cut or a lack of memory that is over.
    pub(crate) fn come_back(&mut self, kafka: &SimKafka) {
        let now = kafka.clock().elapsed();
        let Some(running) = &mut self.running else { return };
        let process = running.client.process();
        if running.cut_until.take_if(|until| *until <= now).is_some() {
            kafka.connect(process, Link::Up);
        }
        if running.paused_until.take_if(|until| *until <= now).is_some() {
            kafka.resume(process);
        }
        running.full_until.take_if(|(until, _)| *until <= now);
    }

    /// Starts a process.
    pub(crate) fn start(&mut self, kafka: &SimKafka, random: &mut Random) {
        let workers = Plan::workers(random);
        let state = self.house.disturb_state(random);
        let (client, number) = (kafka.process(), self.number);
        let process = client.process();
        kafka.with(|cluster| {
            cluster.note(|| {
                format!("instance {number} starts: process {process}, {workers} workers, {state}")
            });
        });
        let instance = self.house.build(&client, workers).expect("an instance can be made");
        self.running = Some(Running {
            client,
            instance,
            paused_until: None,
            cut_until: None,
            full_until: None,
            is_stopped: false,
        });
    }

    /// Some turns of its parts, in any order. True: the process is over.
    pub(crate) fn step(&mut self, kafka: &SimKafka, random: &mut Random) -> bool {
        let Some(running) = &mut self.running else { return false };
        if running.paused_until.is_some() {
            return false;
        }
        let parts = running.instance.parts();
        for _ in 0..=random.below(3 * parts) {
            running.instance.step(random.below(parts));
            if kafka.is_dead(running.client.process()) {
                return true;
            }
        }
        running.instance.failure().is_some() || running.instance.is_over()
    }

    /// Whether its process has to do with less memory than it needs.
    pub(crate) fn is_full(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.instance.is_full())
    }

    /// Ends a process where it stands, if one runs; another one starts some time later, unless it
    /// has ended by itself. Returns why it had failed.
    pub(crate) fn bury(&mut self, kafka: &SimKafka, random: &mut Random) -> Option<String> {
        let running = self.running.take()?;
        let process = running.client.process();
        let is_orderly = running.instance.is_over() && !kafka.is_dead(process);
        // NOTE: before the parts are dropped.
        kafka.kill(process);
        let failure = running.instance.failure().map(ToString::to_string);
        let has_ended = is_orderly && failure.is_none() && !running.is_stopped;
        drop(running);
        self.wake(kafka, random);
        if has_ended {
            self.starts_at = None;
        }
        failure
    }

    /// Where it stands, for people.
    pub(crate) fn describe(&self) -> String {
        let running = self.running.as_ref();
        running.map_or("none".to_owned(), |running| running.instance.describe())
    }
}
