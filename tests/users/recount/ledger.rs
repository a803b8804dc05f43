//! Which alerts were given, and which were held back.

use std::collections::BTreeMap;

use super::{Fired, PlainAlert, PlainLogin};

const COOLDOWN_S: i64 = 3_600;

/// What a rule gave for a user.
#[derive(Default)]
struct Given {
    times: Vec<i64>,
    held_back: u32,
}

/// The alerts of a shard.
#[derive(Default)]
pub(super) struct Ledger {
    alerts: Vec<PlainAlert>,
    by_rule: BTreeMap<(&'static str, u64), Given>,
    /// Alerts of `unfamiliar_login` by UTC day of the watermark.
    unfamiliar: BTreeMap<i64, u64>,
}

impl Ledger {
    pub(super) fn unfamiliar_on(&self, day: i64) -> u64 {
        self.unfamiliar.get(&day).copied().unwrap_or_default()
    }

    /// Gives the alert or holds it back.
    pub(super) fn take_up(&mut self, login: &PlainLogin, fired: Fired, learning: bool, day: i64) {
        let given = self.by_rule.entry((fired.rule, login.user)).or_default();
        let is_repeated = given.times.iter().any(|it| (login.at_s - it).abs() < COOLDOWN_S);
        if learning || is_repeated {
            given.held_back += 1;
            return;
        }
        self.alerts.push(PlainAlert {
            offset: login.offset,
            rule: fired.rule.to_owned(),
            severity: fired.severity.to_owned(),
            held_back: given.held_back,
            evidence: fired.evidence,
        });
        given.times.push(login.at_s);
        given.held_back = 0;
        if fired.rule == "unfamiliar_login" {
            *self.unfamiliar.entry(day).or_default() += 1;
        }
    }

    pub(super) fn end(self) -> Vec<PlainAlert> {
        self.alerts
    }
}
