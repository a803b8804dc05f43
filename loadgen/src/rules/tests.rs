//! Hand-written records against the rules, one for each hard error and each soft problem.

use super::*;

const RULES: Rules = Rules { max_future_ms: 3_600_000, max_event_bytes: 65_536 };

/// Kafka timestamp of every record here: 2023-09-12T00:45:51Z.
const NOW_MS: i64 = 1_694_479_551_000;

fn read_at(value: &[u8], kafka_time_ms: i64) -> Result<Reading<'_>, Broken> {
    RULES.read_input(value, kafka_time_ms)
}

fn broken(value: impl AsRef<[u8]>) -> Option<Broken> {
    read_at(value.as_ref(), NOW_MS).err()
}

fn with(field: &str) -> String {
    format!(r#"{{"user_id": "u", "timestamp": 1694479551, {field}}}"#)
}

fn time_of(timestamp: &str) -> Option<i64> {
    let value = format!(r#"{{"user_id": "u", "timestamp": {timestamp}}}"#);
    read_at(value.as_bytes(), NOW_MS).ok().map(|reading| reading.time_ms)
}

fn counted(field: &str) -> [String; 3] {
    let value = with(field);
    let reading = read_at(value.as_bytes(), NOW_MS).expect("a valid event");
    reading.counted.map(Cow::into_owned)
}

#[test]
fn the_documented_sample_is_valid() {
    let sample = crate::produce::SAMPLE.as_bytes();
    let reading = read_at(sample, NOW_MS).expect("a valid event");
    assert_eq!(reading.user_id, "424cdd21-063a-43a7-b91b-7ca1a833afae");
    assert_eq!(reading.time_ms, NOW_MS);
    assert_eq!(reading.counted, ["RU", "android", "2.3.0"]);
}

#[test]
fn each_hard_error_is_found() {
    let deep = |levels| with(&format!("\"a\": {}{}", "[".repeat(levels), "]".repeat(levels)));
    let cases: Vec<(Vec<u8>, Broken)> = vec![
        (r#"{"foo": "oops_wrong_msg_type", "bar": "123"}"#.into(), Broken::Missing),
        (b"".to_vec(), Broken::Empty),
        (b" \n".to_vec(), Broken::NotJson),
        (b"nonsense".to_vec(), Broken::NotJson),
        (b"[1]".to_vec(), Broken::NotAnObject),
        (b"null".to_vec(), Broken::NotAnObject),
        (with("\"a\": 01").into(), Broken::NotJson),
        (with("\"a\": \"\u{1}\"").into(), Broken::NotJson),
        (with("\"\n\": 1").into(), Broken::NotJson),
        (br#"{"user_id": "\ud83d", "timestamp": 1694479551}"#.to_vec(), Broken::Encoding),
        ((with("\"a\": 1") + " x").into(), Broken::NotJson),
        ([with("\"a\": 1").as_bytes(), b"\0"].concat(), Broken::NotJson),
        (deep(16).into(), Broken::TooDeep),
        (deep(5_000).into(), Broken::TooDeep),
        ("[".repeat(16).into(), Broken::NotJson),
        ("[".repeat(17).into(), Broken::NotJsonOrTooDeep),
        (("[".repeat(17) + &"]".repeat(17)).into(), Broken::TooDeep),
        (with(&format!("\"a\": \"{}\"", "x".repeat(65_536))).into(), Broken::TooLarge),
        (b"{\"user_id\": \"\xff\", \"timestamp\": 1694479551}".to_vec(), Broken::Encoding),
        (with("\"user_id\": \"v\"").into(), Broken::Duplicate),
        (with("\"user\\u005fid\": \"v\"").into(), Broken::Duplicate),
        (with("\"ip\": null, \"ip\": null").into(), Broken::Duplicate),
        (
            with("\"hour_of_day\": 1, \"hour_of_day\": 1, \"ip\": 1, \"ip\": 1").into(),
            Broken::Duplicate,
        ),
        (r#"{"timestamp": 1694479551}"#.into(), Broken::Missing),
        (r#"{"user_id": "", "timestamp": 1694479551}"#.into(), Broken::Missing),
        (r#"{"user_id": null, "timestamp": 1694479551}"#.into(), Broken::Missing),
        (r#"{"user_id": 12, "timestamp": 1694479551}"#.into(), Broken::Type),
        (r#"{"user_id": "u"}"#.into(), Broken::Missing),
        (with("\"locale\": {}").into(), Broken::Type),
        (with("\"device_id\": []").into(), Broken::Type),
    ];
    for (value, expected) in cases {
        assert_eq!(broken(&value), Some(expected), "{}", String::from_utf8_lossy(&value));
    }
    assert_eq!(broken(deep(15)), None);
    assert_eq!(broken(with("\"x\": 1, \"x\": 2")), None);
    assert_eq!(broken(with("\"x\": [\"\\ud83d\"]")), None);
    assert_eq!(broken(with("\"hour_of_day\": 1, \"hour_of_day\": 2")), None);
}

#[test]
fn the_first_rule_in_order_is_the_reason() {
    for (value, expected) in [
        (r#"{"user_id": 1, "ip": [], "ip": []}"#, Broken::Duplicate),
        (r#"{"timestamp": true, "ip": []}"#, Broken::Missing),
        (r#"{"user_id": "u", "timestamp": true, "ip": []}"#, Broken::Type),
        (r#"{"user_id": "u", "timestamp": 1, "ip": []}"#, Broken::TimeRange),
        ("{\"user_id\": \"u\", \"timestamp\": 1,", Broken::NotJson),
    ] {
        assert_eq!(broken(value), Some(expected), "{value}");
    }
    assert_eq!(broken(b"{\xff"), Some(Broken::Encoding));
}

#[test]
fn a_wrong_timestamp_is_missing_of_a_wrong_type_no_time_or_out_of_range() {
    for (timestamp, expected) in [
        ("null", Broken::Missing),
        ("\"\"", Broken::Missing),
        ("true", Broken::Type),
        ("{}", Broken::Type),
        ("[1]", Broken::Type),
        ("\"soon\"", Broken::TimeUnreadable),
        ("\" 1694479551\"", Broken::TimeUnreadable),
        ("\"1694479551 \"", Broken::TimeUnreadable),
        ("\"169447955\\ud800\"", Broken::TimeUnreadable),
        ("\"2024-13-45T00:00:00Z\"", Broken::TimeUnreadable),
        ("\"2023-09-12T00:45:51.Z\"", Broken::TimeUnreadable),
        ("\"2023-09-12T00:45:61Z\"", Broken::TimeUnreadable),
        ("\"2023-09-12T00:45:51+18:01\"", Broken::TimeUnreadable),
        ("\"2023-09-12T00:45:51+02:60\"", Broken::TimeUnreadable),
        ("\"2023-09-12T00:45:51+02:30:15\"", Broken::TimeUnreadable),
        ("\"2023-09-12T00:45:51+2:00\"", Broken::TimeUnreadable),
        ("\"2023-09-12T00:45:51Z[UTC]\"", Broken::TimeUnreadable),
        ("\"9999-12-31T23:59:59Z\"", Broken::TimeRange),
        ("-1", Broken::TimeRange),
        ("1e400", Broken::TimeRange),
        ("\"1e400\"", Broken::TimeRange),
        ("\"-1e-400\"", Broken::TimeRange),
        ("1e99999999999999999999", Broken::TimeRange),
        ("123456789012345678901234567890", Broken::TimeRange),
        ("\"2100-01-01T00:00:00Z\"", Broken::TimeRange),
    ] {
        let value = format!(r#"{{"user_id": "u", "timestamp": {timestamp}}}"#);
        assert_eq!(broken(&value), Some(expected), "{timestamp}");
    }
}

#[test]
fn every_form_of_timestamp_is_read() {
    for (text, expected) in [
        ("1694479551", NOW_MS),
        ("\"1694479551\"", NOW_MS),
        ("1694479551.5", NOW_MS + 500),
        ("\"1694479551.25\"", NOW_MS + 250),
        ("1694479551.9999", NOW_MS + 999),
        ("1694479551123", NOW_MS + 123),
        ("\"1694479551123\"", NOW_MS + 123),
        ("1694479551123.9", NOW_MS + 123),
        ("1.694479551e9", NOW_MS),
        ("1.694479551123E+9", NOW_MS + 123),
        ("16944795511234e-4", NOW_MS + 123),
        ("1.694479551123e12", NOW_MS + 123),
        ("0.0001694479551e13", NOW_MS),
        ("\"2023-09-12T00:45:51Z\"", NOW_MS),
        ("\"2023-09-12T02:45:51.25+02:00\"", NOW_MS + 250),
        ("\"2023-09-12t00:45:51.251999999999999z\"", NOW_MS + 251),
        ("\"2023-09-12 02:45:51,5+0200\"", NOW_MS + 500),
        ("\"2023-09-11T22:45:51-02\"", NOW_MS),
        ("\"2023-09-12T18:45:51+18:00\"", NOW_MS),
        ("\"2023-09-12T00:45:51-00:00\"", NOW_MS),
        ("\"2023-09-12T00:44:60Z\"", NOW_MS - 52_000),
        ("946684800", EARLIEST_MS),
        ("1694483151", NOW_MS + 3_600_000),
    ] {
        assert_eq!(time_of(text), Some(expected), "{text}");
    }
    for text in [
        "null",
        "true",
        "\"\"",
        "\" 1694479551\"",
        "\"soon\"",
        "[1]",
        "{}",
        "946684799.999",
        "-1",
        "1694483152",
        "1694483151.001",
        "100000000000",
        "1e300",
        "1e-300",
        "1e999999999999",
        "0e5",
        "999999999999999999999999999",
        "\"2023-09-12\"",
        "\"2023-09-12T00:45:51\"",
        "\"0x10\"",
        "\"NaN\"",
        "\"Infinity\"",
    ] {
        assert_eq!(time_of(text), None, "{text}");
    }
}

#[test]
fn the_range_ends_at_the_records_own_kafka_timestamp() {
    let value = with("\"a\": 1");
    let at = |kafka_ms| read_at(value.as_bytes(), kafka_ms).is_ok();
    assert!(at(NOW_MS - 3_600_000));
    assert!(!at(NOW_MS - 3_600_001));
}

#[test]
fn optional_values_count_as_the_rules_say() {
    assert_eq!(counted("\"a\": 1"), ["unknown", "unknown", "unknown"]);
    assert_eq!(counted("\"locale\": null, \"device_type\": \"\""), ["unknown"; 3]);
    assert_eq!(counted("\"locale\": \"C\\u0041\"")[0], "CA");
    assert_eq!(counted("\"device_type\": 2.50")[1], "2.50");
    assert_eq!(counted("\"app_version\": true")[2], "true");
    let long = |bytes: usize| counted(&format!("\"locale\": \"{}\"", "x".repeat(bytes)))[0].clone();
    assert_eq!(long(64), "x".repeat(64));
    assert_eq!(long(65), OTHER);
    assert_eq!(counted(&format!("\"locale\": \"{}\"", "é".repeat(33)))[0], OTHER);
    assert_eq!(counted(&format!("\"locale\": {}", "1".repeat(65)))[0], OTHER);
}

#[test]
fn an_output_matches_its_input_when_defaults_are_filled_in() {
    let input = r#"{"user_id":"u","timestamp":"1694479551","device_type":null,"ip":"","x":[1.0]}"#;
    let input = read_at(input.as_bytes(), NOW_MS).expect("valid");
    let output = |rest: &str| {
        let value = format!(
            r#"{{"user_id":"u","timestamp":"1694479551","x":[1],"app_version":"unknown","locale":"unknown","device_id":"unknown",{rest},"processed_timestamp":"?","hour_of_day":0}}"#
        );
        read_output(value.as_bytes()).map(|reading| reading.fingerprint)
    };
    let right = r#""device_type":"unknown","ip":"unknown""#;
    assert_eq!(output(right), Ok(input.fingerprint));
    for wrong in [
        r#""device_type":"unknown","ip":"""#,
        r#""device_type":null,"ip":"unknown""#,
        r#""device_type":"unknown""#,
        r#""device_type":"unknown","ip":"unknown","more":1"#,
    ] {
        assert_ne!(output(wrong), Ok(input.fingerprint), "{wrong}");
    }
}

#[test]
fn a_doubled_key_in_an_output_is_seen() {
    let value = with("\"hour_of_day\": 1, \"hour_of_day\": 1");
    let reading = read_output(value.as_bytes()).expect("readable");
    assert_eq!(reading.doubled.as_deref(), Some("hour_of_day"));
    let value = with("\"a\": 1");
    assert_eq!(read_output(value.as_bytes()).expect("readable").doubled, None);
}

#[test]
fn trace_fields_are_read_where_they_are_whole_numbers() {
    let value = with("\"event_no\": 7, \"sent_us\": \"8\"");
    let reading = read_at(value.as_bytes(), NOW_MS).expect("valid");
    assert_eq!((reading.event_no, reading.sent_us), (Some(7), None));
}
