//! Points on the earth and the distance between two. Pure.
//!
//! Alerts hold distances and must have the same bytes on every machine, but the sine of the
//! standard library is that of the system's C library: its last bit differs between systems. So
//! sines come from the crate `libm`, which computes them with additions, multiplications and
//! divisions alone. IEEE 754 says the result of each to the last bit, and also of a square root.
//! Whole numbers instead would need tables of sines, and would be less exact.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The earth's mean radius in kilometres (IUGG, R1). The earth is flatter than a sphere: distances
/// are wrong by up to 0.6 %.
const EARTH_KM: f64 = 6371.0088;

/// The radians of a hundredth of a degree.
const HUNDREDTH: f64 = PI / 18_000.0;

/// A point, to hundredths of a degree: at most 0.8 km beside what was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Point {
    /// North of the equator, hundredths of a degree, -9000 to 9000.
    lat: i16,
    /// East of Greenwich, hundredths of a degree, -17999 to 18000.
    lon: i16,
}

impl Point {
    /// The point at these hundredths of a degree; `None` when there is none such.
    pub const fn from_hundredths(lat: i16, lon: i16) -> Option<Self> {
        if lat < -9000 || lat > 9000 || lon < -18_000 || lon > 18_000 {
            return None;
        }
        // The same meridian.
        let lon = if lon == -18_000 { 18_000 } else { lon };
        Some(Self { lat, lon })
    }

    /// The point nearest to these degrees; `None` when there is none such.
    pub fn from_degrees(lat: f64, lon: f64) -> Option<Self> {
        // No number lies between the bounds that is not one of degrees.
        if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
            return None;
        }
        Self::from_hundredths((lat * 100.0).round() as i16, (lon * 100.0).round() as i16)
    }

    /// North of the equator, hundredths of a degree.
    pub const fn lat_hundredths(self) -> i16 {
        self.lat
    }

    /// East of Greenwich, hundredths of a degree.
    pub const fn lon_hundredths(self) -> i16 {
        self.lon
    }

    /// Kilometres along the great circle, rounded down: 0 to 20 015.
    pub fn distance_km(self, other: Self) -> u32 {
        self.haversine_km(other) as u32
    }

    /// The haversine formula, in this order of operations:
    /// h = sin²(Δlat / 2) + (cos lat₁ · cos lat₂) · sin²(Δlon / 2), d = 2 R · asin √h.
    fn haversine_km(self, other: Self) -> f64 {
        let radians = |hundredths: i32| f64::from(hundredths) * HUNDREDTH;
        let half_sine_squared = |one: i16, other: i16| {
            let sine = libm::sin(radians(i32::from(other) - i32::from(one)) / 2.0);
            sine * sine
        };
        let cosine = |lat: i16| libm::cos(radians(i32::from(lat)));
        let along = half_sine_squared(self.lat, other.lat);
        let across = half_sine_squared(self.lon, other.lon);
        let h = along + (cosine(self.lat) * cosine(other.lat)) * across;
        // Between antipodes rounding may give a little more than 1.
        2.0 * EARTH_KM * libm::asin(h.sqrt().min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point(lat: i16, lon: i16) -> Point {
        Point::from_hundredths(lat, lon).expect("on earth")
    }

    fn any_point() -> impl Strategy<Value = Point> {
        (-9000_i16..=9000, -18_000_i16..=18_000).prop_map(|(lat, lon)| point(lat, lon))
    }

    /// The angle between two vectors in space, times the radius.
    fn naive_km(one: Point, other: Point) -> f64 {
        let vector = |point: Point| {
            let [lat, lon] =
                [point.lat, point.lon].map(|part| (f64::from(part) / 100.0).to_radians());
            [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()]
        };
        let (a, b) = (vector(one), vector(other));
        let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
        let cross =
            [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
        let sine = cross.iter().map(|part| part * part).sum::<f64>().sqrt();
        EARTH_KM * sine.atan2(dot)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_distance_is_the_angle_between_vectors(one in any_point(), other in any_point()) {
            let (found, naive) = (one.haversine_km(other), naive_km(one, other));
            // The haversine formula loses half of its digits near the antipodes.
            let tolerance = if naive > 19_900.0 { 1e-3 } else { 1e-7 };
            prop_assert!((found - naive).abs() < tolerance, "{found} {naive}");
        }

        #[test]
        fn a_distance_is_the_same_both_ways_to_the_bit(one in any_point(), other in any_point()) {
            let (there, back) = (one.haversine_km(other), other.haversine_km(one));
            prop_assert_eq!(there.to_bits(), back.to_bits());
            prop_assert!(one.distance_km(other) <= 20_015);
            prop_assert_eq!(one.distance_km(one), 0);
        }

        #[test]
        fn degrees_are_rounded_to_the_nearest_hundredth(
            lat in -90.0..=90.0_f64,
            lon in -180.0..=180.0_f64,
        ) {
            let found = Point::from_degrees(lat, lon).expect("on earth");
            prop_assert!((f64::from(found.lat) / 100.0 - lat).abs() < 0.005 + 1e-9);
            let off = (f64::from(found.lon) / 100.0 - lon).abs();
            // Just east of the antimeridian is rounded to it, from the other side.
            prop_assert!(off.min(360.0 - off) < 0.005 + 1e-9);
        }
    }

    /// The bits that one machine gave, and beside them the distances computed with sixty digits.
    #[test]
    fn distances_have_the_same_bits_on_every_machine() {
        for (one, other, bits, exact) in [
            (point(4886, 235), point(5252, 1340), 0x408b_68ba_b48a_1d47, 877.091_164_664_3),
            (point(-3387, 15_121), point(5147, -45), 0x40d0_9de4_4d6c_c934, 17_015.567_225_643_6),
            (point(6392, -15_238), point(6604, 9565), 0x40b1_d5f7_0d44_9c26, 4_565.965_046_203_7),
            (point(1, 17_999), point(-1, -17_999), 0x4009_291b_67c2_5f1d, 3.145_071_802_7),
            (point(4000, 0), point(-4000, 17_900), 0x40d3_767b_cf19_ce8b, 19_929.934_515_430_3),
            (point(0, 0), point(0, 1), 0x3ff1_ca8c_ecac_a8bf, 1.111_950_802_3_f64),
            // glibc's sine, cosine and arc sine would each change the last bit of one of these.
            (point(-879, 6883), point(8669, 11_964), 0x40c4_ffbe_0ef7_be0d, 10_751.484_831_779_3),
            (point(4993, 10_237), point(6488, 5584), 0x40a8_8ab3_d6f9_a752, 3_141.351_249_505_7),
            (point(-8620, -13_831), point(471, 7449), 0x40c5_4305_75ac_b506, 10_886.042_653_644_9),
        ] {
            let found = one.haversine_km(other);
            assert_eq!(found.to_bits(), bits, "{one:?} {other:?}: {found} {:#x}", found.to_bits());
            assert!((found - exact).abs() < 1e-9, "{one:?} {other:?}: {found}");
        }
    }

    #[test]
    fn the_antimeridian_and_the_poles_are_no_borders() {
        assert_eq!(point(0, 17_950).distance_km(point(0, -17_950)), 111);
        assert_eq!(point(8990, 0).distance_km(point(8990, 18_000)), 22);
        assert_eq!(point(9000, 1234).distance_km(point(9000, -9876)), 0);
        assert_eq!(point(9000, 0).distance_km(point(-9000, 0)), 20_015);
        assert_eq!(point(100, -18_000), point(100, 18_000));
    }

    #[test]
    fn what_is_not_on_earth_is_no_point() {
        for (lat, lon) in [
            (90.01, 0.0),
            (-91.0, 0.0),
            (0.0, 180.5),
            (f64::NAN, 0.0),
            (0.0, f64::NAN),
            (f64::INFINITY, 0.0),
            (1e300, 1e300),
        ] {
            assert_eq!(Point::from_degrees(lat, lon), None, "{lat} {lon}");
        }
        assert_eq!(Point::from_hundredths(9001, 0), None);
        assert_eq!(Point::from_hundredths(0, -18_001), None);
    }
}
