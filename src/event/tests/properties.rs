//! Properties over random events and random bytes, against naive models.

use proptest::prelude::*;
use serde_json::Value;

use super::{
    Members, PROCESSED_US, RECORD_MS,
    generate::{self, Generated, Json},
};
use crate::event::{
    ADDED_FIELDS, Enricher, Event, EventConfig, Field, Parser, Reject, RejectReason, SoftProblem,
};

/// The enriched event, worked out from what was generated.
fn model(event: &Generated) -> Members {
    let mut members: Vec<(String, Value)> = Vec::new();
    for (key, value) in &event.members {
        let known = Field::OPTIONAL.map(Field::name).contains(&key.as_str());
        let blank = matches!(value, Json::Null) || matches!(value, Json::String(s) if s.is_empty());
        if ADDED_FIELDS.contains(&key.as_str()) {
            continue;
        }
        members
            .push((key.clone(), if known && blank { "unknown".into() } else { value.to_value() }));
    }
    for field in Field::OPTIONAL {
        if !event.members.iter().any(|(key, _)| key == field.name()) {
            members.push((field.name().to_owned(), "unknown".into()));
        }
    }
    let at = jiff::Timestamp::from_millisecond(event.time_ms).expect("a time in this century");
    let civil = jiff::tz::TimeZone::UTC.to_datetime(at);
    let values: [Value; 3] = [
        "2024-11-02T15:14:15.044112".into(),
        civil.strftime("%Y-%m-%dT%H:%M:%S").to_string().into(),
        civil.hour().into(),
    ];
    members.extend(ADDED_FIELDS.map(str::to_owned).into_iter().zip(values));
    Members(members)
}

/// What is counted for an optional field, and its soft problem.
fn counted(event: &Generated, field: Field) -> (String, Option<SoftProblem>) {
    let value = event.members.iter().find(|(key, _)| key == field.name()).map(|(_, value)| value);
    let (text, mut problem) = match value {
        None | Some(Json::Null) => ("unknown".to_owned(), None),
        Some(Json::String(text)) if text.is_empty() => ("unknown".to_owned(), None),
        Some(Json::String(text)) => (text.clone(), None),
        Some(Json::Number(text)) => ((*text).to_owned(), Some(SoftProblem::ScalarType)),
        Some(Json::Integer(number)) => (number.to_string(), Some(SoftProblem::ScalarType)),
        Some(Json::Bool(value)) => (value.to_string(), Some(SoftProblem::ScalarType)),
        Some(Json::Array(_) | Json::Object(_)) => unreachable!("not generated"),
    };
    let is_text = matches!(value, Some(Json::String(text)) if !text.is_empty());
    if is_text && field == Field::Ip && text.parse::<std::net::IpAddr>().is_err() {
        problem = Some(SoftProblem::BadIp);
    } else if is_text && text.len() > 64 {
        problem = Some(SoftProblem::TooLong);
    }
    (if text.len() > 64 { "other".to_owned() } else { text }, problem)
}

fn written(event: &Event<'_>, raw: &[u8]) -> Vec<u8> {
    let mut out = b"before ".to_vec();
    Enricher::new(&EventConfig::default()).append(raw, event, PROCESSED_US, &mut out);
    assert!(out.starts_with(b"before "));
    let growth = out.len() as i64 - 7 - raw.len() as i64;
    assert!(growth <= crate::limits::ENRICH_MAX_ADDED_BYTES as i64, "grew by {growth}");
    out.split_off(7)
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Parses any bytes with used buffers and compares the verdict with another parser's.
fn check_any_bytes(parser: &mut Parser, bytes: &[u8]) -> Result<(), TestCaseError> {
    match parser.parse(bytes, RECORD_MS) {
        Ok(event) => {
            prop_assert!(!event.user_id.is_empty());
            let fast = String::from_utf8(written(&event, bytes)).expect("UTF-8 in, UTF-8 out");
            prop_assert!(is_json(&fast), "{fast}");
            let mut rewritten = event;
            rewritten.layout.rewrite = true;
            let slow = String::from_utf8(written(&rewritten, bytes)).expect("UTF-8 in, UTF-8 out");
            prop_assert!(is_json(&slow), "{slow}");
        }
        Err(Reject { reason, field }) => {
            let text = std::str::from_utf8(bytes).ok();
            match reason {
                RejectReason::Empty => prop_assert!(bytes.is_empty()),
                RejectReason::InvalidUtf8 => prop_assert_eq!(text.is_none(), field.is_none()),
                RejectReason::NotJson => prop_assert!(!is_json(text.expect("UTF-8"))),
                RejectReason::TooDeep => {}
                _ => prop_assert!(is_json(text.expect("UTF-8"))),
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn enriched_event_equals_the_model_on_both_paths(event in generate::event()) {
        let raw = event.text.as_bytes();
        let mut parser = Parser::new(&EventConfig::default());
        let mut parsed = parser.parse(raw, RECORD_MS).expect("a valid event");
        let expected = model(&event);
        let natural = written(&parsed, raw);
        prop_assert_eq!(&serde_json::from_slice::<Members>(&natural).expect("JSON"), &expected);
        parsed.layout.rewrite = true;
        let slow = written(&parsed, raw);
        prop_assert_eq!(&serde_json::from_slice::<Members>(&slow).expect("JSON"), &expected);
    }

    #[test]
    fn parsed_event_equals_the_model(event in generate::event()) {
        let mut parser = Parser::new(&EventConfig::default());
        let parsed = parser.parse(event.text.as_bytes(), RECORD_MS).expect("a valid event");
        prop_assert_eq!(parsed.event_time.0, event.time_ms);
        let mut soft = Vec::new();
        for (field, actual) in [
            (Field::AppVersion, Some(parsed.app_version)),
            (Field::DeviceType, Some(parsed.device_type)),
            (Field::Ip, None),
            (Field::Locale, Some(parsed.locale)),
            (Field::DeviceId, None),
        ] {
            let (expected, problem) = counted(&event, field);
            prop_assert!(actual.is_none_or(|actual| actual == expected), "{}", field.name());
            soft.extend(problem.map(|problem| (field, problem)));
        }
        prop_assert_eq!(parsed.soft.iter().collect::<Vec<_>>(), soft);
        let user_id = event.members.iter().find(|(key, _)| key == "user_id");
        let Some((_, Json::String(user_id))) = user_id else { unreachable!("always generated") };
        prop_assert_eq!(parsed.user_id, user_id);
    }

    #[test]
    fn almost_json(all in prop::collection::vec(generate::mutated(), 1..4)) {
        let mut parser = Parser::new(&EventConfig::default());
        for bytes in all {
            check_any_bytes(&mut parser, &bytes)?;
        }
    }

    #[test]
    fn any_tokens(all in prop::collection::vec(generate::tokens(), 1..4)) {
        let mut parser = Parser::new(&EventConfig::default());
        for text in all {
            check_any_bytes(&mut parser, text.as_bytes())?;
        }
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_any_bytes(&mut Parser::new(&EventConfig::default()), &bytes)?;
    }
}
