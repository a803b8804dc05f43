//! How unlike its user a login is. Pure.
//!
//! Source: the likelihood ratio of Freeman et al., "Who Are You? A Statistical Approach to
//! Measuring User Authenticity" (NDSS 2016), without data of attacks, with terms of novelty for
//! values that are nearly unique. Capped, so that no single field decides.
//! Holds: the same on every machine: logarithms are computed by a library in Rust, not by the
//! system's.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::{
    login::{Login, Named},
    names::Name,
    population::{Counts, Population},
    profile::Profile,
    session::Novelty,
    slots::Slots,
};

/// A field that is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// `locale`.
    Locale,
    /// `device_type`.
    DeviceType,
    /// `app_version`.
    AppVersion,
    /// The UTC hour of the day.
    Hour,
    /// `device_id`.
    Device,
    /// The network of `ip`.
    Network,
}

impl Feature {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Locale => "locale",
            Self::DeviceType => "device_type",
            Self::AppVersion => "app_version",
            Self::Hour => "hour",
            Self::Device => "device_id",
            Self::Network => "network",
        }
    }
}

/// A login's score: natural logarithms of likelihood ratios. Above 0, the login is more like
/// somebody else's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Score {
    /// What each field adds, within −4 and 4.
    pub terms: ArrayVec<(Feature, f64), 6>,
}

/// The cap of a term.
const CAP: f64 = 4.0;

impl Score {
    /// The score of a login, by what was known before it.
    pub fn of(
        login: &Login<'_>,
        named: Named,
        novelty: Novelty,
        profile: &Profile,
        population: &Population,
    ) -> Self {
        let Population { locales, types, versions, hours, .. } = population;
        let mut score = Self::default();
        score.add(Feature::Locale, of_name(named.locale, locales, &profile.locales));
        score.add(Feature::DeviceType, of_name(named.device_type, types, &profile.types));
        score.add(Feature::AppVersion, of_name(named.app_version, versions, &profile.versions));
        let hour = login.hour();
        let near = f64::from(profile.near(hour)) / 3.0;
        let of_hour = likelihood(hours.share(hour), 24.0, near, profile.hours.total());
        score.add(Feature::Hour, Some(of_hour));
        let of_device = login.device.map(|_| {
            let share = population.new_devices.share();
            novel(novelty.device, profile.new_devices, profile.logins, share)
        });
        score.add(Feature::Device, of_device);
        let of_network = login.network.map(|_| {
            let share = population.new_networks.share();
            novel(novelty.network, profile.new_networks, profile.logins, share)
        });
        score.add(Feature::Network, of_network);
        score
    }

    /// The sum of all terms.
    pub fn sum(&self) -> f64 {
        self.terms.iter().map(|(_, term)| term).sum()
    }

    fn add(&mut self, feature: Feature, term: Option<f64>) {
        self.terms.extend(term.map(|term| (feature, term.clamp(-CAP, CAP))));
    }
}

/// The term of a field with names. `None` when the login has none.
fn of_name<const MOST: usize>(
    name: Option<Name>,
    all: &Counts,
    of_user: &Slots<Name, MOST>,
) -> Option<f64> {
    let name = name?;
    let count = of_user.count(name).into();
    Some(likelihood(all.share(name), all.values(), count, of_user.total()))
}

/// The term of a field with few values. `share`: of the value in the shard; `values`: how many
/// there are; `count`: how often it was the user's, among `total`.
fn likelihood(share: f64, values: f64, count: f64, total: u32) -> f64 {
    let anybody = 0.5 * share + 0.5 / values;
    let user = (count + 2.0 * share) / (f64::from(total) + 2.0);
    libm::log(anybody / user)
}

/// The term of a field with nearly unique values: `before` of the user's `logins` had a new one,
/// and a `share` of all.
fn novel(is_new: bool, before: u32, logins: u32, share: f64) -> f64 {
    let usual = (f64::from(before) + 5.0 * share) / (f64::from(logins) + 5.0);
    libm::log(if is_new { 0.95 / usual } else { 0.05 / (1.0 - usual) })
}
