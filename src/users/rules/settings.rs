//! What the rules count as too much. Pure data; the defaults are those of docs/ALERTS.md.

use super::super::travel::TravelLimits;

const DAY_S: i64 = 86_400;

/// Whether a rule gives alerts, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// Whether it does.
    pub is_on: bool,
    /// Seconds of event time between two alerts for one user.
    pub cooldown_s: i64,
}

impl Default for Switch {
    fn default() -> Self {
        Self { is_on: true, cooldown_s: 3_600 }
    }
}

/// `impossible_travel`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Travel {
    /// Whether and how often.
    pub switch: Switch,
    /// What nobody travels.
    pub limits: TravelLimits,
    /// Logins of a user from which on it judges.
    pub min_logins: u32,
    /// Seconds since the first login from which on it judges with fewer.
    pub min_age_s: i64,
    /// Different places among the last ten from which on they say nothing.
    pub max_places: usize,
    /// Logins from a place from which on it is habitual.
    pub habitual: u32,
}

impl Default for Travel {
    fn default() -> Self {
        Self {
            switch: Switch::default(),
            limits: TravelLimits { gap_km: 500, speed_kmh: 900.0 },
            min_logins: 10,
            min_age_s: 14 * DAY_S,
            max_places: 5,
            habitual: 3,
        }
    }
}

/// `device_contradiction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction {
    /// Whether and how often.
    pub switch: Switch,
    /// Users of a shard with a contradiction on one device up to which it is one person's.
    pub max_users: usize,
}

impl Default for Contradiction {
    fn default() -> Self {
        Self { switch: Switch::default(), max_users: 3 }
    }
}

/// `device_rotation`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rotation {
    /// Whether and how often.
    pub switch: Switch,
    /// Devices.
    pub min_devices: u32,
    /// Logins.
    pub min_logins: u32,
    /// Devices per login.
    pub min_share: f64,
    /// Logins of an app version from which on it is known to rotate by itself.
    pub min_version_logins: u32,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            switch: Switch::default(),
            min_devices: 7,
            min_logins: 10,
            min_share: 0.5,
            min_version_logins: 100,
        }
    }
}

/// `login_burst`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// Whether and how often.
    pub switch: Switch,
    /// Logins.
    pub min_logins: u32,
    /// Standard deviations above the mean.
    pub deviations: f64,
}

impl Default for Burst {
    fn default() -> Self {
        Self { switch: Switch::default(), min_logins: 10, deviations: 6.0 }
    }
}

/// `dormant_return`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dormant {
    /// Whether and how often.
    pub switch: Switch,
    /// Seconds without a login.
    pub min_gap_s: i64,
}

impl Default for Dormant {
    fn default() -> Self {
        Self { switch: Switch::default(), min_gap_s: 90 * DAY_S }
    }
}

/// `unfamiliar_login`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unfamiliar {
    /// Whether and how often.
    pub switch: Switch,
    /// Score.
    pub min_score: f64,
    /// Logins of a user from which on it judges.
    pub min_logins: u32,
    /// Seconds since the first login from which on it judges.
    pub min_age_s: i64,
    /// Alerts of the whole group per day.
    pub max_per_day: u32,
}

impl Default for Unfamiliar {
    fn default() -> Self {
        Self {
            switch: Switch::default(),
            min_score: 6.0,
            min_logins: 5,
            min_age_s: 3 * DAY_S,
            max_per_day: 1_000,
        }
    }
}

/// Of all rules.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RuleSettings {
    /// `impossible_travel`.
    pub travel: Travel,
    /// `device_contradiction`.
    pub contradiction: Contradiction,
    /// `device_rotation`.
    pub rotation: Rotation,
    /// `login_burst`.
    pub burst: Burst,
    /// `dormant_return`.
    pub dormant: Dormant,
    /// `unfamiliar_login`.
    pub unfamiliar: Unfamiliar,
}

impl RuleSettings {
    /// Whether a rule gives alerts, and how often.
    pub fn switch(&self, rule: super::Rule) -> Switch {
        use super::Rule;
        match rule {
            Rule::ImpossibleTravel => self.travel.switch,
            Rule::DeviceContradiction => self.contradiction.switch,
            Rule::DeviceRotation => self.rotation.switch,
            Rule::LoginBurst => self.burst.switch,
            Rule::DormantReturn => self.dormant.switch,
            Rule::UnfamiliarLogin => self.unfamiliar.switch,
        }
    }
}
