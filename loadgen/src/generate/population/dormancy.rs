//! Users who stay away for months, until somebody else logs in as they.
//!
//! In:  a user and a time, or an event's number. Out: whether the user is away; whose account is
//! entered by the event.
//! Holds: each period of events has one attack, and the users' turns come one after the other. A
//! user is away from before the attack until a day after it.

use super::{
    super::rng::{Draw, Purpose, mix},
    clock::{Clock, DAY_MS},
    parameters::Dormant,
};

/// How much later an attack may be in its turn than at its beginning.
const MOMENT_DAYS: f64 = 10.0;

/// How long a user is still away after the attack.
const SILENCE_AFTER_MS: i64 = DAY_MS as i64;

pub(super) struct Dormancy {
    seed: u64,
    /// Users who stay away; 0 if nobody does.
    count: u64,
    /// One in so many users does.
    block: u64,
    /// Events from one attack's turn to the next.
    period: u64,
    /// Events within which an attack comes in its turn.
    moments: u64,
    away_ms: (f64, f64),
    history_ms: i64,
    start_ms: i64,
}

/// One user's absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Absence {
    pub(super) from_ms: i64,
    pub(super) attack_ms: i64,
    pub(super) event_no: u64,
}

impl Dormancy {
    /// # Errors
    /// A text that names the parameter, when there are more attacks than events.
    pub(super) fn new(
        seed: u64,
        users: u64,
        of: &Dormant,
        ms_per_event: f64,
        start_ms: i64,
    ) -> Result<Self, String> {
        let count = (users as f64 * of.share_of_users).round() as u64;
        let events = of.every_days * DAY_MS / ms_per_event;
        let period = (events / count.max(1) as f64) as u64;
        if count > 0 && period < 2 {
            return Err(format!(
                "the population's dormant.share_of_users: {count} accounts are entered every \
                 dormant.every_days, but there are {events:.0} events in that time; lower the share",
            ));
        }
        let moments = (MOMENT_DAYS * DAY_MS / ms_per_event) as u64;
        Ok(Self {
            seed,
            count,
            moments: moments.clamp(1, period.max(1)),
            block: users / count.max(1),
            period,
            away_ms: (of.away_days_min * DAY_MS, of.away_days_max * DAY_MS),
            history_ms: (of.history_days * DAY_MS) as i64,
            start_ms,
        })
    }

    /// The account that an event enters, and the number of the attack.
    pub(super) fn entered_by(&self, clock: &Clock, event_no: u64) -> Option<(u64, u64)> {
        if self.count == 0 {
            return None;
        }
        let turn = event_no / self.period;
        let absence = (self.event_no(turn) == event_no).then(|| self.absence(clock, turn))?;
        absence.map(|_| (self.user(turn % self.count), turn))
    }

    /// Whether a user is away.
    pub(super) fn is_away(&self, clock: &Clock, user: u64, time_ms: i64) -> bool {
        let Some(index) = self.index_of(user) else { return false };
        self.next_absence(clock, index, time_ms)
            .is_some_and(|it| (it.from_ms..=it.attack_ms + SILENCE_AFTER_MS).contains(&time_ms))
    }

    /// The absence that ends next, of the user with this index.
    fn next_absence(&self, clock: &Clock, index: u64, time_ms: i64) -> Option<Absence> {
        let not_before = clock.event_no(time_ms.saturating_sub(SILENCE_AFTER_MS));
        let first = not_before / self.period;
        let mut turn = first + (index + self.count - first % self.count) % self.count;
        if self.event_no(turn) < not_before {
            turn += self.count;
        }
        self.absence(clock, turn)
    }

    /// The absence before an attack; `None` where the user would have had no time to be known.
    fn absence(&self, clock: &Clock, turn: u64) -> Option<Absence> {
        let event_no = self.event_no(turn);
        let attack_ms = clock.time_ms(event_no);
        let (least, most) = self.away_ms;
        let unit = Draw::new(self.seed, mix(turn), Purpose::Dormant).unit();
        let from_ms = attack_ms - (least + unit * (most - least)) as i64;
        (from_ms >= self.start_ms + self.history_ms).then_some(Absence {
            from_ms,
            attack_ms,
            event_no,
        })
    }

    /// The event of an attack.
    fn event_no(&self, turn: u64) -> u64 {
        let offset = Draw::new(self.seed, turn, Purpose::Dormant).below(self.moments);
        turn.saturating_mul(self.period).saturating_add(offset)
    }

    fn user(&self, index: u64) -> u64 {
        let within = Draw::new(self.seed, !index, Purpose::Dormant).below(self.block);
        index * self.block + within + 1
    }

    fn index_of(&self, user: u64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let index = (user - 1) / self.block;
        (index < self.count && self.user(index) == user).then_some(index)
    }
}
