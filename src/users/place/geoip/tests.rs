//! Databases that are made here: what they say, and what corrupt ones do.

use std::{
    fs::{self, File},
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::{Instant, UNIX_EPOCH},
};

use maxminddb_writer::{Database, metadata::IpVersion, paths::IpAddrWithMask};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::users::place::PlaceTable;

/// Seconds since 1970 at which the databases here were built.
pub(super) const BUILT_S: u64 = 1_800_000_000;

/// A database with these records.
pub(super) fn database(database_type: &str, version: IpVersion, rows: &[(&str, Value)]) -> Vec<u8> {
    let mut database = Database::default();
    database.metadata.database_type = database_type.to_owned();
    database.metadata.ip_version = version;
    database.metadata.binary_format_major_version = 2;
    database.metadata.build_epoch = BUILT_S;
    // The writer counts its nodes when it takes a value: without one there would be none.
    database.insert_value("").expect("serializable");
    for (network, record) in rows {
        let record = database.insert_value(record).expect("serializable");
        database.insert_node(network.parse::<IpAddrWithMask>().expect("valid"), record);
    }
    database.write_to(Vec::new()).expect("a database")
}

fn city() -> Vec<u8> {
    let here = json!({
        "city": {"geoname_id": 5_375_480, "names": {"en": "Mountain View"}},
        "country": {"iso_code": "US", "names": {"de": "USA", "en": "United States"}},
        "location": {"latitude": 37.386, "longitude": -122.0838, "accuracy_radius": 20},
        "subdivisions": [{"iso_code": "CA", "names": {"en": "California"}}, {"iso_code": "XX"}],
        "traits": {"autonomous_system_number": 15_169, "is_anycast": true},
    });
    let unsaid = json!({
        "country": {"iso_code": "GB"},
        "location": {"latitude": 51.5, "longitude": -0.1},
    });
    let unplaced = json!({"country": {"iso_code": "FJ"}, "subdivisions": []});
    let nowhere =
        json!({"continent": {"code": "EU"}, "location": {"latitude": 47.0, "longitude": 8}});
    let off_earth = json!({
        "country": {"iso_code": "DE"},
        "location": {"latitude": 91.0, "longitude": 8, "accuracy_radius": 5},
    });
    let rows = [
        ("::8.8.8.0/120", here.clone()),
        ("2001:4860::/32", here),
        ("::81.2.69.0/120", unsaid),
        ("::103.1.180.0/118", unplaced),
        ("::2.16.0.0/112", nowhere),
        ("::2.17.0.0/112", off_earth),
    ];
    database("GeoLite2-City", IpVersion::V6, &rows)
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn hit(database: &GeoIp, text: &str) -> Option<GeoHit> {
    database.lookup(address(text))
}

#[test]
fn a_city_is_a_position_with_its_subdivision_s_code() {
    let database = GeoIp::parse(city()).expect("a database");
    assert_eq!(database.kind(), GeoIpKind::City);
    assert_eq!(database.built(), UNIX_EPOCH + Duration::from_secs(BUILT_S));
    for text in ["8.8.8.8", "::ffff:8.8.8.8", "2001:4860::8888"] {
        let GeoHit { place, asn } = hit(&database, text).expect(text);
        let place = place.expect(text);
        assert_eq!((place.code().as_str(), place.radius_km(), asn), ("US-CA", 20, Some(15_169)));
        let centre = place.centre();
        assert_eq!((centre.lat_hundredths(), centre.lon_hundredths()), (3739, -12_208));
    }
    let unsaid = hit(&database, "81.2.69.160").and_then(|hit| hit.place).expect("a place");
    assert_eq!((unsaid.code().as_str(), unsaid.radius_km()), ("GB", 100));
    for (text, country) in [("103.1.182.1", "FJ"), ("2.17.1.1", "DE")] {
        let place = hit(&database, text).and_then(|hit| hit.place);
        assert_eq!(place, PlaceTable::IsoCountries.place(country), "{text}");
    }
    for text in ["2.16.1.1", "9.9.9.9", "2a00::1"] {
        assert_eq!(hit(&database, text), None, "{text}");
    }
    assert_eq!(database.failed_lookups(), 0);
}

#[test]
fn a_country_is_a_place_of_the_table() {
    let rows = [
        (
            "8.8.8.0/24",
            json!({"country": {"iso_code": "US"}, "registered_country": {"iso_code": "CA"}}),
        ),
        ("9.9.9.0/24", json!({"country": {"iso_code": "ZZ"}})),
    ];
    let database = GeoIp::parse(database("DBIP-Country-Lite", IpVersion::V4, &rows));
    let database = database.expect("a database");
    let place = PlaceTable::IsoCountries.place("US");
    assert_eq!(hit(&database, "8.8.8.8"), Some(GeoHit { place, asn: None }));
    assert_eq!(hit(&database, "9.9.9.9"), None);
    // No error: a database of version 4 knows nothing of version 6.
    assert_eq!(hit(&database, "2001:4860::8888"), None);
    assert_eq!(database.failed_lookups(), 0);
}

#[test]
fn a_system_has_a_number_and_no_place() {
    let rows = [
        ("8.8.8.0/24", json!({"autonomous_system_number": 15_169, "country": {"iso_code": "US"}})),
        ("9.9.9.0/24", json!({"autonomous_system_number": 0})),
    ];
    let database = GeoIp::parse(database("GeoLite2-ASN", IpVersion::V4, &rows));
    let database = database.expect("a database");
    assert_eq!(hit(&database, "8.8.8.8"), Some(GeoHit { place: None, asn: Some(15_169) }));
    assert_eq!(hit(&database, "9.9.9.9"), None);
}

#[test]
fn special_addresses_are_never_looked_up() {
    let everywhere = json!({"country": {"iso_code": "US"}});
    let rows = [("::/1", everywhere.clone()), ("8000::/1", everywhere)];
    let database = GeoIp::parse(database("GeoLite2-Country", IpVersion::V6, &rows));
    let database = database.expect("a database");
    for text in ["10.1.2.3", "127.0.0.1", "100.64.0.1", "203.0.113.9", "::1", "fe80::1", "fd00::1"]
    {
        assert_eq!(hit(&database, text), None, "{text}");
    }
    assert!(hit(&database, "8.8.8.8").is_some() && hit(&database, "2600::1").is_some());
}

#[test]
fn a_file_that_is_no_database_says_why() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("GeoLite2-City.mmdb");
    let said = |path: &Path| GeoIp::open(path).expect_err("refused").to_string();
    assert!(said(&path).starts_with("expected a readable file: "));
    assert!(said(dir.path()).starts_with("expected a readable file: "));
    fs::write(&path, b"\x1f\x8b an archive").expect("writable");
    assert!(said(&path).starts_with("expected a MaxMind DB; unpack an archive"));
    fs::write(&path, "").expect("writable");
    assert!(said(&path).starts_with("expected a MaxMind DB"));
    fs::write(&path, database("GeoIP2-Anonymous-IP", IpVersion::V4, &[])).expect("writable");
    assert_eq!(
        said(&path),
        "expected a database of type City, Enterprise, Country or ASN, not 'GeoIP2-Anonymous-IP'"
    );
    let file = File::create(&path).expect("writable");
    file.set_len(limits::GEOIP_FILE_MAX_BYTES + 1).expect("a file with a hole");
    assert_eq!(said(&path), "expected at most 512 MiB");
}

#[test]
fn a_record_of_another_shape_is_no_place_and_is_counted() {
    let rows = [("8.8.8.0/24", json!({"country": "US"})), ("9.9.9.0/24", json!(["US"]))];
    let database = GeoIp::parse(database("GeoLite2-City", IpVersion::V4, &rows));
    let database = database.expect("a database");
    assert_eq!((hit(&database, "8.8.8.8"), hit(&database, "9.9.9.9")), (None, None));
    assert_eq!(database.failed_lookups(), 2);
}

/// A database whose one record has the country US and in `field` forty levels of arrays, each of
/// two pointers to the level below: to follow them all takes forever.
fn branching(field: &str) -> Vec<u8> {
    // Maps of one and two pairs, texts, arrays of two and pointers of eleven bits.
    let text = |text: &str| [&[0x40 | text.len() as u8], text.as_bytes()].concat();
    let mut data = text("a");
    let mut below = 0;
    for _ in 0..40 {
        let start = data.len() as u8;
        data.extend([0x02, 0x04, 0x20, below, 0x20, below]);
        below = start;
    }
    let record = data.len() as u32;
    data.extend([&[0xe2][..], &text("country"), &[0xe1], &text("iso_code"), &text("US")].concat());
    data.extend([text(field), vec![0x20, below]].concat());
    let mut bytes = database("GeoLite2-Country", IpVersion::V4, &[]);
    // The one node leads to the record on both sides: nodes, separator and offset add up.
    let [_, high, middle, low] = (1 + 16 + record).to_be_bytes();
    bytes.splice(..6, [high, middle, low].repeat(2));
    bytes.splice(6 + 16..6 + 16, data);
    bytes
}

#[test]
fn a_record_that_branches_without_end_is_read_in_time() {
    let database = GeoIp::parse(branching("other")).expect("a database");
    assert_eq!((country(&database), database.failed_lookups()), ("US".to_owned(), 0));
    let database = GeoIp::parse(branching("subdivisions")).expect("a database");
    assert_eq!((hit(&database, "8.8.8.8"), database.failed_lookups()), (None, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// Ends in time and in no panic; what comes back is on earth by its type.
    #[test]
    fn a_corrupt_database_is_refused_or_answers(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = city();
        for (at, byte) in changes {
            *at.get_mut(&mut bytes) = byte;
        }
        if is_cut {
            bytes.truncate(end.index(bytes.len()));
        }
        if let Ok(database) = GeoIp::parse(bytes) {
            let before = database.failed_lookups();
            for text in ["8.8.8.8", "81.2.69.160", "103.1.182.1", "2001:4860::8888", "2a00::1"] {
                hit(&database, text);
            }
            prop_assert!(database.failed_lookups() - before <= 5);
        }
    }
}

/// Where `8.8.8.8` is, by a database in a file.
fn country(database: &GeoIp) -> String {
    let place = hit(database, "8.8.8.8").and_then(|hit| hit.place).expect("a place");
    place.code().to_string()
}

fn country_database(code: &str) -> Vec<u8> {
    let rows = [("8.8.8.0/24", json!({"country": {"iso_code": code}}))];
    database("GeoLite2-Country", IpVersion::V4, &rows)
}

/// Writes beside the file and renames over it, as one should.
fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes).expect("writable");
    fs::rename(&beside, path).expect("renamed");
}

#[test]
fn a_new_file_is_read_at_the_next_look() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("country.mmdb");
    replace(&path, &country_database("US"));
    let (start, wall) = (Instant::now(), UNIX_EPOCH + Duration::from_secs(BUILT_S));
    let mut reloading = ReloadingGeoIp::open(&path, start, wall).expect("a database");
    let first = Arc::clone(reloading.current(start, wall));
    replace(&path, &country_database("CA"));
    let due = start + limits::GEOIP_LOOK_INTERVAL;
    let early = due.checked_sub(Duration::from_millis(1)).expect("after the start");
    assert!(Arc::ptr_eq(reloading.current(early, wall), &first));
    let second = Arc::clone(reloading.current(due, wall));
    assert_eq!((country(&first), country(&second)), ("US".to_owned(), "CA".to_owned()));
    // The file is the same: it is not read again.
    let later = due + limits::GEOIP_LOOK_INTERVAL;
    assert!(Arc::ptr_eq(reloading.current(later, wall), &second));
}

#[test]
fn a_file_that_cannot_be_used_leaves_the_old_database() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("country.mmdb");
    replace(&path, &country_database("US"));
    let (mut now, wall) = (Instant::now(), UNIX_EPOCH + Duration::from_secs(BUILT_S));
    let mut reloading = ReloadingGeoIp::open(&path, now, wall).expect("a database");
    let mut at_next_look = |reloading: &mut ReloadingGeoIp| {
        now += limits::GEOIP_LOOK_INTERVAL;
        country(reloading.current(now, wall))
    };
    replace(&path, b"half of a file");
    assert_eq!(at_next_look(&mut reloading), "US");
    fs::remove_file(&path).expect("removed");
    assert_eq!(at_next_look(&mut reloading), "US");
    replace(&path, &database("GeoIP2-Domain", IpVersion::V4, &[]));
    assert_eq!(at_next_look(&mut reloading), "US");
    replace(&path, &country_database("FR"));
    assert_eq!(at_next_look(&mut reloading), "FR");
}
