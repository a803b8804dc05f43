//! A database of places that anybody may have made: it is refused, or it answers.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use logintide::users::place::{GeoIp, GeoIpKind};
use logintide_fuzz::bounded;

/// Addresses of both versions, those of the seeds among them.
const ADDRESSES: [[u16; 8]; 5] = [
    [0, 0, 0, 0, 0, 0xffff, 0x0808, 0x0808],
    [0, 0, 0, 0, 0, 0xffff, 0x5102, 0x45a0],
    [0, 0, 0, 0, 0, 0xffff, 0xdfff, 0xffff],
    [0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888],
    [0x3ffe, 0xffff, 0, 0, 0, 0, 0, 0],
];

fuzz_target!(|data: &[u8]| {
    let Ok(database) = bounded(data.len(), || GeoIp::parse(data.to_vec())) else { return };
    for address in ADDRESSES.map(IpAddr::from) {
        let failed = database.failed_lookups();
        let found = bounded(data.len(), || database.lookup(address));
        let Some(hit) = found else { continue };
        assert_eq!(database.failed_lookups(), failed, "a failed lookup finds nothing");
        assert_eq!(database.lookup(address), Some(hit), "a database does not change");
        assert!(hit.place.is_some() || hit.asn.is_some());
        if let Some(place) = hit.place {
            assert!(database.kind() != GeoIpKind::Asn);
            let (centre, code) = (place.centre(), place.code());
            assert!(centre.lat_hundredths().abs() <= 9000 && centre.lon_hundredths() > -18_000);
            assert!((2..=6).contains(&code.as_str().len()));
        }
    }
});
