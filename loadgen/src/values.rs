//! The values of flags.
//!
//! In:  the text of a flag. Out: its value, or what was expected.

use jiff::{SignedDuration, Timestamp};

/// A duration with units, not negative.
pub(crate) fn duration(text: &str) -> Result<SignedDuration, String> {
    match text.parse::<SignedDuration>() {
        Ok(duration) if !duration.is_negative() => Ok(duration),
        _ => Err("expected a number with a unit, such as 500ms, 10s, 5m or 1h30m".to_owned()),
    }
}

/// A share: 0 to 1.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1, such as 0.05".to_owned()),
    }
}

/// A point in time in epoch seconds.
pub(crate) fn start_time(text: &str) -> Result<i64, String> {
    let time =
        text.parse::<i64>().ok().or_else(|| Some(text.parse::<Timestamp>().ok()?.as_second()));
    time.ok_or_else(|| {
        "expected epoch seconds or an RFC 3339 time such as 2024-11-02T13:56:29Z".to_owned()
    })
}

/// A rate in events per second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("expected a number above 0".to_owned()),
    }
}

/// A property of librdkafka or of a topic.
pub(crate) fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected property=value")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_units_are_read_and_others_refused() {
        assert_eq!(duration("500ms"), Ok(SignedDuration::from_millis(500)));
        assert_eq!(duration("1h30m"), Ok(SignedDuration::from_secs(5_400)));
        assert!(duration("10").is_err() && duration("-1s").is_err() && duration("").is_err());
        assert_eq!(start_time("2023-09-12T00:45:51Z"), Ok(1_694_479_551));
        assert_eq!(start_time("1694479551"), Ok(1_694_479_551));
        assert!(start_time("yesterday").is_err());
        assert!(share("1.1").is_err() && share("NaN").is_err());
        assert!(rate("0").is_err() && rate("inf").is_err());
    }
}
