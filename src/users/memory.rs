//! Which alerts a user has had. Pure.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::rules::Rule;

/// The last alert of each rule, and what was held back since.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    alerts: ArrayVec<Past, { Rule::ALL.len() }>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Past {
    rule: Rule,
    /// Event time of the last alert.
    at_s: Option<i64>,
    held_back: u32,
}

impl Memory {
    /// Whether a rule's alert at an event time is held back.
    pub fn holds_back(&self, rule: Rule, at_s: i64, cooldown_s: i64) -> bool {
        let last = self.alerts.iter().find(|past| past.rule == rule).and_then(|past| past.at_s);
        last.is_some_and(|last| last.abs_diff(at_s) < cooldown_s.unsigned_abs())
    }

    /// Notes an alert that is held back.
    pub fn held_back(&mut self, rule: Rule) {
        let past = self.past(rule);
        past.held_back = past.held_back.saturating_add(1);
    }

    /// Notes an alert. Returns how many were held back since the last one.
    pub fn alerted(&mut self, rule: Rule, at_s: i64) -> u32 {
        let past = self.past(rule);
        past.at_s = Some(at_s);
        std::mem::take(&mut past.held_back)
    }

    fn past(&mut self, rule: Rule) -> &mut Past {
        let known = self.alerts.iter().position(|past| past.rule == rule);
        let index = known.unwrap_or_else(|| {
            self.alerts.push(Past { rule, at_s: None, held_back: 0 });
            self.alerts.len() - 1
        });
        &mut self.alerts[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_counted_for_the_next_alert() {
        let (mut memory, rule) = (Memory::default(), Rule::LoginBurst);
        assert!(!memory.holds_back(rule, 100, 60));
        assert_eq!(memory.alerted(rule, 100), 0);
        let held = [40, 41, 159, 160].map(|at_s| memory.holds_back(rule, at_s, 60));
        assert_eq!(held, [false, true, true, false]);
        assert!(!memory.holds_back(Rule::DormantReturn, 100, 60));
        memory.held_back(rule);
        memory.held_back(rule);
        assert_eq!([memory.alerted(rule, 200), memory.alerted(rule, 300)], [2, 0]);
        // By another limit than the cooldown, before there was any.
        memory.held_back(Rule::DormantReturn);
        assert!(!memory.holds_back(Rule::DormantReturn, 100, 60));
        assert_eq!(memory.alerted(Rule::DormantReturn, 100), 1);
    }
}
