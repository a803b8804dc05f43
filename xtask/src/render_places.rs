//! `cargo xtask render-places`: the tables of places out of public-domain geometry.
//!
//! In:  two files of `TopoJSON`. Out: the sources `us_states` and `iso_countries` in
//! `src/users/place`.
//! Holds: every code has a place, and every feature of the files is known.

mod codes;
mod sphere;
mod topology;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use clap::Args;

use self::{
    codes::{COUNTRIES_OF_ISO, Codes, STATES_OF_US},
    sphere::Circle,
    topology::Polygon,
};
use crate::shell;

const FOLDER: &str = "src/users/place";

/// A table: where it is written, what it says about itself, and what it is made of.
struct Table {
    file: &'static str,
    head: &'static str,
    object: &'static str,
    codes: Codes,
}

const US_STATES: Table = Table {
    file: "us_states.rs",
    head: "\
//! Where the states of the US are, with the District of Columbia and the five territories.
//!
//! Written by `cargo xtask render-places`. Geometry: US Census Bureau cartographic boundary files
//! of 2017, as published in us-atlas 3.0.1 (states-10m); in the public domain.
",
    object: "states",
    codes: STATES_OF_US,
};

const ISO_COUNTRIES: Table = Table {
    file: "iso_countries.rs",
    head: "\
//! Where the countries of ISO 3166-1 are, and Kosovo (XK).
//!
//! Written by `cargo xtask render-places`. Geometry: Natural Earth 4.1.0, as published in
//! world-atlas 2.0.2 (countries-10m); in the public domain.
",
    object: "countries",
    codes: COUNTRIES_OF_ISO,
};

/// Computes the tables of places (src/users/place/) from two files of public-domain geometry
///
/// A place is the centroid of its polygons' area on a sphere, in hundredths of a degree, and the
/// distance from there to their farthest point, in whole kilometres, rounded up. The files are not
/// in this project: take states-10m.json of us-atlas 3.0.1 and countries-10m.json of world-atlas
/// 2.0.2.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The US Census Bureau's states
    #[arg(value_name = "states-10m.json")]
    states: PathBuf,
    /// Natural Earth's countries
    #[arg(value_name = "countries-10m.json")]
    countries: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    for (table, path) in [(US_STATES, &arguments.states), (ISO_COUNTRIES, &arguments.countries)] {
        let rendered = table.rendered(path).with_context(|| path.display().to_string())?;
        let target = shell::root().join(FOLDER).join(table.file);
        fs::write(&target, rendered).with_context(|| target.display().to_string())?;
        println!("{FOLDER}/{}", table.file);
    }
    Ok(ExitCode::SUCCESS)
}

impl Table {
    /// The table as a Rust source.
    fn rendered(&self, path: &Path) -> anyhow::Result<String> {
        let places = self.places(&fs::read_to_string(path)?)?;
        let mut text = self.head.to_owned();
        write!(text, "\nuse super::table::Row;\n\n").expect("a text");
        writeln!(text, "pub(super) const ROWS: [Row; {}] = [", places.len()).expect("a text");
        for (code, Circle { lat, lon, radius_km }) in places {
            let row = format!("Row::new(*b\"{code}\", {lat}, {lon}, {radius_km})");
            writeln!(text, "    {row},").expect("a text");
        }
        text.push_str("];\n");
        Ok(text)
    }

    /// The places by their codes.
    fn places(&self, text: &str) -> anyhow::Result<BTreeMap<&'static str, Circle>> {
        let mut polygons: BTreeMap<&str, Vec<Polygon>> = BTreeMap::new();
        for feature in topology::features(text, self.object)? {
            for (code, polygon) in self.codes.sorted(feature)? {
                polygons.entry(code).or_default().push(polygon);
            }
        }
        for code in self.codes.all() {
            ensure!(polygons.contains_key(code), "the file has nothing for {code}");
        }
        Ok(polygons.into_iter().map(|(code, polygons)| (code, sphere::circle(&polygons))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_lacks_a_place_is_refused() {
        let text = r#"{"transform": {"scale": [1, 1], "translate": [0, 0]},
            "arcs": [[[0, 0], [2, 0], [0, 2], [-2, -2]]],
            "objects": {"states": {"geometries": [
                {"type": "Polygon", "arcs": [[0]], "id": "01", "properties": {"name": "A"}}]}}}"#;
        let error = US_STATES.places(text).expect_err("55 states are missing");
        assert_eq!(error.to_string(), "the file has nothing for AK");
    }
}
