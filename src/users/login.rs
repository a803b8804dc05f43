//! What a login says to the rules. Pure data.

use serde::{Deserialize, Serialize};

use super::{names::Name, place::Place};

/// A keyed hash of a device id, or of a network: a profile holds no value that could be read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub u32);

/// A keyed hash of a user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserKey(pub u64);

/// A login, as a shard's record has it. What is missing, or a placeholder, is `None`.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// Whose.
    pub user: UserKey,
    /// Event time, whole seconds since the Unix epoch.
    pub at_s: i64,
    /// The record's Kafka timestamp, whole seconds since the Unix epoch.
    pub appended_s: i64,
    /// Offset of the record.
    pub offset: i64,
    /// From which device.
    pub device: Option<Fingerprint>,
    /// Through which network.
    pub network: Option<Fingerprint>,
    /// From where.
    pub place: Option<Place>,
    /// With which device type.
    pub device_type: Option<&'a str>,
    /// With which app version.
    pub app_version: Option<&'a str>,
    /// With which locale.
    pub locale: Option<&'a str>,
}

impl Login<'_> {
    /// UTC day, days since the Unix epoch.
    pub fn day(&self) -> u32 {
        day_of(self.at_s)
    }

    /// UTC hour of the day.
    pub fn hour(&self) -> usize {
        self.at_s.div_euclid(3_600).rem_euclid(24) as usize
    }

    /// UTC minute since the Unix epoch.
    pub fn minute(&self) -> i64 {
        self.at_s.div_euclid(60)
    }

    /// The login as a later one refers to it.
    pub fn reference(&self) -> LoginRef {
        LoginRef { at_s: self.at_s, offset: self.offset }
    }
}

/// UTC day of a time, days since the Unix epoch; 0 for a time before it.
pub(super) fn day_of(at_s: i64) -> u32 {
    u32::try_from(at_s.div_euclid(86_400)).unwrap_or(0)
}

/// An earlier login of the same shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRef {
    /// Its event time, whole seconds since the Unix epoch.
    pub at_s: i64,
    /// Its offset in the shard's partition.
    pub offset: i64,
}

/// The numbers of a login's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Named {
    /// Device type.
    pub device_type: Option<Name>,
    /// App version.
    pub app_version: Option<Name>,
    /// Locale.
    pub locale: Option<Name>,
    /// Place.
    pub place: Option<Name>,
}
