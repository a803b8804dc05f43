//! What is read of a database's record. Pure.
//!
//! One type for databases of every kind: they use the same names for the same things, and what a
//! record lacks is empty. Names of cities and the like are skipped, not decoded.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

use super::super::{Place, PlaceCode, PlaceTable, Point};

/// The radius of a position whose record does not say how exact it is: that of a large city with
/// its surroundings. Kilometres.
const UNSAID_RADIUS_KM: u16 = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    country: Coded<'a>,
    #[serde(borrow)]
    subdivisions: Largest<'a>,
    location: Location,
    autonomous_system_number: Option<u32>,
    traits: Traits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Coded<'a> {
    iso_code: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
    /// Kilometres.
    accuracy_radius: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Traits {
    autonomous_system_number: Option<u32>,
}

impl Record<'_> {
    /// The place that the record names: its position with its largest subdivision's code or the
    /// country's; without a position the country's own place.
    pub(super) fn place(&self) -> Option<Place> {
        let country = self.country.iso_code?;
        let whole = PlaceTable::IsoCountries.place(country);
        let Location { latitude, longitude, accuracy_radius } = self.location;
        let Some(centre) = latitude.zip(longitude).and_then(|(lat, lon)| Point::from_degrees(lat, lon))
        else {
            return whole;
        };
        let part = self.subdivisions.0.iso_code;
        let part = part.and_then(|part| PlaceCode::subdivision(country, part));
        let code = part.or_else(|| PlaceCode::from_country(country))?;
        Some(Place::new(code, centre, accuracy_radius.unwrap_or(UNSAID_RADIUS_KM)))
    }

    /// The number of the autonomous system.
    pub(super) fn asn(&self) -> Option<u32> {
        self.autonomous_system_number.or(self.traits.autonomous_system_number)
    }
}

/// The first of an array, which is the largest part of a country; the rest is skipped, without
/// memory for it.
#[derive(Debug, Default)]
struct Largest<'a>(Coded<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Largest<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;

        impl<'de> Visitor<'de> for First {
            type Value = Largest<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of subdivisions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let first = array.next_element()?.unwrap_or_default();
                while array.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Largest(first))
            }
        }

        deserializer.deserialize_seq(First)
    }
}
