//! Reads the login out of an enriched event.
//!
//! In:  an event. Out: what it says to the rules.
//! Holds: the same text has the same fingerprint in every process of a group, and another one in
//! another group; a placeholder says nothing.

use std::{hash::Hasher, net::IpAddr, sync::Arc};

use siphasher::sip::SipHasher24;

use super::{
    login::{Fingerprint, Login, UserKey},
    place::{DeviceList, GeoIp, Network, NetworkList, Place, PlaceTable, is_public, parse_address},
};
use crate::{
    event::{Event, Field, SoftProblem},
    ids::Position,
};

/// How logins are read.
#[derive(Debug, Clone, Default)]
pub struct ReadingSettings {
    /// What makes fingerprints of one group differ from those of another.
    pub key: [u8; 16],
    /// What `locale` means.
    pub places: PlaceTable,
    /// Values that say nothing, beside those that everybody uses.
    pub placeholders: Arc<[String]>,
    /// Networks that nobody is told apart by.
    pub networks: Arc<NetworkList>,
    /// Devices that nobody is told apart by.
    pub devices: Arc<DeviceList>,
}

/// Texts that stand for a missing value, in lower case.
const PLACEHOLDERS: [&str; 8] =
    ["", "unknown", "null", "none", "n/a", "not available", "undefined", "other"];

/// Reads logins.
#[derive(Debug)]
pub struct LoginReader {
    settings: ReadingSettings,
    hasher: SipHasher24,
    geoip: Option<Arc<GeoIp>>,
}

impl LoginReader {
    /// A reader that knows no place of an address.
    pub fn new(settings: ReadingSettings) -> Self {
        let hasher = SipHasher24::new_with_key(&settings.key);
        Self { settings, hasher, geoip: None }
    }

    /// Takes places from a database of addresses from here on, not from `locale`.
    pub fn look_up_in(&mut self, geoip: Arc<GeoIp>) {
        self.geoip = Some(geoip);
    }

    /// The key of a user.
    pub fn user(&self, user_id: &str) -> UserKey {
        UserKey(self.hash("user", user_id))
    }

    /// What an event says.
    pub fn read<'a>(&self, at: Position, event: &Event<'a>) -> Login<'a> {
        let is_cut = |field| event.soft.iter().any(|it| it == (field, SoftProblem::TooLong));
        let text = |field, text: &'a str| {
            let is_said = !self.is_placeholder(text) && (event.soft.is_empty() || !is_cut(field));
            is_said.then_some(text)
        };
        let device = text(Field::DeviceId, event.device_id);
        let device = device.filter(|id| !is_zero(id) && !self.settings.devices.contains(id));
        let address = parse_address(event.ip).filter(|address| self.tells_apart(*address));
        let locale = text(Field::Locale, event.locale);
        let [device_type, app_version] =
            [(Field::DeviceType, event.device_type), (Field::AppVersion, event.app_version)]
                .map(|(field, value)| text(field, value));
        Login {
            user: self.user(event.user_id),
            at_s: event.event_time.0.div_euclid(1_000),
            appended_s: at.timestamp_ms.div_euclid(1_000),
            offset: at.offset,
            device: device.map(|id| self.fingerprint("device", id)),
            network: address.map(|address| self.network(address)),
            place: self.place(locale, address),
            device_type,
            app_version,
            locale,
        }
    }

    fn place(&self, locale: Option<&str>, address: Option<IpAddr>) -> Option<Place> {
        match &self.geoip {
            Some(geoip) => geoip.lookup(address?)?.place,
            None => self.settings.places.place(locale?),
        }
    }

    fn tells_apart(&self, address: IpAddr) -> bool {
        is_public(address) && !self.settings.networks.contains(address)
    }

    fn network(&self, address: IpAddr) -> Fingerprint {
        match Network::of_profile(address).first() {
            IpAddr::V4(first) => self.fingerprint_of("network", &first.octets()),
            IpAddr::V6(first) => self.fingerprint_of("network", &first.octets()),
        }
    }

    fn is_placeholder(&self, text: &str) -> bool {
        let is = |placeholder: &str| text.eq_ignore_ascii_case(placeholder);
        // None of the usual ones is longer.
        text.len() <= 13 && PLACEHOLDERS.into_iter().any(is)
            || self.settings.placeholders.iter().any(|placeholder| is(placeholder))
    }

    fn fingerprint(&self, kind: &str, text: &str) -> Fingerprint {
        self.fingerprint_of(kind, text.as_bytes())
    }

    fn fingerprint_of(&self, kind: &str, bytes: &[u8]) -> Fingerprint {
        Fingerprint(self.hash_of(kind, bytes) as u32)
    }

    fn hash(&self, kind: &str, text: &str) -> u64 {
        self.hash_of(kind, text.as_bytes())
    }

    fn hash_of(&self, kind: &str, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher;
        hasher.write(kind.as_bytes());
        hasher.write(bytes);
        hasher.finish()
    }
}

/// Whether an id consists of zeros, with or without hyphens.
fn is_zero(id: &str) -> bool {
    id.bytes().all(|byte| matches!(byte, b'0' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{EventConfig, Parser},
        ids::{PartitionId, Position},
    };

    const AT: Position =
        Position { partition: PartitionId(0), offset: 7, timestamp_ms: 1_800_000_000_999 };

    fn with(settings: ReadingSettings, members: &str, check: impl FnOnce(Login<'_>)) {
        let value = format!(r#"{{"user_id":"u","timestamp":1800000000,{members}}}"#);
        let mut parser = Parser::new(&EventConfig::default());
        let event = parser.parse(value.as_bytes(), AT.timestamp_ms).expect("valid");
        check(LoginReader::new(settings).read(AT, &event));
    }

    fn states() -> ReadingSettings {
        ReadingSettings { places: PlaceTable::UsStates, ..ReadingSettings::default() }
    }

    #[test]
    fn an_event_says_who_when_where_and_with_what() {
        let members = r#""device_id":"d-1","ip":"8.8.8.8","device_type":"iOS","locale":"CA",
            "app_version":"2.3.0""#;
        with(states(), members, |login| {
            assert_eq!(
                (login.at_s, login.appended_s, login.offset),
                (1_800_000_000, 1_800_000_000, 7)
            );
            assert_eq!(login.place.map(|place| place.code().to_string()), Some("US-CA".to_owned()));
            let names = (login.locale, login.device_type, login.app_version);
            assert_eq!(names, (Some("CA"), Some("iOS"), Some("2.3.0")));
            assert!(login.device.is_some() && login.network.is_some());
        });
    }

    #[test]
    fn a_placeholder_says_nothing() {
        let settings = || ReadingSettings {
            placeholders: Arc::new(["dummy-device-0000".to_owned()]),
            networks: Arc::new(NetworkList::parse("9.9.0.0/16").expect("valid")),
            devices: Arc::new(DeviceList::parse("kiosk")),
            ..states()
        };
        let long = "x".repeat(65);
        for device in ["", "UNKNOWN", "n/a", "0000-0000", "Dummy-Device-0000", "kiosk", &long] {
            with(settings(), &format!(r#""device_id":"{device}""#), |login| {
                assert_eq!(login.device, None, "{device}");
            });
        }
        for ip in ["unknown", "", "10.0.0.1", "127.0.0.1", "100.64.0.1", "9.9.9.9", "1.2.3"] {
            with(settings(), &format!(r#""ip":"{ip}""#), |login| {
                assert_eq!((login.network, login.place), (None, None), "{ip}");
            });
        }
        with(settings(), r#""locale":"none","device_type":null"#, |login| {
            assert_eq!((login.locale, login.device_type, login.app_version), (None, None, None));
        });
    }

    #[test]
    fn fingerprints_are_a_group_s_own() {
        let mut found = Vec::new();
        for (key, ip) in [(1, "8.8.8.8"), (1, "8.8.8.9"), (1, "8.8.9.8"), (2, "8.8.8.8")] {
            let settings = ReadingSettings { key: [key; 16], ..states() };
            with(settings, &format!(r#""ip":"{ip}","device_id":"d""#), |login| {
                found.push((login.user, login.device, login.network));
            });
        }
        assert_eq!(found[0], found[1], "a /24 is one network");
        assert_eq!((found[0].0, found[0].1), (found[2].0, found[2].1));
        assert_ne!(found[0].2, found[2].2);
        assert!(found[0].0 != found[3].0 && found[0].1 != found[3].1 && found[0].2 != found[3].2);
    }
}
