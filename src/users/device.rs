//! The devices of a user. Pure.
//!
//! Holds: the facts of a device stay beside its slot.

use std::cmp::Ordering;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::{
    login::{Fingerprint, Login, LoginRef, Named},
    names::{Name, Names},
    slots::{Slot, Slots},
    version,
};
use crate::limits;

/// Devices, each with what it was seen with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Devices {
    slots: Slots<Fingerprint, { limits::PROFILE_DEVICES }>,
    /// Of each slot.
    facts: ArrayVec<DeviceFacts, { limits::PROFILE_DEVICES }>,
}

/// What a device was seen with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// Device types, the newest last.
    pub types: ArrayVec<Name, 2>,
    /// The highest app version; the last one, where that was lower.
    pub version: Option<Name>,
    /// The newest login on it.
    pub last: LoginRef,
}

/// How a login contradicts what its device was seen with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// It has another device type than this one, which the device had last.
    Type(Name),
    /// Its app version is lower than this one.
    Version(Name),
}

impl Devices {
    /// What a device was seen with.
    pub fn find(&self, device: Fingerprint) -> Option<&DeviceFacts> {
        let index = self.slots.iter().position(|slot| slot.value == device);
        index.map(|index| &self.facts[index])
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Slot<Fingerprint>, &DeviceFacts)> {
        self.slots.iter().zip(&self.facts)
    }

    /// Takes a login on a device up.
    pub fn take_up(
        &mut self,
        device: Fingerprint,
        login: &Login<'_>,
        named: Named,
        versions: &Names,
    ) {
        let taken = self.slots.take_up(device, login.day());
        if let Some(removed) = taken.removed {
            self.facts.remove(removed);
        }
        if taken.index == self.facts.len() {
            self.facts.push(DeviceFacts {
                types: named.device_type.into_iter().collect(),
                version: named.app_version.filter(|it| version::is_one(versions.text(*it))),
                last: login.reference(),
            });
        } else {
            self.facts[taken.index].take_up(login, named, versions);
        }
    }

    /// Removes what came last before a UTC day.
    pub fn expire(&mut self, before: u32) {
        let mut days = self.slots.iter().map(|slot| slot.last_day);
        self.facts.retain(|_| days.next().is_some_and(|day| day >= before));
        drop(days);
        self.slots.expire(before);
    }
}

impl DeviceFacts {
    /// How a login contradicts them.
    pub fn contradiction(&self, named: Named, versions: &Names) -> Option<Contradiction> {
        let newest = self.types.last();
        let other = named.device_type.filter(|name| !self.types.contains(name)).and(newest);
        if let Some(newest) = other {
            return Some(Contradiction::Type(*newest));
        }
        let lower = self.version.filter(|highest| is_lower(named, *highest, versions));
        lower.map(Contradiction::Version)
    }

    fn take_up(&mut self, login: &Login<'_>, named: Named, versions: &Names) {
        if let Some(name) = named.device_type.filter(|name| !self.types.contains(name)) {
            if self.types.is_full() {
                self.types.remove(0);
            }
            self.types.push(name);
        }
        if let Some(version) = named.app_version {
            let text = |name| versions.text(name);
            let highest = self.version.map_or("0", text);
            let order = version::compare(text(version), highest);
            if order.is_some_and(|it| it.is_ne() || self.version.is_none()) {
                self.version = Some(version);
            }
        }
        if login.at_s > self.last.at_s {
            self.last = login.reference();
        }
    }
}

fn is_lower(named: Named, highest: Name, versions: &Names) -> bool {
    let compare = |version| version::compare(versions.text(version), versions.text(highest));
    named.app_version.and_then(compare).is_some_and(Ordering::is_lt)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::login, *};

    fn named(versions: &mut Names, device_type: u16, version: &str) -> Named {
        let app_version = versions.number(version);
        Named { device_type: Some(Name(device_type)), app_version, ..Named::default() }
    }

    #[test]
    fn a_device_contradicts_itself_once_for_each_type_and_each_step_down() {
        let (mut devices, mut versions) = (Devices::default(), Names::new(9));
        let device = Fingerprint(7);
        let mut take = |device_type, version| {
            let named = named(&mut versions, device_type, version);
            let found = devices.find(device).and_then(|it| it.contradiction(named, &versions));
            devices.take_up(device, &login(100), named, &versions);
            found
        };
        assert_eq!([take(0, "2.9"), take(0, "2.10"), take(0, "2.10")], [None; 3]);
        assert_eq!(take(1, "2.10"), Some(Contradiction::Type(Name(0))));
        assert_eq!([take(0, "2.10"), take(1, "2.10")], [None; 2]);
        assert_eq!(take(1, "2.9"), Some(Contradiction::Version(Name(1))));
        assert_eq!([take(1, "2.9"), take(1, "beta"), take(1, "2.10")], [None; 3]);
        assert_eq!(take(2, "2.10"), Some(Contradiction::Type(Name(1))));
        assert_eq!(take(0, "2.10"), Some(Contradiction::Type(Name(2))));
    }

    #[test]
    fn facts_stay_beside_their_device_when_others_leave() {
        let (mut devices, versions) = (Devices::default(), Names::new(1));
        for number in 0..12_u16 {
            let named = Named { device_type: Some(Name(number)), ..Named::default() };
            let at = login(i64::from(number) * 86_400);
            devices.take_up(Fingerprint(number.into()), &at, named, &versions);
        }
        let kept = |devices: &Devices| -> Vec<_> {
            devices.iter().map(|(slot, facts)| (slot.value.0, facts.types[0].0)).collect()
        };
        assert_eq!(kept(&devices), (4..12).map(|it| (it.into(), it)).collect::<Vec<_>>());
        devices.expire(10);
        assert_eq!(kept(&devices), [(10, 10), (11, 11)]);
    }
}
