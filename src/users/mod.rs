//! Users: what a user's logins look like, and what does not look like them. Pure, but for the files
//! that an operator names.
//!
//! In:  logins, as `processed-logins` has them, in the order of a partition.
//! Out: a profile per user, sessions, alerts. docs/ALERTS.md defines all of it.
//! Holds: the same logins give the same profiles, sessions and alerts, byte for byte.
#![warn(missing_docs)]

mod activity;
mod cached_rows;
mod detector;
mod device;
mod login;
mod memory;
mod names;
mod ocsf;
mod pace;
pub mod place;
mod population;
mod profile;
mod profiles;
mod quantile;
mod reading;
mod rules;
mod score;
mod session;
mod shard;
mod slots;
#[cfg(test)]
mod tests;
mod travel;
mod version;
mod watch;

pub use self::{
    detector::{Alert, Detector, DetectorSettings, Judgement},
    device::{DeviceFacts, Devices},
    login::{Fingerprint, Login, LoginRef, UserKey},
    names::{Name, Names},
    ocsf::{LoginText, Origin, SCHEMA_VERSION, record, uid},
    profile::Profile,
    profiles::{Judged, Profiles, open_until_s},
    reading::{LoginReader, ReadingSettings},
    rules::{
        Burst, Contradiction, Dormant, Evidence, Finding, Rotation, Rule, RuleSettings, RuleValue,
        Severity, Switch, Travel, Unfamiliar,
    },
    score::{Feature, Score},
    session::{Novelty, Session},
    shard::ShardState,
    slots::{Slot, Slots},
    travel::{Jump, TravelLimits, Trusted, TrustedPlace},
    watch::{Inherited, Noticed, Said, Watch, WatchSettings},
};
