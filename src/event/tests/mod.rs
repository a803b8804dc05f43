//! Tests of the whole way: raw bytes → event → enriched bytes.

mod enriching;
pub(crate) mod generate;
mod properties;
mod rules;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{Enricher, EventConfig, Parser};

/// Kafka timestamp of the test records: 2024-11-02T13:57:00Z.
pub(crate) const RECORD_MS: i64 = 1_730_555_820_000;

/// Time of processing in the tests: 2024-11-02T15:14:15.044112Z.
pub(crate) const PROCESSED_US: i64 = 1_730_560_455_044_112;

/// The event of the documentation, and how `timestamp` is written there.
pub(crate) const SAMPLE: &str = r#"{"user_id": "424cdd21-063a-43a7-b91b-7ca1a833afae", "app_version": "2.3.0", "device_type": "android", "ip": "199.172.111.135", "locale": "RU", "device_id": "593-47-5928", "timestamp":"1694479551"}"#;

/// A JSON object with its members in order, and repeated ones visible.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Members(pub(crate) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// Parses and enriches with the given configuration; the text, or the reject's reason and field.
fn enrich_with(config: &EventConfig, raw: &str) -> Result<String, String> {
    let mut parser = Parser::new(config);
    let event = parser.parse(raw.as_bytes(), RECORD_MS).map_err(|reject| {
        let field = reject.field.map_or("", super::Field::name);
        format!("{} {field}", reject.reason).trim_end().to_owned()
    })?;
    let mut out = Vec::new();
    Enricher::new(config).append(raw.as_bytes(), &event, PROCESSED_US, &mut out);
    Ok(String::from_utf8(out).expect("enriched events are UTF-8"))
}

fn enrich(raw: &str) -> Result<String, String> {
    enrich_with(&EventConfig::default(), raw)
}

/// An event with the required fields and these members.
fn with(members: &str) -> String {
    format!(r#"{{"user_id":"u","timestamp":1694479551{members}}}"#)
}
