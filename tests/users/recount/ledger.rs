//! Which alerts were given, and which were held back.

use std::collections::BTreeMap;

use super::{Fired, PlainAlert, PlainLogin};

const COOLDOWN_S: i64 = 3_600;

/// What a rule gave for a user.
#[derive(Default)]
struct Given {
    last: Option<i64>,
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
    /// Forgets what a user had.
    pub(super) fn forget(&mut self, user: u64) {
        self.by_rule.retain(|(_, of), _| *of != user);
    }

    /// Gives the alert or holds it back. `most`: alerts of `unfamiliar_login` on a day.
    pub(super) fn take_up(&mut self, login: &PlainLogin, fired: Fired, day: i64, most: u64) {
        let key = (fired.rule, login.user);
        let given = self.by_rule.get(&key);
        let last = given.and_then(|given| given.last);
        let is_repeated = last.is_some_and(|last| (login.at_s - last).abs() < COOLDOWN_S);
        let of_day = self.unfamiliar.get(&day).copied().unwrap_or_default();
        if is_repeated || fired.rule == "unfamiliar_login" && of_day >= most {
            self.by_rule.entry(key).or_default().held_back += 1;
            return;
        }
        let given = self.by_rule.entry(key).or_default();
        self.alerts.push(PlainAlert {
            offset: login.offset,
            rule: fired.rule.to_owned(),
            severity: fired.severity.to_owned(),
            held_back: given.held_back,
            evidence: fired.evidence,
        });
        given.last = Some(login.at_s);
        given.held_back = 0;
        if fired.rule == "unfamiliar_login" {
            *self.unfamiliar.entry(day).or_default() += 1;
        }
    }

    pub(super) fn end(self) -> Vec<PlainAlert> {
        self.alerts
    }
}
