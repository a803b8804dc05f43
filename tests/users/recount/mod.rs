//! A second way to the alerts about one user, written from docs/ALERTS.md alone.
//!
//! In:  the logins of one shard by offset, the settings, and the gap between two places.
//! Out: the alerts, the sessions, and how many logins were late.
//! Holds: nothing is shared with `src/users/`. Lists are searched from end to end, and what the
//! page says in one sentence stands in one place, so that a difference leads to its sentence.

mod contradiction;
mod ledger;
mod names;
mod profile;
mod recent;
mod score;
mod session;
mod shard;
mod slots;
#[cfg(test)]
mod tests;
mod travel;

use shard::Shard;

/// A login as the rules see it: what was a placeholder is missing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlainLogin {
    pub(crate) user: u64,
    pub(crate) at_s: i64,
    pub(crate) appended_s: i64,
    pub(crate) offset: i64,
    pub(crate) device: Option<u32>,
    pub(crate) network: Option<u32>,
    pub(crate) place: Option<String>,
    pub(crate) device_type: Option<String>,
    pub(crate) app_version: Option<String>,
    pub(crate) locale: Option<String>,
}

/// The settings that a test changes; the page's defaults stand for all others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlainSettings {
    pub(crate) shards: u32,
    pub(crate) learn_s: i64,
    /// Logins of all shards together, as the page's 10 000.
    pub(crate) learn_logins: u64,
    pub(crate) profile_ttl_s: i64,
    pub(crate) allowed_lateness_s: i64,
}

/// An alert, with its evidence as text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlainAlert {
    pub(crate) offset: i64,
    pub(crate) rule: String,
    pub(crate) severity: String,
    pub(crate) held_back: u32,
    pub(crate) evidence: String,
}

/// A session that is over, or that was open after the last login.
#[expect(clippy::struct_excessive_bools, reason = "what the page says of a session")]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlainSession {
    pub(crate) user: u64,
    pub(crate) start_s: i64,
    pub(crate) end_s: i64,
    pub(crate) logins: u32,
    pub(crate) devices: usize,
    pub(crate) networks: usize,
    pub(crate) places: usize,
    pub(crate) new_device: bool,
    pub(crate) new_network: bool,
    pub(crate) new_place: bool,
    pub(crate) rare_hour: bool,
}

/// Alerts and sessions of one shard, and how many of its logins were late.
///
/// Sessions that a login of their user ended come in the order of those logins, then those that
/// are open at the end, by user. `gap_km` is the page's `gap` of two places.
pub(crate) fn recount(
    logins: &[PlainLogin],
    settings: &PlainSettings,
    gap_km: &dyn Fn(&str, &str) -> u32,
) -> (Vec<PlainAlert>, Vec<PlainSession>, u64) {
    let mut shard = Shard::new(settings, gap_km);
    for login in logins {
        shard.read(login);
    }
    shard.end()
}

/// A rule that fires at a login.
struct Fired {
    rule: &'static str,
    severity: &'static str,
    evidence: String,
}

/// What a login comes with that its user did not have before.
#[derive(Clone, Copy)]
struct Novelty {
    device: bool,
    network: bool,
    place: bool,
}

const DAY_S: i64 = 86_400;

/// UTC day of a time, counted from 1970.
fn day(at_s: i64) -> i64 {
    at_s.div_euclid(DAY_S)
}

/// UTC hour of the day, 0 to 23.
fn hour(at_s: i64) -> usize {
    at_s.div_euclid(3_600).rem_euclid(24) as usize
}

/// UTC minute, counted from 1970.
fn minute(at_s: i64) -> i64 {
    at_s.div_euclid(60)
}
