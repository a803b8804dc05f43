//! Places by the `locale` of a login. Pure.
//!
//! The tables `us_states` and `iso_countries` are written by `cargo xtask render-places`: the
//! centroid of a place's area on a sphere, and the distance from there to its farthest point. A
//! country is what the geometry draws of it: far islands make its radius large, and its gap to
//! others small. Parts that have a code of their own, such as Réunion (RE), are not in their
//! country.

use super::{Place, PlaceCode, Point, code::two_letters, iso_countries, us_states};

/// What `locale` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum PlaceTable {
    /// A state of the US, by its postal code: `CA` is California.
    UsStates,
    /// A country, by its code of ISO 3166-1: `CA` is Canada.
    IsoCountries,
    /// Nothing that has a place.
    #[default]
    None,
}

impl PlaceTable {
    /// The place of a login with this `locale`; `None` when the text is no code of this table.
    ///
    /// A code is two upper-case letters and nothing else: `de` is the language German, not Germany
    /// or Delaware.
    pub fn place(self, locale: &str) -> Option<Place> {
        let index = match self {
            Self::UsStates => &US_STATES,
            Self::IsoCountries => &ISO_COUNTRIES,
            Self::None => return None,
        };
        index.places[slot(two_letters(locale)?)]
    }
}

/// A row of a table that is written by a program.
#[derive(Clone, Copy)]
pub(super) struct Row {
    code: [u8; 2],
    centre: Point,
    radius_km: u16,
}

impl Row {
    /// The position in hundredths of a degree.
    pub(super) const fn new(code: [u8; 2], lat: i16, lon: i16, radius_km: u16) -> Self {
        let centre = Point::from_hundredths(lat, lon).expect("a table's places are on earth");
        Self { code, centre, radius_km }
    }
}

const LETTERS: usize = 26;

/// A table by its codes.
struct Index {
    places: [Option<Place>; LETTERS * LETTERS],
}

static US_STATES: Index = Index::new(&us_states::ROWS, true);
static ISO_COUNTRIES: Index = Index::new(&iso_countries::ROWS, false);

impl Index {
    const fn new(rows: &[Row], are_states: bool) -> Self {
        let mut places = [None; LETTERS * LETTERS];
        let mut at = 0;
        while at < rows.len() {
            let Row { code, centre, radius_km } = rows[at];
            let name =
                if are_states { PlaceCode::us_state(code) } else { PlaceCode::country(code) };
            places[slot(code)] = Some(Place::new(name, centre, radius_km));
            at += 1;
        }
        Self { places }
    }
}

/// Where a code of two upper-case letters stands.
const fn slot(code: [u8; 2]) -> usize {
    (code[0] - b'A') as usize * LETTERS + (code[1] - b'A') as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const STATES: PlaceTable = PlaceTable::UsStates;
    const COUNTRIES: PlaceTable = PlaceTable::IsoCountries;

    fn is_in(table: PlaceTable, code: &str, lat: f64, lon: f64) -> bool {
        let place = table.place(code).expect(code);
        let town = Point::from_degrees(lat, lon).expect("on earth");
        place.centre().distance_km(town) <= u32::from(place.radius_km())
    }

    proptest! {
        #[test]
        fn a_lookup_is_a_search_of_the_rows(locale in "[A-Z]{2}|\\PC{0,3}") {
            for (table, rows, prefix) in
                [(STATES, &us_states::ROWS[..], "US-"), (COUNTRIES, &iso_countries::ROWS[..], "")]
            {
                let row = rows.iter().find(|row| row.code == locale.as_bytes());
                let naive = row.map(|row| (format!("{prefix}{locale}"), row.centre, row.radius_km));
                let found = table.place(&locale);
                let found = found.map(|p| (p.code().to_string(), p.centre(), p.radius_km()));
                prop_assert_eq!(found, naive);
            }
            prop_assert_eq!(PlaceTable::None.place(&locale), None);
        }
    }

    #[test]
    fn what_is_no_code_has_no_place() {
        for text in ["", "unknown", "ca", "Ca", "CA ", "CAN", "C", "en-US", "US-CA", "ÄÖ", "ZZ"] {
            assert_eq!(STATES.place(text), None, "{text}");
            assert_eq!(COUNTRIES.place(text), None, "{text}");
        }
        assert_eq!(STATES.place("RU"), None);
        assert_eq!(COUNTRIES.place("TX"), None);
    }

    #[test]
    fn a_code_of_both_tables_is_two_places() {
        let [state, country] = [STATES, COUNTRIES].map(|table| table.place("CA").expect("a place"));
        assert_eq!((state.code().as_str(), country.code().as_str()), ("US-CA", "CA"));
        assert!(state.distance_km(country) > 2000);
        let codes = |rows: &[Row]| rows.iter().map(|row| row.code).collect::<BTreeSet<_>>();
        let (states, countries) = (codes(&us_states::ROWS), codes(&iso_countries::ROWS));
        assert_eq!((states.len(), countries.len()), (56, 250));
        // The five territories are countries in ISO 3166-1 too.
        assert_eq!(states.intersection(&countries).count(), 26 + 5);
    }

    /// Another sine changes the last bits of a distance, and no whole kilometre between two places
    /// of a table: an independent program comes to the same gaps.
    #[test]
    fn distances_between_places_are_far_from_whole_kilometres() {
        let kilometres = |one: Point, other: Point| {
            let [lat, lon, other_lat, other_lon] = [
                one.lat_hundredths(),
                one.lon_hundredths(),
                other.lat_hundredths(),
                other.lon_hundredths(),
            ]
            .map(|hundredths| (f64::from(hundredths) / 100.0).to_radians());
            let half_sine_squared = |angle: f64| (angle / 2.0).sin().powi(2);
            let h = half_sine_squared(other_lat - lat)
                + lat.cos() * other_lat.cos() * half_sine_squared(other_lon - lon);
            2.0 * 6371.0088 * h.sqrt().asin()
        };
        for rows in [&us_states::ROWS[..], &iso_countries::ROWS[..]] {
            for (at, one) in rows.iter().enumerate() {
                for other in &rows[..at] {
                    let found = kilometres(one.centre, other.centre);
                    assert!((found - found.round()).abs() > 1e-6, "{found}");
                    assert_eq!(one.centre.distance_km(other.centre), found as u32);
                }
            }
        }
    }

    /// Towns at the far ends of places, some beyond the antimeridian.
    #[test]
    fn a_place_holds_its_towns() {
        for (code, lat, lon) in [
            ("AK", 52.88, 173.16),
            ("AK", 55.13, -131.57),
            ("AK", 71.29, -156.79),
            ("HI", 19.73, -155.09),
            ("TX", 31.76, -106.49),
            ("FL", 24.56, -81.78),
            ("DC", 38.91, -77.04),
        ] {
            assert!(is_in(STATES, code, lat, lon), "{code} {lat} {lon}");
        }
        for (code, lat, lon) in [
            ("RU", 64.42, -173.23),
            ("RU", 54.71, 20.45),
            ("FJ", -18.14, 178.44),
            ("FJ", -16.81, -179.99),
            ("US", 21.31, -157.86),
            ("US", 44.9, -66.98),
            ("FR", 48.39, -4.49),
            ("FR", 41.39, 9.16),
            ("RE", -20.88, 55.45),
            ("SJ", 78.22, 15.65),
            ("CC", -12.19, 96.83),
            ("VA", 41.9, 12.45),
            ("XK", 42.66, 21.17),
            ("NZ", -43.95, -176.56),
        ] {
            assert!(is_in(COUNTRIES, code, lat, lon), "{code} {lat} {lon}");
        }
        assert!(!is_in(COUNTRIES, "FR", -20.88, 55.45));
        assert!(!is_in(COUNTRIES, "NO", 78.22, 15.65));
        assert!(!is_in(STATES, "NY", 34.05, -118.24));
    }

    #[test]
    fn centroids_are_on_the_right_side_of_the_antimeridian() {
        let lon =
            |table: PlaceTable, code| table.place(code).expect(code).centre().lon_hundredths();
        assert!((-15_500..-15_000).contains(&lon(STATES, "AK")));
        assert!((9000..10_500).contains(&lon(COUNTRIES, "RU")));
        assert!((17_700..18_000).contains(&lon(COUNTRIES, "FJ")));
        assert!((-11_500..-10_000).contains(&lon(COUNTRIES, "US")));
    }
}
