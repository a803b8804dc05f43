//! Reads `TopoJSON`: polygons of degrees out of shared arcs.
//!
//! In:  a file's text and an object's name. Out: its features, each with its polygons.
//! Holds: an arc's first point is absolute and the others are steps, in units of the file's
//! transform; a negative index takes the arc `!index` backwards.

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;

/// A point in degrees, longitude first as in the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LonLat {
    pub(super) lon: f64,
    pub(super) lat: f64,
}

/// A ring whose last point is its first.
pub(super) type Ring = Vec<LonLat>;

#[derive(Debug)]
pub(super) struct Polygon {
    pub(super) outside: Ring,
    pub(super) holes: Vec<Ring>,
}

pub(super) struct Feature {
    /// The file's `id`: a number of two or three digits as text.
    pub(super) number: Option<String>,
    pub(super) name: String,
    pub(super) polygons: Vec<Polygon>,
}

#[derive(Deserialize)]
struct File {
    transform: Transform,
    arcs: Vec<Vec<(i64, i64)>>,
    objects: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct Transform {
    scale: (f64, f64),
    translate: (f64, f64),
}

#[derive(Deserialize)]
struct Collection {
    geometries: Vec<Geometry>,
}

#[derive(Deserialize)]
struct Geometry {
    id: Option<String>,
    properties: Properties,
    #[serde(flatten)]
    shape: Shape,
}

#[derive(Deserialize)]
struct Properties {
    name: String,
}

/// Rings as indices of arcs.
#[derive(Deserialize)]
#[serde(tag = "type", content = "arcs")]
enum Shape {
    Polygon(Vec<Vec<i64>>),
    MultiPolygon(Vec<Vec<Vec<i64>>>),
}

/// The features of an object of the file.
///
/// # Errors
/// The text is no quantized `TopoJSON` with that object, or the object has more than polygons.
pub(super) fn features(text: &str, object: &str) -> anyhow::Result<Vec<Feature>> {
    let mut file: File = serde_json::from_str(text).context("expected quantized TopoJSON")?;
    let found = file.objects.remove(object);
    let found = found.with_context(|| format!("the file has no object '{object}'"))?;
    let collection: Collection = serde_json::from_value(found).context("expected polygons")?;
    let arcs: Vec<Ring> = file.arcs.iter().map(|arc| file.transform.arc(arc)).collect();
    let polygon = |rings: &Vec<Vec<i64>>| {
        let mut rings = rings.iter().map(|ring| joined(ring, &arcs));
        let outside = rings.next().context("a polygon has a ring")??;
        Ok(Polygon { outside, holes: rings.collect::<anyhow::Result<_>>()? })
    };
    let feature = |geometry: Geometry| {
        let polygons = match geometry.shape {
            Shape::Polygon(rings) => vec![rings],
            Shape::MultiPolygon(polygons) => polygons,
        };
        let polygons = polygons.iter().map(polygon).collect::<anyhow::Result<_>>();
        let name = geometry.properties.name;
        let polygons = polygons.with_context(|| name.clone())?;
        Ok(Feature { number: geometry.id, name, polygons })
    };
    collection.geometries.into_iter().map(feature).collect()
}

impl Transform {
    fn arc(&self, steps: &[(i64, i64)]) -> Ring {
        let (mut x, mut y) = (0, 0);
        let point = |&(right, up): &(i64, i64)| {
            (x, y) = (x + right, y + up);
            LonLat {
                lon: x as f64 * self.scale.0 + self.translate.0,
                lat: y as f64 * self.scale.1 + self.translate.1,
            }
        };
        steps.iter().map(point).collect()
    }
}

/// The ring that these arcs make; each begins where the one before it ends.
fn joined(indices: &[i64], arcs: &[Ring]) -> anyhow::Result<Ring> {
    let mut ring = Ring::new();
    for &index in indices {
        let is_backwards = index < 0;
        let index = if is_backwards { !index } else { index };
        let arc = usize::try_from(index).ok().and_then(|index| arcs.get(index));
        let mut arc = arc.with_context(|| format!("the file has no arc {index}"))?.clone();
        if is_backwards {
            arc.reverse();
        }
        ensure!(ring.last().is_none_or(|end| arc.first() == Some(end)), "a ring has a gap");
        // The point that two arcs share is there once.
        ring.pop();
        ring.append(&mut arc);
    }
    ensure!(!ring.is_empty() && ring.first() == ring.last(), "a ring is open");
    Ok(ring)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two triangles that share the arc 0, the second in a feature of two polygons, one of them
    /// with a hole.
    const TEXT: &str = r#"{"type": "Topology",
        "transform": {"scale": [0.5, 2], "translate": [-10, 20]},
        "arcs": [[[0, 0], [2, 0]], [[2, 0], [-1, 1], [-1, -1]], [[2, 0], [-2, -3], [0, 3]],
                 [[8, 8], [1, 0], [0, 1], [-1, -1]]],
        "objects": {"states": {"type": "GeometryCollection", "geometries": [
            {"type": "Polygon", "arcs": [[0, 1]], "id": "01", "properties": {"name": "North"}},
            {"type": "MultiPolygon", "arcs": [[[-1, 2, 0, -1], [3]], [[3]]],
             "properties": {"name": "South"}}]}}}"#;

    fn degrees(ring: &Ring) -> Vec<(f64, f64)> {
        ring.iter().map(|point| (point.lon, point.lat)).collect()
    }

    #[test]
    fn rings_are_joined_out_of_arcs() {
        let text = TEXT.replace("[-1, 2, 0, -1]", "[-2, -1]");
        let features = features(&text, "states").expect("valid");
        let [north, south] = &features[..] else { panic!("two features") };
        assert_eq!((north.number.as_deref(), north.name.as_str()), (Some("01"), "North"));
        let outside = [(-10.0, 20.0), (-9.0, 20.0), (-9.5, 22.0), (-10.0, 20.0)];
        assert_eq!(degrees(&north.polygons[0].outside), outside);
        assert_eq!(south.number, None);
        let mut backwards = outside;
        backwards.reverse();
        assert_eq!(degrees(&south.polygons[0].outside), backwards);
        assert_eq!(south.polygons[0].holes.len(), 1);
        assert_eq!(degrees(&south.polygons[1].outside)[1], (-5.5, 36.0));
    }

    #[test]
    fn arcs_that_make_no_ring_are_an_error() {
        for (arcs, error) in
            [("[0, 3]", "a ring has a gap"), ("[0]", "a ring is open"), ("[9]", "no arc 9")]
        {
            let text = TEXT.replace("[-1, 2, 0, -1]", arcs);
            let found = features(&text, "states").map(|_| ()).expect_err(arcs);
            assert!(format!("{found:#}").contains(error), "{found:#}");
            assert!(format!("{found:#}").contains("South"), "{found:#}");
        }
        let found = features(TEXT, "counties").map(|_| ()).expect_err("another object");
        assert!(found.to_string().contains("no object 'counties'"));
    }
}
