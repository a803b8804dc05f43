//! What places are called. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest code, bytes: a country's, `-`, and a subdivision's three.
const LONGEST: usize = 6;

/// A code of ISO 3166: `DE` for a country, `US-CA` for a part of one. Equal codes mean the same
/// place, wherever its position was looked up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlaceCode {
    /// ASCII, with zeros behind it.
    bytes: [u8; LONGEST],
}

impl PlaceCode {
    /// A country, by its two upper-case letters.
    pub const fn country(code: [u8; 2]) -> Self {
        Self { bytes: [code[0], code[1], 0, 0, 0, 0] }
    }

    /// A country; `None` unless it is spelled as in ISO 3166: two upper-case letters.
    pub fn from_country(country: &str) -> Option<Self> {
        two_letters(country).map(Self::country)
    }

    /// A state of the US, by its two upper-case letters.
    pub const fn us_state(code: [u8; 2]) -> Self {
        Self { bytes: [b'U', b'S', b'-', code[0], code[1], 0] }
    }

    /// A part of a country; `None` unless both are spelled as in ISO 3166: two upper-case letters,
    /// and one to three upper-case letters or digits.
    pub fn subdivision(country: &str, subdivision: &str) -> Option<Self> {
        let country = two_letters(country)?;
        let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if !(1..=3).contains(&subdivision.len()) || !subdivision.bytes().all(is_code) {
            return None;
        }
        let mut bytes = Self::country(country).bytes;
        bytes[2] = b'-';
        bytes[3..3 + subdivision.len()].copy_from_slice(subdivision.as_bytes());
        Some(Self { bytes })
    }

    /// The code, for example `US-CA`.
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(LONGEST);
        std::str::from_utf8(&self.bytes[..end]).expect("a code is ASCII")
    }
}

/// The code's letters when it is two upper-case ones.
pub(super) fn two_letters(code: &str) -> Option<[u8; 2]> {
    let code: [u8; 2] = code.as_bytes().try_into().ok()?;
    code.iter().all(u8::is_ascii_uppercase).then_some(code)
}

impl fmt::Display for PlaceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PlaceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlaceCode({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_no_country() {
        let (state, country) = (PlaceCode::us_state(*b"CA"), PlaceCode::country(*b"CA"));
        assert_eq!((state.as_str(), country.as_str()), ("US-CA", "CA"));
        assert_ne!(state, country);
        assert_eq!(PlaceCode::subdivision("US", "CA"), Some(state));
    }

    #[test]
    fn a_subdivision_has_one_to_three_characters() {
        for (country, part, code) in
            [("GB", "ENG", "GB-ENG"), ("FR", "75", "FR-75"), ("ES", "M", "ES-M")]
        {
            let found = PlaceCode::subdivision(country, part).expect("a code");
            assert_eq!(found.to_string(), code);
        }
        for (country, part) in
            [("GB", ""), ("GB", "ENGL"), ("GB", "e"), ("G", "E"), ("gb", "ENG"), ("GB", "É")]
        {
            assert_eq!(PlaceCode::subdivision(country, part), None, "{country} {part}");
        }
    }
}
