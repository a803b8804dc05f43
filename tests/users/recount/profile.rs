//! The profile of a user.

use std::collections::BTreeSet;

use super::{
    DAY_S, Fired, Novelty, PlainLogin,
    contradiction::DeviceFacts,
    day, hour,
    recent::{Days, Recent},
    slots::Slots,
    travel::TrustedPlaces,
};

/// All that is kept of one user. `recent` takes a login up before the rules judge it, all other
/// parts after.
pub(super) struct Profile {
    pub(super) n: u64,
    pub(super) first: i64,
    pub(super) last: i64,
    /// The first login that has `last` as its time.
    last_offset: i64,
    pub(super) devices: Slots<u32>,
    pub(super) facts: DeviceFacts,
    pub(super) networks: Slots<u32>,
    pub(super) places: Slots<String>,
    pub(super) locales: Slots<String>,
    pub(super) types: Slots<String>,
    pub(super) versions: Slots<String>,
    hours: [u32; 24],
    last_places: Vec<String>,
    pub(super) trusted: TrustedPlaces,
    pub(super) days: Days,
    pub(super) recent: Recent,
    pub(super) new_devices: u64,
    pub(super) new_networks: u64,
}

impl Profile {
    /// The profile of a user who has none, before their first login is taken up.
    pub(super) fn new(login: &PlainLogin) -> Self {
        Self {
            n: 0,
            first: login.at_s,
            last: login.at_s,
            last_offset: login.offset,
            devices: Slots::new(8),
            facts: DeviceFacts::default(),
            networks: Slots::new(8),
            places: Slots::new(6),
            locales: Slots::new(6),
            types: Slots::new(4),
            versions: Slots::new(4),
            hours: [0; 24],
            last_places: Vec::new(),
            trusted: TrustedPlaces::default(),
            days: Days::default(),
            recent: Recent::default(),
            new_devices: 0,
            new_networks: 0,
        }
    }

    pub(super) fn is_habitual(&self, place: &String) -> bool {
        self.places.count(place) >= 3
    }

    pub(super) fn different_last_places(&self) -> usize {
        self.last_places.iter().collect::<BTreeSet<_>>().len()
    }

    /// The count of an hour and of its two neighbours together: three times the page's `c_u(x)`.
    pub(super) fn three_hours(&self, hour: usize) -> u32 {
        self.hours[(hour + 23) % 24] + self.hours[hour] + self.hours[(hour + 1) % 24]
    }

    pub(super) fn all_hours(&self) -> u32 {
        self.hours.iter().sum()
    }

    /// Whether three hours' mean is below 1 % of all hours, with 30 or more in them.
    pub(super) fn is_rare(&self, hour: usize) -> bool {
        self.all_hours() >= 30 && self.three_hours(hour) * 100 < self.all_hours() * 3
    }

    pub(super) fn novelty(&self, login: &PlainLogin) -> Novelty {
        if self.n == 0 {
            return Novelty { device: false, network: false, place: false };
        }
        Novelty {
            device: login.device.is_some_and(|it| !self.devices.has(&it)),
            network: login.network.is_some_and(|it| !self.networks.has(&it)),
            place: login.place.as_ref().is_some_and(|it| !self.places.has(it)),
        }
    }

    pub(super) fn dormant(&self, login: &PlainLogin, new: Novelty) -> Option<Fired> {
        if self.n == 0 || login.at_s - self.last < 90 * DAY_S {
            return None;
        }
        if !new.device || !(new.network || new.place) {
            return None;
        }
        let evidence = format!("last {}", self.last_offset);
        Some(Fired { rule: "dormant_return", severity: "medium", evidence })
    }

    /// Takes the login up, except for `recent`.
    pub(super) fn take_up(&mut self, login: &PlainLogin, new: Novelty, jumps: bool, ttl_s: i64) {
        self.n += 1;
        self.first = self.first.min(login.at_s);
        if login.at_s > self.last {
            self.last = login.at_s;
            self.last_offset = login.offset;
        }
        self.remove_before(day(self.last - ttl_s));
        let today = day(login.at_s);
        self.devices.take_up(login.device.as_ref(), today);
        self.facts.keep(|device| self.devices.has(device));
        self.facts.take_up(login);
        self.networks.take_up(login.network.as_ref(), today);
        self.places.take_up(login.place.as_ref(), today);
        self.locales.take_up(login.locale.as_ref(), today);
        self.types.take_up(login.device_type.as_ref(), today);
        self.versions.take_up(login.app_version.as_ref(), today);
        if self.hours[hour(login.at_s)] == 15 {
            for count in &mut self.hours {
                *count /= 2;
            }
        }
        self.hours[hour(login.at_s)] += 1;
        if let Some(place) = &login.place {
            self.last_places.push(place.clone());
            if self.last_places.len() > 10 {
                self.last_places.remove(0);
            }
        }
        if !jumps {
            self.trusted.take_up(login);
        }
        self.days.take_up(login);
        self.new_devices += u64::from(new.device);
        self.new_networks += u64::from(new.network);
    }

    fn remove_before(&mut self, first_day: i64) {
        self.devices.remove_before(first_day);
        self.facts.keep(|device| self.devices.has(device));
        self.networks.remove_before(first_day);
        self.places.remove_before(first_day);
        self.locales.remove_before(first_day);
        self.types.remove_before(first_day);
        self.versions.remove_before(first_day);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::login;
    use super::*;

    fn after(times: &[i64]) -> Profile {
        let mut profile = Profile::new(&login(1, times[0]));
        for at_s in times {
            let login = login(1, *at_s);
            let new = profile.novelty(&login);
            profile.take_up(&login, new, false, 180 * DAY_S);
        }
        profile
    }

    #[test]
    fn hours_are_halved_before_one_goes_beyond_15() {
        let mut times = vec![2 * 3_600; 15];
        times.extend([3 * 3_600; 3]);
        let profile = after(&times);
        assert_eq!((profile.hours[2], profile.hours[3]), (15, 3));
        // Halved to 7 and 1 before the next of hour 2.
        times.push(2 * 3_600);
        let profile = after(&times);
        assert_eq!((profile.hours[2], profile.hours[3]), (8, 1));
        assert_eq!((profile.three_hours(1), profile.three_hours(4)), (8, 1));
    }

    #[test]
    fn an_hour_is_rare_below_a_hundredth_of_thirty_or_more() {
        let mut times: Vec<i64> = (0..29).map(|it| (it % 3 + 10) * 3_600).collect();
        assert!(!after(&times).is_rare(23));
        times.push(12 * 3_600);
        let profile = after(&times);
        assert!(profile.is_rare(23) && profile.is_rare(8) && !profile.is_rare(9));
        times.push(0);
        // A third of a login is above 1 % of 31.
        let profile = after(&times);
        assert!(!profile.is_rare(23) && !profile.is_rare(0) && profile.is_rare(2));
    }
}
