//! Reads an event's timestamp. Pure.
//!
//! In:  an integer, or the text of a JSON number, of a numeric string or of an RFC 3339 time.
//! Out: milliseconds since the Unix epoch.
//! Holds: decimals are read digit by digit, never through a float, so `.251` is 251 ms; fractions
//! of a millisecond are cut off.

use jiff::Timestamp;

use super::{RejectReason, rfc3339};

/// Earliest accepted event time: 2000-01-01T00:00:00Z.
const EARLIEST_MS: i64 = 946_684_800_000;

/// Numbers from this one on are milliseconds: as seconds it would be in the year 5138, as
/// milliseconds it is in 1973.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

/// Decimal places of [`MILLISECONDS_FROM`].
const MILLISECONDS_FROM_DIGITS: i64 = 12;

/// Decimal places of a number that is out of range in either unit; such a number still fits an
/// `i64`.
const HUGE_DIGITS: i64 = 17;

/// Reads a number that the parser has already decoded.
#[inline]
pub(super) fn from_integer(number: u64) -> Result<i64, RejectReason> {
    let milliseconds = if number >= MILLISECONDS_FROM { number } else { number * 1000 };
    i64::try_from(milliseconds).map_err(|_| RejectReason::TimestampOutOfRange)
}

/// Reads the text of a JSON number or the content of a string.
pub(super) fn from_text(text: &str) -> Result<i64, RejectReason> {
    match Decimal::read(text.as_bytes()) {
        Some(decimal) => decimal.milliseconds(),
        None => rfc3339::milliseconds(text.as_bytes()).ok_or(RejectReason::TimestampUnreadable),
    }
}

/// Checks the range: 2000 to `latest_ms`, both included, and what a calendar can express.
#[inline]
pub(super) fn check_range(time_ms: i64, latest_ms: i64) -> Result<i64, RejectReason> {
    let latest_ms = latest_ms.min(Timestamp::MAX.as_millisecond());
    if (EARLIEST_MS..=latest_ms).contains(&time_ms) {
        Ok(time_ms)
    } else {
        Err(out_of_range(time_ms, latest_ms))
    }
}

/// The reason for a time out of range: when no event time would be valid, the record's own is
/// wrong.
#[cold]
fn out_of_range(time_ms: i64, latest_ms: i64) -> RejectReason {
    let is_a_time = (EARLIEST_MS..=Timestamp::MAX.as_millisecond()).contains(&time_ms);
    if is_a_time && latest_ms < EARLIEST_MS {
        RejectReason::KafkaTimestampOutOfRange
    } else {
        RejectReason::TimestampOutOfRange
    }
}

/// A decimal number in JSON's grammar (RFC 8259 section 6): 0.`digits` · 10^`point`.
struct Decimal<'a> {
    negative: bool,
    integer: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Decimal<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let (negative, text) =
            text.strip_prefix(b"-").map_or((false, text), |unsigned| (true, unsigned));
        let (integer, mut rest) = split_digits(text);
        if integer.is_empty() || (integer.len() > 1 && integer[0] == b'0') {
            return None;
        }
        let mut fraction: &[u8] = &[];
        if let Some(after) = rest.strip_prefix(b".") {
            (fraction, rest) = split_digits(after);
            if fraction.is_empty() {
                return None;
            }
        }
        let mut exponent = 0;
        if let Some(after) = rest.strip_prefix(b"e").or(rest.strip_prefix(b"E")) {
            let (sign, after) = match after.first() {
                Some(b'-') => (-1, &after[1..]),
                Some(b'+') => (1, &after[1..]),
                _ => (1, after),
            };
            let digits;
            (digits, rest) = split_digits(after);
            if digits.is_empty() {
                return None;
            }
            // Larger than any number of digits can offset: the number is 0 or out of range.
            exponent = sign
                * digits.iter().fold(0i64, |sum, digit| {
                    (10 * sum + i64::from(digit - b'0')).min(i64::from(u32::MAX))
                });
        }
        rest.is_empty().then_some(Self { negative, integer, fraction, exponent })
    }

    /// The number as whole milliseconds since the epoch; fractions are cut off.
    fn milliseconds(&self) -> Result<i64, RejectReason> {
        let digits = || self.integer.iter().chain(self.fraction).map(|digit| digit - b'0');
        let leading_zeros = digits().take_while(|digit| *digit == 0).count();
        let significant = self.integer.len() + self.fraction.len() - leading_zeros;
        // Places before the decimal point, counted from the first digit that is not 0.
        let places = self.integer.len() as i64 - leading_zeros as i64 + self.exponent;
        if significant == 0 {
            return Ok(0);
        }
        // A negative number is before 2000 in any case.
        if self.negative || places >= HUGE_DIGITS {
            return Err(RejectReason::TimestampOutOfRange);
        }
        let wanted = if places >= MILLISECONDS_FROM_DIGITS { places } else { places + 3 };
        let kept = digits().skip(leading_zeros).chain(std::iter::repeat(0));
        let wanted = usize::try_from(wanted).unwrap_or(0);
        Ok(kept.take(wanted).fold(0, |sum, digit| 10 * sum + i64::from(digit)))
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: i64 = 1_694_479_551_000;

    #[test]
    fn numbers_and_numeric_strings() {
        for (text, expected) in [
            ("1694479551", T),
            ("1694479551000", T),
            ("1694479551.25", T + 250),
            ("1694479551.251", T + 251),
            ("1694479551.2519999", T + 251),
            ("1.694479551e9", T),
            ("1.69447955125E+9", T + 250),
            ("16944795510e-1", T),
            ("1694479551250.9", T + 250),
            ("1.694479551e12", T),
            ("0.000001694479551e15", T),
            ("99999999999.999", 99_999_999_999_999),
            ("100000000000", 100_000_000_000),
            ("0", 0),
            ("-0.0e5", 0),
            ("0e999999999999999999999", 0),
            ("1e-99999999999999", 0),
            ("0.9996", 999),
        ] {
            assert_eq!(from_text(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn far_numbers_are_out_of_range_not_wrong() {
        for text in ["-1", "-1694479551", "1e400", "9999999999999999999999", "1e99999999999999"] {
            assert_eq!(from_text(text), Err(RejectReason::TimestampOutOfRange), "{text}");
        }
        assert_eq!(from_integer(u64::MAX), Err(RejectReason::TimestampOutOfRange));
        assert_eq!(from_integer(99_999_999_999), Ok(99_999_999_999_000));
        assert_eq!(from_integer(100_000_000_000), Ok(100_000_000_000));
    }

    #[test]
    fn a_time_without_a_calendar_is_out_of_range_and_not_unreadable() {
        assert_eq!(from_text("2023-09-12T02:45:51.25+02:00"), Ok(T + 250));
        let last = from_text("9999-12-31T23:59:59Z").and_then(|time| check_range(time, i64::MAX));
        assert_eq!(last, Err(RejectReason::TimestampOutOfRange));
    }

    #[test]
    fn other_texts_are_unreadable() {
        for text in [
            "",
            " 1694479551",
            "1694479551 ",
            "+1694479551",
            "01694479551",
            "1694479551.",
            ".5",
            "1e",
            "0x65",
            "NaN",
            "Infinity",
            "1_694",
            "yesterday",
            "2023-09-12",
            "2023-09-12T00:45:51",
            "2023-09-12T00:45Z",
            "20230912T004551.0000Z",
            "2023-13-12T00:45:51Z",
            "2023-09-12T00:45:51+00:00[UTC]",
            "2023-09-12T00:45:51[America/New_York]",
            "2023-09-12T00:45:51+25:00",
            "é023-09-12T00:45:51Z",
        ] {
            assert_eq!(from_text(text), Err(RejectReason::TimestampUnreadable), "{text}");
        }
    }

    #[test]
    fn range_is_inclusive_and_within_the_calendar() {
        let out = Err(RejectReason::TimestampOutOfRange);
        assert_eq!(check_range(EARLIEST_MS, T), Ok(EARLIEST_MS));
        assert_eq!(check_range(EARLIEST_MS - 1, T), out);
        assert_eq!(check_range(T, T), Ok(T));
        assert_eq!(check_range(T + 1, T), out);
        assert_eq!(check_range(i64::MAX, i64::MAX), out);
    }

    #[test]
    fn a_record_that_no_event_fits_has_an_odd_time_itself() {
        let of_record = Err(RejectReason::KafkaTimestampOutOfRange);
        let out = Err(RejectReason::TimestampOutOfRange);
        let latest = EARLIEST_MS - 1;
        for time in [EARLIEST_MS, T, Timestamp::MAX.as_millisecond()] {
            assert_eq!(check_range(time, latest), of_record);
        }
        for time in [latest, 0, i64::MAX] {
            assert_eq!(check_range(time, latest), out);
        }
        assert_eq!(check_range(T, EARLIEST_MS), out);
    }

    proptest! {
        /// The model: exact integer arithmetic on (digits, scale).
        #[test]
        fn decimals_are_exact(digits in 0u64..1_000_000_000_000_000, scale in 0usize..20) {
            let digits = digits.to_string();
            let padded = format!("{digits:0>width$}", width = scale + 1);
            let (integer, fraction) = padded.split_at(padded.len() - scale);
            let point = if scale == 0 { "" } else { "." };
            let text = format!("{integer}{point}{fraction}");
            let value: u128 = digits.parse().expect("digits");
            let unit = 10u128.pow(scale as u32);
            let factor = if value >= 100_000_000_000 * unit { 1 } else { 1000 };
            let expected = (value * factor / unit) as i64;
            prop_assert_eq!(from_text(&text), Ok(expected));
            let exponent = format!("{digits}e-{scale}");
            prop_assert_eq!(from_text(&exponent), Ok(expected));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9.eETZ: ]{0,30}") {
            let _ = from_text(&text).and_then(|time| check_range(time, i64::MAX));
        }
    }
}
