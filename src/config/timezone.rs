//! Finds a time zone by its IANA name; for a wrong one, the name that was probably meant.
//!
//! Reads the system's zone files, else the copy in the binary; no other input.

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The time zone of an IANA name such as `Europe/Berlin`, in any case of letters.
pub fn parse_timezone(text: &str) -> Result<TimeZone, String> {
    let found = TimeZone::get(text).ok().filter(|zone| !zone.is_unknown());
    found.ok_or_else(|| match nearest_name(text) {
        Some(name) => format!("is no known time zone; did you mean {name}?"),
        None => "is no known time zone; write an IANA name such as UTC or Europe/Berlin".to_owned(),
    })
}

/// The known name that differs least from `text`, as a whole or in its city, if any is close.
fn nearest_name(text: &str) -> Option<String> {
    let wanted = normalised(text);
    let distance_to = |name: &str| {
        let whole = edit_distance(&wanted, &normalised(name));
        let city = name.rsplit('/').next().unwrap_or(name);
        // A whole name that is as close as a city alone is the better guess.
        (2 * whole).min(2 * edit_distance(&wanted, &normalised(city)) + 1)
    };
    TimeZoneDatabase::bundled()
        .available()
        .map(|name| (distance_to(name.as_str()), name.as_str().to_owned()))
        .min()
        .filter(|(distance, _)| *distance <= 2 * (wanted.len() / 4) + 1)
        .map(|(_, name)| name)
}

/// Lower-case bytes with blanks as the underscores that zone names have.
fn normalised(name: &str) -> Vec<u8> {
    let byte = |b: u8| if b == b' ' { b'_' } else { b.to_ascii_lowercase() };
    name.bytes().map(byte).collect()
}

/// Levenshtein distance, by the row-at-a-time form of the Wagner–Fischer algorithm.
fn edit_distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (above, &to) in row.iter_mut().skip(1).zip(b) {
            let best = (diagonal + usize::from(from != to)).min(*above + 1).min(left + 1);
            diagonal = std::mem::replace(above, best);
            left = best;
        }
        row[0] = i + 1;
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn iana_names_are_found_in_any_case() {
        for name in ["UTC", "Europe/Berlin", "america/new_york"] {
            assert!(parse_timezone(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_wrong_name_brings_the_nearest() {
        for (wrong, right) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("America/New York", "America/New_York"),
            ("Asia/Tokio", "Asia/Tokyo"),
        ] {
            let what = parse_timezone(wrong).expect_err("unknown zone");
            assert_eq!(what, format!("is no known time zone; did you mean {right}?"));
        }
    }

    #[test]
    fn a_hopeless_name_brings_an_example() {
        for wrong in ["", "Middle-earth/Hobbiton", "+02:00", "../../etc/passwd", "Etc/Unknown"] {
            let what = parse_timezone(wrong).expect_err("unknown zone");
            assert!(what.starts_with("is no known time zone; "), "{wrong}: {what}");
        }
    }

    /// The definition, without the row trick.
    fn distance_by_definition(a: &[u8], b: &[u8]) -> usize {
        match (a, b) {
            ([], rest) | (rest, []) => rest.len(),
            ([x, a_rest @ ..], [y, b_rest @ ..]) => (distance_by_definition(a_rest, b_rest)
                + usize::from(x != y))
            .min(distance_by_definition(a_rest, b) + 1)
            .min(distance_by_definition(a, b_rest) + 1),
        }
    }

    proptest! {
        #[test]
        fn edit_distance_is_its_definition(a in "[a-c]{0,6}", b in "[a-c]{0,6}") {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            prop_assert_eq!(edit_distance(a, b), distance_by_definition(a, b));
        }
    }
}
