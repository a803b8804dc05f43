//! What is usual in a shard. Pure.
//!
//! In:  every login that is not late, in the order of the offsets.
//! Holds: its size is bounded: by the names that a shard numbers.

use serde::{Deserialize, Serialize};

use super::{
    login::{Login, Named},
    names::Name,
    session::Novelty,
};

/// When the counts of a kind are halved.
const HALVED_AT: u64 = 1 << 30;

/// How often each value came.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    counts: Vec<u32>,
    total: u64,
}

impl Counts {
    /// Makes room for the names that were numbered.
    fn know(&mut self, names: usize) {
        if self.counts.len() < names {
            self.counts.resize(names, 0);
        }
    }

    /// The share of a name among all logins that had one.
    pub fn share(&self, name: Name) -> f64 {
        let count = self.counts.get(usize::from(name.0)).copied().unwrap_or(0);
        (f64::from(count) + 1.0) / (self.total as f64 + self.values())
    }

    /// How many values there are, and one for those that nobody has seen.
    pub fn values(&self) -> f64 {
        self.counts.len() as f64 + 1.0
    }

    fn take_up(&mut self, name: Option<Name>) {
        let Some(name) = name else { return };
        self.counts[usize::from(name.0)] += 1;
        self.total += 1;
        if self.total >= HALVED_AT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().map(|count| u64::from(*count)).sum();
        }
    }
}

/// Logins per UTC hour of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HourCounts {
    counts: [u32; 24],
}

impl HourCounts {
    /// The share of an hour, smoothed over its neighbours.
    pub fn share(&self, hour: usize) -> f64 {
        let near = [hour + 23, hour, hour + 1].map(|hour| f64::from(self.counts[hour % 24]));
        let total: f64 = self.counts.iter().map(|count| f64::from(*count)).sum();
        (near.iter().sum::<f64>() / 3.0 + 1.0) / (total + 24.0)
    }

    fn take_up(&mut self, hour: usize) {
        self.counts[hour] += 1;
        if self.counts.iter().map(|count| u64::from(*count)).sum::<u64>() >= HALVED_AT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
        }
    }
}

/// How often something is the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Share {
    is_so: u32,
    all: u32,
}

impl Share {
    /// The share, from above 0 to below 1.
    pub fn share(self) -> f64 {
        (f64::from(self.is_so) + 1.0) / (f64::from(self.all) + 2.0)
    }

    /// Whether at least half of at least so many are.
    pub fn is_half_of(self, least: u32) -> bool {
        self.all >= least && u64::from(self.is_so) * 2 >= u64::from(self.all)
    }

    fn take_up(&mut self, is_so: bool) {
        self.is_so += u32::from(is_so);
        self.all += 1;
        if u64::from(self.all) >= HALVED_AT {
            self.is_so /= 2;
            self.all /= 2;
        }
    }
}

/// What is usual in a shard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Population {
    /// Logins per locale.
    pub locales: Counts,
    /// Logins per device type.
    pub types: Counts,
    /// Logins per app version.
    pub versions: Counts,
    /// Logins per hour.
    pub hours: HourCounts,
    /// Logins of known users with a device: how many came with a new one.
    pub new_devices: Share,
    /// Logins of known users with a network: how many came through a new one.
    pub new_networks: Share,
    /// Of each app version, logins of known users with a device: how many came with a new one.
    rotation: Vec<Share>,
}

impl Population {
    /// Makes room for names that were numbered: so many locales, device types and app versions.
    pub fn know(&mut self, [locales, types, versions]: [usize; 3]) {
        self.locales.know(locales);
        self.types.know(types);
        self.versions.know(versions);
        if self.rotation.len() < versions {
            self.rotation.resize(versions, Share::default());
        }
    }

    /// Whether the logins of an app version come with new devices by themselves.
    pub fn rotates(&self, version: Option<Name>, least: u32) -> bool {
        let of = |version: Name| self.rotation.get(usize::from(version.0));
        version.and_then(of).is_some_and(|share| share.is_half_of(least))
    }

    /// Takes a login up. `is_known`: its user has had one before.
    pub fn take_up(&mut self, login: &Login<'_>, named: Named, is_known: bool, novelty: Novelty) {
        self.locales.take_up(named.locale);
        self.types.take_up(named.device_type);
        self.versions.take_up(named.app_version);
        self.hours.take_up(login.hour());
        if is_known && login.device.is_some() {
            self.new_devices.take_up(novelty.device);
            if let Some(version) = named.app_version {
                self.rotation[usize::from(version.0)].take_up(novelty.device);
            }
        }
        if is_known && login.network.is_some() {
            self.new_networks.take_up(novelty.network);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_leave_room_for_what_nobody_has_seen() {
        let mut counts = Counts::default();
        counts.know(3);
        for name in [0, 0, 1] {
            counts.take_up(Some(Name(name)));
        }
        counts.take_up(None);
        let shares: Vec<_> = (0..4).map(|name| counts.share(Name(name))).collect();
        assert_eq!(shares, [3.0 / 7.0, 2.0 / 7.0, 1.0 / 7.0, 1.0 / 7.0]);
        let hours = HourCounts { counts: std::array::from_fn(|hour| u32::from(hour == 23) * 6) };
        let sum: f64 = (0..24).map(|hour| hours.share(hour)).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        assert!((hours.share(0) - 0.1).abs() < 1e-12 && hours.share(22) > hours.share(21));
    }

    #[test]
    fn what_is_full_is_halved() {
        let mut share = Share { is_so: 1 << 29, all: (1 << 30) - 1 };
        share.take_up(false);
        assert_eq!(share, Share { is_so: 1 << 28, all: 1 << 29 });
        assert!(share.is_half_of(100) && !share.is_half_of(1 << 30));
        let mut counts = Counts { counts: vec![7, (1 << 30) - 8], total: (1 << 30) - 1 };
        counts.take_up(Some(Name(1)));
        assert_eq!(counts, Counts { counts: vec![3, (1 << 29) - 4], total: (1 << 29) - 1 });
    }
}
