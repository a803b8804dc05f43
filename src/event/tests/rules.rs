//! The rules field by field.

use super::{RECORD_MS, SAMPLE, enrich, enrich_with, with};
use crate::{
    event::{Event, EventConfig, Field, Parser, SoftProblem},
    limits,
};

/// Parses with the default configuration.
fn parsed<T>(raw: &str, look: impl FnOnce(Event<'_>) -> T) -> T {
    let mut parser = Parser::new(&EventConfig::default());
    look(parser.parse(raw.as_bytes(), RECORD_MS).expect("a valid event"))
}

fn rejected(raw: &str, expected: &str) {
    let start: String = raw.chars().take(200).collect();
    assert_eq!(enrich(raw).expect_err(&start), expected, "{start}");
}

#[test]
fn documented_sample() {
    parsed(SAMPLE, |event| {
        assert_eq!(event.user_id, "424cdd21-063a-43a7-b91b-7ca1a833afae");
        assert_eq!(event.event_time.0, 1_694_479_551_000);
        let counted = [event.locale, event.device_type, event.app_version];
        assert_eq!(counted, ["RU", "android", "2.3.0"]);
        assert!(event.soft.is_empty());
    });
}

#[test]
fn documented_poison() {
    rejected(r#"{"foo": "oops_wrong_msg_type", "bar": "123"}"#, "missing_field user_id");
}

#[test]
fn values_that_are_no_event() {
    rejected("", "empty");
    rejected(" ", "not_json");
    rejected("{", "not_json");
    rejected("{}x", "not_json");
    rejected("\u{feff}{}", "not_json");
    rejected(r#"{"user_id":"u","timestamp":NaN}"#, "not_json");
    rejected(r#"{"user_id":"u","timestamp":1694479551,}"#, "not_json");
    rejected("[]", "not_an_object");
    rejected("\"x\"", "not_an_object");
    rejected("1e400", "not_an_object");
    rejected("{}", "missing_field user_id");
    let mut parser = Parser::new(&EventConfig::default());
    let reject = parser.parse(b"{\"user_id\":\"\xff\"}", 0).expect_err("no UTF-8");
    assert_eq!(reject.reason.as_str(), "invalid_utf8");
}

#[test]
fn nesting_up_to_the_limit() {
    let nested = |depth: usize| {
        let inner = depth - 1;
        with(&format!(r#","x":{}{}"#, "[".repeat(inner), "]".repeat(inner)))
    };
    assert!(enrich(&nested(limits::MAX_NESTING)).is_ok());
    rejected(&nested(limits::MAX_NESTING + 1), "too_deep");
    // Never closed; the depth is noticed first.
    rejected(&"{\"a\":".repeat(10_000), "too_deep");
    rejected(&"[".repeat(60_000), "too_deep");
    rejected(&"[".repeat(limits::MAX_NESTING), "not_json");
}

#[test]
fn size_up_to_the_limit() {
    let sized = |bytes: usize| {
        let raw = with(r#","x":"""#);
        raw.replace(r#":"""#, &format!(r#":"{}""#, "x".repeat(bytes - raw.len())))
    };
    assert_eq!(sized(1000).len(), 1000);
    assert!(enrich(&sized(limits::MAX_EVENT_BYTES)).is_ok());
    rejected(&sized(limits::MAX_EVENT_BYTES + 1), "too_large");
    let config = EventConfig { max_event_bytes: 100, ..EventConfig::default() };
    assert!(enrich_with(&config, &sized(100)).is_ok());
    assert_eq!(enrich_with(&config, &sized(101)), Err("too_large".to_owned()));
}

#[test]
fn user_id_is_a_string_with_content() {
    rejected(r#"{"timestamp":1694479551}"#, "missing_field user_id");
    for (value, reason) in [
        ("null", "missing_field"),
        (r#""""#, "missing_field"),
        ("5", "wrong_type"),
        ("true", "wrong_type"),
        ("[]", "wrong_type"),
        (r#"{"user_id":"x"}"#, "wrong_type"),
        (r#""\ud83d""#, "invalid_utf8"),
    ] {
        let raw = format!(r#"{{"user_id":{value},"timestamp":1694479551}}"#);
        rejected(&raw, &format!("{reason} user_id"));
    }
    let raw = r#"{"user_id":"\u00e9\ud83d\ude00","timestamp":1694479551,"x":1e999}"#;
    parsed(raw, |event| assert_eq!(event.user_id, "é😀"));
}

#[test]
fn timestamp_is_required_and_in_range() {
    rejected(r#"{"user_id":"u"}"#, "missing_field timestamp");
    for (value, reason) in [
        ("null", "missing_field"),
        (r#""""#, "missing_field"),
        ("true", "wrong_type"),
        ("{}", "wrong_type"),
        ("[1694479551]", "wrong_type"),
        (r#""soon""#, "timestamp_unreadable"),
        ("0", "timestamp_out_of_range"),
        ("-1694479551", "timestamp_out_of_range"),
        ("946684799", "timestamp_out_of_range"),
        ("946684799.999", "timestamp_out_of_range"),
        ("1730559421", "timestamp_out_of_range"),
        ("1e400", "timestamp_out_of_range"),
        ("123456789012345678901234567890", "timestamp_out_of_range"),
        ("18446744073709551615", "timestamp_out_of_range"),
    ] {
        let raw = format!(r#"{{"user_id":"u","timestamp":{value}}}"#);
        rejected(&raw, &format!("{reason} timestamp"));
    }
    for (value, expected) in [
        ("946684800", 946_684_800_000),
        ("1730559420", RECORD_MS + 3_600_000),
        ("1694479551.251 ", 1_694_479_551_251),
        ("1694479551251", 1_694_479_551_251),
        ("1.694479551e9", 1_694_479_551_000),
        (r#""1694479551.25""#, 1_694_479_551_250),
        (r#""\u0031694479551""#, 1_694_479_551_000),
        (r#""2023-09-12T02:45:51+02:00""#, 1_694_479_551_000),
    ] {
        let raw = format!(r#"{{"user_id":"u","timestamp":{value},"x":0}}"#);
        parsed(&raw, |event| assert_eq!(event.event_time.0, expected, "{value}"));
        let beside_a_huge_number = raw.replace("\"x\":0", "\"x\":1e999");
        parsed(&beside_a_huge_number, |event| assert_eq!(event.event_time.0, expected, "{value}"));
    }
}

#[test]
fn a_kafka_timestamp_that_is_not_in_milliseconds_is_the_odd_one() {
    let mut parser = Parser::new(&EventConfig::default());
    let mut reason = |timestamp: &str, record_ms| {
        let raw = format!(r#"{{"user_id":"u","timestamp":{timestamp}}}"#);
        let parsed = parser.parse(raw.as_bytes(), record_ms);
        parsed.map(|event| event.event_time.0).map_err(|reject| reject.to_string())
    };
    // Seconds, and no time at all.
    for record_ms in [RECORD_MS / 1000, 0, 1] {
        for timestamp in ["1730555820", "946684800", "\"2024-11-02T13:57:00Z\""] {
            let detail = reason(timestamp, record_ms).expect_err("no event fits the record");
            assert!(detail.contains("Kafka timestamp is before 2000"), "{detail}");
        }
        // Then both are wrong, and it is the event that its writer can see.
        let detail = reason("1", record_ms).expect_err("1970");
        assert!(detail.starts_with("timestamp is before 2000"), "{detail}");
    }
    // Microseconds and nanoseconds lie far ahead: every event is before them.
    for record_ms in [RECORD_MS * 1000, RECORD_MS * 1_000_000] {
        assert_eq!(reason("1730555820", record_ms), Ok(1_730_555_820_000));
    }
}

#[test]
fn a_record_far_in_the_future_does_not_leave_the_calendar() {
    let mut parser = Parser::new(&EventConfig::default());
    let raw = br#"{"user_id":"u","timestamp":999999999999999}"#;
    for record_ms in [i64::MAX, i64::MAX - 1, i64::MIN] {
        let reject = parser.parse(raw, record_ms).expect_err("the year 33658");
        assert_eq!(reject.reason.as_str(), "timestamp_out_of_range");
    }
    let raw = br#"{"user_id":"u","timestamp":"9999-12-30T21:00:00Z"}"#;
    assert!(parser.parse(raw, i64::MAX).is_ok());
}

#[test]
fn optional_values_are_counted_as_what_they_are() {
    let long = "x".repeat(limits::MAX_VALUE_BYTES);
    let too_long = "x".repeat(limits::MAX_VALUE_BYTES + 1);
    let digits = "1".repeat(limits::MAX_VALUE_BYTES + 1);
    for (value, expected, problem) in [
        ("null", "unknown", None),
        (r#""""#, "unknown", None),
        (r#""CA""#, "CA", None),
        (r#"" ""#, " ", None),
        (r#""\u0043A""#, "CA", None),
        (&format!(r#""{long}""#), &long, None),
        (&format!(r#""{too_long}""#), "other", Some(SoftProblem::TooLong)),
        ("5", "5", Some(SoftProblem::ScalarType)),
        ("-1.50e+3 ", "-1.50e+3", Some(SoftProblem::ScalarType)),
        ("1e400", "1e400", Some(SoftProblem::ScalarType)),
        ("true", "true", Some(SoftProblem::ScalarType)),
        (&digits, "other", Some(SoftProblem::ScalarType)),
        (r#""\ud83d""#, "\u{fffd}", None),
    ] {
        for field in [Field::Locale, Field::DeviceType, Field::AppVersion] {
            let raw = with(&format!(r#","{}":{value}"#, field.name()));
            parsed(&raw, |event| {
                let counted = match field {
                    Field::Locale => event.locale,
                    Field::DeviceType => event.device_type,
                    _ => event.app_version,
                };
                assert_eq!(counted, expected, "{raw}");
                let soft: Vec<_> = event.soft.iter().collect();
                assert_eq!(soft, problem.map(|problem| (field, problem)).as_slice(), "{raw}");
            });
        }
    }
    parsed(&with(""), |event| {
        assert_eq!([event.locale, event.device_type, event.app_version], ["unknown"; 3]);
        assert!(event.soft.is_empty());
    });
}

#[test]
fn optional_values_cannot_be_containers() {
    for field in Field::OPTIONAL {
        for value in ["[]", "{}", r#"["CA"]"#] {
            let raw = with(&format!(r#","{}":{value}"#, field.name()));
            rejected(&raw, &format!("wrong_type {}", field.name()));
        }
    }
}

#[test]
fn an_odd_ip_is_a_soft_problem() {
    for (value, problem) in [
        (r#""1.2.3.4""#, None),
        (r#""2001:db8::1""#, None),
        ("null", None),
        (r#""""#, None),
        (r#""1.2.3""#, Some(SoftProblem::BadIp)),
        (r#""256.1.1.1""#, Some(SoftProblem::BadIp)),
        (&format!(r#""{}""#, "1".repeat(100)), Some(SoftProblem::BadIp)),
        ("16909060", Some(SoftProblem::ScalarType)),
    ] {
        parsed(&with(&format!(r#","ip":{value}"#)), |event| {
            let soft: Vec<_> = event.soft.iter().collect();
            assert_eq!(soft, problem.map(|problem| (Field::Ip, problem)).as_slice(), "{value}");
        });
    }
    let long = format!(r#","device_id":"{}""#, "x".repeat(65));
    parsed(&with(&long), |event| {
        let soft: Vec<_> = event.soft.iter().collect();
        assert_eq!(soft, [(Field::DeviceId, SoftProblem::TooLong)]);
    });
}

#[test]
fn a_known_field_is_there_once() {
    for field in Field::ALL {
        let name = field.name();
        let raw = format!(r#"{{"{name}":"1694479551","{name}":"1694479551"}}"#);
        rejected(&raw, &format!("duplicate_field {name}"));
        let escaped = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
        let raw = format!(r#"{{"{name}":null,"{escaped}":"x"}}"#);
        rejected(&raw, &format!("duplicate_field {name}"));
    }
    let unknown = with(r#","x":1,"x":2"#);
    assert!(enrich(&unknown).expect("kept").contains(r#""x":1,"x":2"#));
    assert!(enrich(&with(r#","x":{"user_id":1,"user_id":2}"#)).is_ok());
}

#[test]
fn renamed_fields_are_read_and_the_old_names_are_not() {
    let mut config = EventConfig::default();
    config.fields.set("user_id", "sub").expect("a free name");
    config.fields.set("timestamp", "ts").expect("a free name");
    let raw = r#"{"sub":"u","ts":1694479551,"user_id":7,"timestamp":[]}"#;
    let out = enrich_with(&config, raw).expect("a valid event");
    assert!(out.starts_with(&raw[..raw.len() - 1]), "{out}");
    let old = enrich_with(&config, &with(""));
    assert_eq!(old, Err("missing_field user_id".to_owned()));
}
