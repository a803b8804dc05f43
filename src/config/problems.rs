//! Collects everything that is wrong with a configuration, so that one run names it all.
//!
//! Pure. Each problem names the setting as the operator gave it, the value and the remedy; a
//! setting that was read from a variable is named by that variable.

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

    /// Adds "`setting` `value`: `what`"; `what` says what is wrong and what to do.
    pub fn add(&mut self, setting: &str, value: &str, what: impl fmt::Display) {
        // An empty value would vanish from the sentence.
        let value = if value.is_empty() { "\"\"" } else { value };
        self.found.push(format!("{setting} {value}: {what}"));
    }

    /// Adds a problem that no single given value has, such as a missing setting.
    pub fn add_text(&mut self, text: impl fmt::Display) {
        self.found.push(text.to_string());
    }

    /// The parsed value, or `None` after noting why there is none.
    pub fn check<T>(
        &mut self,
        setting: &str,
        value: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        parse(value).map_err(|what| self.add(setting, value, what)).ok()
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
            problems.check("--window", "", |_| Err("is empty; write 10s".into()));
        assert_eq!(none, None);
        problems.add_text("--brokers is missing");
        let error = problems.into_error().expect("two problems");
        assert_eq!(
            error.to_string(),
            "2 settings are wrong\n  --window \"\": is empty; write 10s\n  --brokers is missing"
        );
    }

    #[test]
    fn a_single_problem_is_one_line_and_none_is_no_error() {
        let mut problems = Problems::new();
        problems.add("--workers", "0", "must be at least 1");
        let error = problems.into_error().expect("a problem");
        assert_eq!(error.to_string(), "--workers 0: must be at least 1");
        assert_eq!(Problems::new().into_error(), None);
    }
}
