//! The parameters of a population. `loadgen/populations/default.toml` explains each.
//!
//! Holds: every parameter is in the file, and nothing else is; each is in its range, and they do
//! not contradict each other.

use serde::Deserialize;

use super::ranges::{count, device_ids, hour, positive, releases, share, weights, zero_or_more};

/// Days between two absences, of which 11 may be lost to the attack and its moment.
const FEWEST_DAYS_BACK: f64 = 31.0;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    pub(super) hours: Hours,
    pub(super) devices: Devices,
    pub(super) app: App,
    pub(super) home: Home,
    pub(super) work: Work,
    pub(super) mobile: Mobile,
    pub(super) travel: Travel,
    pub(super) vpn: Vpn,
    pub(super) tablets: Tablets,
    pub(super) placeholders: Placeholders,
    pub(super) labels: Labels,
    pub(super) victims: Victims,
    pub(super) attacks: Attacks,
    pub(super) campaigns: Campaigns,
    pub(super) stuffing: Stuffing,
    pub(super) dormant: Dormant,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hours {
    #[serde(deserialize_with = "weights")]
    pub(super) weights: [f64; 24],
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Devices {
    #[serde(deserialize_with = "share")]
    pub(super) share_with_two: f64,
    #[serde(deserialize_with = "share")]
    pub(super) share_with_three: f64,
    #[serde(deserialize_with = "share")]
    pub(super) main_use: f64,
    #[serde(deserialize_with = "zero_or_more")]
    pub(super) replaced_per_year: f64,
    #[serde(deserialize_with = "share")]
    pub(super) share_ios: f64,
    #[serde(deserialize_with = "share")]
    pub(super) same_type: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct App {
    #[serde(deserialize_with = "releases")]
    pub(super) releases: Vec<Release>,
    #[serde(deserialize_with = "zero_or_more")]
    pub(super) adoption_days: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    pub(super) version: String,
    pub(super) day: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Home {
    #[serde(deserialize_with = "count")]
    pub(super) users_per_network: u64,
    #[serde(deserialize_with = "zero_or_more")]
    pub(super) moves_per_year: f64,
    #[serde(deserialize_with = "positive")]
    pub(super) address_days: f64,
    #[serde(deserialize_with = "share")]
    pub(super) share_ipv6: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Work {
    #[serde(deserialize_with = "share")]
    pub(super) share_of_users: f64,
    #[serde(rename = "use", deserialize_with = "share")]
    pub(super) usage: f64,
    #[serde(deserialize_with = "hour")]
    pub(super) from_hour: i64,
    #[serde(deserialize_with = "hour")]
    pub(super) to_hour: i64,
    #[serde(deserialize_with = "count")]
    pub(super) users_per_network: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mobile {
    #[serde(rename = "use", deserialize_with = "share")]
    pub(super) usage: f64,
    #[serde(deserialize_with = "count")]
    pub(super) users_per_network: u64,
    #[serde(deserialize_with = "share")]
    pub(super) other_network: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Travel {
    #[serde(deserialize_with = "share")]
    pub(super) share_of_users: f64,
    #[serde(deserialize_with = "positive")]
    pub(super) trips_per_year: f64,
    #[serde(deserialize_with = "positive")]
    pub(super) days_min: f64,
    #[serde(deserialize_with = "positive")]
    pub(super) days_max: f64,
    #[serde(deserialize_with = "zero_or_more")]
    pub(super) journey_hours: f64,
    #[serde(deserialize_with = "count")]
    pub(super) hotels_per_state: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vpn {
    #[serde(deserialize_with = "share")]
    pub(super) share_of_users: f64,
    #[serde(deserialize_with = "count")]
    pub(super) exits: u64,
    #[serde(deserialize_with = "count")]
    pub(super) exits_per_user: u64,
    #[serde(deserialize_with = "share")]
    pub(super) share_of_days: f64,
    #[serde(rename = "use", deserialize_with = "share")]
    pub(super) usage: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tablets {
    #[serde(deserialize_with = "share")]
    pub(super) share_of_users: f64,
    #[serde(rename = "use", deserialize_with = "share")]
    pub(super) usage: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Placeholders {
    #[serde(deserialize_with = "share")]
    pub(super) share_of_users: f64,
    #[serde(deserialize_with = "device_ids")]
    pub(super) device_ids: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Labels {
    #[serde(deserialize_with = "zero_or_more")]
    pub(super) recent_days: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Victims {
    #[serde(deserialize_with = "share")]
    pub(super) by_activity: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attacks {
    #[serde(deserialize_with = "share")]
    pub(super) naive: f64,
    #[serde(deserialize_with = "share")]
    pub(super) vpn: f64,
    #[serde(deserialize_with = "share")]
    pub(super) targeted: f64,
    #[serde(deserialize_with = "share")]
    pub(super) stolen_device: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Campaigns {
    pub(super) stuffing_one_ip: Campaign,
    pub(super) stuffing_many_ips: Campaign,
    pub(super) stuffing_one_device: Campaign,
    pub(super) rotation: Campaign,
    pub(super) burst: Campaign,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Campaign {
    #[serde(deserialize_with = "zero_or_more")]
    pub(super) per_day: f64,
    #[serde(deserialize_with = "count")]
    pub(super) logins: u64,
    #[serde(deserialize_with = "positive")]
    pub(super) minutes: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stuffing {
    #[serde(deserialize_with = "share")]
    pub(super) second_logins: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dormant {
    #[serde(deserialize_with = "share")]
    pub(super) share_of_users: f64,
    #[serde(deserialize_with = "positive")]
    pub(super) every_days: f64,
    #[serde(deserialize_with = "positive")]
    pub(super) away_days_min: f64,
    #[serde(deserialize_with = "positive")]
    pub(super) away_days_max: f64,
    #[serde(deserialize_with = "zero_or_more")]
    pub(super) history_days: f64,
}

impl Parameters {
    /// The first contradiction between parameters, named with their keys.
    pub(super) fn check(&self) -> Result<(), String> {
        let (devices, travel, dormant) = (&self.devices, &self.travel, &self.dormant);
        let attacks = &self.attacks;
        let require = |holds: bool, text: &str| if holds { Ok(()) } else { Err(text.to_owned()) };
        require(
            devices.share_with_two + devices.share_with_three <= 1.0,
            "devices.share_with_two and devices.share_with_three: expected at most 1 together",
        )?;
        require(
            attacks.naive + attacks.vpn + attacks.targeted + attacks.stolen_device <= 1.0,
            "attacks: expected shares of at most 1 together",
        )?;
        require(
            self.work.from_hour < self.work.to_hour,
            "work.to_hour: expected an hour after work.from_hour",
        )?;
        require(
            travel.days_min <= travel.days_max,
            "travel.days_max: expected at least travel.days_min",
        )?;
        let trip_days = travel.days_max + travel.journey_hours / 12.0;
        require(
            travel.trips_per_year * trip_days <= 300.0,
            "travel.trips_per_year: expected trips that take at most 300 days a year with their \
             journeys; lower it, or travel.days_max",
        )?;
        require(
            self.tablets.share_of_users <= 0.6,
            "tablets.share_of_users: expected at most 0.6",
        )?;
        require(
            dormant.away_days_min <= dormant.away_days_max,
            "dormant.away_days_max: expected at least dormant.away_days_min",
        )?;
        require(
            dormant.away_days_max + FEWEST_DAYS_BACK <= dormant.every_days,
            "dormant.every_days: expected at least 31 days more than dormant.away_days_max",
        )?;
        require(dormant.share_of_users <= 0.2, "dormant.share_of_users: expected at most 0.2")
    }
}
