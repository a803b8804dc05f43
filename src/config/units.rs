//! Durations and sizes with units, as people write them: `500ms`, `1m30s`, `256MiB`.
//!
//! Pure. A number without a unit is an error, because its meaning is unknown; so is anything that
//! is not a whole number of milliseconds or bytes.

use std::time::Duration;

use bytesize::ByteSize;

use super::alternatives;
use crate::limits;

/// Units of a duration with their milliseconds, largest first.
const DURATION_UNITS: [(&str, f64); 5] =
    [("d", 86_400_000.0), ("h", 3_600_000.0), ("m", 60_000.0), ("s", 1000.0), ("ms", 1.0)];

/// Parses `500ms`, `10s`, `1.5h` or `1m30s`: numbers with units, larger units first. The result is
/// a whole number of milliseconds and at most `DURATION_MAX`. The error says what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let examples = || examples(text, &["ms", "s", "m"], "500ms, 10s, 5m, 1h30m or 2d");
    let invalid = || format!("expected a duration such as {}", examples());
    let mut rest = text;
    let mut total_ms = 0.0;
    let mut units = DURATION_UNITS.iter();
    if text.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split_where(after, |c| c.is_ascii_alphabetic());
        let number: f64 = number.parse().map_err(|_| invalid())?;
        // The iterator only goes on, so a unit can neither repeat nor follow a smaller one.
        let (_, unit_ms) = units.find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        total_ms += number * unit_ms;
        rest = after;
    }
    if total_ms > limits::DURATION_MAX.as_millis() as f64 {
        return Err(format!("expected at most {}d", limits::DURATION_MAX.as_secs() / 86_400));
    }
    let whole_ms = total_ms.round();
    if (total_ms - whole_ms).abs() > 1e-6 {
        return Err("expected a whole number of milliseconds; round it".to_owned());
    }
    Ok(Duration::from_millis(whole_ms as u64))
}

/// Parses a duration of at least `min` and at most `max`.
pub fn duration_within(text: &str, min: Duration, max: Duration) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration < min {
        Err(format!("expected at least {min:?}"))
    } else if duration > max {
        Err(format!("expected at most {max:?}"))
    } else {
        Ok(duration)
    }
}

/// Parses the length of a window. Window records are keyed by whole seconds.
pub fn parse_window(text: &str) -> Result<Duration, String> {
    let size = duration_within(text, limits::WINDOW_MIN, limits::DURATION_MAX)?;
    if size.subsec_millis() == 0 {
        Ok(size)
    } else {
        Err("expected a whole number of seconds; round it".to_owned())
    }
}

/// Parses `256MiB`, `1.5GiB` or `64MB` to bytes. The error says what was expected.
pub fn parse_size(text: &str) -> Result<usize, String> {
    let examples = || examples(text, &["MiB", "GiB"], "256MiB or 1GiB");
    let invalid = || format!("expected a size such as {}", examples());
    // bytesize takes a number without a unit as bytes.
    if text.parse::<f64>().is_ok() {
        return Err(invalid());
    }
    let size: ByteSize = text.parse().map_err(|_| invalid())?;
    usize::try_from(size.as_u64()).map_err(|_| invalid())
}

/// `text` with each of the units if it is a whole number, else other examples.
fn examples(text: &str, units: &[&str], others: &str) -> String {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return others.to_owned();
    }
    let examples: Vec<String> = units.iter().map(|unit| format!("{text}{unit}")).collect();
    alternatives(&examples)
}

/// Splits `text` before its first character that `belongs` refuses.
fn split_where(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_mean_what_they_say() {
        for (text, ms) in [
            ("0s", 0),
            ("500ms", 500),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1m0s250ms", 60_250),
            ("1.5h", 5_400_000),
            ("0.25s", 250),
            ("2d", 172_800_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_brings_the_units() {
        let duration = parse_duration("10").expect_err("no unit");
        assert_eq!(duration, "expected a duration such as 10ms, 10s or 10m");
        assert_eq!(parse_size("10"), Err("expected a size such as 10MiB or 10GiB".to_owned()));
        for text in ["1.5", "-3", "x"] {
            let duration = parse_duration(text).expect_err("no unit");
            assert_eq!(duration, "expected a duration such as 500ms, 10s, 5m, 1h30m or 2d");
            let size = parse_size(text).expect_err("no unit");
            assert_eq!(size, "expected a size such as 256MiB or 1GiB");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "s",
            "ms",
            "10x",
            "10S",
            "10 s",
            "-10s",
            "10s5s",
            "5s1m",
            "1..5s",
            ".",
            "0.5ms",
            "10s ago",
            "1e3s",
            "400d",
            "99999999999999999999d",
            "10s\u{e9}",
            "\u{661}s",
            "infs",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_mean_what_they_say() {
        assert_eq!(parse_size("256MiB"), Ok(256 << 20));
        assert_eq!(parse_size("1.5GiB"), Ok(3 << 29));
        assert_eq!(parse_size("64 MB"), Ok(64_000_000));
        for text in ["", "MiB", "-1MiB", "12parsecs", "NaN", "inf MiB", "1..2MiB"] {
            assert!(parse_size(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_back(ms in 0_u64..31_536_000_000) {
            let (s, h) = (ms / 1000, ms / 3_600_000);
            let text = format!("{h}h{}m{}s{}ms", s / 60 % 60, s % 60, ms % 1000);
            prop_assert_eq!(parse_duration(&text), Ok(Duration::from_millis(ms)));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = parse_duration(&text);
            let _ = parse_size(&text);
        }
    }
}
