//! The simulated cluster: brokers, processes with their clients, and time.
//!
//! In:  calls of clients, what the scheduler does to processes and brokers, time.
//! Out: answers. What happens in between is on the agenda.
//! Holds: one thread; everything is a function of the seed and of the order of the calls.

use std::{collections::BTreeMap, time::Duration};

use super::{
    agenda::{Agenda, Event, ProducerId},
    clock::SimClock,
    code::{COORDINATOR_LOAD_IN_PROGRESS, Code, NOT_COORDINATOR, is_repeated},
    consuming::Consuming,
    delivering, ending,
    faults::Faults,
    group::{ConsumerId, Group},
    joining,
    process::{Link, Process, ProcessId, Run},
    producing::Producing,
    random::Random,
    topics::Topics,
    transactions::Transactions,
};

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) clock: SimClock,
    pub(crate) random: Random,
    pub(crate) faults: Faults,
    pub(crate) agenda: Agenda,
    pub(crate) topics: Topics,
    pub(crate) transactions: Transactions,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) processes: Vec<Process>,
    pub(crate) consumers: BTreeMap<ConsumerId, Consuming>,
    pub(crate) producers: BTreeMap<ProducerId, Producing>,
    clients: usize,
    /// Until when the coordinators are elsewhere.
    pub(crate) group_coordinator_away: Duration,
    pub(crate) transaction_coordinator_away: Duration,
    /// How long the first generation of a group waits for more members.
    pub(crate) first_rebalance_delay: Duration,
    /// How often the coordinator looks for transactions that are too old.
    pub(crate) transaction_sweep: Duration,
    pub(crate) broker_config: BTreeMap<String, String>,
    trace: Option<Vec<String>>,
    is_shown: bool,
}

/// Why a request has no answer that says yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// None in time; the last one said this.
    Timeout(Option<Code>),
    Refused(Code),
}

impl Cluster {
    pub(crate) fn new(seed: u64) -> Self {
        let config = [("transaction.max.timeout.ms", "900000"), ("message.max.bytes", "1048588")];
        Self {
            clock: SimClock::new(),
            random: Random::new(seed),
            faults: Faults::none(),
            agenda: Agenda::default(),
            topics: Topics::default(),
            transactions: Transactions::default(),
            groups: BTreeMap::new(),
            processes: Vec::new(),
            consumers: BTreeMap::new(),
            producers: BTreeMap::new(),
            clients: 0,
            group_coordinator_away: Duration::ZERO,
            transaction_coordinator_away: Duration::ZERO,
            first_rebalance_delay: Duration::ZERO,
            transaction_sweep: Duration::from_secs(10),
            broker_config: config
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            trace: None,
            is_shown: false,
        }
    }

    /// Keeps a line for everything that happens from now on.
    pub(crate) fn trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// Prints a line for everything that happens from now on.
    pub(crate) fn show(&mut self) {
        self.is_shown = true;
    }

    pub(crate) fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.trace.is_none() && !self.is_shown {
            return;
        }
        let line = format!("{:>12} {}", self.now().as_micros(), line());
        if self.is_shown {
            println!("{line}");
        }
        if let Some(trace) = &mut self.trace {
            trace.push(line);
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        logintide::client::Clock::now_ms(&self.clock)
    }

    /// A number for a new client.
    pub(crate) fn next_client(&mut self) -> usize {
        self.clients += 1;
        self.clients
    }

    /// Adds an event that happens after some time.
    pub(crate) fn after(&mut self, delay: Duration, event: Event) {
        let at = self.now() + delay;
        self.agenda.add(at, event);
    }

    /// A time from request to answer.
    pub(crate) fn latency(&mut self) -> Duration {
        self.random.between(self.faults.latency)
    }

    /// Adds an event that happens when a message has arrived.
    pub(crate) fn soon(&mut self, event: Event) {
        let delay = self.latency();
        self.after(delay, event);
    }

    /// Lets time pass up to a moment, with all that happens until then.
    pub(crate) fn run_until(&mut self, until: Duration) {
        while let Some((at, event)) = self.agenda.take(until) {
            // Later, where a process has let time pass meanwhile.
            self.clock.move_to(at);
            self.note(|| format!("{event:?}"));
            self.happen(event);
        }
        self.clock.move_to(until);
    }

    /// A client has waited for nothing.
    pub(crate) fn idle(&mut self, timeout: Duration) {
        let until = self.now() + self.clock.idle(timeout);
        self.run_until(until);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Produce { producer, place } => delivering::arrive(self, producer, &place),
            Event::Produced { producer, answer } => delivering::answer(self, producer, answer),
            Event::Stray { identity, place, records } => {
                delivering::stray(self, identity.as_ref(), &place, records);
            }
            Event::Mark { id, number, commit, part } => {
                ending::mark(self, &id, number, commit, part);
            }
            Event::TimeOut { number } => ending::time_out(self, number),
            Event::LateEnd { identity, commit } => {
                let late = ending::end(self, &identity, commit);
                self.note(|| format!("late end: {late:?}"));
            }
            Event::LateOffsets { identity, group, claim, entries } => {
                let late = ending::commit_offsets(self, &identity, &group, &claim, entries);
                self.note(|| format!("late offsets: {late:?}"));
            }
            Event::Join { consumer } => joining::join(self, consumer),
            Event::Heartbeat { consumer } => joining::heartbeat(self, consumer),
            Event::Assign { group, generation } => joining::assign(self, &group, generation),
            Event::Seat { seat } => joining::take_seat(self, &seat),
            Event::Check { group } => joining::settle(self, &group),
            Event::Deaf { consumer, cut } => joining::deaf(self, consumer, cut),
            Event::MaxPoll { consumer } => joining::max_poll(self, consumer),
            Event::Metadata { consumer } => joining::metadata(self, consumer),
        }
    }

    /// Sends a request, again and again where librdkafka would, for a time that the faults limit.
    pub(crate) fn ask<T>(
        &mut self,
        process: ProcessId,
        timeout: Duration,
        mut request: impl FnMut(&mut Self) -> Result<T, Code>,
    ) -> Result<T, Failed> {
        let deadline = self.now() + timeout.min(self.faults.patience);
        let mut last = None;
        loop {
            match self.exchange(process, &mut request) {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(code)) if !is_repeated(code) => return Err(Failed::Refused(code)),
                Some(Err(code)) => last = Some(code),
                None => {}
            }
            let is_dead = self.processes[process].run == Run::Dead;
            if is_dead || self.now() >= deadline {
                return Err(Failed::Timeout(last));
            }
            let pause = self.random.between(self.faults.retry_pause);
            let until = (self.now() + pause).min(deadline);
            self.run_until(until);
        }
    }

    /// One request and its answer; `None` where either is lost.
    fn exchange<T>(
        &mut self,
        process: ProcessId,
        request: &mut impl FnMut(&mut Self) -> Result<T, Code>,
    ) -> Option<Result<T, Code>> {
        if self.processes[process].dies_of_request() {
            if self.random.one_in(2) {
                let _unheard = request(self);
            }
            self.processes[process].run = Run::Dead;
            self.note(|| format!("process {process} dies at a request"));
        }
        let reaches = self.processes[process].reaches();
        if !reaches || self.random.one_in(self.faults.lost_request_one_in) {
            return None;
        }
        if self.random.one_in(self.faults.refused_one_in) {
            let codes = [NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS];
            return Some(Err(*self.random.pick(&codes)));
        }
        let answer = request(self);
        let is_lost = self.processes[process].link == Link::Mute
            || self.random.one_in(self.faults.lost_answer_one_in);
        if is_lost {
            return None;
        }
        let latency = self.latency();
        self.run_until(self.now() + latency);
        Some(answer)
    }

    /// Whether the coordinators of groups answer.
    pub(crate) fn group_coordinator(&self) -> Result<(), Code> {
        let is_here = self.group_coordinator_away <= self.now();
        if is_here { Ok(()) } else { Err(COORDINATOR_LOAD_IN_PROGRESS) }
    }

    /// Whether the coordinators of transactions answer.
    pub(crate) fn transaction_coordinator(&self) -> Result<(), Code> {
        let is_here = self.transaction_coordinator_away <= self.now();
        if is_here { Ok(()) } else { Err(NOT_COORDINATOR) }
    }
}
