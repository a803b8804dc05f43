//! Checks the fields that the processor adds to an event.
//!
//! In:  an output as read. Out: descriptions of what is wrong with its added fields.
//! Holds: `readable_timestamp` and `hour_of_day` follow exactly from the event time; of
//! `processed_timestamp` only the form is checked.

use jiff::{Timestamp, civil::DateTime};
use serde_json::value::RawValue;

use super::judge::JudgeSettings;
use crate::{args::TimestampStyle, json, rules::Reading};

/// Descriptions of what is wrong.
pub(super) fn mistakes(reading: &Reading<'_>, settings: &JudgeSettings) -> Vec<String> {
    let [processed, readable, hour] = reading.added;
    let mut wrong = Vec::new();
    let text = |value: Option<&RawValue>| -> Option<String> {
        Some(json::readable(json::string(value?.get()).ok()?).into_owned())
    };
    if !text(processed).is_some_and(|text| is_processed_form(&text, settings.timestamp_style)) {
        wrong.push("processed_timestamp is missing or malformed".to_owned());
    }
    let Ok(time) = Timestamp::from_millisecond(reading.time_ms) else {
        wrong.push("the event time is beyond the calendar".to_owned());
        return wrong;
    };
    let local = time.to_zoned_datetime(settings.timezone.clone());
    let naive = local.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let accepted = match settings.timestamp_style {
        TimestampStyle::Naive => vec![naive],
        TimestampStyle::Rfc3339 => {
            let offset = local.strftime("%:z").to_string();
            let zulu = (offset == "+00:00").then(|| format!("{naive}Z"));
            zulu.into_iter().chain([format!("{naive}{offset}")]).collect()
        }
    };
    if !text(readable).is_some_and(|text| accepted.contains(&text)) {
        wrong.push(format!("readable_timestamp is not {}", accepted[0]));
    }
    if hour.map(RawValue::get) != Some(&local.hour().to_string()) {
        wrong.push(format!("hour_of_day is not {}", local.hour()));
    }
    wrong
}

/// Whether the text looks like `2024-11-02T15:14:15.044112`, in RFC 3339 style with an offset.
fn is_processed_form(text: &str, style: TimestampStyle) -> bool {
    const FORM: &str = "dddd-dd-ddTdd:dd:dd.dddddd";
    let Some((time, offset)) = text.split_at_checked(FORM.len()) else { return false };
    let is_form = time
        .bytes()
        .zip(FORM.bytes())
        .all(|(byte, form)| if form == b'd' { byte.is_ascii_digit() } else { byte == form });
    is_form
        && time.parse::<DateTime>().is_ok()
        && match style {
            TimestampStyle::Naive => offset.is_empty(),
            TimestampStyle::Rfc3339 => !offset.is_empty() && text.parse::<Timestamp>().is_ok(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processed_timestamps_have_one_form_per_style() {
        let naive = |text| is_processed_form(text, TimestampStyle::Naive);
        assert!(naive("2024-11-02T15:14:15.044112"));
        for text in [
            "",
            "2024-11-02T15:14:15",
            "2024-11-02T15:14:15.044",
            "2024-11-02 15:14:15.044112",
            "2024-11-02T15:14:15.044112Z",
            "2024-13-02T15:14:15.044112",
            "2024-11-02T25:14:15.044112",
            "2024-11-02T15:14:15.04411é",
        ] {
            assert!(!naive(text), "{text}");
        }
        let with_offset = |text| is_processed_form(text, TimestampStyle::Rfc3339);
        assert!(with_offset("2024-11-02T15:14:15.044112Z"));
        assert!(with_offset("2024-11-02T15:14:15.044112-08:00"));
        assert!(!with_offset("2024-11-02T15:14:15.044112"));
        assert!(!with_offset("2024-11-02T15:14:15.044112 soon"));
    }
}
