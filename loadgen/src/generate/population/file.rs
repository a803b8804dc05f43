//! A population's file.
//!
//! In:  a file's name, or `default`. Out: parameters in their ranges, or an error with the line.

use std::fs;

use super::parameters::Parameters;

/// The default population's file.
pub(crate) const DEFAULT: &str = include_str!("../../../populations/default.toml");

/// The name that stands for the default population.
const DEFAULT_NAME: &str = "default";

/// A population's file.
#[derive(Clone, Debug)]
pub(crate) struct PopulationFile {
    /// Its path, or `default`.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(super) parameters: Parameters,
}

impl PopulationFile {
    /// Reads a population.
    ///
    /// # Errors
    /// A text that names the file, the line and what was expected.
    pub(crate) fn read(name: &str) -> Result<Self, String> {
        let text = if name == DEFAULT_NAME {
            DEFAULT.to_owned()
        } else {
            fs::read_to_string(name).map_err(|error| {
                format!("cannot read {name}: {error}; give a file, or `default`")
            })?
        };
        Self::parse(name, text)
    }

    pub(super) fn parse(name: &str, text: String) -> Result<Self, String> {
        let parsed = toml::from_str::<Parameters>(&text).map_err(|error| error.to_string());
        let checked = parsed.and_then(|parameters| {
            parameters.check()?;
            Ok(parameters)
        });
        match checked {
            Ok(parameters) => Ok(Self { name: name.to_owned(), text, parameters }),
            Err(reason) => Err(format!(
                "{name}: {}\n`loadgen population` prints a complete file and explains each key",
                reason.trim_end()
            )),
        }
    }
}
