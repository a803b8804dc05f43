//! What a parameter of a population may be.
//!
//! In:  a value of the file. Out: the value, or what was expected; the parser adds the line.

use serde::{Deserialize, Deserializer, de::Error};

use super::parameters::Release;

fn checked<'de, D, T>(
    deserializer: D,
    fits: impl Fn(&T) -> bool,
    expected: &str,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let value = T::deserialize(deserializer)?;
    if fits(&value) { Ok(value) } else { Err(D::Error::custom(format!("expected {expected}"))) }
}

pub(super) fn share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    checked(from, |share| (0.0..=1.0).contains(share), "a share from 0 to 1")
}

pub(super) fn zero_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    checked(from, |number: &f64| number.is_finite() && *number >= 0.0, "a number of 0 or more")
}

pub(super) fn positive<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    checked(from, |number: &f64| number.is_finite() && *number > 0.0, "a number above 0")
}

pub(super) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    checked(
        from,
        |count| (1..=1_000_000_000).contains(count),
        "a whole number from 1 to 1000000000",
    )
}

pub(super) fn hour<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    checked(from, |hour| (0..=24).contains(hour), "an hour from 0 to 24")
}

pub(super) fn weights<'de, D: Deserializer<'de>>(from: D) -> Result<[f64; 24], D::Error> {
    let fit =
        |weights: &[f64; 24]| weights.iter().all(|weight| weight.is_finite() && *weight > 0.0);
    checked(from, fit, "24 numbers above 0")
}

pub(super) fn releases<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Release>, D::Error> {
    let is_version = |release: &Release| {
        let text = &release.version;
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    };
    let fit = |releases: &Vec<Release>| {
        !releases.is_empty()
            && releases.iter().all(is_version)
            && releases.is_sorted_by(|earlier, later| earlier.day < later.day)
    };
    checked(from, fit, "versions of letters, digits and dots, in the order of their days")
}

pub(super) fn device_ids<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let is_plain = |id: &String| {
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let fit = |ids: &Vec<String>| !ids.is_empty() && ids.iter().all(is_plain);
    checked(from, fit, "at least one text of letters, digits and dashes")
}
