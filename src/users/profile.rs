//! What is known of one user. Pure; about 140 bytes when written.
//!
//! In:  the user's logins, in the order of their offsets.
//! Holds: its size is bounded; what it says depends on the logins alone, not on when or where they
//! were read.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::{
    device::Devices,
    login::{Fingerprint, Login, Named, day_of},
    memory::Memory,
    names::{Name, Names},
    pace::{Days, Hours, Recent},
    session::{Novelty, Session},
    slots::Slots,
    travel::Trusted,
};
use crate::limits;

/// A user's profile. One without logins is that of a user who is not known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Logins.
    pub logins: u32,
    /// Event time of the earliest login, whole seconds since the Unix epoch.
    pub first_s: i64,
    /// Event time of the newest login.
    pub last_s: i64,
    /// Offset of that.
    pub last_offset: i64,
    /// Devices.
    pub devices: Devices,
    /// Networks.
    pub networks: Slots<Fingerprint, { limits::PROFILE_NETWORKS }>,
    /// Places.
    pub places: Slots<Name, { limits::PROFILE_PLACES }>,
    /// Locales.
    pub locales: Slots<Name, { limits::PROFILE_LOCALES }>,
    /// Device types.
    pub types: Slots<Name, { limits::PROFILE_TYPES }>,
    /// App versions.
    pub versions: Slots<Name, { limits::PROFILE_VERSIONS }>,
    /// Logins per hour of the day.
    pub hours: Hours,
    /// Logins per day.
    pub days: Days,
    /// The last half hour.
    pub recent: Recent,
    /// Places of the last logins that had one, the newest last.
    pub last_places: ArrayVec<Name, { limits::LAST_PLACES }>,
    /// Places from which a later login must be reachable.
    pub trusted: Trusted,
    /// Logins that came with a new device.
    pub new_devices: u32,
    /// Logins that came through a new network.
    pub new_networks: u32,
    /// The session that may go on.
    pub session: Option<Session>,
    /// Which alerts there were.
    pub memory: Memory,
}

impl Profile {
    /// Whether it counts as absent at a time.
    pub fn is_expired(&self, at_s: i64, ttl_s: i64) -> bool {
        at_s.saturating_sub(self.last_s) > ttl_s
    }

    /// What is new in a login. Of a user who is not known, nothing is: all would be.
    pub fn novelty(&self, login: &Login<'_>, named: Named) -> Novelty {
        if self.logins == 0 {
            return Novelty::default();
        }
        let is_rare = |hour: usize| {
            let total = self.hours.total();
            total >= limits::RARE_HOUR_LOGINS
                && f64::from(self.near(hour)) / 3.0 < limits::RARE_HOUR_SHARE * f64::from(total)
        };
        Novelty {
            device: login.device.is_some_and(|device| self.devices.find(device).is_none()),
            network: login.network.is_some_and(|network| self.networks.find(network).is_none()),
            place: named.place.is_some_and(|place| self.places.find(place).is_none()),
            hour: is_rare(login.hour()),
        }
    }

    /// Logins of an hour and its two neighbours.
    pub fn near(&self, hour: usize) -> u32 {
        [hour + 23, hour, hour + 1].iter().map(|hour| self.hours.get(hour % 24)).sum()
    }

    /// Different places among the last logins.
    pub fn different_places(&self) -> usize {
        let is_first = |(index, place): &(usize, &Name)| {
            !self.last_places.iter().take(*index).any(|before| before == *place)
        };
        self.last_places.iter().enumerate().filter(is_first).count()
    }

    /// Takes a login up, all but its session and its alerts. `jumps`: its place is not to be
    /// trusted.
    pub fn take_up(
        &mut self,
        login: &Login<'_>,
        named: Named,
        versions: &Names,
        novelty: Novelty,
        jumps: bool,
        ttl_s: i64,
    ) {
        let is_first = self.logins == 0;
        if is_first || login.at_s > self.last_s {
            self.last_s = login.at_s;
            self.last_offset = login.offset;
        }
        self.first_s = if is_first { login.at_s } else { self.first_s.min(login.at_s) };
        self.logins = self.logins.saturating_add(1);
        let day = login.day();
        self.expire(day_of(self.last_s.saturating_sub(ttl_s)));
        if let Some(device) = login.device {
            self.devices.take_up(device, login, named, versions);
        }
        if let Some(network) = login.network {
            self.networks.take_up(network, day);
        }
        if let (Some(place), Some(name)) = (login.place, named.place) {
            self.places.take_up(name, day);
            if self.last_places.is_full() {
                self.last_places.remove(0);
            }
            self.last_places.push(name);
            if !jumps {
                self.trusted.take_up(place, name, login.reference());
            }
        }
        named.locale.map(|name| self.locales.take_up(name, day));
        named.device_type.map(|name| self.types.take_up(name, day));
        named.app_version.map(|name| self.versions.take_up(name, day));
        self.hours.take_up(login.hour());
        self.days.take_up(day);
        self.new_devices = self.new_devices.saturating_add(novelty.device.into());
        self.new_networks = self.new_networks.saturating_add(novelty.network.into());
    }

    fn expire(&mut self, before: u32) {
        self.devices.expire(before);
        self.networks.expire(before);
        self.places.expire(before);
        self.locales.expire(before);
        self.types.expire(before);
        self.versions.expire(before);
    }
}
