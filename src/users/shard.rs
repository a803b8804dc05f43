//! What a shard knows beside its profiles. Pure.
//!
//! In:  every login of the shard's partition, in the order of the offsets.
//! Holds: its size is bounded; it is a function of those logins and the settings.

use std::sync::Arc;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::{
    login::{Fingerprint, Login, Named, UserKey, day_of},
    names::{Name, Names},
    population::Population,
    quantile::Scores,
    session::Novelty,
};
use crate::{ids::Epoch, limits};

/// What a shard knows beside its profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardState {
    /// Tells its rows from those of a shard that was here before.
    generation: u64,
    watermark_s: Option<i64>,
    first_s: i64,
    logins: u64,
    late: u64,
    places: Names,
    locales: Names,
    types: Names,
    versions: Names,
    population: Population,
    scores: Scores,
    /// Devices with a contradiction, the newest last.
    contradicted: Vec<Contradicted>,
    /// UTC day of the watermark, and alerts of `unfamiliar_login` on it.
    unfamiliar: (u32, u32),
}

/// A device that was seen with two types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Contradicted {
    device: Fingerprint,
    users: ArrayVec<UserKey, { limits::SHARED_USERS }>,
}

/// A shard's state as bytes have it.
#[derive(Serialize, Deserialize)]
struct Stored {
    generation: u64,
    watermark_s: Option<i64>,
    first_s: i64,
    logins: u64,
    late: u64,
    /// Places, locales, device types, app versions.
    names: [Vec<Arc<str>>; 4],
    population: Population,
    scores: Scores,
    contradicted: Vec<Contradicted>,
    unfamiliar: (u32, u32),
}

impl From<&ShardState> for Stored {
    fn from(shard: &ShardState) -> Self {
        let names = [&shard.places, &shard.locales, &shard.types, &shard.versions];
        Self {
            generation: shard.generation,
            watermark_s: shard.watermark_s,
            first_s: shard.first_s,
            logins: shard.logins,
            late: shard.late,
            names: names.map(|names| names.texts().to_vec()),
            population: shard.population.clone(),
            scores: shard.scores.clone(),
            contradicted: shard.contradicted.clone(),
            unfamiliar: shard.unfamiliar,
        }
    }
}

impl From<Stored> for ShardState {
    fn from(stored: Stored) -> Self {
        let [places, locales, types, versions] = stored.names;
        Self {
            generation: stored.generation,
            watermark_s: stored.watermark_s,
            first_s: stored.first_s,
            logins: stored.logins,
            late: stored.late,
            places: Names::of(limits::SHARD_PLACES, places),
            locales: Names::of(limits::SHARD_LOCALES, locales),
            types: Names::of(limits::SHARD_TYPES, types),
            versions: Names::of(limits::SHARD_VERSIONS, versions),
            population: stored.population,
            scores: stored.scores,
            contradicted: stored.contradicted,
            unfamiliar: stored.unfamiliar,
        }
    }
}

impl Default for ShardState {
    fn default() -> Self {
        Self {
            generation: 0,
            watermark_s: None,
            first_s: 0,
            logins: 0,
            late: 0,
            places: Names::new(limits::SHARD_PLACES),
            locales: Names::new(limits::SHARD_LOCALES),
            types: Names::new(limits::SHARD_TYPES),
            versions: Names::new(limits::SHARD_VERSIONS),
            population: Population::default(),
            scores: Scores::default(),
            contradicted: Vec::new(),
            unfamiliar: (0, 0),
        }
    }
}

impl ShardState {
    /// A shard that begins with this epoch, of which nothing is known.
    pub fn begun_in(epoch: Epoch) -> Self {
        Self { generation: epoch.0, ..Self::default() }
    }

    /// What tells its rows from those of a shard that was here before.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let stored = postcard::to_allocvec(&Stored::from(self));
        stored.expect("a shard serialises into memory without errors")
    }

    /// The shard with these bytes.
    ///
    /// # Errors
    /// When they are of no shard.
    pub fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes::<Stored>(bytes).map(Self::from)
    }

    /// Whether a login comes too late to say anything. Counts it, or raises the watermark.
    pub fn is_late(&mut self, login: &Login<'_>, allowed_lateness_s: i64) -> bool {
        let is_late = self.earliest_s(allowed_lateness_s).is_some_and(|it| login.at_s < it);
        if is_late {
            self.late += 1;
        } else {
            let raised = self.watermark_s.max(Some(login.at_s.min(login.appended_s)));
            if self.watermark_s.is_none() {
                self.first_s = login.at_s;
            }
            self.watermark_s = raised;
            let day = day_of(raised.unwrap_or(0));
            if day > self.unfamiliar.0 {
                self.unfamiliar = (day, 0);
            }
        }
        is_late
    }

    /// Logins before this are late.
    pub fn earliest_s(&self, allowed_lateness_s: i64) -> Option<i64> {
        self.watermark_s.map(|at_s| at_s.saturating_sub(allowed_lateness_s))
    }

    /// Whether too little is known for any alert.
    pub fn is_learning(&self, min_s: i64, min_logins: u64) -> bool {
        let known_s = self.watermark_s.map_or(0, |at_s| at_s - self.first_s);
        known_s < min_s || self.logins < min_logins
    }

    /// Numbers a login's names.
    pub fn name(&mut self, login: &Login<'_>) -> Named {
        let named = Named {
            place: login.place.and_then(|place| self.places.number(place.code().as_str())),
            locale: login.locale.and_then(|text| self.locales.number(text)),
            device_type: login.device_type.and_then(|text| self.types.number(text)),
            app_version: login.app_version.and_then(|text| self.versions.number(text)),
        };
        self.population.know([&self.locales, &self.types, &self.versions].map(Names::len));
        named
    }

    /// Takes a login up that is not late.
    pub fn take_up(&mut self, login: &Login<'_>, named: Named, is_known: bool, novelty: Novelty) {
        self.logins += 1;
        self.population.take_up(login, named, is_known, novelty);
    }

    /// Takes the score of a login up whose user had so many before.
    pub fn scored(&mut self, logins: u32, score: f64) {
        self.scores.take_up(logins, score);
    }

    /// Notes that a user's device was seen with another type.
    pub fn contradicted(&mut self, device: Fingerprint, user: UserKey) {
        let known = self.contradicted.iter().position(|it| it.device == device);
        let mut noted = match known {
            Some(index) => self.contradicted.remove(index),
            None => Contradicted { device, users: ArrayVec::new() },
        };
        if !noted.users.contains(&user) {
            // Beyond these it is shared anyway.
            _ = noted.users.try_push(user);
        }
        if self.contradicted.len() == limits::SHARD_CONTRADICTED {
            self.contradicted.remove(0);
        }
        self.contradicted.push(noted);
    }

    /// Whether more than so many users had a contradiction of type on a device.
    pub fn is_shared(&self, device: Fingerprint, max_users: usize) -> bool {
        let found = self.contradicted.iter().find(|it| it.device == device);
        found.is_some_and(|it| it.users.len() > max_users)
    }

    /// Whether the day has room for another alert of `unfamiliar_login`; takes it.
    pub fn may_be_unfamiliar(&mut self, most: u32) -> bool {
        let may = self.unfamiliar.1 < most;
        self.unfamiliar.1 += u32::from(may);
        may
    }

    /// Logins that were not late.
    pub fn logins(&self) -> u64 {
        self.logins
    }

    /// Logins that were.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// What is usual.
    pub fn population(&self) -> &Population {
        &self.population
    }

    /// How high scores are.
    pub fn scores(&self) -> &Scores {
        &self.scores
    }

    /// Names of app versions.
    pub fn versions(&self) -> &Names {
        &self.versions
    }

    /// Text of a device type.
    pub fn device_type(&self, name: Name) -> &str {
        self.types.text(name)
    }
}
