//! Any bytes through parsing, validation and enrichment, against a reading by another parser.
#![no_main]

use std::{collections::BTreeSet, fmt};

use libfuzzer_sys::fuzz_target;
use logintide::{
    event::{ADDED_FIELDS, Enricher, EventConfig, Field, Parser, RejectReason},
    limits,
};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Kafka timestamp of the records: 2024-11-02T13:57:00Z.
const RECORD_MS: i64 = 1_730_555_820_000;

/// Time of processing: 2024-11-02T15:14:15.044112Z.
const PROCESSED_US: i64 = 1_730_560_455_044_112;

/// The members of an object in their order, repeated ones too, values as they are written.
#[derive(Debug, PartialEq)]
struct Members(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    // A key with half a surrogate pair is JSON, but no text: it stays as it is.
                    let text = serde_json::from_str(key.get());
                    members.push((text.unwrap_or_else(|_| key.get().into()), value.get().into()));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// The members of the enriched event, up to the added ones.
fn expected(input: Members) -> Vec<(String, String)> {
    let optional = Field::OPTIONAL.map(Field::name);
    let mut members = input.0;
    members.retain(|(key, _)| !ADDED_FIELDS.contains(&key.as_str()));
    for (key, value) in &mut members {
        if optional.contains(&key.as_str()) && matches!(value.as_str(), "null" | "\"\"") {
            *value = "\"unknown\"".to_owned();
        }
    }
    for name in optional {
        if !members.iter().any(|(key, _)| key == name) {
            members.push((name.to_owned(), "\"unknown\"".to_owned()));
        }
    }
    members
}

fn check_enriched(raw: &[u8], out: &[u8]) -> Members {
    let growth = out.len() as i64 - raw.len() as i64;
    assert!(growth <= limits::ENRICH_MAX_ADDED_BYTES as i64, "grew by {growth} bytes");
    let members: Members = serde_json::from_slice(out).expect("enriched events are JSON objects");
    let input: Members = serde_json::from_slice(raw).expect("accepted events are JSON objects");
    let expected = expected(input);
    let (kept, added) = members.0.split_at(members.0.len() - ADDED_FIELDS.len());
    assert_eq!(kept, expected);
    assert!(added.iter().map(|(key, _)| key.as_str()).eq(ADDED_FIELDS));
    let known: Vec<_> = Field::ALL.map(Field::name).into_iter().chain(ADDED_FIELDS).collect();
    let mut once = BTreeSet::new();
    for (key, _) in members.0.iter().filter(|(key, _)| known.contains(&key.as_str())) {
        assert!(once.insert(key), "{key} is there twice");
    }
    members
}

/// The same event with an added field in it, which only the slow path can leave out.
fn for_the_slow_path(raw: &[u8]) -> Vec<u8> {
    let brace = raw.iter().position(|byte| *byte == b'{').expect("an object begins with a brace");
    let (before, after) = raw.split_at(brace + 1);
    [before, br#""hour_of_day":0,"#, after].concat()
}

fuzz_target!(|data: &[u8]| {
    let config = EventConfig::default();
    let (mut parser, mut enricher) = (Parser::new(&config), Enricher::new(&config));
    let event = match parser.parse(data, RECORD_MS) {
        Ok(event) => event,
        Err(reject) => {
            let is_json = || serde_json::from_slice::<IgnoredAny>(data).is_ok();
            assert!(reject.reason != RejectReason::NotJson || !is_json(), "it is JSON");
            return;
        }
    };
    assert!(!event.user_id.is_empty());
    let mut out = Vec::new();
    enricher.append(data, &event, PROCESSED_US, &mut out);
    let ordinary = check_enriched(data, &out);

    let marked = for_the_slow_path(data);
    if marked.len() > config.max_event_bytes {
        return;
    }
    let mut parser = Parser::new(&config);
    let event = parser.parse(&marked, RECORD_MS).expect("one more member changes no verdict");
    let mut out = Vec::new();
    enricher.append(&marked, &event, PROCESSED_US, &mut out);
    assert_eq!(check_enriched(&marked, &out), ordinary);
});
