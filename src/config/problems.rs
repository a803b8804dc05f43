//! Collects everything that is wrong with the settings, so that one run names it all.
//!
//! Pure. Holds: a problem of a value has the form of clap's own errors, wherever the value came
//! from: `invalid value 'x' for '--delivery': expected exactly-once or at-least-once`.

use std::fmt;

/// All problems of a configuration, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<String>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => f.write_str(only),
            all => {
                write!(f, "{} settings are wrong", all.len())?;
                all.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

/// What is wrong with a value of a setting. `what` says what was expected and what to do; `setting`
/// is quoted already, with the place it was given at.
pub fn invalid_value(value: &str, setting: &str, what: impl fmt::Display) -> String {
    format!("invalid value '{value}' for {setting}: {what}")
}

/// The problems found so far.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<String>,
}

impl Problems {
    /// No problems yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a problem.
    pub fn add(&mut self, text: impl fmt::Display) {
        self.found.push(text.to_string());
    }

    /// Adds a problem with a flag's value.
    pub fn invalid(&mut self, flag: &str, value: &str, what: impl fmt::Display) {
        self.add(invalid_value(value, &format!("'{flag}'"), what));
    }

    /// The parsed value of a flag, or `None` after noting why there is none.
    pub fn check<T>(
        &mut self,
        flag: &str,
        value: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        parse(value).map_err(|what| self.invalid(flag, value, what)).ok()
    }

    /// The error to report, if there is any problem.
    pub fn into_error(self) -> Option<ConfigError> {
        (!self.found.is_empty()).then_some(ConfigError { problems: self.found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_named_together_in_order() {
        let mut problems = Problems::new();
        assert_eq!(problems.check("--workers", "2", |text| Ok(text.len())), Some(1));
        let none: Option<()> =
            problems.check("--window", "", |_| Err("expected a duration such as 10s".into()));
        assert_eq!(none, None);
        problems.add("missing value for '--brokers'");
        let error = problems.into_error().expect("two problems");
        assert_eq!(
            error.to_string(),
            "2 settings are wrong\n  invalid value '' for '--window': expected a duration such as \
             10s\n  missing value for '--brokers'"
        );
    }

    #[test]
    fn a_single_problem_is_one_line_and_none_is_no_error() {
        let mut problems = Problems::new();
        problems.invalid("--workers", "0", "expected at least 1");
        let error = problems.into_error().expect("a problem");
        assert_eq!(error.to_string(), "invalid value '0' for '--workers': expected at least 1");
        assert_eq!(Problems::new().into_error(), None);
    }
}
