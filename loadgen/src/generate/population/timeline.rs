//! What changes in the course of time, without any state: devices that are replaced, trips.
//!
//! In:  the seed, a thing's number, a time. Out: which generation of the thing is in use; where a
//! traveller is.
//! Holds: everything is a function of the seed, the thing and the time.

use super::{
    super::rng::{Draw, Purpose, mix},
    clock::{DAY_MS, HOUR_MS, YEAR_MS},
    parameters::Travel,
};

/// The generation of something that is replaced now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    pub(super) number: i64,
    /// The time from which it is in use; the smallest number if it always was.
    pub(super) since_ms: i64,
}

impl Generation {
    /// The generation of `thing` at a time. It is replaced once in each period, at any moment.
    pub(super) fn at(seed: u64, purpose: Purpose, thing: u64, per_year: f64, time_ms: i64) -> Self {
        if per_year <= 0.0 {
            return Self { number: 0, since_ms: i64::MIN };
        }
        let length = YEAR_MS / per_year;
        let replaced_ms = |period: i64| {
            let moment = Draw::new(seed, mix(thing) ^ period as u64, purpose).unit();
            ((period as f64 + moment) * length) as i64
        };
        let period = (time_ms as f64 / length).floor() as i64;
        let replaced = replaced_ms(period);
        if time_ms >= replaced {
            Self { number: period + 1, since_ms: replaced }
        } else {
            Self { number: period, since_ms: replaced_ms(period - 1) }
        }
    }

    /// Its age.
    pub(super) fn age_ms(self, time_ms: i64) -> i64 {
        time_ms.saturating_sub(self.since_ms)
    }
}

/// Where a traveller is.
pub(super) enum Whereabouts {
    AtHome,
    /// On the way: no logins.
    OnTheWay,
    /// On a trip; the numbers decide where.
    Away(Draw),
}

impl Whereabouts {
    /// The whereabouts of a user who travels. Each period has one trip.
    pub(super) fn at(seed: u64, user: u64, travel: &Travel, time_ms: i64) -> Self {
        let length = YEAR_MS / travel.trips_per_year;
        let period = (time_ms as f64 / length).floor();
        let mut draw = Draw::new(seed, mix(user) ^ period as i64 as u64, Purpose::Trip);
        let days = travel.days_min + draw.unit() * (travel.days_max - travel.days_min);
        let journey = travel.journey_hours * HOUR_MS;
        let trip = days * DAY_MS;
        let spare = length - trip - 2.0 * journey;
        let into_journey = time_ms as f64 - period * length - draw.unit() * spare;
        let into_trip = into_journey - journey;
        if into_journey < 0.0 || into_trip >= trip + journey {
            Self::AtHome
        } else if into_trip < 0.0 || into_trip >= trip {
            Self::OnTheWay
        } else {
            Self::Away(draw)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = DAY_MS as i64;

    #[test]
    fn a_thing_is_replaced_as_often_as_asked_and_not_before() {
        let at = |thing, day| Generation::at(3, Purpose::DeviceReplaced, thing, 2.0, day * DAY);
        let mut replaced = 0;
        for thing in 0..200 {
            for day in 19_000..19_731 {
                let (before, after) = (at(thing, day), at(thing, day + 1));
                assert!(before.since_ms <= day * DAY);
                if before == after {
                    continue;
                }
                replaced += 1;
                assert_eq!(after.number, before.number + 1);
                assert!((0..DAY).contains(&after.age_ms((day + 1) * DAY)));
            }
        }
        // 200 things, 2 years, twice a year.
        assert!((760..840).contains(&replaced), "{replaced}");
        assert_eq!(Generation::at(3, Purpose::HomeMoved, 1, 0.0, DAY).since_ms, i64::MIN);
    }

    #[test]
    fn a_trip_has_a_journey_on_either_side() {
        let travel = Travel {
            share_of_users: 1.0,
            trips_per_year: 6.0,
            days_min: 2.0,
            days_max: 2.0,
            journey_hours: 10.0,
            hotels_per_state: 1,
        };
        let hours: Vec<char> = (0..24 * 365)
            .map(|hour| match Whereabouts::at(1, 5, &travel, hour * HOUR_MS as i64) {
                Whereabouts::AtHome => 'h',
                Whereabouts::OnTheWay => 'j',
                Whereabouts::Away(_) => 'a',
            })
            .collect();
        let text: String = hours.into_iter().collect();
        let parts: Vec<&str> = text.split('h').filter(|part| !part.is_empty()).collect();
        assert!((5..=7).contains(&parts.len()), "{parts:?}");
        for part in &parts[1..parts.len() - 1] {
            let away = part.trim_matches('j');
            assert!(away.chars().all(|letter| letter == 'a') && away.len().abs_diff(48) <= 1);
            assert!((part.len() - away.len()).abs_diff(20) <= 1, "{part}");
        }
    }
}
