//! The rules about one user. Pure.
//!
//! In:  a login, its user's profile and the shard as they were before it.
//! Out: what contradicts the profile, with evidence.
//! Holds: a rule changes nothing, and does not know of the others.

mod burst;
mod contradiction;
mod dormant;
mod named;
mod rotation;
mod settings;
mod travel;
mod unfamiliar;

use serde::{Deserialize, Serialize};

pub use self::{
    named::RuleValue,
    settings::{Burst, Contradiction, Dormant, Rotation, RuleSettings, Switch, Travel, Unfamiliar},
};
use super::{
    login::{Login, LoginRef, Named},
    names::Name,
    profile::Profile,
    score::Score,
    session::Novelty,
    shard::ShardState,
    travel::Jump,
};

/// A rule about one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rule {
    /// Two places that nobody gets between in the time.
    ImpossibleTravel,
    /// A device that is another one by now.
    DeviceContradiction,
    /// Many devices within half an hour.
    DeviceRotation,
    /// Many logins within ten minutes.
    LoginBurst,
    /// A long silence, then a device and a place or network that are new.
    DormantReturn,
    /// A login that is more like somebody else's.
    UnfamiliarLogin,
}

impl Rule {
    /// All rules, in the order in which they judge.
    pub const ALL: [Self; 6] = [
        Self::ImpossibleTravel,
        Self::DeviceContradiction,
        Self::DeviceRotation,
        Self::LoginBurst,
        Self::DormantReturn,
        Self::UnfamiliarLogin,
    ];

    /// Its name in records and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::ImpossibleTravel => "impossible_travel",
            Self::DeviceContradiction => "device_contradiction",
            Self::DeviceRotation => "device_rotation",
            Self::LoginBurst => "login_burst",
            Self::DormantReturn => "dormant_return",
            Self::UnfamiliarLogin => "unfamiliar_login",
        }
    }

    /// Counts the changes of its meaning, from 1.
    pub fn version(self) -> u32 {
        1
    }

    /// Its judgement of a login.
    pub fn judge(self, seen: &Seen<'_>) -> Option<Finding> {
        match self {
            Self::ImpossibleTravel => travel::judge(seen),
            Self::DeviceContradiction => contradiction::judge(seen),
            Self::DeviceRotation => rotation::judge(seen),
            Self::LoginBurst => burst::judge(seen),
            Self::DormantReturn => dormant::judge(seen),
            Self::UnfamiliarLogin => unfamiliar::judge(seen),
        }
    }
}

/// A login, and what was known before it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The login.
    pub login: &'a Login<'a>,
    /// Its names.
    pub named: Named,
    /// What of it is new.
    pub novelty: Novelty,
    /// Whether its place cannot be reached.
    pub jump: Option<Jump>,
    /// Its score.
    pub score: &'a Score,
    /// Its user, before it; but for `recent`, in which it is noted.
    pub profile: &'a Profile,
    /// The shard, before it.
    pub shard: &'a ShardState,
    /// What is too much.
    pub settings: &'a RuleSettings,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look together with others.
    Low,
    /// A reason to ask the user for a second factor.
    Medium,
    /// A reason to look at once.
    High,
}

impl Severity {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What a rule has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Why.
    pub evidence: Evidence,
}

/// What a login contradicts.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// A place that is too far for the time.
    Travel(Jump),
    /// The device's type before, and its last login.
    DeviceType {
        /// The type.
        before: Name,
        /// The login.
        last: LoginRef,
    },
    /// The highest app version of the device, and its last login.
    AppVersion {
        /// The version.
        highest: Name,
        /// The login.
        last: LoginRef,
    },
    /// Devices and logins within half an hour.
    Rotation {
        /// Devices.
        devices: u32,
        /// Logins.
        logins: u32,
    },
    /// Logins within ten minutes, and what is usual.
    Burst {
        /// Logins.
        logins: u32,
        /// Mean logins per day.
        mean_per_day: f64,
    },
    /// The login before the silence.
    Silence(LoginRef),
    /// The score, and from where on it counts.
    Score {
        /// The score.
        score: Score,
        /// The threshold.
        threshold: f64,
    },
}
