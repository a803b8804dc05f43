//! `device_rotation` and `login_burst`: the last half hour of a user, and the mean of a day.

use std::collections::BTreeMap;

use super::{Fired, PlainLogin, day, minute};

const HALF_HOUR_S: i64 = 1_800;
const MOST_DEVICES: usize = 16;

/// Logins and devices of the last half hour. It takes a login up before the rules judge it.
#[derive(Default)]
pub(super) struct Recent {
    /// Times of all logins, in the order of arrival. Those that are too old are not counted.
    logins: Vec<i64>,
    /// Devices with their last event time, in the order of arrival.
    devices: Vec<(u32, i64)>,
}

impl Recent {
    pub(super) fn take_up(&mut self, login: &PlainLogin) {
        self.logins.push(login.at_s);
        let removed_up_to = self.last() - HALF_HOUR_S;
        self.devices.retain(|(_, at_s)| *at_s > removed_up_to);
        let Some(device) = login.device else { return };
        if login.at_s <= removed_up_to {
            return;
        }
        let before = self.devices.iter().position(|(it, _)| *it == device);
        let before = before.map(|index| self.devices.remove(index).1);
        self.devices.push((device, before.map_or(login.at_s, |at_s| at_s.max(login.at_s))));
        if self.devices.len() > MOST_DEVICES {
            self.devices.remove(0);
        }
    }

    fn last(&self) -> i64 {
        *self.logins.iter().max().expect("a login was taken up")
    }

    /// Logins of the minutes that are left and that `wanted` is true of.
    fn logins(&self, wanted: impl Fn(i64) -> bool) -> usize {
        let removed_up_to = minute(self.last()) - 30;
        let minutes = self.logins.iter().map(|at_s| minute(*at_s));
        minutes.filter(|it| *it > removed_up_to && wanted(*it)).count()
    }

    pub(super) fn rotation(&self, login: &PlainLogin, rotating: &Rotating) -> Option<Fired> {
        let (devices, logins) = (self.devices.len(), self.logins(|_| true));
        if devices < 7 || logins < 10 || devices * 2 < logins || rotating.is_quiet(login) {
            return None;
        }
        let evidence = format!("{devices} devices {logins} logins");
        Some(Fired { rule: "device_rotation", severity: "high", evidence })
    }

    pub(super) fn burst(&self, login: &PlainLogin, days: &Days) -> Option<Fired> {
        let now = minute(login.at_s);
        let logins = self.logins(|it| now - 9 <= it && it <= now);
        let mu = f64::from(days.mean) / 144.0;
        if (logins as f64) < (mu + 6.0 * mu.sqrt()).max(10.0) {
            return None;
        }
        let evidence = format!("{logins} logins");
        Some(Fired { rule: "login_burst", severity: "medium", evidence })
    }
}

/// Mean logins of a user per UTC day.
#[derive(Default)]
pub(super) struct Days {
    mean: f32,
    newest: Option<i64>,
    logins: u32,
}

impl Days {
    pub(super) fn take_up(&mut self, login: &PlainLogin) {
        let today = day(login.at_s);
        let newest = *self.newest.get_or_insert(today);
        if today < newest {
            return;
        }
        if today > newest {
            self.over(self.logins as f32);
            for _ in 0..(today - newest - 1).min(60) {
                self.over(0.0);
            }
            self.newest = Some(today);
            self.logins = 0;
        }
        self.logins += 1;
    }

    fn over(&mut self, logins: f32) {
        self.mean += (logins - self.mean) / 10.0;
    }
}

/// Logins with a device that were not their user's first, and how many of them came with a new
/// device, by app version.
#[derive(Default)]
pub(super) struct Rotating {
    versions: BTreeMap<String, (u64, u64)>,
}

impl Rotating {
    fn is_quiet(&self, login: &PlainLogin) -> bool {
        let Some(version) = &login.app_version else { return false };
        let (logins, new) = self.versions.get(version).copied().unwrap_or_default();
        logins >= 100 && new * 2 >= logins
    }

    pub(super) fn take_up(&mut self, login: &PlainLogin, is_first: bool, is_new: bool) {
        if let (Some(version), Some(_), false) = (&login.app_version, login.device, is_first) {
            let (logins, new) = self.versions.entry(version.clone()).or_default();
            *logins += 1;
            *new += u64::from(is_new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::login;
    use super::*;

    #[test]
    fn days_without_a_login_lower_the_mean_and_an_earlier_day_does_not_count() {
        let mut days = Days::default();
        for at_s in [5 * 86_400, 5 * 86_400 + 9, 4 * 86_400, 5 * 86_400 + 10, 8 * 86_400] {
            days.take_up(&login(1, at_s));
        }
        // 3 on day 5, then days 6 and 7: 0.3, 0.27, 0.243.
        assert!((days.mean - 0.243).abs() < 1e-6);
        assert_eq!(days.logins, 1);
        days.take_up(&login(1, 1_000 * 86_400));
        // (0.243 + 0.0757) x 0.9^60: the other 931 days are left out.
        assert!((days.mean - 0.3187 * 0.9_f32.powi(60)).abs() < 1e-6);
    }

    #[test]
    fn a_device_that_is_noted_again_keeps_the_later_time_and_arrives_anew() {
        let mut recent = Recent::default();
        for (device, at_s) in [(1, 5_000), (2, 4_000), (1, 4_500), (3, 3_200)] {
            recent.take_up(&login(1, at_s).device(device));
        }
        assert_eq!(recent.devices, [(2, 4_000), (1, 5_000)], "3 200 is 1 800 s before 5 000");
        for device in 10..25 {
            recent.take_up(&login(1, 5_000).device(device));
        }
        assert_eq!((recent.devices[0], recent.devices.len()), ((1, 5_000), 16));
    }

    #[test]
    fn minutes_up_to_thirty_before_the_last_are_removed() {
        let mut recent = Recent::default();
        for at_s in [59, 60, 1_800] {
            recent.take_up(&login(1, at_s).device(at_s as u32));
        }
        // Minute 0 is 30 before minute 30; the device of second 59 is 1 741 s old.
        assert_eq!(recent.logins(|_| true), 2);
        assert_eq!(recent.devices.len(), 3);
    }
}
