//! The numbers of the rules by their names, for settings and documents. Pure.

use super::{
    Rule,
    settings::{RuleSettings, Switch},
};

/// A number of a rule.
#[derive(Debug, PartialEq)]
pub enum RuleValue<'a> {
    /// Whether something is so.
    Switch(&'a mut bool),
    /// A time, whole seconds.
    Seconds(&'a mut i64),
    /// A whole number.
    Count(&'a mut u32),
    /// A whole number.
    Size(&'a mut usize),
    /// A share, 0 to 1.
    Share(&'a mut f64),
    /// A number from 0 on.
    Number(&'a mut f64),
}

impl RuleSettings {
    /// All numbers of a rule, with their names.
    pub fn values(&mut self, rule: Rule) -> Vec<(&'static str, RuleValue<'_>)> {
        use RuleValue::{Count, Number, Seconds, Share, Size};
        let Self { travel, contradiction, rotation, burst, dormant, unfamiliar } = self;
        let (switch, mut own) = match rule {
            Rule::ImpossibleTravel => (
                &mut travel.switch,
                vec![
                    ("gap_km", Count(&mut travel.limits.gap_km)),
                    ("speed_kmh", Number(&mut travel.limits.speed_kmh)),
                    ("min_logins", Count(&mut travel.min_logins)),
                    ("min_age", Seconds(&mut travel.min_age_s)),
                    ("max_places", Size(&mut travel.max_places)),
                    ("habitual", Count(&mut travel.habitual)),
                ],
            ),
            Rule::DeviceContradiction => {
                (&mut contradiction.switch, vec![("max_users", Size(&mut contradiction.max_users))])
            }
            Rule::DeviceRotation => (
                &mut rotation.switch,
                vec![
                    ("min_devices", Count(&mut rotation.min_devices)),
                    ("min_logins", Count(&mut rotation.min_logins)),
                    ("min_share", Share(&mut rotation.min_share)),
                    ("min_version_logins", Count(&mut rotation.min_version_logins)),
                ],
            ),
            Rule::LoginBurst => (
                &mut burst.switch,
                vec![
                    ("min_logins", Count(&mut burst.min_logins)),
                    ("deviations", Number(&mut burst.deviations)),
                ],
            ),
            Rule::DormantReturn => {
                (&mut dormant.switch, vec![("min_gap", Seconds(&mut dormant.min_gap_s))])
            }
            Rule::UnfamiliarLogin => (
                &mut unfamiliar.switch,
                vec![
                    ("min_score", Number(&mut unfamiliar.min_score)),
                    ("min_logins", Count(&mut unfamiliar.min_logins)),
                    ("min_age", Seconds(&mut unfamiliar.min_age_s)),
                    ("max_per_day", Count(&mut unfamiliar.max_per_day)),
                ],
            ),
        };
        let Switch { is_on, cooldown_s } = switch;
        let mut values = vec![("on", RuleValue::Switch(is_on)), ("cooldown", Seconds(cooldown_s))];
        values.append(&mut own);
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_can_be_switched_off_by_its_own_values() {
        for rule in Rule::ALL {
            let mut settings = RuleSettings::default();
            for (name, value) in settings.values(rule) {
                match value {
                    RuleValue::Switch(is_on) => *is_on = false,
                    RuleValue::Seconds(seconds) if name == "cooldown" => *seconds = 7,
                    _ => {}
                }
            }
            let expected = Switch { is_on: false, cooldown_s: 7 };
            for other in Rule::ALL {
                let is_expected = settings.switch(other) == expected;
                assert_eq!(is_expected, other == rule, "{rule:?}, {other:?}");
            }
        }
    }
}
