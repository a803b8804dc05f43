//! Reads an RFC 3339 time. Pure.
//!
//! In:  `2023-09-12T02:45:51.250+02:00`. Out: milliseconds since the Unix epoch.
//! Holds: a fraction may have any number of digits, and is cut to milliseconds; a leap second
//! counts as the second before it. Beyond section 5.6, a comma before the fraction and an offset
//! without colon or minutes are accepted, which ISO 8601 allows and many programs write.

/// Largest offset from UTC, minutes, as in Java.
const OFFSET_MAX_MINUTES: i64 = 18 * 60;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// The time in milliseconds since the Unix epoch, or `None` for any other text.
pub(super) fn milliseconds(text: &[u8]) -> Option<i64> {
    let (year, rest) = (number(text.get(..4)?)?, text.get(4..)?);
    let (month, rest) = part(rest, b"-")?;
    let (day, rest) = part(rest, b"-")?;
    let (hour, rest) = part(rest, b"Tt ")?;
    let (minute, rest) = part(rest, b":")?;
    let (second, rest) = part(rest, b":")?;
    let (fraction_ms, rest) = fraction(rest)?;
    let is_date = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    let is_time = hour < 24 && minute < 60 && second <= 60;
    if !is_date || !is_time {
        return None;
    }
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset_minutes(rest)?;
    Some((minutes * 60 + second.min(59)) * 1000 + fraction_ms)
}

/// Two digits after one of the marks.
fn part<'a>(text: &'a [u8], marks: &[u8]) -> Option<(i64, &'a [u8])> {
    let (mark, rest) = text.split_first()?;
    marks.contains(mark).then_some(())?;
    Some((number(rest.get(..2)?)?, &rest[2..]))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| 10 * sum + i64::from(digit - b'0'))
    })
}

/// The milliseconds of a fraction and the text after it; 0 without a fraction.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.' | b',', rest)) = text.split_first() else { return Some((0, text)) };
    let (digits, rest) = rest.split_at(rest.iter().take_while(|b| b.is_ascii_digit()).count());
    let milliseconds = [100, 10, 1].iter().zip(digits);
    let sum = milliseconds.map(|(unit, digit)| unit * i64::from(digit - b'0')).sum();
    (!digits.is_empty()).then_some((sum, rest))
}

/// The offset from UTC in minutes, written as `Z`, `+02:00`, `+0200` or `+02`.
fn offset_minutes(text: &[u8]) -> Option<i64> {
    let (hours, minutes) = match text {
        [b'Z' | b'z'] => return Some(0),
        [_, hours @ ..] if hours.len() == 2 => (hours, &b"00"[..]),
        [_, rest @ ..] if rest.len() == 4 => rest.split_at(2),
        [_, hour, tens, b':', minutes @ ..] if minutes.len() == 2 => (&[*hour, *tens][..], minutes),
        _ => return None,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let offset = 60 * hours + minutes;
    (minutes < 60 && offset <= OFFSET_MAX_MINUTES).then_some(())?;
    match text[0] {
        b'+' => Some(offset),
        b'-' => Some(-offset),
        _ => None,
    }
}

fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the Unix epoch. It counts years from March, so that the leap day is the last of its
/// year. The formula is `days_from_civil` of Howard Hinnant's "chrono-compatible low-level date
/// algorithms".
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, Time};
    use proptest::prelude::*;

    use super::*;

    const T: i64 = 1_694_479_551_000;

    #[test]
    fn what_is_read() {
        for (text, expected) in [
            ("2023-09-12T00:45:51Z", T),
            ("2023-09-12t00:45:51z", T),
            ("2023-09-12 02:45:51.250+02:00", T + 250),
            ("2023-09-11T20:45:51.2519999-04:00", T + 251),
            ("2023-09-12T00:45:51.251999999999999999999999Z", T + 251),
            ("2023-09-12T00:45:51,5Z", T + 500),
            ("2023-09-12T02:45:51+0200", T),
            ("2023-09-12T02:45:51+02", T),
            ("2023-09-12T00:45:51-00:00", T),
            ("2023-09-12T18:45:51+18:00", T),
            ("2023-09-11T06:45:51-18:00", T),
            ("2023-09-12T00:45:60Z", T + 8_000),
            ("2016-12-31T23:59:60.999Z", 1_483_228_799_999),
            ("1970-01-01T00:00:00Z", 0),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999-18:00", 253_402_365_599_999),
        ] {
            assert_eq!(milliseconds(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_read() {
        for text in [
            "2023-09-12T00:45:51",
            "2023-09-12T00:45:51.Z",
            "2023-09-12T00:45:51.5.5Z",
            "2023-09-12T00:45:51ZZ",
            "2023-09-12T00:45:51 Z",
            "2023-09-12T00:45:61Z",
            "2023-09-12T00:60:51Z",
            "2023-09-12T24:00:00Z",
            "2023-02-29T00:45:51Z",
            "1900-02-29T00:45:51Z",
            "2023-00-12T00:45:51Z",
            "2023-09-00T00:45:51Z",
            "2023-09-12T00:45:51+25:00",
            "2023-09-12T00:45:51+18:01",
            "2023-09-12T00:45:51-1801",
            "2023-09-12T00:45:51+02:60",
            "2023-09-12T00:45:51+02:30:15",
            "2023-09-12T00:45:51+2:00",
            "2023-09-12T00:45:51+02:0",
            "2023-09-12T00:45:51+",
            "2023-09-12T00:45:51*02:00",
            "2023-09-12T00:45:51\u{2212}02:00",
            "2023-09-12_00:45:51Z",
            "+023-09-12T00:45:51Z",
        ] {
            assert_eq!(milliseconds(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        /// The model: the calendar's own library, and offsets and fractions by hand.
        #[test]
        fn every_date_time_fraction_and_offset_agrees_with_the_calendar(
            (year, month, day) in (0..=9999_i16, 0..=13_i8, 0..=32_i8),
            (hour, minute, second) in (0..=25_i8, 0..=61_i8, 0..=61_i8),
            fraction in "([.,][0-9]{1,20})?",
            (sign, hours, minutes) in (prop::sample::select(vec!["+", "-"]), 0..=26_i64, 0..=61_i64),
            colon in prop::sample::select(vec![":", ""]),
        ) {
            let offset = format!("{sign}{hours:02}{colon}{minutes:02}");
            let text = format!(
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{offset}"
            );
            let date = Date::new(year, month, day).ok();
            // A leap second, which the library's constructor does not take, is the one before.
            let second = if second == 60 { 59 } else { second };
            let time = Time::new(hour, minute, second, 0).ok();
            let is_offset = minutes < 60 && hours * 60 + minutes <= 18 * 60;
            let expected = date.zip(time).filter(|_| is_offset).map(|(date, time)| {
                let epoch = Date::new(1970, 1, 1).expect("a date").at(0, 0, 0, 0);
                let local = date.to_datetime(time).duration_since(epoch).as_millis() as i64;
                let digits: String = fraction.chars().skip(1).chain("000".chars()).take(3).collect();
                let offset_ms = (hours * 60 + minutes) * 60_000;
                let utc = if sign == "+" { local - offset_ms } else { local + offset_ms };
                utc + digits.parse::<i64>().expect("three digits")
            });
            prop_assert_eq!(milliseconds(text.as_bytes()), expected, "{}", text);
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = milliseconds(&text);
        }
    }
}
