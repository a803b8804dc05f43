//! When the events of a population happen.
//!
//! In:  the hour curve, the plan's speed and start. Out: the time of an event and back; how likely
//! a user of a state logs in at a time.
//! Holds: times grow with the numbers; the first event is at the start; over a whole day the speed
//! is the plan's.

use super::super::states::{self, STATES};

pub(super) const HOUR_MS: f64 = 3_600_000.0;
pub(super) const DAY_MS: f64 = 24.0 * HOUR_MS;
pub(super) const YEAR_MS: f64 = 365.25 * DAY_MS;

/// Hours of a day.
const HOURS: usize = 24;

/// The clock of one plan.
pub(super) struct Clock {
    /// How likely a user logs in, in each hour of the home's time: 1 in the busiest.
    local: [f64; HOURS],
    /// How busy all states together are in each hour of UTC: 1 on average.
    world: [f64; HOURS],
    /// Milliseconds of an even day that have passed at the beginning of each hour of UTC.
    passed: [f64; HOURS + 1],
    ms_per_event: f64,
    /// The start on the even scale.
    origin: f64,
}

impl Clock {
    /// A clock whose first event is at `start_ms`. With `is_flat`, all hours are equally busy; then
    /// the curve only decides who logs in.
    pub(super) fn new(
        weights: &[f64; HOURS],
        is_flat: bool,
        ms_per_event: f64,
        start_ms: i64,
    ) -> Self {
        let busiest = weights.iter().copied().fold(0.0, f64::max);
        let local = weights.map(|weight| weight / busiest);
        let mut world = [1.0; HOURS];
        if !is_flat {
            for (hour, busy) in world.iter_mut().enumerate() {
                let hour = hour as i64;
                *busy = (0..STATES.len())
                    .map(|state| states::share(state) * local[local_hour(state, hour)])
                    .sum();
            }
            let mean = world.iter().sum::<f64>() / HOURS as f64;
            world = world.map(|busy| busy / mean);
        }
        let mut passed = [0.0; HOURS + 1];
        for hour in 0..HOURS {
            passed[hour + 1] = passed[hour] + world[hour] * HOUR_MS;
        }
        // The sum may be off by a rounding error, and a day must end where the next begins.
        passed[HOURS] = DAY_MS;
        let mut clock = Self { local, world, passed, ms_per_event, origin: 0.0 };
        clock.origin = clock.even(start_ms as f64);
        clock
    }

    /// The time of an event, epoch milliseconds.
    pub(super) fn time_ms(&self, event_no: u64) -> i64 {
        self.uneven(self.origin + event_no as f64 * self.ms_per_event) as i64
    }

    /// The number of the first event after a time; 0 for times before the start.
    pub(super) fn event_no(&self, time_ms: i64) -> u64 {
        let since = self.even(time_ms as f64) - self.origin;
        (since / self.ms_per_event).ceil().max(0.0) as u64
    }

    /// The start of a run of `span_ms` (at the plan's speed) that ends at `end_ms`.
    pub(super) fn start_ms(&self, end_ms: i64, span_ms: f64) -> i64 {
        self.uneven(self.even(end_ms as f64) - span_ms) as i64
    }

    /// Events in a span of time, on average.
    pub(super) fn mean_events_in(&self, span_ms: f64) -> f64 {
        span_ms / self.ms_per_event
    }

    /// Events in a span of time, in the quietest hour and in the busiest.
    pub(super) fn events_in(&self, span_ms: f64) -> (f64, f64) {
        let events = self.mean_events_in(span_ms);
        let quietest = self.world.iter().copied().fold(f64::INFINITY, f64::min);
        (events * quietest, events * self.world.iter().copied().fold(0.0, f64::max))
    }

    /// How likely a user of a state logs in at a time: 1 in the busiest hour.
    pub(super) fn likelihood(&self, state: usize, time_ms: i64) -> f64 {
        self.local[local_time(state, time_ms).hour as usize]
    }

    /// Milliseconds on a scale on which all hours are equally busy; the days begin together.
    fn even(&self, time: f64) -> f64 {
        let day = (time / DAY_MS).floor() * DAY_MS;
        let hour = (((time - day) / HOUR_MS) as usize).min(HOURS - 1);
        day + self.passed[hour] + (time - day - hour as f64 * HOUR_MS) * self.world[hour]
    }

    /// The inverse of [`Self::even`].
    fn uneven(&self, even: f64) -> f64 {
        let day = (even / DAY_MS).floor() * DAY_MS;
        let hour = self.passed[1..HOURS].partition_point(|passed| *passed <= even - day);
        day + hour as f64 * HOUR_MS + (even - day - self.passed[hour]) / self.world[hour]
    }
}

/// A time in a state.
pub(super) struct LocalTime {
    /// Days since 1970-01-01.
    pub(super) day: i64,
    pub(super) hour: i64,
}

impl LocalTime {
    /// Whether it is neither Saturday nor Sunday. The first day was a Thursday.
    pub(super) fn is_weekday(&self) -> bool {
        (self.day + 3).rem_euclid(7) < 5
    }
}

/// The standard time of a state.
pub(super) fn local_time(state: usize, time_ms: i64) -> LocalTime {
    let hours = time_ms.div_euclid(HOUR_MS as i64) + STATES[state].utc_hours;
    LocalTime { day: hours.div_euclid(24), hour: hours.rem_euclid(24) }
}

fn local_hour(state: usize, utc_hour: i64) -> usize {
    (utc_hour + STATES[state].utc_hours).rem_euclid(24) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: i64 = 1_694_479_550_000;

    fn weights() -> [f64; HOURS] {
        std::array::from_fn(|hour| if (8..20).contains(&hour) { 3.0 } else { 1.0 })
    }

    #[test]
    fn times_grow_from_the_start_and_a_day_has_its_events() {
        for is_flat in [false, true] {
            // A day of 86 400 events.
            let clock = Clock::new(&weights(), is_flat, 1_000.0, START_MS);
            assert!((clock.time_ms(0) - START_MS).abs() <= 1);
            assert!((clock.time_ms(86_400 * 9) - START_MS - 9 * DAY_MS as i64).abs() <= 1);
            let times: Vec<_> = (0..200_000).map(|event_no| clock.time_ms(event_no)).collect();
            assert!(times.is_sorted());
            for event_no in (0..200_000).step_by(77) {
                let found = clock.event_no(times[event_no as usize]);
                assert!(found.abs_diff(event_no) <= 1, "{event_no}: {found}");
            }
            let start = clock.start_ms(START_MS, 50_000_000.0);
            let again = Clock::new(&weights(), is_flat, 1_000.0, start);
            assert!((again.time_ms(50_000) - START_MS).abs() < 1_500);
        }
    }

    #[test]
    fn the_day_is_busier_than_the_night_unless_it_is_flat() {
        let in_hour = |is_flat, hour| {
            let clock = Clock::new(&weights(), is_flat, 1_000.0, 0);
            let (from, to) = (hour * HOUR_MS as i64, (hour + 1) * HOUR_MS as i64);
            clock.event_no(to) - clock.event_no(from)
        };
        // 08:00 UTC is night in every state, 19:00 UTC is day in nearly all.
        assert!(in_hour(false, 19) > 2 * in_hour(false, 8));
        assert_eq!(in_hour(true, 19), 3_600);
        assert_eq!(in_hour(true, 8), 3_600);
        let california = STATES.iter().position(|state| state.code == "CA").expect("a state");
        let clock = Clock::new(&weights(), false, 1_000.0, 0);
        let eleven_utc = 11 * HOUR_MS as i64;
        assert!(clock.likelihood(california, eleven_utc) < 0.5, "03:00 in California");
        assert!((clock.likelihood(california, 2 * eleven_utc) - 1.0).abs() < 1e-9, "14:00");
    }

    #[test]
    fn weekdays_are_known() {
        let day = |time_ms| local_time(0, time_ms).is_weekday();
        // 2023-09-12 was a Tuesday.
        let noon = 1_694_520_000_000 + 6 * HOUR_MS as i64;
        let days: Vec<_> = (0..7).map(|later| day(noon + later * DAY_MS as i64)).collect();
        assert_eq!(days, [true, true, true, true, false, false, true]);
    }
}
