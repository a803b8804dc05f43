//! `device_contradiction`: a known device that says something else than before.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use super::{Fired, PlainLogin, profile::Profile};

const MOST_SHARED_DEVICES: usize = 1_024;
const MOST_USERS: usize = 8;

/// What a profile has seen of its devices.
#[derive(Default)]
pub(super) struct DeviceFacts {
    devices: BTreeMap<u32, Facts>,
}

struct Facts {
    /// At most two, the older one first.
    types: Vec<String>,
    highest: Option<String>,
    newest_at_s: i64,
    newest_offset: i64,
}

impl DeviceFacts {
    /// Removes the facts of devices that have no slot.
    pub(super) fn keep(&mut self, has_slot: impl Fn(&u32) -> bool) {
        self.devices.retain(|device, _| has_slot(device));
    }

    pub(super) fn take_up(&mut self, login: &PlainLogin) {
        let Some(device) = login.device else { return };
        let facts = self.devices.entry(device).or_insert(Facts {
            types: Vec::new(),
            highest: None,
            newest_at_s: login.at_s,
            newest_offset: login.offset,
        });
        if let Some(name) = &login.device_type
            && !facts.types.contains(name)
        {
            facts.types.push(name.clone());
            if facts.types.len() > 2 {
                facts.types.remove(0);
            }
        }
        if let Some(version) = &login.app_version {
            let replaces = match &facts.highest {
                None => parts(version).is_some(),
                Some(highest) => compare(version, highest).is_some_and(Ordering::is_ne),
            };
            if replaces {
                facts.highest = Some(version.clone());
            }
        }
        if login.at_s > facts.newest_at_s {
            facts.newest_at_s = login.at_s;
            facts.newest_offset = login.offset;
        }
    }

    fn known(&self, login: &PlainLogin) -> Option<&Facts> {
        self.devices.get(&login.device?)
    }
}

/// Whether the login's type is none of those that its device has.
pub(super) fn contradicts_type(login: &PlainLogin, profile: &Profile) -> bool {
    let facts = profile.facts.known(login);
    let (Some(facts), Some(name)) = (facts, &login.device_type) else { return false };
    !facts.types.is_empty() && !facts.types.contains(name)
}

pub(super) fn judge(
    login: &PlainLogin,
    profile: &Profile,
    shared: &SharedDevices,
) -> Option<Fired> {
    let facts = profile.facts.known(login)?;
    if shared.is_shared(login.device?) {
        return None;
    }
    let last = facts.newest_offset;
    if contradicts_type(login, profile) {
        let evidence = format!("type {} last {last}", facts.types.last()?);
        return Some(Fired { rule: "device_contradiction", severity: "high", evidence });
    }
    let highest = facts.highest.as_ref()?;
    if compare(login.app_version.as_ref()?, highest)?.is_ge() {
        return None;
    }
    let evidence = format!("version {highest} last {last}");
    Some(Fired { rule: "device_contradiction", severity: "low", evidence })
}

/// Two versions, part by part; nothing when one of them cannot be compared.
fn compare(version: &str, other: &str) -> Option<Ordering> {
    let (mut version, mut other) = (parts(version)?, parts(other)?);
    let longer = version.len().max(other.len());
    version.resize(longer, 0);
    other.resize(longer, 0);
    Some(version.cmp(&other))
}

fn parts(version: &str) -> Option<Vec<u32>> {
    let number = |part: &str| {
        let is_number = part.bytes().all(|it| it.is_ascii_digit()) && part.len() <= 9;
        if is_number { part.parse().ok() } else { None }
    };
    version.split('.').map(number).collect()
}

/// Devices on which users of the shard had a contradiction of type, the one whose last is longest
/// ago first.
#[derive(Default)]
pub(super) struct SharedDevices {
    devices: Vec<(u32, BTreeSet<u64>)>,
}

impl SharedDevices {
    fn is_shared(&self, device: u32) -> bool {
        self.devices.iter().any(|(it, users)| *it == device && users.len() > 3)
    }

    /// Takes up a contradiction of type.
    pub(super) fn take_up(&mut self, login: &PlainLogin) {
        let Some(device) = login.device else { return };
        let before = self.devices.iter().position(|(it, _)| *it == device);
        let mut users = before.map(|it| self.devices.remove(it).1).unwrap_or_default();
        if users.len() < MOST_USERS {
            users.insert(login.user);
        }
        if self.devices.len() == MOST_SHARED_DEVICES {
            self.devices.remove(0);
        }
        self.devices.push((device, users));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number_and_a_missing_part_is_0() {
        assert_eq!(compare("2.10", "2.9"), Some(Ordering::Greater));
        assert_eq!(compare("2", "2.0.0"), Some(Ordering::Equal));
        assert_eq!(compare("02.1", "2.1.1"), Some(Ordering::Less));
        assert_eq!(compare("999999999", "1"), Some(Ordering::Greater));
        for incomparable in ["1000000000", "1.", "1.2-beta", "+1", ""] {
            assert_eq!(compare(incomparable, "1"), None, "{incomparable}");
        }
    }

    #[test]
    fn the_device_whose_last_contradiction_is_longest_ago_leaves() {
        use super::super::tests::login;
        let mut shared = SharedDevices::default();
        for user in 1..=4 {
            shared.take_up(&login(user, 0).device(1));
            shared.take_up(&login(user, 0).device(2));
        }
        assert!(shared.is_shared(1) && shared.is_shared(2));
        shared.take_up(&login(1, 0).device(1));
        for device in 3..=1_025 {
            shared.take_up(&login(1, 0).device(device));
        }
        assert!(shared.is_shared(1) && !shared.is_shared(2));
    }
}
