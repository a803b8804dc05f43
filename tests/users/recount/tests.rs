//! Histories that are worked out by hand from the page.

mod rules;
mod steps;

use super::{DAY_S, PlainAlert, PlainLogin, PlainSession, PlainSettings, recount};

/// A login that says nothing but its user and time.
pub(super) fn login(user: u64, at_s: i64) -> PlainLogin {
    PlainLogin {
        user,
        at_s,
        appended_s: at_s,
        offset: 0,
        device: None,
        network: None,
        place: None,
        device_type: None,
        app_version: None,
        locale: None,
    }
}

impl PlainLogin {
    pub(super) fn offset(self, offset: i64) -> Self {
        Self { offset, ..self }
    }

    pub(super) fn device(self, device: u32) -> Self {
        Self { device: Some(device), ..self }
    }

    pub(super) fn place(self, place: &str) -> Self {
        Self { place: Some(place.to_owned()), ..self }
    }

    fn appended(self, appended_s: i64) -> Self {
        Self { appended_s, ..self }
    }

    fn network(self, network: u32) -> Self {
        Self { network: Some(network), ..self }
    }

    fn device_type(self, name: &str) -> Self {
        Self { device_type: Some(name.to_owned()), ..self }
    }

    fn app_version(self, name: &str) -> Self {
        Self { app_version: Some(name.to_owned()), ..self }
    }

    fn locale(self, name: &str) -> Self {
        Self { locale: Some(name.to_owned()), ..self }
    }
}

/// One shard that does not learn.
fn settings() -> PlainSettings {
    PlainSettings {
        shards: 1,
        learn_s: 0,
        learn_logins: 0,
        profile_ttl_s: 180 * DAY_S,
        allowed_lateness_s: 0,
    }
}

/// The gap is the difference of two places' names, which are numbers.
fn difference(place: &str, other: &str) -> u32 {
    let km = |name: &str| name.parse::<u32>().expect("a place that is a number");
    km(place).abs_diff(km(other))
}

/// Alerts, sessions and late logins of a history, whose offsets are 0, 1, 2 and so on.
fn count(
    logins: &[PlainLogin],
    settings: &PlainSettings,
) -> (Vec<PlainAlert>, Vec<PlainSession>, u64) {
    let mut logins = logins.to_vec();
    for (offset, login) in (0..).zip(&mut logins) {
        login.offset = offset;
    }
    recount(&logins, settings, &difference)
}

/// The alerts, each as one line: offset, rule, severity, held back, evidence.
fn alerts(logins: &[PlainLogin], settings: &PlainSettings) -> Vec<String> {
    let line = |it: PlainAlert| {
        format!("{} {} {} {}: {}", it.offset, it.rule, it.severity, it.held_back, it.evidence)
    };
    count(logins, settings).0.into_iter().map(line).collect()
}
