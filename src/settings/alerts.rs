//! The numbers of the rules about users, from `[alerts.RULE]` or `--alerts RULE.SETTING=VALUE`.
//!
//! Pure. Holds: a name or a value that is wrong is a problem that says what was expected.

use std::path::{Path, PathBuf};

use super::{
    file::nearest,
    layers::{Entry, Layers},
    row::{Row, Setting as _},
    table::{ALERTS, ALLOWED_DEVICES, ALLOWED_NETWORKS},
};
use crate::{
    config::{Problems, alternatives, parse_duration, parse_number, parse_switch},
    users::{
        Rule, RuleSettings, RuleValue,
        place::{DeviceList, ListError, NetworkList},
    },
};

/// The rules with what was given for them.
pub(super) fn rules(layers: &Layers, problems: &mut Problems) -> RuleSettings {
    let mut rules = RuleSettings::default();
    for entry in layers.table(&ALERTS) {
        let Entry { name, text, .. } = entry;
        if let Err(what) = set(&mut rules, name, text) {
            problems.add(layers.invalid_entry(ALERTS.spec(), entry, what));
        }
    }
    rules
}

/// The lists of networks and of devices that nobody is told apart by.
pub(super) fn lists(layers: &Layers, problems: &mut Problems) -> (NetworkList, DeviceList) {
    let networks = listed(layers, &ALLOWED_NETWORKS, NetworkList::read, problems);
    (networks, listed(layers, &ALLOWED_DEVICES, DeviceList::read, problems))
}

fn listed<T: Default>(
    layers: &Layers,
    row: &Row<PathBuf>,
    read: fn(&Path) -> Result<T, ListError>,
    problems: &mut Problems,
) -> T {
    let list = layers.get(row).map(|path| read(&path));
    list.unwrap_or_else(|| Ok(T::default())).unwrap_or_else(|error| {
        problems.add(layers.invalid(row, error));
        T::default()
    })
}

fn set(rules: &mut RuleSettings, name: &str, text: &str) -> Result<(), String> {
    let (of, setting) = name.split_once('.').unwrap_or((name, ""));
    let names = Rule::ALL.map(Rule::name);
    let Some(rule) = Rule::ALL.into_iter().find(|rule| rule.name() == of) else {
        return Err(unknown("rule", of, &names));
    };
    let mut values = rules.values(rule);
    let known: Vec<_> = values.iter().map(|(name, _)| *name).collect();
    let Some((_, value)) = values.iter_mut().find(|(name, _)| *name == setting) else {
        return Err(unknown(&format!("setting of {of}"), setting, &known));
    };
    let number = || {
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number
            .filter(|number| *number >= 0.0)
            .ok_or_else(|| "expected a number from 0 on".to_owned())
    };
    match value {
        RuleValue::Switch(is_on) => **is_on = parse_switch(text)?,
        RuleValue::Seconds(seconds) => **seconds = parse_duration(text)?.as_secs() as i64,
        RuleValue::Count(count) => **count = parse_number(text, 0..=u32::MAX)?,
        RuleValue::Size(size) => **size = parse_number(text, 0..=u32::MAX as usize)?,
        RuleValue::Number(value) => **value = number()?,
        RuleValue::Share(share) => {
            let within = number().ok().filter(|share| *share <= 1.0);
            **share = within.ok_or("expected a number from 0 to 1, such as 0.5")?;
        }
    }
    Ok(())
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let remedy = nearest(name, known.iter().copied()).map_or_else(
        || format!("use {}", alternatives(known)),
        |meant| format!("did you mean '{meant}'?"),
    );
    format!("there is no {what} '{name}'; {remedy}")
}

/// The text of a value, as it could be given.
#[cfg(test)]
pub(super) fn text_of(value: &RuleValue<'_>) -> String {
    match value {
        RuleValue::Switch(is_on) => is_on.to_string(),
        RuleValue::Seconds(seconds) => match **seconds {
            days if days % 86_400 == 0 => format!("{}d", days / 86_400),
            hours if hours % 3_600 == 0 => format!("{}h", hours / 3_600),
            seconds => format!("{seconds}s"),
        },
        RuleValue::Count(count) => count.to_string(),
        RuleValue::Size(size) => size.to_string(),
        RuleValue::Share(number) | RuleValue::Number(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_reads_back() {
        for rule in Rule::ALL {
            let mut defaults = RuleSettings::default();
            for (name, value) in defaults.values(rule) {
                let mut rules = RuleSettings::default();
                let name = format!("{}.{name}", rule.name());
                assert_eq!(set(&mut rules, &name, &text_of(&value)), Ok(()), "{name}");
                assert_eq!(rules, RuleSettings::default(), "{name}");
            }
        }
    }

    #[test]
    fn every_value_stands_in_the_page_about_alerts() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ALERTS.md");
        let page = std::fs::read_to_string(path).expect("the page");
        for rule in Rule::ALL {
            for (name, value) in RuleSettings::default().values(rule) {
                let row = format!("| `{}` | `{name}` | `{}` |", rule.name(), text_of(&value));
                assert!(page.contains(&row), "{row}");
            }
        }
    }

    #[test]
    fn a_value_takes_the_default_s_place() {
        let mut rules = RuleSettings::default();
        for (name, text) in [
            ("impossible_travel.speed_kmh", "1200"),
            ("login_burst.on", "false"),
            ("unfamiliar_login.min_age", "36h"),
            ("device_rotation.min_share", "0.75"),
        ] {
            assert_eq!(set(&mut rules, name, text), Ok(()), "{name}");
        }
        assert!((rules.travel.limits.speed_kmh - 1200.0).abs() < 1e-9);
        assert!(!rules.burst.switch.is_on && rules.unfamiliar.min_age_s == 129_600);
        assert!((rules.rotation.min_share - 0.75).abs() < 1e-9);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_expected() {
        for (name, text, expected) in [
            ("impossible_travl.on", "true", "there is no rule 'impossible_travl'; did you mean"),
            ("login_burst", "1", "there is no setting of login_burst ''; use on, cooldown"),
            ("login_burst.deviation", "1", "did you mean 'deviations'?"),
            ("login_burst.deviations", "-1", "expected a number from 0 on"),
            ("login_burst.deviations", "NaN", "expected a number from 0 on"),
            ("login_burst.min_logins", "1.5", "expected a whole number from 0"),
            ("login_burst.cooldown", "10", "expected a duration"),
            ("device_rotation.min_share", "2", "expected a number from 0 to 1"),
            ("dormant_return.on", "maybe", "expected "),
        ] {
            let what = set(&mut RuleSettings::default(), name, text).expect_err(name);
            assert!(what.contains(expected), "{name}={text}: {what}");
        }
    }
}
