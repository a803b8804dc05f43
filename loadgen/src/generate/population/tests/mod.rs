//! The population through the generator: what a reader of the topic and of the labels sees.

mod attackers;
mod files;
mod stream;
mod users;

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use super::{PopulationFile, label::Mark, network::Owner};
use crate::generate::{Generator, Kind, Plan, Record, Shares, states::STATES};

/// A Tuesday, 00:45:50 UTC.
const START_S: i64 = 1_694_479_550;

const DAY_S: i64 = 86_400;

/// A plan without special records.
fn plan(file: PopulationFile, users: u64, per_day: f64) -> Plan {
    Plan {
        seed: Some(7),
        users,
        zipf: 0.0,
        population: Some(Arc::new(file)),
        flat_hours: false,
        locales: 50,
        bare: false,
        required_only: false,
        event_size: 0,
        events_per_second_of_event_time: Some(per_day / DAY_S as f64),
        start_time: Some(START_S),
        disorder: jiff::SignedDuration::ZERO,
        run_length: 10,
        partition_shares: Vec::new(),
        shares: Shares {
            share_missing_device: 0.0,
            share_late: 0.0,
            late_by: jiff::SignedDuration::from_secs(600),
            share_early: 0.0,
            early_by: jiff::SignedDuration::from_secs(3_000),
            share_duplicate: 0.0,
            share_odd: 0.0,
            share_poison: 0.0,
            share_tombstone: 0.0,
            share_huge: 0.0,
            share_aborted: 0.0,
            transaction_size: 100,
        },
    }
}

fn generator(plan: &Plan) -> Generator {
    Generator::new(plan, START_S, 4).expect("a valid plan")
}

/// The default population with other values, named like `work.use`.
fn file(changes: &[(&str, f64)]) -> PopulationFile {
    let mut table: toml::Table = toml::from_str(super::DEFAULT).expect("valid");
    for (path, value) in changes {
        let (tables, key) = path.rsplit_once('.').expect("table.key");
        let inner = tables.split('.').fold(&mut table, |table, name| {
            table.get_mut(name).and_then(toml::Value::as_table_mut).expect("a table")
        });
        let known = inner.get_mut(key).expect("a known key");
        *known = match known {
            toml::Value::Integer(_) => toml::Value::Integer(*value as i64),
            _ => toml::Value::Float(*value),
        };
    }
    let text = toml::to_string(&table).expect("a table");
    PopulationFile::parse("test", text).expect("valid")
}

/// No attackers, and nobody stays away.
const PEACE: [(&str, f64); 10] = [
    ("attacks.naive", 0.0),
    ("attacks.vpn", 0.0),
    ("attacks.targeted", 0.0),
    ("attacks.stolen_device", 0.0),
    ("campaigns.stuffing_one_ip.per_day", 0.0),
    ("campaigns.stuffing_many_ips.per_day", 0.0),
    ("campaigns.stuffing_one_device.per_day", 0.0),
    ("campaigns.rotation.per_day", 0.0),
    ("campaigns.burst.per_day", 0.0),
    ("dormant.share_of_users", 0.0),
];

/// Nobody travels, works, or has a VPN, a tablet or an app without a device id.
const QUIET: [(&str, f64); 5] = [
    ("travel.share_of_users", 0.0),
    ("work.share_of_users", 0.0),
    ("vpn.share_of_users", 0.0),
    ("tablets.share_of_users", 0.0),
    ("placeholders.share_of_users", 0.0),
];

/// An event as a reader sees it.
#[derive(Clone, Debug)]
struct Seen {
    event_no: u64,
    user: String,
    device: String,
    device_type: String,
    version: String,
    ip: String,
    state: usize,
    timestamp: i64,
    mark: Option<Mark>,
}

impl Seen {
    fn of(event_no: u64, record: &Record) -> Self {
        let value: serde_json::Value = serde_json::from_slice(&record.value).expect("JSON");
        let text = |name: &str| value[name].as_str().expect(name).to_owned();
        let locale = text("locale");
        let state = STATES.iter().position(|state| state.code == locale);
        Self {
            event_no,
            user: text("user_id"),
            device: text("device_id"),
            device_type: text("device_type"),
            version: text("app_version"),
            ip: text("ip"),
            state: state.expect("a state"),
            timestamp: value["timestamp"].as_i64().expect("seconds"),
            mark: record.label.map(|label| label.mark),
        }
    }

    /// The /24, or the /64.
    fn network(&self) -> String {
        match self.ip.parse().expect("an address") {
            IpAddr::V4(ip) => format!("{:?}", &ip.octets()[..3]),
            IpAddr::V6(ip) => format!("{:x?}", &ip.segments()[..4]),
        }
    }

    /// Whose network it is.
    fn owner(&self) -> Owner {
        match self.ip.parse().expect("an address") {
            IpAddr::V4(ip) => Owner::of(ip.octets()).expect("an owner"),
            IpAddr::V6(_) => Owner::Home,
        }
    }

    fn is_attack(&self) -> bool {
        matches!(self.mark, Some(Mark::Attack { .. }))
    }
}

/// The first events of a plan; all must be logins.
fn seen(plan: &Plan, count: u64) -> Vec<Seen> {
    let generator = generator(plan);
    let mut record = Record::new();
    (0..count)
        .map(|event_no| {
            generator.make(event_no, 0, &mut record);
            assert_ne!(record.kind, Kind::Poison);
            Seen::of(event_no, &record)
        })
        .collect()
}

fn by_user(events: &[Seen]) -> HashMap<&str, Vec<&Seen>> {
    let mut users: HashMap<&str, Vec<&Seen>> = HashMap::new();
    for event in events {
        users.entry(&event.user).or_default().push(event);
    }
    users
}

/// Fails if a share of independent events is more than five standard deviations off.
fn assert_share(found: usize, of: usize, expected: f64, what: &str) {
    let (found, of) = (found as f64, of as f64);
    let tolerance = 5.0 * (of * expected * (1.0 - expected)).sqrt() + 1.0;
    let difference = (found - of * expected).abs();
    assert!(difference < tolerance, "{what}: {found} of {of}, expected a share of {expected}");
}
