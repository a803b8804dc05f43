//! How often a user logs in: by hour of the day, by day, and in the last half hour. Pure.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::login::{Fingerprint, Login};
use crate::limits;

/// Logins per UTC hour of the day, four bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hours {
    packed: [u8; 12],
}

impl Hours {
    /// Takes a login of an hour up. When its count is full, all are halved first.
    pub fn take_up(&mut self, hour: usize) {
        if self.get(hour) == 15 {
            self.packed.iter_mut().for_each(|pair| *pair = (*pair >> 1) & 0x77);
        }
        self.packed[hour / 2] += 1 << (hour % 2 * 4);
    }

    /// Logins of an hour.
    pub fn get(&self, hour: usize) -> u32 {
        u32::from(self.packed[hour / 2] >> (hour % 2 * 4)) & 15
    }

    /// Logins of all hours.
    pub fn total(&self) -> u32 {
        (0..24).map(|hour| self.get(hour)).sum()
    }
}

/// Mean logins per UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Days {
    /// The newest day, days since the Unix epoch.
    day: u32,
    /// Its logins.
    logins: u32,
    mean: f32,
}

impl Days {
    /// Takes a login up.
    pub fn take_up(&mut self, day: u32) {
        if day > self.day && self.logins > 0 {
            let over = std::mem::take(&mut self.logins);
            self.end_day(over);
            let between = (day - self.day - 1).min(limits::SILENT_DAYS_MOST);
            (0..between).for_each(|_| self.end_day(0));
        }
        if day >= self.day {
            self.day = day;
            self.logins = self.logins.saturating_add(1);
        }
    }

    fn end_day(&mut self, logins: u32) {
        self.mean += (logins as f32 - self.mean) / 10.0;
    }

    /// Mean logins per day.
    pub fn mean(&self) -> f64 {
        self.mean.into()
    }
}

/// The last half hour of a user's logins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recent {
    /// Minutes with logins, and how many, in the order in which they came.
    minutes: ArrayVec<(i64, u16), { limits::RECENT_MINUTES as usize }>,
    /// Devices and the newest login on each, in the order of their last login's arrival.
    devices: ArrayVec<(Fingerprint, i64), { limits::RECENT_DEVICES }>,
}

impl Recent {
    /// Takes a login up. `newest_s`: the newest event time of the user, this login's among them.
    pub fn take_up(&mut self, login: &Login<'_>, newest_s: i64) {
        self.forget(newest_s);
        let minute = login.minute();
        if minute > newest_s.div_euclid(60) - limits::RECENT_MINUTES {
            match self.minutes.iter_mut().find(|(noted, _)| *noted == minute) {
                Some((_, logins)) => *logins = logins.saturating_add(1),
                None => self.minutes.push((minute, 1)),
            }
        }
        let Some(device) = login.device else { return };
        if login.at_s <= newest_s - limits::RECENT_MINUTES * 60 {
            return;
        }
        let noted = self.devices.iter().position(|(noted, _)| *noted == device);
        let before = noted.map(|index| self.devices.remove(index).1);
        if self.devices.is_full() {
            self.devices.remove(0);
        }
        self.devices.push((device, before.max(Some(login.at_s)).unwrap_or(login.at_s)));
    }

    /// Forgets what is older than half an hour.
    pub fn forget(&mut self, newest_s: i64) {
        let newest = newest_s.div_euclid(60);
        self.minutes.retain(|(minute, _)| *minute > newest - limits::RECENT_MINUTES);
        self.devices.retain(|(_, at_s)| *at_s > newest_s - limits::RECENT_MINUTES * 60);
    }

    /// Logins in so many minutes up to and including one.
    pub fn logins(&self, minute: i64, minutes: i64) -> u32 {
        let is_within = |noted: &i64| (minute - minutes + 1..=minute).contains(noted);
        let within = self.minutes.iter().filter(|(noted, _)| is_within(noted));
        within.map(|(_, logins)| u32::from(*logins)).sum()
    }

    /// Logins in the half hour.
    pub fn all_logins(&self) -> u32 {
        self.minutes.iter().map(|(_, logins)| u32::from(*logins)).sum()
    }

    /// Different devices in the half hour.
    pub fn devices(&self) -> u32 {
        self.devices.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{super::tests::login, *};

    proptest! {
        #[test]
        fn the_last_half_hour_is_counted_as_by_a_list_of_all_logins(
            logins in vec((0_i64..4_000, 0_u32..6), 1..60),
        ) {
            let mut recent = Recent::default();
            let mut all: Vec<(i64, u32)> = Vec::new();
            for (at_s, device) in logins {
                let newest = all.iter().map(|(at_s, _)| *at_s).max().max(Some(at_s)).expect("some");
                // One that is too old when it comes is never noted.
                all.push((at_s, device));
                let login = Login { device: Some(Fingerprint(device)), ..login(at_s) };
                recent.take_up(&login, newest);
                let in_minutes = all.iter().filter(|(at_s, _)| at_s / 60 > newest / 60 - 30);
                prop_assert_eq!(recent.all_logins() as usize, in_minutes.count());
                let mut devices: Vec<_> =
                    all.iter().filter(|(at_s, _)| *at_s > newest - 1_800).map(|it| it.1).collect();
                devices.sort_unstable();
                devices.dedup();
                prop_assert_eq!(recent.devices() as usize, devices.len());
                let minute = at_s / 60;
                // What lies more than half an hour back is forgotten.
                let within = all.iter().filter(|(other, _)| {
                    let other = other / 60;
                    other <= minute && other > minute - 10 && other > newest / 60 - 30
                });
                prop_assert_eq!(recent.logins(minute, 10) as usize, within.count());
            }
        }

        #[test]
        fn hours_are_halved_together(hours in vec(0_usize..24, 0..300)) {
            let (mut packed, mut plain) = (Hours::default(), [0_u32; 24]);
            for hour in hours {
                packed.take_up(hour);
                if plain[hour] == 15 {
                    for count in &mut plain {
                        *count /= 2;
                    }
                }
                plain[hour] += 1;
                prop_assert_eq!(std::array::from_fn(|hour| packed.get(hour)), plain);
                prop_assert_eq!(packed.total(), plain.iter().sum::<u32>());
            }
        }
    }

    #[test]
    fn the_mean_knows_silent_days_and_no_earlier_ones() {
        let mut days = Days::default();
        for day in [10, 10, 10, 9, 11] {
            days.take_up(day);
        }
        assert!((days.mean() - 0.3).abs() < 1e-6, "{}", days.mean());
        days.take_up(13);
        let expected = (0.3 * 0.9 + 0.1) * 0.9;
        assert!((days.mean() - expected).abs() < 1e-6, "{}", days.mean());
        days.take_up(1_000_000);
        assert!(days.mean() < 0.01);
    }
}
