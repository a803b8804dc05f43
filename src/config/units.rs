//! Durations and sizes with units, as people write them: `500ms`, `1m30s`, `256MiB`.
//!
//! Pure. A number without a unit is refused, because nobody can tell which one was meant; so is
//! anything that is not a whole number of milliseconds or bytes.

use std::time::Duration;

use bytesize::ByteSize;

use crate::limits;

/// Units of a duration with their milliseconds, largest first.
const DURATION_UNITS: [(&str, f64); 5] =
    [("d", 86_400_000.0), ("h", 3_600_000.0), ("m", 60_000.0), ("s", 1000.0), ("ms", 1.0)];

/// Parses `500ms`, `10s`, `1.5h` or `1m30s`: numbers with units, larger units first. The result is
/// a whole number of milliseconds and at most `DURATION_MAX`. The error is a remedy.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const HOW: &str = "write a number with its unit: 500ms, 10s, 5m, 1h30m or 2d";
    if text.parse::<f64>().is_ok() {
        return Err(format!("has no unit; write {text}s, {text}ms or {text}m"));
    }
    if text.is_empty() {
        return Err(format!("is empty; {HOW}"));
    }
    let mut rest = text;
    let mut total_ms = 0.0;
    let mut units = DURATION_UNITS.iter();
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split_where(after, |c| c.is_ascii_alphabetic());
        let number: f64 = number.parse().map_err(|_| format!("is not a duration; {HOW}"))?;
        // The iterator only goes on, so a unit can neither repeat nor follow a smaller one.
        let (_, unit_ms) = units
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| format!("has the unknown or misplaced unit {unit:?}; {HOW}"))?;
        total_ms += number * unit_ms;
        rest = after;
    }
    if total_ms > limits::DURATION_MAX.as_millis() as f64 {
        let days = limits::DURATION_MAX.as_secs() / 86_400;
        return Err(format!("is longer than {days} days; write a shorter one"));
    }
    let whole_ms = total_ms.round();
    if (total_ms - whole_ms).abs() > 1e-6 {
        return Err("is not a whole number of milliseconds; round it".to_owned());
    }
    Ok(Duration::from_millis(whole_ms as u64))
}

/// Parses the length of a window. Window records are keyed by whole seconds.
pub fn parse_window(text: &str) -> Result<Duration, String> {
    let size = duration_within(text, limits::WINDOW_MIN, limits::DURATION_MAX)?;
    if size.subsec_millis() == 0 {
        Ok(size)
    } else {
        Err("is not a whole number of seconds; round it".to_owned())
    }
}

/// Parses a duration of at least `min` and at most `max`.
pub fn duration_within(text: &str, min: Duration, max: Duration) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration < min {
        Err(format!("is below the smallest value of {min:?}; raise it"))
    } else if duration > max {
        Err(format!("is above the largest value of {max:?}; lower it"))
    } else {
        Ok(duration)
    }
}

/// Parses `256MiB`, `1.5GiB` or `64MB` to bytes. The error is a remedy.
pub fn parse_size(text: &str) -> Result<usize, String> {
    const HOW: &str = "write a number with its unit: 256MiB or 1GiB";
    if text.parse::<f64>().is_ok() {
        return Err(format!("has no unit; write {text}MiB or {text}GiB"));
    }
    let size: ByteSize = text.parse().map_err(|_| format!("is not a size; {HOW}"))?;
    usize::try_from(size.as_u64()).map_err(|_| format!("is too large; {HOW}"))
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
    fn a_bare_number_is_asked_for_its_unit() {
        for text in ["10", "0", "1.5", "-3"] {
            let duration = parse_duration(text).expect_err("no unit");
            assert!(duration.starts_with(&format!("has no unit; write {text}s")), "{duration}");
            let size = parse_size(text).expect_err("no unit");
            assert!(size.starts_with(&format!("has no unit; write {text}MiB")), "{size}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
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
