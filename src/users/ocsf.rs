//! Writes an alert as a record. Pure.
//!
//! Out: JSON of the Open Cybersecurity Schema Framework, class Detection Finding (2004).
//! Holds: the same alert gives the same bytes: there is no time of day in it, and its `uid` follows
//! from the login's place in Kafka. Source: OCSF schema 1.5.0, classes `detection_finding` and
//! `finding`, objects `finding_info`, `evidences` and `attack`.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    detector::Alert,
    login::LoginRef,
    rules::{Evidence, Rule, Severity},
    shard::ShardState,
};
use crate::ids::PartitionId;

/// Version of the schema that records name.
pub const SCHEMA_VERSION: &str = "1.5.0";

/// Where logins are read from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Id of the Kafka cluster.
    pub cluster_id: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: PartitionId,
}

/// A login as its record has it.
#[derive(Debug, Clone, Copy)]
pub struct LoginText<'a> {
    /// Event time, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Offset of the record.
    pub offset: i64,
    /// `user_id`.
    pub user_id: &'a str,
    /// `ip`.
    pub ip: &'a str,
    /// `device_id`.
    pub device_id: &'a str,
    /// `device_type`.
    pub device_type: &'a str,
    /// `app_version`.
    pub app_version: &'a str,
    /// `locale`.
    pub locale: &'a str,
}

/// Id of a rule's alert about a login: 32 hexadecimal digits.
pub fn uid(rule: Rule, origin: Origin<'_>, offset: i64) -> String {
    let mut hash = Sha256::new();
    for text in [rule.name(), &rule.version().to_string(), origin.cluster_id, origin.topic] {
        hash.update((text.len() as u32).to_be_bytes());
        hash.update(text);
    }
    hash.update(i64::from(origin.partition.0).to_be_bytes());
    hash.update(offset.to_be_bytes());
    let bits = hash.finalize()[..16].try_into().expect("it has 32 bytes");
    format!("{:032x}", u128::from_be_bytes(bits))
}

/// The record of an alert about a login. `shard`: whose names the alert refers to.
pub fn record(
    alert: &Alert,
    login: &LoginText<'_>,
    origin: Origin<'_>,
    shard: &ShardState,
) -> Value {
    let (rule, severity) = (alert.rule, alert.finding.severity);
    let (title, description) = words(rule);
    let (technique, technique_name) = technique(rule);
    let (severity_id, severity_name, risk_score) = match severity {
        Severity::Low => (2, "Low", 25),
        Severity::Medium => (3, "Medium", 50),
        Severity::High => (4, "High", 75),
    };
    let (found, earlier) = evidence(&alert.finding.evidence, shard);
    let mut evidences = vec![json!({
        "name": "login",
        "data": data(login, origin),
        "src_endpoint": {"ip": login.ip},
        "user": {"uid": login.user_id},
    })];
    if let Some((login, mut known)) = earlier {
        let at = [
            ("time", json!(login.at_s.saturating_mul(1_000))),
            ("topic", json!(origin.topic)),
            ("partition", json!(origin.partition.0)),
            ("offset", json!(login.offset)),
        ];
        let fields = known.as_object_mut().expect("it is an object");
        fields.extend(at.map(|(name, value)| (name.to_owned(), value)));
        evidences.push(json!({"name": "earlier login", "data": known}));
    }
    evidences.push(json!({"name": "found", "data": found}));
    json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": "Detection Finding",
        "class_uid": 2004,
        "count": alert.held_back + 1,
        "evidences": evidences,
        "finding_info": {
            "analytic": {
                "name": rule.name(),
                "type": "Behavioral",
                "type_id": 2,
                "uid": rule.name(),
                "version": rule.version().to_string(),
            },
            "attacks": [{
                "technique": {"name": technique_name, "uid": technique},
                "version": "16.1",
            }],
            "desc": description,
            "title": title,
            "uid": uid(rule, origin, login.offset),
        },
        "is_alert": true,
        "metadata": {
            "product": {"name": "logintide", "vendor_name": "logintide"},
            "version": SCHEMA_VERSION,
        },
        "observables": [
            {"name": "user_id", "type": "User Name", "type_id": 4, "value": login.user_id},
        ],
        "risk_score": risk_score,
        "severity": severity_name,
        "severity_id": severity_id,
        "status": "New",
        "status_id": 1,
        "time": login.time_ms,
        "type_name": "Detection Finding: Create",
        "type_uid": 200_401,
    })
}

fn data(login: &LoginText<'_>, origin: Origin<'_>) -> Value {
    json!({
        "time": login.time_ms,
        "topic": origin.topic,
        "partition": origin.partition.0,
        "offset": login.offset,
        "user_id": login.user_id,
        "ip": login.ip,
        "device_id": login.device_id,
        "device_type": login.device_type,
        "app_version": login.app_version,
        "locale": login.locale,
    })
}

/// What was found, and the earlier login that it is about with what is known of it.
fn evidence(evidence: &Evidence, shard: &ShardState) -> (Value, Option<(LoginRef, Value)>) {
    match evidence {
        Evidence::Travel(jump) => (
            json!({"gap_km": jump.gap_km, "speed_kmh": jump.speed_kmh.round()}),
            Some((jump.from.login, json!({"place": jump.from.place.code().as_str()}))),
        ),
        Evidence::DeviceType { before, last } => (
            json!({"field": "device_type"}),
            Some((*last, json!({"device_type": shard.device_type(*before)}))),
        ),
        Evidence::AppVersion { highest, last } => (
            json!({"field": "app_version"}),
            Some((*last, json!({"app_version": shard.versions().text(*highest)}))),
        ),
        Evidence::Rotation { devices, logins } => {
            (json!({"devices": devices, "logins": logins, "minutes": 30}), None)
        }
        Evidence::Burst { logins, mean_per_day } => {
            (json!({"logins": logins, "minutes": 10, "mean_per_day": tenth(*mean_per_day)}), None)
        }
        Evidence::Silence(last) => (json!({}), Some((*last, json!({})))),
        Evidence::Score { score, threshold } => {
            let term = |(feature, term): &(super::Feature, f64)| {
                (feature.name().to_owned(), tenth(*term).into())
            };
            let terms: serde_json::Map<_, _> = score.terms.iter().map(term).collect();
            (json!({"score": tenth(score.sum()), "threshold": threshold, "terms": terms}), None)
        }
    }
}

/// Rounded to tenths: what lies behind is of no use to a reader.
fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Title and description.
fn words(rule: Rule) -> (&'static str, &'static str) {
    match rule {
        Rule::ImpossibleTravel => (
            "Login from a place that cannot be reached in time",
            "The login's place is too far from an earlier one for the time between them.",
        ),
        Rule::DeviceContradiction => (
            "Device with another type or a lower version",
            "A known device_id came with another device_type, or with an app_version below its \
             highest.",
        ),
        Rule::DeviceRotation => (
            "Many devices of one user",
            "The user logged in from many different devices within half an hour.",
        ),
        Rule::LoginBurst => (
            "Many logins of one user",
            "The user logged in far more often within ten minutes than usual.",
        ),
        Rule::DormantReturn => (
            "Return after a long silence from elsewhere",
            "After a long time without a login, one came from a new device and a new place or \
             network.",
        ),
        Rule::UnfamiliarLogin => (
            "Login that is unlike its user",
            "The login's fields together are more like those of somebody else.",
        ),
    }
}

/// The technique of MITRE ATT&CK, and its name.
fn technique(rule: Rule) -> (&'static str, &'static str) {
    match rule {
        Rule::ImpossibleTravel | Rule::DormantReturn | Rule::UnfamiliarLogin => {
            ("T1078", "Valid Accounts")
        }
        Rule::DeviceContradiction => ("T1539", "Steal Web Session Cookie"),
        Rule::DeviceRotation | Rule::LoginBurst => ("T1110", "Brute Force"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::{
        Finding, Jump, Name, TrustedPlace,
        place::{Place, PlaceTable},
    };

    const ORIGIN: Origin<'_> =
        Origin { cluster_id: "cluster", topic: "processed-logins", partition: PartitionId(3) };

    fn state(code: &str) -> Place {
        PlaceTable::UsStates.place(code).expect("a state")
    }

    fn travel() -> Alert {
        let from = TrustedPlace {
            place: state("NY"),
            name: Name(0),
            login: LoginRef { at_s: 1_700_000_000, offset: 41 },
        };
        let evidence = Evidence::Travel(Jump { from, gap_km: 2_900, speed_kmh: 2_900.4 });
        Alert {
            rule: Rule::ImpossibleTravel,
            finding: Finding { severity: Severity::High, evidence },
            held_back: 2,
        }
    }

    #[test]
    fn an_id_follows_from_rule_and_place_alone() {
        // Computed with another program over the bytes that docs/ALERTS.md names.
        assert_eq!(uid(Rule::ImpossibleTravel, ORIGIN, 42), "11e91c225c51ab9f7ba5a3f849d7ba7b");
        assert_ne!(uid(Rule::LoginBurst, ORIGIN, 42), uid(Rule::ImpossibleTravel, ORIGIN, 42));
        assert_ne!(uid(Rule::LoginBurst, ORIGIN, 43), uid(Rule::LoginBurst, ORIGIN, 42));
    }

    #[test]
    fn a_record_has_what_the_class_requires_and_both_logins() {
        let login = LoginText {
            time_ms: 1_700_003_600_500,
            offset: 42,
            user_id: "u-1",
            ip: "203.0.113.7",
            device_id: "d-9",
            device_type: "iOS",
            app_version: "2.3.0",
            locale: "CA",
        };
        let record = record(&travel(), &login, ORIGIN, &ShardState::default());
        let numbers = ["activity_id", "category_uid", "class_uid", "type_uid", "severity_id"];
        let numbers = numbers.map(|name| record[name].as_i64().expect(name));
        assert_eq!(numbers, [1, 2, 2004, 200_401, 4]);
        assert_eq!(record["time"], 1_700_003_600_500_i64);
        assert_eq!(record["metadata"]["version"], SCHEMA_VERSION);
        assert_eq!(record["metadata"]["product"]["vendor_name"], "logintide");
        assert_eq!(record["finding_info"]["uid"], uid(Rule::ImpossibleTravel, ORIGIN, 42));
        assert_eq!(record["finding_info"]["attacks"][0]["technique"]["uid"], "T1078");
        assert_eq!((&record["count"], &record["risk_score"]), (&json!(3), &json!(75)));
        let evidences = record["evidences"].as_array().expect("a list");
        assert_eq!(evidences[0]["data"]["ip"], "203.0.113.7");
        let earlier = json!({
            "time": 1_700_000_000_000_i64,
            "topic": "processed-logins",
            "partition": 3,
            "offset": 41,
            "place": "US-NY",
        });
        assert_eq!(evidences[1]["data"], earlier);
        assert_eq!(evidences[2]["data"], json!({"gap_km": 2_900, "speed_kmh": 2_900.0}));
    }
}
