//! Finds a time zone by its IANA name; for a wrong one, the name that was probably meant.
//!
//! Reads the system's zone files, else the copy in the binary; no other input.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use strsim::generic_levenshtein;

/// The time zone of an IANA name such as `Europe/Berlin`, in any case of letters.
pub fn parse_timezone(text: &str) -> Result<TimeZone, String> {
    let found = TimeZone::get(text).ok().filter(|zone| !zone.is_unknown());
    found.ok_or_else(|| match nearest_name(text) {
        Some(name) => format!("expected an IANA time zone name; did you mean {name}?"),
        None => "expected an IANA time zone name such as UTC or Europe/Berlin".to_owned(),
    })
}

/// The known name that differs least from `text`, as a whole or in its city, if any is close.
fn nearest_name(text: &str) -> Option<String> {
    let wanted = normalised(text);
    let distance_to = |name: &str| {
        let whole = generic_levenshtein(&wanted, &normalised(name));
        let city = name.rsplit('/').next().unwrap_or(name);
        // A whole name that is as close as a city alone is the better guess.
        (2 * whole).min(2 * generic_levenshtein(&wanted, &normalised(city)) + 1)
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

#[cfg(test)]
mod tests {
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
            assert_eq!(what, format!("expected an IANA time zone name; did you mean {right}?"));
        }
    }

    #[test]
    fn a_name_like_no_other_brings_an_example() {
        for wrong in ["", "Middle-earth/Hobbiton", "+02:00", "../../etc/passwd", "Etc/Unknown"] {
            let what = parse_timezone(wrong).expect_err("unknown zone");
            assert!(what.starts_with("expected an IANA time zone name such as"), "{wrong}: {what}");
        }
    }
}
