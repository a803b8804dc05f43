//! The middle of polygons on a sphere, and how far they reach.
//!
//! In:  polygons of degrees, whose edges are parts of great circles. Out: their centroid and the
//! distance from it to their farthest point.
//! Holds: points are vectors in space, so that nothing happens at the poles or where longitudes
//! jump from 180 to -180.

use super::topology::{LonLat, Polygon, Ring};

/// The earth's mean radius in kilometres (IUGG, R1).
const EARTH_KM: f64 = 6371.0088;

type Vector = [f64; 3];

/// A circle that holds polygons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Circle {
    /// Hundredths of a degree.
    pub(super) lat: i16,
    /// Hundredths of a degree.
    pub(super) lon: i16,
    /// From the rounded centre to the farthest point, rounded up.
    pub(super) radius_km: u16,
}

/// The circle around the centroid of the polygons' area that holds them all.
pub(super) fn circle(polygons: &[Polygon]) -> Circle {
    let area = polygons.iter().map(Polygon::moment).fold([0.0; 3], add);
    let points = || polygons.iter().flat_map(|polygon| &polygon.outside);
    // Islands that the file's grid makes a point have no area.
    let middle = if length(area) > 0.0 {
        area
    } else {
        points().map(|point| vector(*point)).fold([0.0; 3], add)
    };
    let [x, y, z] = middle;
    let hundredths = |radians: f64| (radians.to_degrees() * 100.0).round() as i16;
    let (lat, lon) = (hundredths(z.atan2(x.hypot(y))), hundredths(y.atan2(x)));
    let rounded = LonLat { lon: f64::from(lon) / 100.0, lat: f64::from(lat) / 100.0 };
    let radius = points().map(|point| distance_km(rounded, *point)).fold(0.0, f64::max);
    Circle { lat, lon, radius_km: radius.ceil() as u16 }
}

impl Polygon {
    /// The integral of the position over the polygon's area: it points to the centroid, and is as
    /// long as the area is large.
    fn moment(&self) -> Vector {
        let holes = self.holes.iter().map(|hole| scaled(moment(hole), -1.0));
        holes.fold(moment(&self.outside), add)
    }
}

/// Half the sum of each edge's normal times its angle. A ring may run either way round: its
/// integral points to the side on which its corners are, because no ring here is larger than half
/// of the earth.
fn moment(ring: &Ring) -> Vector {
    let corners: Vec<Vector> = ring.iter().map(|point| vector(*point)).collect();
    let edge = |corners: &[Vector]| {
        let normal = cross(corners[0], corners[1]);
        let sine = length(normal);
        let angle = sine.atan2(dot(corners[0], corners[1]));
        if sine > 0.0 { scaled(normal, angle / sine / 2.0) } else { [0.0; 3] }
    };
    let sum = corners.windows(2).map(edge).fold([0.0; 3], add);
    let side = corners.iter().copied().fold([0.0; 3], add);
    if dot(sum, side) < 0.0 { scaled(sum, -1.0) } else { sum }
}

fn distance_km(from: LonLat, to: LonLat) -> f64 {
    let (from, to) = (vector(from), vector(to));
    EARTH_KM * length(cross(from, to)).atan2(dot(from, to))
}

fn vector(point: LonLat) -> Vector {
    let (lon, lat) = (point.lon.to_radians(), point.lat.to_radians());
    [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()]
}

fn add(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

fn scaled(a: Vector, by: f64) -> Vector {
    a.map(|part| part * by)
}

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn length(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    fn ring(corners: &[(f64, f64)]) -> Ring {
        let closed = corners.iter().chain(corners.first());
        closed.map(|&(lon, lat)| LonLat { lon, lat }).collect()
    }

    fn polygon(outside: &[(f64, f64)], holes: &[&[(f64, f64)]]) -> Polygon {
        Polygon {
            outside: ring(outside),
            holes: holes.iter().map(|corners| ring(corners)).collect(),
        }
    }

    /// A square on the equator from `west`, one degree to each side of its middle.
    fn square(west: f64) -> [(f64, f64); 4] {
        let east = if west + 2.0 > 180.0 { west - 358.0 } else { west + 2.0 };
        [(west, -1.0), (east, -1.0), (east, 1.0), (west, 1.0)]
    }

    #[test]
    fn a_square_s_middle_is_its_centroid_wherever_longitudes_jump() {
        let radius_km = (EARTH_KM * (2.0_f64.sqrt() * PI / 180.0)).ceil() as u16;
        for (west, lon) in [(-1.0, 0), (20.0, 2100), (179.0, 18_000), (178.5, 17_950)] {
            let found = circle(&[polygon(&square(west), &[])]);
            assert_eq!(found, Circle { lat: 0, lon, radius_km }, "{west}");
        }
    }

    #[test]
    fn a_ring_s_direction_makes_no_difference() {
        let mut backwards = square(30.0);
        backwards.reverse();
        let holes = [(30.2, -0.5), (30.8, -0.5), (30.8, 0.5), (30.2, 0.5)];
        let mut holes_backwards = holes;
        holes_backwards.reverse();
        let expected = circle(&[polygon(&square(30.0), &[&holes])]);
        assert_eq!(circle(&[polygon(&backwards, &[&holes])]), expected);
        assert_eq!(circle(&[polygon(&square(30.0), &[&holes_backwards])]), expected);
        // The hole is in the west: what is left lies to the east of the middle. A tenth and a half
        // of the area is missing at half a degree from it.
        assert_eq!(expected.lon, 3100 + 9);
    }

    #[test]
    fn an_octant_s_moment_is_what_the_integral_says() {
        // Over the octant x, y, z > 0 the integral of each coordinate is pi/4.
        let octant = polygon(&[(0.0, 0.0), (90.0, 0.0), (90.0, 90.0)], &[]);
        for part in octant.moment() {
            assert!((part - PI / 4.0).abs() < 1e-12, "{part}");
        }
    }

    #[test]
    fn polygons_count_by_their_area() {
        let small = [(10.0, -0.1), (10.2, -0.1), (10.2, 0.1), (10.0, 0.1)];
        let found = circle(&[polygon(&square(0.0), &[]), polygon(&small, &[])]);
        // 100 to 1, at 1 and 10.1 degrees.
        assert_eq!((found.lat, found.lon), (0, 109));
        let corner_km = EARTH_KM * 0.1_f64.hypot(10.2 - 1.09).to_radians();
        assert_eq!(found.radius_km, corner_km.ceil() as u16);
    }

    #[test]
    fn an_island_of_one_point_is_there() {
        let found = circle(&[polygon(&[(12.45, 41.9), (12.45, 41.9)], &[])]);
        assert_eq!(found, Circle { lat: 4190, lon: 1245, radius_km: found.radius_km });
        assert!(found.radius_km <= 1);
    }
}
