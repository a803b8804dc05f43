//! Where a login came from: by its `locale`, by its address, and the distance between two places.
//!
//! In:  the texts of a login's fields, and files that an operator names. Out: a [`Place`], a
//! [`Network`], whether a file lists an address or a device.
//! Holds: nothing here panics on what a file or a login holds; a distance has the same bits on
//! every machine; a code of a US state and one of a country are never equal.

mod code;
mod geoip;
mod iso_countries;
mod lists;
mod network;
mod point;
mod table;
mod us_states;

use serde::{Deserialize, Serialize};

pub use self::{
    code::PlaceCode,
    geoip::{GeoHit, GeoIp, GeoIpBoard, GeoIpError, GeoIpKind, ReloadingGeoIp},
    lists::{DeviceList, ListError},
    network::{Network, NetworkError, NetworkList, is_public, parse_address},
    point::Point,
    table::PlaceTable,
};

/// A circle on the map that the user of a login was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    code: PlaceCode,
    centre: Point,
    radius_km: u16,
}

impl Place {
    /// The place with this code: all within `radius_km` of `centre`.
    pub const fn new(code: PlaceCode, centre: Point, radius_km: u16) -> Self {
        Self { code, centre, radius_km }
    }

    /// What the place is called.
    pub const fn code(self) -> PlaceCode {
        self.code
    }

    /// The middle.
    pub const fn centre(self) -> Point {
        self.centre
    }

    /// Kilometres from the middle to the border.
    pub const fn radius_km(self) -> u16 {
        self.radius_km
    }

    /// Kilometres between the two centres, rounded down.
    pub fn distance_km(self, other: Self) -> u32 {
        self.centre.distance_km(other.centre)
    }

    /// Kilometres that somebody must have travelled at least to be in both places: the distance
    /// less both radii, 0 for places that overlap.
    pub fn gap_km(self, other: Self) -> u32 {
        let radii = u32::from(self.radius_km) + u32::from(other.radius_km);
        self.distance_km(other).saturating_sub(radii)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(lat: f64, lon: f64, radius_km: u16) -> Place {
        let centre = Point::from_degrees(lat, lon).expect("on earth");
        Place::new(PlaceCode::country(*b"XX"), centre, radius_km)
    }

    #[test]
    fn a_gap_is_the_distance_less_both_radii() {
        let (paris, berlin) = (place(48.86, 2.35, 10), place(52.52, 13.4, 20));
        assert_eq!(paris.distance_km(berlin), 877);
        assert_eq!(paris.gap_km(berlin), 847);
        assert_eq!(paris.gap_km(place(48.86, 2.4, 0)), 0);
        assert_eq!(paris.gap_km(place(52.52, 13.4, u16::MAX)), 0);
    }

    #[test]
    fn a_place_is_small() {
        assert_eq!(size_of::<Place>(), 12);
    }

    proptest! {
        #[test]
        fn a_gap_is_the_same_both_ways_and_shrinks_with_a_radius(
            (lat, lon) in (-90.0..=90.0, -180.0..=180.0),
            (other_lat, other_lon) in (-90.0..=90.0, -180.0..=180.0),
            (radius, other_radius) in (0_u16..3000, 0_u16..3000),
        ) {
            let (one, other) = (place(lat, lon, radius), place(other_lat, other_lon, other_radius));
            prop_assert_eq!(one.gap_km(other), other.gap_km(one));
            prop_assert!(one.gap_km(other) <= one.distance_km(other));
            let points = place(lat, lon, 0).gap_km(place(other_lat, other_lon, 0));
            prop_assert_eq!(points, one.distance_km(other));
            let wider = place(lat, lon, radius + 1).gap_km(other);
            prop_assert!(wider == one.gap_km(other).saturating_sub(1));
        }
    }
}
