//! The judge's own parser of records: the documented rules of the input, implemented a second time.
//!
//! In:  a record's bytes, its Kafka timestamp. Out: a login, or the rule that it breaks.
//! Holds: nothing here is shared with the processor under test. It uses plain `serde_json` and no
//! shortcuts: this code has to be right, not fast.

use std::borrow::Cow;

use jiff::{Timestamp, civil::DateTime};
use serde_json::value::RawValue;

use crate::json;

/// The known fields; the first two are required.
const USER_ID: &str = "user_id";
const TIMESTAMP: &str = "timestamp";
const OPTIONAL: [&str; 5] = ["app_version", "device_type", "ip", "locale", "device_id"];

/// Fields that the processor adds: the time of processing, the event time as text, its hour.
const ADDED: [&str; 3] = ["processed_timestamp", "readable_timestamp", "hour_of_day"];

/// Deepest nesting that is accepted; the record's own object is level 1.
const MAX_DEPTH: usize = 16;

/// Longest value that is counted under its own name, in bytes.
const MAX_COUNTED_BYTES: usize = 64;

/// Earliest accepted event time: 2000-01-01T00:00:00Z in epoch milliseconds.
const EARLIEST_MS: i64 = 946_684_800_000;

/// Numbers from this one on are timestamps in milliseconds.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

/// Largest exponent: with a larger one the number is out of range, however many digits it has.
const MAX_EXPONENT: i32 = 100_000;

/// The value that is counted and written in place of a missing one.
const UNKNOWN: &str = "unknown";

/// The value counted in place of one that is too long or beyond the limit of values.
pub(crate) const OTHER: &str = "other";

/// Limits from the processor's configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// How far an event may be ahead of its record's Kafka timestamp, in milliseconds.
    pub(crate) max_future_ms: i64,
    /// Longest accepted value in bytes.
    pub(crate) max_event_bytes: usize,
}

/// The rule that a record breaks. A record that breaks several is rejected for the first in this
/// order, and for `user_id` before `timestamp` before the optional fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The value has no bytes.
    Empty,
    /// Longer than allowed.
    TooLarge,
    /// Not UTF-8; also a `user_id` with half of a surrogate pair.
    Encoding,
    NotJson,
    /// Not JSON, and nested too deep: a parser may see either first.
    NotJsonOrTooDeep,
    /// Nested too deep.
    TooDeep,
    /// JSON, but not an object.
    NotAnObject,
    /// A known field occurs twice.
    Duplicate,
    /// `user_id` or `timestamp` is missing, null or empty.
    Missing,
    /// A field has an invalid type.
    Type,
    /// `timestamp` is text, but not a time.
    TimeUnreadable,
    /// `timestamp` is before 2000 or too far ahead.
    TimeRange,
    /// The record's own time is so far before 2000 that no `timestamp` is valid for it.
    RecordTime,
}

impl Broken {
    /// The words that a dead letter may give as its reason.
    pub(crate) fn reasons(self) -> &'static [&'static str] {
        match self {
            Self::Empty => &["empty"],
            Self::TooLarge => &["too_large"],
            Self::Encoding => &["invalid_utf8"],
            Self::NotJson => &["not_json"],
            Self::NotJsonOrTooDeep => &["not_json", "too_deep"],
            Self::TooDeep => &["too_deep"],
            Self::NotAnObject => &["not_an_object"],
            Self::Duplicate => &["duplicate_field"],
            Self::Missing => &["missing_field"],
            Self::Type => &["wrong_type"],
            Self::TimeUnreadable => &["timestamp_unreadable"],
            Self::TimeRange => &["timestamp_out_of_range"],
            Self::RecordTime => &["kafka_timestamp_out_of_range"],
        }
    }
}

/// A login as the judge reads it.
pub(crate) struct Reading<'a> {
    /// The user, unescaped.
    pub(crate) user_id: Cow<'a, str>,
    /// Event time in epoch milliseconds; fractions of a millisecond are cut off.
    pub(crate) time_ms: i64,
    /// The values to count as location, device and version.
    pub(crate) counted: [Cow<'a, str>; 3],
    /// Hash of the value that the processor should write, without the fields that it adds.
    pub(crate) fingerprint: u128,
    /// The field `event_no`, which loadgen adds.
    pub(crate) event_no: Option<u64>,
    /// The field `sent_us`, which loadgen adds.
    pub(crate) sent_us: Option<u64>,
    /// The added fields as found: processed, readable, hour.
    pub(crate) added: [Option<&'a RawValue>; 3],
    /// A known or added field that occurs twice (outputs only).
    pub(crate) doubled: Option<String>,
}

impl Rules {
    /// Reads an input value.
    pub(crate) fn read_input<'a>(
        &self,
        value: &'a [u8],
        kafka_time_ms: i64,
    ) -> Result<Reading<'a>, Broken> {
        if value.is_empty() {
            return Err(Broken::Empty);
        }
        if value.len() > self.max_event_bytes {
            return Err(Broken::TooLarge);
        }
        read(value, Side::Input { latest_ms: kafka_time_ms.saturating_add(self.max_future_ms) })
    }
}

/// Reads a value that the processor wrote. The same rules apply, and no field may be missing.
pub(crate) fn read_output(value: &[u8]) -> Result<Reading<'_>, Broken> {
    read(value, Side::Output)
}

#[derive(Clone, Copy)]
enum Side {
    /// An input value, with the latest valid event time.
    Input {
        latest_ms: i64,
    },
    Output,
}

fn read(value: &[u8], side: Side) -> Result<Reading<'_>, Broken> {
    let text = std::str::from_utf8(value).map_err(|_| Broken::Encoding)?;
    let is_deep = json::depth(text) > MAX_DEPTH;
    if !json::is_valid(text) {
        return Err(if is_deep { Broken::NotJsonOrTooDeep } else { Broken::NotJson });
    }
    if is_deep {
        return Err(Broken::TooDeep);
    }
    let json::Fields(mut fields) = json::Fields::read(text).map_err(|_| Broken::NotAnObject)?;
    let is_input = matches!(side, Side::Input { .. });
    let doubled = doubled(&fields);
    if is_input && doubled.as_deref().is_some_and(|name| !ADDED.contains(&name)) {
        return Err(Broken::Duplicate);
    }
    let find = |name: &str| {
        let found = fields.iter().rev().find(|field| *field.0 == *name.as_bytes());
        found.map(|field| field.1)
    };

    let user_id = user_id(find(USER_ID))?;
    let time_ms = time_ms(find(TIMESTAMP))?;
    if let Side::Input { latest_ms } = side
        && !(EARLIEST_MS..=latest_ms).contains(&time_ms)
    {
        let calendar = EARLIEST_MS..=Timestamp::MAX.as_millisecond();
        let fits_no_event = latest_ms < EARLIEST_MS && calendar.contains(&time_ms);
        return Err(if fits_no_event { Broken::RecordTime } else { Broken::TimeRange });
    }

    let mut counted = [Cow::Borrowed(""), Cow::Borrowed(""), Cow::Borrowed("")];
    for name in OPTIONAL {
        let value = optional(find(name))?;
        match name {
            "locale" => counted[0] = value,
            "device_type" => counted[1] = value,
            "app_version" => counted[2] = value,
            _ => {}
        }
    }
    let number = |name| find(name).and_then(|value| value.get().parse().ok());
    let (event_no, sent_us) = (number("event_no"), number("sent_us"));
    let added = ADDED.map(find);

    fields.retain(|(name, value)| {
        let is_one_of = |names: &[&str]| names.iter().any(|one| *one.as_bytes() == **name);
        let is_replaced = is_input && is_one_of(&OPTIONAL) && is_absent(value);
        !is_one_of(&ADDED) && !is_replaced
    });
    if is_input {
        let unknown: &RawValue =
            serde_json::from_str("\"unknown\"").expect("this literal is valid JSON");
        for name in OPTIONAL {
            if !fields.iter().any(|field| *field.0 == *name.as_bytes()) {
                fields.push((Cow::Borrowed(name.as_bytes()), unknown));
            }
        }
    }
    let mut form = Vec::with_capacity(value.len() + 64);
    json::canonical_fields(fields, &mut form).map_err(|_| Broken::NotJson)?;
    let fingerprint = json::hash(&form);
    Ok(Reading { user_id, time_ms, counted, fingerprint, event_no, sent_us, added, doubled })
}

/// A known or added field that occurs twice; a known one if there are several.
fn doubled(fields: &[(Cow<'_, [u8]>, &RawValue)]) -> Option<String> {
    // The added fields come last: an input is rejected for a duplicate known field only.
    let mut names = [USER_ID, TIMESTAMP].into_iter().chain(OPTIONAL).chain(ADDED);
    let times = |name: &str| fields.iter().filter(|field| *field.0 == *name.as_bytes()).count();
    names.find(|name| times(name) > 1).map(str::to_owned)
}

/// Whether a value is null or the empty string.
fn is_absent(value: &RawValue) -> bool {
    matches!(value.get(), "null" | "\"\"")
}

/// The value to count for an optional field.
fn optional(value: Option<&RawValue>) -> Result<Cow<'_, str>, Broken> {
    let Some(value) = value.filter(|value| !is_absent(value)) else {
        return Ok(Cow::Borrowed(UNKNOWN));
    };
    let text = value.get();
    let counted = match text.as_bytes().first() {
        Some(b'{' | b'[') => return Err(Broken::Type),
        Some(b'"') => json::readable(json::string(text).map_err(|_| Broken::NotJson)?),
        _ => Cow::Borrowed(text),
    };
    if counted.len() > MAX_COUNTED_BYTES {
        return Ok(Cow::Borrowed(OTHER));
    }
    Ok(counted)
}

/// The user, unescaped.
fn user_id(value: Option<&RawValue>) -> Result<Cow<'_, str>, Broken> {
    let value = value.filter(|value| !is_absent(value)).ok_or(Broken::Missing)?;
    let user_id = json::string(value.get()).map_err(|_| Broken::Type)?;
    if std::str::from_utf8(&user_id).is_err() {
        return Err(Broken::Encoding);
    }
    Ok(json::readable(user_id))
}

/// Event time in epoch milliseconds.
fn time_ms(value: Option<&RawValue>) -> Result<i64, Broken> {
    let value = value.filter(|value| !is_absent(value)).ok_or(Broken::Missing)?;
    let text = value.get();
    if is_number(text) {
        return number_ms(text).ok_or(Broken::TimeRange);
    }
    if !text.starts_with('"') {
        return Err(Broken::Type);
    }
    let text = json::readable(json::string(text).map_err(|_| Broken::NotJson)?);
    if is_number(&text) {
        return number_ms(&text).ok_or(Broken::TimeRange);
    }
    text_ms(&text).ok_or(Broken::TimeUnreadable)
}

/// Epoch milliseconds from an RFC 3339 time, or one with a comma or a short offset as in ISO 8601.
fn text_ms(text: &str) -> Option<i64> {
    // RFC 3339 section 5.6 allows a space for the T.
    let seconds =
        text.get(..19).filter(|seconds| matches!(seconds.as_bytes()[10], b'T' | b't' | b' '))?;
    // A leap second counts as the second before it; `60` is not at the end of any other time.
    let seconds = seconds.strip_suffix("60").map_or(seconds.to_owned(), |rest| format!("{rest}59"));
    let is_shaped =
        seconds.bytes().zip("dddd-dd-ddTdd:dd:dd".bytes()).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            b'T' => true,
            mark => byte == mark,
        });
    let local = is_shaped.then(|| seconds.parse::<DateTime>().ok())??;
    let rest = &text[19..];
    let (fraction, offset) = match rest.strip_prefix(['.', ',']) {
        None => ("0", rest),
        Some(more) => more.split_at(more.find(|c: char| !c.is_ascii_digit())?),
    };
    let fraction_ms: i64 =
        format!("{fraction:0<3}").get(..3).filter(|_| !fraction.is_empty())?.parse().ok()?;
    let local_ms = local.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_millis();
    Some(i64::try_from(local_ms).ok()? + fraction_ms - 60_000 * offset_minutes(offset)?)
}

/// The offset in minutes, written as `Z`, `+hh:mm`, `+hhmm` or `+hh`; at most 18 hours.
fn offset_minutes(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text.strip_prefix(['+', '-'])?;
    let digits = if digits.len() == 5 { digits.replacen(':', "", 1) } else { digits.to_owned() };
    let digits = if digits.len() == 2 { digits + "00" } else { digits };
    let is_shaped = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = digits.parse().ok().filter(|_| is_shaped)?;
    let (hours, minutes) = (number / 100, number % 100);
    (minutes < 60 && number <= 1800).then_some(sign * (60 * hours + minutes))
}

/// Whether the whole text is a JSON number.
fn is_number(text: &str) -> bool {
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
    let begins = text.bytes().next().is_some_and(|byte| byte == b'-' || byte.is_ascii_digit());
    begins && is_edge(text.bytes().last()) && json::is_valid(text)
}

/// Epoch milliseconds from a JSON number: seconds, or milliseconds from 1e11 on. It is exact;
/// fractions of a millisecond are cut off. `None` when it is below 0 or beyond the calendar.
fn number_ms(text: &str) -> Option<i64> {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    if exponent.abs() > MAX_EXPONENT || number.starts_with('-') {
        return None;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut digits = format!("{whole}{fraction}");
    // The number of digits before the decimal point, after the exponent has moved it.
    let mut whole_digits = whole.len() as i32 + exponent;
    if whole_digits < 0 {
        digits.insert_str(0, &"0".repeat(whole_digits.unsigned_abs() as usize));
        whole_digits = 0;
    }
    let first = |count: usize| {
        let taken: String = digits.chars().chain(std::iter::repeat('0')).take(count).collect();
        let taken = taken.trim_start_matches('0');
        if taken.is_empty() { Some(0) } else { taken.parse::<i64>().ok() }
    };
    let whole = first(whole_digits as usize)?;
    if whole >= FIRST_MILLISECONDS { Some(whole) } else { first(whole_digits as usize + 3) }
}

#[cfg(test)]
mod tests;
