//! Generates login events from a plan: `event_no` → exact bytes, key and partition.
//!
//! In:  the plan, the topic's partition count, the event time of the first event.
//! Out: one record at a time, into a buffer that the caller reuses.
//! Holds: a record depends only on plan, number and scheduled send time, so `verify` can generate
//! each one again. Every poison record breaks a rule of the input format; every other record,
//! tombstones aside, keeps all rules. A plain event is made without allocation. Labels are never in
//! a value.

mod event;
mod odd;
mod plan;
mod poison;
mod population;
mod rng;
mod states;

#[cfg(test)]
mod tests;

use anyhow::{Context as _, Error, Result, ensure};
use rand_distr::{Distribution as _, Zipf};

pub(crate) use event::Login;
pub(crate) use plan::{Plan, Shares};
pub(crate) use poison::WRONG_MESSAGE;
use population::Population;
pub(crate) use population::{DEFAULT as DEFAULT_POPULATION, Label, Mark, start_before};
use rng::{Draw, Purpose};
pub(crate) use rng::{UuidText, event_no_of, key_of, mix};

/// How far back a duplicate reaches, in events.
const DUPLICATE_REACH: u64 = 1_000;

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The original generator's record at its scheduled event time.
    Plain,
    /// A plain event with an older time.
    Late,
    /// A plain event with a later time.
    Early,
    /// The login of an earlier plain event again.
    Duplicate,
    /// A valid event in unusual JSON.
    Odd,
    /// A valid event of about 60 KiB.
    Huge,
    /// A record that breaks a rule.
    Poison,
    /// A record without a value.
    Tombstone,
}

/// One record, ready to send.
pub(crate) struct Record {
    pub(crate) kind: Kind,
    /// The Kafka key.
    pub(crate) key: UuidText,
    /// The value; empty for a tombstone, which has none.
    pub(crate) value: Vec<u8>,
    pub(crate) partition: i32,
    /// Event time in epoch milliseconds, also when the value has an invalid one.
    pub(crate) time_ms: i64,
    /// Scheduled event time in epoch milliseconds: without disorder, lateness or lead.
    pub(crate) place_ms: i64,
    /// What is known about the event of a population; never a part of the value.
    pub(crate) label: Option<Label>,
}

impl Record {
    /// An empty buffer for [`Generator::make`].
    pub(crate) fn new() -> Self {
        Self {
            kind: Kind::Plain,
            key: [0; 36],
            value: Vec::with_capacity(1_024),
            partition: 0,
            time_ms: 0,
            place_ms: 0,
            label: None,
        }
    }

    /// The value for Kafka; `None` for a tombstone.
    pub(crate) fn payload(&self) -> Option<&[u8]> {
        (self.kind != Kind::Tombstone).then_some(self.value.as_slice())
    }
}

/// Generates the records of one plan.
pub(crate) struct Generator {
    plan: Plan,
    seed: u64,
    users: Zipf<f64>,
    population: Option<Population>,
    /// Upper bounds of the kinds' ranges in `[0, 1)`; a number above all of them means plain.
    bounds: [(f64, Kind); 7],
    ms_per_event: f64,
    start_ms: i64,
    /// Upper bounds of the partitions' turns; the last one is the number of turns of a round.
    turns: Vec<u64>,
}

impl Generator {
    /// A generator whose first event has the time `start_s` (epoch seconds).
    pub(crate) fn new(plan: &Plan, start_s: i64, partitions: usize) -> Result<Self> {
        let shares = &plan.shares;
        let mut sum = 0.0;
        let bounds = [
            (shares.share_late, Kind::Late),
            (shares.share_early, Kind::Early),
            (shares.share_duplicate, Kind::Duplicate),
            (shares.share_odd, Kind::Odd),
            (shares.share_poison, Kind::Poison),
            (shares.share_tombstone, Kind::Tombstone),
            (shares.share_huge, Kind::Huge),
        ]
        .map(|(share, kind)| {
            sum += share;
            (sum, kind)
        });
        let given = &plan.partition_shares;
        ensure!(
            given.len() <= partitions,
            "--partition-shares: {} shares, but the topic has {partitions} partitions",
            given.len()
        );
        let mut round = 0;
        let turns = (0..partitions).map(|partition| {
            let share = given.get(partition).or(given.last()).copied();
            round += u64::from(share.unwrap_or(1));
            round
        });
        let population = plan.population.as_ref();
        let population = population.map(|file| Population::new(plan, file, start_s * 1_000));
        Ok(Self {
            turns: turns.collect(),
            plan: plan.clone(),
            seed: plan.seed(),
            population: population.transpose().map_err(Error::msg)?,
            users: Zipf::new(plan.users as f64, plan.zipf).context("--users and --zipf")?,
            bounds,
            ms_per_event: 1_000.0 / plan.speed(),
            start_ms: start_s * 1_000,
        })
    }

    /// The kind of event `event_no`.
    pub(crate) fn kind(&self, event_no: u64) -> Kind {
        let unit = Draw::new(self.seed, event_no, Purpose::Kind).unit();
        let found = self.bounds.iter().find(|(bound, _)| unit < *bound);
        match found {
            Some((_, Kind::Duplicate)) if event_no == 0 => Kind::Plain,
            Some((_, kind)) => *kind,
            None => Kind::Plain,
        }
    }

    /// The partition of event `event_no`.
    pub(crate) fn partition(&self, event_no: u64) -> i32 {
        let round = *self.turns.last().expect("a topic has partitions");
        let turn = event_no / self.plan.run_length % round;
        self.turns.partition_point(|bound| *bound <= turn) as i32
    }

    /// Whether the transaction of event `event_no` is aborted.
    pub(crate) fn is_aborted(&self, event_no: u64) -> bool {
        let transaction = event_no / self.plan.shares.transaction_size;
        let unit = Draw::new(self.seed, transaction, Purpose::Transaction).unit();
        unit < self.plan.shares.share_aborted
    }

    /// Event time of event `event_no`, in milliseconds from the start.
    pub(crate) fn time_from_start_ms(&self, event_no: u64) -> i64 {
        let kind = self.kind(event_no);
        if kind == Kind::Duplicate {
            return self.place_ms(self.original(event_no));
        }
        let mut draw = Draw::new(self.seed, event_no, Purpose::Shape);
        self.place_ms(event_no)
            + match kind {
                Kind::Late => {
                    let reach = self.plan.shares.late_by.as_millis().max(0) as u64;
                    -(draw.below(reach + 1) as i64)
                }
                Kind::Early => self.plan.shares.early_by.as_millis() as i64,
                _ => 0,
            }
    }

    /// Writes event `event_no` into `record`; `sent_us` is its scheduled send time in epoch
    /// microseconds.
    pub(crate) fn make(&self, event_no: u64, sent_us: u64, record: &mut Record) {
        record.kind = self.kind(event_no);
        record.key = key_of(self.seed, event_no);
        record.partition = self.partition(event_no);
        record.time_ms = self.start_ms + self.time_from_start_ms(event_no);
        record.place_ms = self.start_ms + self.undisturbed_ms(event_no);
        record.value.clear();

        let source =
            if record.kind == Kind::Duplicate { self.original(event_no) } else { event_no };
        let (login, label) = self.login_and_label(source, record.kind, record.time_ms);
        record.label = label;
        let trace = (!self.plan.bare).then_some(event::Trace { event_no, sent_us });
        let mut shape = Draw::new(self.seed, event_no, Purpose::Shape);
        match record.kind {
            Kind::Plain | Kind::Late | Kind::Early | Kind::Duplicate => {
                let size = self.plan.event_size;
                if self.plan.required_only {
                    event::write_required(&login, trace, size, &mut record.value);
                } else {
                    event::write_plain(&login, trace, size, &mut record.value);
                }
            }
            Kind::Huge => {
                let size = 50_000 + shape.below(10_000) as usize;
                event::write_plain(&login, trace, size, &mut record.value);
            }
            Kind::Odd => odd::write(&login, trace, &mut shape, &mut record.value),
            Kind::Poison => poison::write(&login, &mut shape, &mut record.value),
            Kind::Tombstone => {}
        }
    }

    /// Scheduled event time, in milliseconds from the start.
    fn undisturbed_ms(&self, event_no: u64) -> i64 {
        match &self.population {
            Some(population) => population.time_ms(event_no) - self.start_ms,
            None => (event_no as f64 * self.ms_per_event) as i64,
        }
    }

    /// Scheduled event time with disorder, in milliseconds from the start.
    fn place_ms(&self, event_no: u64) -> i64 {
        let disorder = self.plan.disorder.as_millis().max(0) as u64;
        self.undisturbed_ms(event_no)
            - Draw::new(self.seed, event_no, Purpose::Time).below(disorder + 1) as i64
    }

    /// The event that a duplicate repeats.
    fn original(&self, event_no: u64) -> u64 {
        let mut draw = Draw::new(self.seed, event_no, Purpose::Shape);
        event_no - 1 - draw.below(event_no.min(DUPLICATE_REACH))
    }

    fn login_and_label(
        &self,
        event_no: u64,
        kind: Kind,
        time_ms: i64,
    ) -> (Login<'_>, Option<Label>) {
        let Some(population) = &self.population else {
            return (self.login(event_no, time_ms), None);
        };
        // The other kinds do not say all that an attacker does, or say it wrongly.
        let is_plain = !matches!(kind, Kind::Odd | Kind::Poison | Kind::Tombstone);
        let (mut login, label) = population.login(event_no, time_ms, is_plain);
        let is_attack = matches!(label, Some(Label { mark: Mark::Attack { .. }, .. }));
        let mut draw = Draw::new(self.seed, event_no, Purpose::Login);
        if !is_attack && draw.unit() < self.plan.shares.share_missing_device {
            login.device_type = None;
        }
        (login, label.filter(|_| !matches!(kind, Kind::Poison | Kind::Tombstone)))
    }

    fn login(&self, event_no: u64, time_ms: i64) -> Login<'_> {
        let mut draw = Draw::new(self.seed, event_no, Purpose::Login);
        let user = self.users.sample(&mut draw) as u64;
        let without_device = draw.unit() < self.plan.shares.share_missing_device;
        Login::draw(self.seed, user, time_ms, without_device, self.plan.locales, &mut draw)
    }
}
