//! What enrichment writes, byte by byte.

use jiff::tz::TimeZone;

use super::{Members, PROCESSED_US, RECORD_MS, SAMPLE, enrich, enrich_with, with};
use crate::{
    event::{Enricher, EventConfig, Field, Parser, TimestampStyle},
    limits,
};

const TIMES: &str = r#", "processed_timestamp": "2024-11-02T15:14:15.044112", "readable_timestamp": "2023-09-12T00:45:51", "hour_of_day": 0}"#;

fn compact(text: &str) -> String {
    text.replace(", ", ",").replace(": ", ":")
}

/// All optional fields, so that none is added.
const FULL: &str =
    r#","app_version":"1","device_type":"iOS","ip":"::1","locale":"CA","device_id":"d""#;

#[test]
fn documented_sample() {
    let expected = format!("{}{TIMES}", &SAMPLE[..SAMPLE.len() - 1]);
    assert_eq!(enrich(SAMPLE), Ok(expected));
}

#[test]
fn missing_fields_are_appended_in_order() {
    let raw = r#"{"user_id": "u", "ip": "::1", "timestamp": 1694479551}"#;
    let expected = format!(
        r#"{{"user_id": "u", "ip": "::1", "timestamp": 1694479551, "app_version": "unknown", "device_type": "unknown", "locale": "unknown", "device_id": "unknown"{TIMES}"#
    );
    assert_eq!(enrich(raw), Ok(expected));
}

#[test]
fn separators_follow_the_input() {
    for (raw, is_spaced) in [
        (r#"{"user_id":"u","timestamp":1694479551"#, false),
        (r#"{"user_id":"u","timestamp": 1694479551"#, false),
        (r#"{"user_id": "u","timestamp":1694479551"#, true),
        (r#"{"user_id":"u", "timestamp":1694479551"#, true),
        (r#"{"x":[1, {"y": 2}],"user_id":"u","timestamp":1694479551"#, false),
        (r#"{"x":[1,{"y":2}], "user_id":"u","timestamp":1694479551"#, true),
    ] {
        let out = enrich(&format!("{raw}{FULL}}}")).expect("a valid event");
        let times = if is_spaced { TIMES.to_owned() } else { compact(TIMES) };
        assert_eq!(out, format!("{raw}{FULL}{times}"));
    }
}

#[test]
fn blanks_around_the_object_and_before_its_brace_are_dropped() {
    let raw = with(FULL);
    let inner = &raw[..raw.len() - 1];
    let out = enrich(&format!("\n {inner}\r\n\t }} \n")).expect("a valid event");
    assert_eq!(out, format!("{inner}{}", compact(TIMES)));
}

#[test]
fn null_and_empty_are_replaced_where_they_stand() {
    let raw = r#"{"user_id": "u", "locale" : null , "n": 1e400, "ip": "", "x": {"ip": null}, "timestamp": 1694479551.50, "device_type": "a" , "device_id": "d", "app_\u0076ersion": "\u0041" }"#;
    // Of a kept member, key to value; of what is between two, the comma and what follows it.
    let expected = format!(
        r#"{{"user_id": "u", "locale" : "unknown", "n": 1e400, "ip": "unknown", "x": {{"ip": null}}, "timestamp": 1694479551.50, "device_type": "a", "device_id": "d", "app_\u0076ersion": "\u0041"{TIMES}"#
    );
    assert_eq!(enrich(raw), Ok(expected));
}

#[test]
fn added_fields_of_the_input_are_written_anew() {
    let raw = format!(
        r#"{{"hour_of_day":5,"user_id":"u","readable_timestamp":[{{}}],"timestamp":1694479551,"x":{{"hour_of_day":3}}{FULL},"\u0068our_of_day":1,"processed_timestamp":null}}"#
    );
    let expected = format!(
        r#"{{"user_id":"u","timestamp":1694479551,"x":{{"hour_of_day":3}}{FULL}{}"#,
        compact(TIMES)
    );
    assert_eq!(enrich(&raw), Ok(expected));
}

#[test]
fn an_enriched_event_can_be_enriched_again() {
    let once = enrich(SAMPLE).expect("a valid event");
    assert_eq!(enrich(&once), Ok(once.clone()));
}

#[test]
fn numbers_beyond_the_parser_are_kept_as_written() {
    let odd =
        r#","a":123456789012345678901234567890,"b":[-1e-999,1e999],"c":"\ud83d\u0020","d\ude00":0"#;
    let raw = with(&format!("{FULL}{odd}"));
    let expected = format!("{}{}", &raw[..raw.len() - 1], compact(TIMES));
    assert_eq!(enrich(&raw), Ok(expected));
    let replaced = enrich(&with(&format!(r#","ip":null{odd}"#))).expect("a valid event");
    assert!(replaced.contains(odd), "{replaced}");
}

#[test]
fn zone_and_style() {
    let mut config = EventConfig {
        timezone: TimeZone::get("America/New_York").expect("a bundled zone"),
        timestamp_style: TimestampStyle::Rfc3339,
        ..EventConfig::default()
    };
    // Half an hour before the clocks go back, and half an hour after.
    for (timestamp, readable) in
        [(1_730_611_800, "2024-11-03T01:30:00-04:00"), (1_730_615_400, "2024-11-03T01:30:00-05:00")]
    {
        let raw = format!(r#"{{"user_id":"u","timestamp":{timestamp}}}"#);
        let mut parser = Parser::new(&config);
        let event = parser.parse(raw.as_bytes(), timestamp * 1000).expect("a valid event");
        let mut out = Vec::new();
        Enricher::new(&config).append(raw.as_bytes(), &event, PROCESSED_US, &mut out);
        let Members(members) = serde_json::from_slice(&out).expect("JSON");
        let [.., (_, processed), (_, actual), (_, hour)] = &members[..] else {
            panic!("three added fields")
        };
        assert_eq!(processed, "2024-11-02T11:14:15.044112-04:00");
        assert_eq!(actual, readable);
        assert_eq!(*hour, 1);
    }
    config.timezone = TimeZone::UTC;
    let out = enrich_with(&config, SAMPLE).expect("a valid event");
    assert!(out.contains(r#""2023-09-12T00:45:51+00:00", "hour_of_day": 0}"#), "{out}");
}

#[test]
fn times_follow_each_event_and_batch() {
    let mut enricher = Enricher::new(&EventConfig::default());
    let mut parser = Parser::new(&EventConfig::default());
    let mut out = Vec::new();
    // Same second, another second, another batch, and back again.
    for (second, processed_at_us, expected) in [
        (0, 0, "1970-01-01T00:00:00.000000|2023-09-12T00:45:51|0"),
        (0, 0, "1970-01-01T00:00:00.000000|2023-09-12T00:45:51|0"),
        (43_200, 0, "1970-01-01T00:00:00.000000|2023-09-12T12:45:51|12"),
        (43_200, 1, "1970-01-01T00:00:00.000001|2023-09-12T12:45:51|12"),
        (0, PROCESSED_US, "2024-11-02T15:14:15.044112|2023-09-12T00:45:51|0"),
    ] {
        let raw = format!(r#"{{"user_id":"u","timestamp":{}.9}}"#, 1_694_479_551 + second);
        let event = parser.parse(raw.as_bytes(), RECORD_MS).expect("a valid event");
        out.clear();
        enricher.append(raw.as_bytes(), &event, processed_at_us, &mut out);
        let Members(members) = serde_json::from_slice(&out).expect("JSON");
        let added: Vec<_> = members[members.len() - 3..]
            .iter()
            .map(|(_, value)| value.as_str().map_or(value.to_string(), str::to_owned))
            .collect();
        assert_eq!(added.join("|"), expected);
    }
}

#[test]
fn worst_case_growth_stays_within_its_limit() {
    let mut config = EventConfig {
        timestamp_style: TimestampStyle::Rfc3339,
        timezone: TimeZone::posix("ODD-1:02:03").expect("a zone with odd seconds"),
        ..EventConfig::default()
    };
    for (index, field) in Field::OPTIONAL.into_iter().enumerate() {
        let name = format!("{index}").repeat(limits::FIELD_NAME_MAX_BYTES);
        config.fields.set(field.name(), &name).expect("a name of the greatest length");
    }
    let raw = r#"{"user_id": "u","timestamp":1694530000}"#;
    let grown = enrich_with(&config, raw).expect("a valid event").len() - raw.len();
    assert!(grown <= limits::ENRICH_MAX_ADDED_BYTES, "{grown}");
}
