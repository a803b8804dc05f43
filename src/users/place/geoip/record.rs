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
    autonomous_system_number: Option<Number>,
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
    latitude: Option<Number>,
    longitude: Option<Number>,
    /// Kilometres.
    accuracy_radius: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Traits {
    autonomous_system_number: Option<Number>,
}

impl Record<'_> {
    /// The place that the record names: its position with its largest subdivision's code or the
    /// country's; without a position the country's own place.
    pub(super) fn place(&self) -> Option<Place> {
        let country = self.country.iso_code?;
        let Some(centre) = self.location.centre() else {
            return PlaceTable::IsoCountries.place(country);
        };
        let part = self.subdivisions.0.iso_code;
        let part = part.and_then(|part| PlaceCode::subdivision(country, part));
        let code = part.or_else(|| PlaceCode::from_country(country))?;
        Some(Place::new(code, centre, self.location.radius_km()))
    }

    /// The number of the autonomous system; 0 is none.
    pub(super) fn asn(&self) -> Option<u32> {
        let found = self.autonomous_system_number.or(self.traits.autonomous_system_number);
        found.map(|Number(asn)| asn as u32).filter(|asn| *asn > 0)
    }
}

impl Location {
    fn centre(&self) -> Option<Point> {
        let (Number(latitude), Number(longitude)) = self.latitude.zip(self.longitude)?;
        Point::from_degrees(latitude, longitude)
    }

    fn radius_km(&self) -> u16 {
        self.accuracy_radius.map_or(UNSAID_RADIUS_KM, |Number(radius)| radius.ceil() as u16)
    }
}

/// A number of any width: publishers differ in what they store one in. A cast of it takes the
/// nearest value of the other type.
#[derive(Debug, Clone, Copy)]
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyWidth;

        impl Visitor<'_> for AnyWidth {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }
        }

        deserializer.deserialize_any(AnyWidth)
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
